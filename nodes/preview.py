"""Stream Preview: shows the sampler's frames while they are made. The showing is the browser's work; this
node passes images on.
"""

from __future__ import annotations

from comfy_api.latest import io

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
            search_aliases=["motionstream", "live preview", "video preview"],
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
        return io.NodeOutput(images)
