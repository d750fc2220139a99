"""The methods of training by name. A new one is a file beside these and an entry here.

Its file offers `NAME`, `HELP`, `LR`, `add_arguments(parser)` and `build(args)` (see `options.Method`), beside
the recipe (a frozen dataclass with its numbers) and the stage (see `engine.stage.Stage`). The command line
adds the engine's options to it and trains what `build` gives.
"""

from __future__ import annotations

from . import buffer, causal, causal_init, codec, detail, distill, segments, teacher
from .options import Method

_ALL: tuple[Method, ...] = (codec, causal, teacher, causal_init, distill, detail, buffer, segments)
METHODS: dict[str, Method] = {method.NAME: method for method in _ALL}
