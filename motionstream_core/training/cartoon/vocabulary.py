"""The closed vocabulary of the cartoon world, its captions and their token ids.

Owns the words and their order: ids never change, so every word that a wider world will need is here from the
start.
Shapes: ids (TEXT_LENGTH,) int64, padded with 0.
"""

from __future__ import annotations

import re

import numpy as np

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
_INDEX = {word: i for i, word in enumerate(VOCABULARY)}
_WORD = re.compile(r"[a-z]+")


def words(prompt: str) -> list[str]:
    """The words of a prompt in order, lower-cased."""
    return _WORD.findall(prompt.lower())


def unknown_words(prompt: str) -> list[str]:
    """The words of a prompt that the vocabulary does not hold."""
    return [word for word in words(prompt) if word not in _INDEX]


def tokenize(prompt: str) -> np.ndarray:
    """The ids of a prompt.

    Unknown words are left out; what is longer than TEXT_LENGTH is cut.
    """
    known = [_INDEX[word] for word in words(prompt) if word in _INDEX][:TEXT_LENGTH]
    return np.array(known + [0] * (TEXT_LENGTH - len(known)), np.int64)
