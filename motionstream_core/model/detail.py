"""The detail head: decoded frames and the start image warped along the tracks -> frames with the start
image's texture.

Owns the small network behind the decoder of a preset that is shown a warped start image. A codec of stride 8
blurs what its latents cannot hold. The same texture stands, sharp, in the warped start image, wherever that
shows the right thing. The head decides where that is. Each frame is made from itself alone, so a stream and a
whole clip are the same.

Shapes: frames and warped (T, 3, H, W) 0..1, H and W divisible by 8. maps (T, 2, H, W): disoccluded 0 or 1,
nearness exp(−px / 16) of the next visible track.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FINE = 4  # px: what the warped start image has beyond its own means over so many pixels is texture
INPUTS, OUTPUTS = 8, 7  # per pixel: two pictures and two maps; gate, gain of the texture and colours
UNIT = 8


class DetailHead(nn.Module):
    """frames + gate · (warped − frames) + gain · texture + colours. Gate, gain and colours from a U-Net on
    2×2 pixels a cell.

    widths: channels at 1/2, 1/4 and 1/8 of the size.
    """

    def __init__(self, widths: tuple[int, int, int] = (24, 48, 64)):
        super().__init__()
        self.widths = a, b, c = widths
        self.enter = nn.Sequential(_conv(4 * INPUTS, a), _conv(a, a))
        self.down1 = nn.Sequential(_conv(a, b, stride=2), _conv(b, b))
        self.down2 = nn.Sequential(_conv(b, c, stride=2), _conv(c, c), _conv(c, c))
        self.up1 = nn.Sequential(nn.Conv2d(c, b, 1), nn.Upsample(scale_factor=2, mode="nearest"))
        self.middle = _conv(b, b)
        self.up2 = nn.Sequential(nn.Conv2d(b, a, 1), nn.Upsample(scale_factor=2, mode="nearest"))
        self.late = _conv(a, a)
        self.leave = nn.Conv2d(a, 4 * OUTPUTS, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)
        self.faster_order()

    def faster_order(self) -> DetailHead:
        """The weights in the faster order for convolutions on a CPU. Loading by assignment undoes it."""
        # torch takes it, its stubs do not.
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue, reportArgumentType]
        return self

    def forward(self, frames: Tensor, warped: Tensor, maps: Tensor) -> Tensor:
        """-> (T, 3, H, W), not clamped. Raises ValueError for shapes that do not fit."""
        check_shapes(frames, warped, maps)
        seen = torch.cat([frames - 0.5, warped - 0.5, maps], dim=1)
        high = self.enter(F.pixel_unshuffle(seen, 2))
        middle = self.down1(high)
        middle = self.middle(middle + self.up1(self.down2(middle)))
        out = F.pixel_shuffle(self.leave(self.late(high + self.up2(middle))), 2)
        gate, gain, colours = out.split((1, 3, 3), dim=1)
        coarse = F.interpolate(
            F.avg_pool2d(warped, FINE), scale_factor=FINE, mode="bilinear", align_corners=False
        )
        return frames + gate.sigmoid() * (warped - frames) + gain * (warped - coarse) + colours


def _conv(cin: int, cout: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(cin, cout, 3, stride=stride, padding=1), nn.ReLU(inplace=True))


def check_shapes(frames: Tensor, warped: Tensor, maps: Tensor) -> None:
    """ValueError unless the three fit each other and the head."""
    count, _, height, width = frames.shape
    expected = (count, 3, height, width), (count, 3, height, width), (count, 2, height, width)
    got = tuple(tuple(x.shape) for x in (frames, warped, maps))
    if got != expected or height % UNIT or width % UNIT:
        raise ValueError(
            f"detail: expected frames, warped and maps {expected} with a height and width divisible by "
            f"{UNIT}, got {got}"
        )
