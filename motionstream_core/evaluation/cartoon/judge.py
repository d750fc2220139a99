"""A small classifier that says what a cartoon clip shows: kind, colour, place, time, weather, camera, verb.

Owns the network, its lots and its accuracy. It looks at clips as the codec gives them back, real ones in
training and held-out ones when its accuracy is measured. Clips whose thing is hardly seen are left out of
both.
Shapes: clips (N, T, 3, H, W) float 0..1, made smaller to SIDE. answers (N,) each.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...training.cartoon.scene import Scene
from ...training.cartoon.vocabulary import CAMERAS, COLOURS, KINDS, PLACES, TIMES, VERBS, WEATHERS

SIDE, LOOKS = 64, 5  # pixels of a side, frames that are looked at
QUESTIONS: dict[str, tuple[str, ...]] = {
    "kind": KINDS,
    "colour": COLOURS,
    "verb": VERBS,
    "place": PLACES,
    "time": TIMES,
    "weather": WEATHERS,
    "camera": CAMERAS,
}


def answers(scene: Scene) -> dict[str, int]:
    """The true answers for a scene. Questions about a thing are of the nearest one."""
    thing = scene.things[-1]
    said = {"kind": thing.kind, "colour": thing.colour, "verb": thing.verb}
    said |= {"place": scene.place, "time": scene.time, "weather": scene.weather, "camera": scene.camera}
    return {question: QUESTIONS[question].index(word) for question, word in said.items()}


def looks(clips: Tensor) -> Tensor:
    """LOOKS frames of clips (N, T, 3, H, W), evenly over their time, as (N, LOOKS, 3, SIDE, SIDE)."""
    at = torch.linspace(0, clips.shape[1] - 1, LOOKS).round().long()
    small = F.interpolate(clips[:, at].flatten(0, 1), (SIDE, SIDE), mode="area")
    return small.unflatten(0, (-1, LOOKS)) - 0.5


class Judge(nn.Module):
    """Frames pass one convolutional network together, as channels, so that it sees what moves. A linear
    layer a question.
    """

    def __init__(self, width: int = 32):
        super().__init__()
        widths = (width, 2 * width, 3 * width, 4 * width)
        layers: list[nn.Module] = []
        for cin, cout in zip((3 * LOOKS, *widths), widths):
            layers += [nn.Conv2d(cin, cout, 3, stride=2, padding=1), nn.GroupNorm(4, cout), nn.GELU()]
            layers += [nn.Conv2d(cout, cout, 3, padding=1), nn.GroupNorm(4, cout), nn.GELU()]
        self.body = nn.Sequential(*layers)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(2 * widths[-1], len(words)) for name, words in QUESTIONS.items()}
        )

    def features(self, seen: Tensor) -> Tensor:
        """Features (N, 8 width) of looks: means and maxima over the picture. Distances between clips are
        measured in them.
        """
        y = self.body(seen.flatten(1, 2))
        return torch.cat([y.mean((2, 3)), y.amax((2, 3))], 1)

    def forward(self, seen: Tensor) -> dict[str, Tensor]:
        features = self.features(seen)
        return {name: head(features) for name, head in self.heads.items()}


def judge_loss(judge: Judge, seen: Tensor, truth: dict[str, Tensor]) -> Tensor:
    said = judge(seen)
    return sum((F.cross_entropy(said[name], truth[name]) for name in said), seen.new_zeros(()))


@torch.no_grad()
def accuracy(judge: Judge, seen: Tensor, truth: dict[str, Tensor]) -> dict[str, float]:
    """The share of right answers to every question."""
    said = judge(seen)
    return {name: float((said[name].argmax(1) == truth[name]).float().mean()) for name in said}
