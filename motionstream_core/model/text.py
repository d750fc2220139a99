"""The text path of the small presets: a stated vocabulary of words, each with a learned vector.

Owns the words and the tokenizer. A prompt is lower-cased and split into words. Words outside the vocabulary
are left out and can be listed with `unknown_words`. The order of words is kept up to `length`. The rest of
the sequence is padding (row 0 of the table).
Shapes: ids (length,) int64. Embeddings (1, length, dim).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

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
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


def split_words(prompt: str) -> list[str]:
    """The words of a prompt in order, lower-cased."""
    return _WORD.findall(prompt.lower())


@dataclass(frozen=True)
class Vocabulary:
    """A closed list of words. The first one is the padding. A word's id is its place in the list."""

    words: tuple[str, ...]

    def __post_init__(self):
        if len(self.words) < 2 or not all(isinstance(word, str) and word for word in self.words):
            raise ValueError(f"vocabulary: expected at least two words, got {self.words!r:.80}")
        if len(set(self.words)) != len(self.words):
            raise ValueError("vocabulary: expected each word once, got some twice")

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}

    def unknown(self, prompt: str) -> list[str]:
        """Words of the prompt that the vocabulary does not hold, in order."""
        return [word for word in split_words(prompt) if word not in self._ids]

    def left_out(self, prompt: str, length: int) -> str | None:
        """One line that names the words of a prompt that do not count. None where all do."""
        unknown = list(dict.fromkeys(self.unknown(prompt)))
        cut = [word for word in split_words(prompt) if word in self._ids][length:]
        lines = [
            f"words outside the model's vocabulary were left out: {', '.join(unknown)}" if unknown else "",
            f"only the first {length} known words count, left out: {' '.join(cut)}" if cut else "",
        ]
        return "; ".join(filter(None, lines)) or None

    def tokenize(self, prompt: str, length: int) -> Tensor:
        """prompt -> ids (length,) int64.

        Unknown words are left out, and what is longer than `length` known words is cut.
        """
        ids = [self._ids[word] for word in split_words(prompt) if word in self._ids][:length]
        return torch.tensor(ids + [0] * (length - len(ids)), dtype=torch.int64)


BUILT_IN = Vocabulary(VOCABULARY)


def unknown_words(prompt: str) -> list[str]:
    """Words of the prompt that the built-in vocabulary does not hold."""
    return BUILT_IN.unknown(prompt)


def tokenize(prompt: str, length: int = TEXT_LENGTH) -> Tensor:
    """prompt -> ids (length,) int64 of the built-in vocabulary."""
    return BUILT_IN.tokenize(prompt, length)


class WordEncoder(nn.Module):
    """ids (B, length) -> embeddings (B, length, dim)."""

    def __init__(self, dim: int = 64, length: int = TEXT_LENGTH, vocabulary: Vocabulary = BUILT_IN):
        super().__init__()
        self.length = length
        self.vocabulary = vocabulary
        words = len(vocabulary.words)
        bare = torch.empty(words, dim)
        # Nothing is drawn on the meta device: there normal_ would import the compiler, a second.
        drawn = not bare.is_meta
        self.table = nn.Embedding(words, dim) if drawn else nn.Embedding.from_pretrained(bare, freeze=False)
        self.position = nn.Parameter(torch.zeros(length, dim))

    def forward(self, ids: Tensor) -> Tensor:
        return self.table(ids) + self.position

    def tokenize(self, prompt: str) -> Tensor:
        """One prompt -> ids (length,)."""
        return self.vocabulary.tokenize(prompt, self.length)

    def encode(self, prompt: str) -> Tensor:
        """One prompt -> (1, length, dim)."""
        return self(self.tokenize(prompt).to(self.position.device)[None])
