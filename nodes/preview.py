"""Stream Preview: shows the sampler's frames while they are made. The showing is the browser's work. This
node passes images on.
"""

from __future__ import annotations

from comfy_api.latest import io, ui

from .loader import CATEGORY


class StreamPreview(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamPreview",
            display_name="Stream Preview",
            category=CATEGORY,
            description=(
                "Shows the frames of a Streaming Sampler while it runs, with the true frame rate and "
                "latency, and steers it: drag, camera, prompt, pause, step, rewind, stop and keep."
            ),
            search_aliases=["motionstream", "live preview", "video preview", "realtime", "drag"],
            is_output_node=True,
            inputs=[
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="The Streaming Sampler's images: connected, they make the sampler run.",
                )
            ],
            outputs=[io.Image.Output(tooltip="The same images.")],
        )

    @classmethod
    def execute(cls, images=None) -> io.NodeOutput:
        if images is None:
            return io.NodeOutput(images)
        # The browser shows it where the run was not seen: in another tab, or before a reload.
        last = ui.ImageSaveHelper.save_images(
            images[-1:], "motionstream_last", io.FolderType.temp, cls, compress_level=1
        )
        return io.NodeOutput(images, ui={"motionstream_last": last})
