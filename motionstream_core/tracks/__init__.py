"""What moves: tracks, their spellings in files and on the host, the editor's document, and the start image
moved along them.
"""
