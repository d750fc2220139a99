"""The hands that hold points of a running stream, and where they have been asked to go.

Knows nothing of what a point does when no hand holds it. Places are pixels of the screen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..common.checked import Point
from .controls import HANDS
from .paths import walk


@dataclass
class Hand:
    """The points (K,) that a hand holds, by index.

    shift (K, 2): where each is from the hand. at: where the hand is. to: where it has been asked to go since.
    leaving: the mode in which it lets go once it is there. None while it holds on.
    """

    points: Tensor
    shift: Tensor
    at: Point
    to: tuple[Point, ...] = ()
    leaving: str | None = None

    def screen(self, shares: np.ndarray) -> Tensor:
        """(T, K, 2): the points when the hand has gone these shares (T,) of its way."""
        way = walk(np.array([self.at, *self.to], dtype=np.float64), shares)
        return torch.from_numpy(way)[:, None] + self.shift


class Hands:
    """Hands by number. One that was let go on its way goes on under a number below 0, which nobody can ask
    for.
    """

    def __init__(self):
        self._held: dict[int, Hand] = {}

    def __iter__(self):
        return iter(self._held.values())

    @property
    def holding(self) -> list[int]:
        """The numbers of the hands that hold on."""
        return [number for number, hand in self._held.items() if number >= 0 and hand.leaving is None]

    def take(self, number: int, hand: Hand):
        """`hand` holds its points, and no other does. The number must be free."""
        self.forget(hand.points)
        self._held[number] = hand

    def move(self, number: int, to: tuple[Point, ...]) -> bool:
        """False where the hand holds nothing, or has let go already."""
        hand = self._held.get(number)
        if hand is None or hand.leaving is not None:
            return False
        hand.to += to
        return True

    def release(self, number: int, mode: str) -> Tensor | None:
        """The points that are let go now. None of them where the hand first gets where it was asked to go.

        None where the hand holds nothing, or has let go already.
        """
        hand = self._held.get(number)
        if hand is None or hand.leaving is not None:
            return None
        if not hand.to:
            return self._held.pop(number).points
        hand.leaving = mode
        return hand.points[:0]

    def set_aside(self, number: int):
        """The number is free for another hand. One that is on its way goes on."""
        hand = self._held.pop(number, None)
        if hand is not None:
            self._held[min(self._held, default=0) - HANDS] = hand

    def forget(self, points: Tensor):
        """No hand holds these points any more."""
        for number, hand in list(self._held.items()):
            kept = ~torch.isin(hand.points, points)
            if kept.all():
                continue
            hand.points = hand.points[kept]
            hand.shift = hand.shift[kept]
            if not len(hand.points):
                del self._held[number]

    def arrive(self) -> list[Hand]:
        """Every hand is where it was asked to go -> those that let go there, which are hands no more."""
        leaving = []
        for number, hand in list(self._held.items()):
            if hand.to:
                hand.at = hand.to[-1]
                hand.to = ()
            if hand.leaving is not None:
                leaving.append(self._held.pop(number))
        return leaving
