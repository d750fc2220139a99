"""The text path of the small presets: a stated vocabulary of words, each with a learned vector.

Owns the words and the tokenizer. A prompt is lower-cased and split into words; words outside the vocabulary
are left out and can be listed with `unknown_words`. The order of words is kept up to `length`; the rest of
the sequence is padding (row 0 of the table).
Shapes: ids (length,) int64; embeddings (1, length, dim).
"""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "gray", "white")
OBJECTS = (
    "object",
    "face",
    "cat",
    "dog",
    "fish",
    "bird",
    "animal",
    "tree",
    "flower",
    "plant",
    "fruit",
    "food",
    "moon",
    "star",
    "sun",
    "heart",
    "hand",
    "person",
    "car",
    "boat",
    "plane",
    "rocket",
    "ball",
    "house",
    "book",
    "clock",
    "tool",
    "cup",
    "box",
    "coin",
    "gem",
    "alien",
    "tank",
    "barrel",
    "cloud",
    "sign",
    "tile",
)
PLACES = ("photo", "texture", "sky", "field", "wall", "city", "people")
MOTIONS = ("moves", "left", "right", "up", "down", "rotates", "grows", "shrinks", "rests", "fast", "slowly")
CAMERA = ("camera", "pans", "zooms", "in", "out", "rolls", "still")
STYLES = ("night", "sepia", "fog", "gray-scale")
VOCABULARY = ("<pad>",) + tuple(dict.fromkeys(COLOURS + OBJECTS + PLACES + MOTIONS + CAMERA + STYLES))
TEXT_LENGTH = 16
_INDEX = {word: i for i, word in enumerate(VOCABULARY)}
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


def words(prompt: str) -> list[str]:
    """The words of a prompt in order, lower-cased."""
    return _WORD.findall(prompt.lower())


def unknown_words(prompt: str) -> list[str]:
    """Words of the prompt that the vocabulary does not hold."""
    return [w for w in words(prompt) if w not in _INDEX]


def tokenize(prompt: str, length: int = TEXT_LENGTH) -> Tensor:
    """prompt -> ids (length,) int64; unknown words are left out, more than `length` known words are cut."""
    ids = [_INDEX[w] for w in words(prompt) if w in _INDEX][:length]
    return torch.tensor(ids + [0] * (length - len(ids)), dtype=torch.int64)


class WordEncoder(nn.Module):
    """ids (B, length) -> embeddings (B, length, dim)."""

    def __init__(self, dim: int = 64, length: int = TEXT_LENGTH):
        super().__init__()
        self.length = length
        self.table = nn.Embedding(len(VOCABULARY), dim)
        self.position = nn.Parameter(torch.zeros(length, dim))

    def forward(self, ids: Tensor) -> Tensor:
        return self.table(ids) + self.position

    def encode(self, prompt: str) -> Tensor:
        """One prompt -> (1, length, dim)."""
        return self(tokenize(prompt, self.length).to(self.position.device)[None])
