"""The pack's door: the host reads WEB_DIRECTORY and calls comfy_entrypoint; everything else is imported inside it.

Nothing of the host is imported here, so that tools which merely look at the folder (pytest among them) can import this file.
"""

WEB_DIRECTORY = "./js"


async def comfy_entrypoint():
    """The nodes of the pack, for the host."""
    from .nodes import comfy_entrypoint as entrypoint

    return await entrypoint()


__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
