"""Measures of generated cartoon clips that need no network: colour, place and motion of the thing, by
closed form.
"""
