"""The pack's door: ComfyUI loads the nodes and the browser's part from here. Anything else that imports this file gets nothing."""

from importlib.util import find_spec

if __package__ and find_spec("comfy_api"):
    from .nodes import comfy_entrypoint

    WEB_DIRECTORY = "./js"
    __all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
