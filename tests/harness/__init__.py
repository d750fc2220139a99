"""A real ComfyUI for the tests, the demo and `make comfy`: its set-up, its start and stop, its HTTP
interface, a browser on its page.

Knows the pack only as a folder that the host loads. Nothing in the pack imports from here.
"""
