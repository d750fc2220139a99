"""The pack's door: ComfyUI loads the nodes and the browser's part from here. Anything else that imports this
file gets nothing.

Of two copies in one host the first is the pack. Both have the same node ids, routes and extension name:
together they would be a mixture.
"""

import logging
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

if __package__ and find_spec("comfy_api"):
    _here = Path(__file__).parent
    _loaded = Path(sys.modules.setdefault("comfyui_motionstream", sys.modules[__name__]).__file__).parent
    if _loaded == _here:
        from .nodes import comfy_entrypoint

        __all__ = ["comfy_entrypoint"]
        if (
            quote(_here.name, safe="!$&'()*+,;=@~") == _here.name
        ):  # of any other folder the host's server finds no file; `_host.start` sees to it
            WEB_DIRECTORY = "./js"
            __all__ += ["WEB_DIRECTORY"]
    else:
        logging.getLogger("motionstream").error(
            "MotionStream: expected one copy of the pack, got a second one: %s is used, %s is left out. "
            "Remove one of them",
            _loaded,
            _here,
        )
