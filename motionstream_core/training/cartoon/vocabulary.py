"""The closed vocabulary of the cartoon world, its captions and their token ids.

Owns the words and their order: ids never change, so every word that a wider world will need is here from the
start.
Shapes: ids (TEXT_LENGTH,) int64, padded with 0.
"""

from __future__ import annotations

import numpy as np

from ...model.text import Vocabulary

KINDS = ("ball", "balloon", "car", "boat", "bird", "rocket", "fish", "kite", "train", "butterfly")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")
PLACES = ("hills", "sea", "snowfield", "city", "desert", "mountains", "forest")
TIMES = ("day", "sunset", "night")
WEATHERS = ("clear", "snow", "rain", "fog")
CAMERAS = ("still", "pans left", "pans right")
VERBS = ("moves left", "moves right", "flies up", "stays", "flies down", "bounces", "circles", "waves")
GRAMMAR = ("a", "and", "at", "in", "the", "camera")
TEXT_LENGTH = 20


def _words() -> tuple[str, ...]:
    phrases = (*GRAMMAR, *KINDS, *COLOURS, *PLACES, *TIMES, *WEATHERS, *CAMERAS, *VERBS)
    return tuple(dict.fromkeys(("<pad>", *(word for phrase in phrases for word in phrase.split()))))


VOCABULARY = _words()
CARTOON = Vocabulary(VOCABULARY)


def tokenize(prompt: str) -> np.ndarray:
    """The ids (TEXT_LENGTH,) int64 of a prompt."""
    return CARTOON.tokenize(prompt, TEXT_LENGTH).numpy()
