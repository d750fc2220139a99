"""What other nodes put on a MODEL that a stream has no use for, in words for the person.

A stream calls the model's layers itself, chunk by chunk. LoRAs, replaced layers, the attention, the shift and
the dtype of the computation that nodes set on a MODEL count. What they wrap around the whole model, or put in
place of its blocks, is never reached. Owns which is which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

NET = "diffusion_model."
# The layers that a stream calls. What a path below them names is within a layer, or its forward.
REACHED = re.compile(
    r"(patch_embedding|text_embedding|time_embedding|time_projection|img_emb|head\.(head|modulation)|"
    r"blocks\.\d+\.((self|cross)_attn\.(?!forward$)\w+|ffn|norm3|modulation))(\..+)?"
)
USED = ("model_sampling", "manual_cast_dtype")
FUNCTIONS = (
    "model_function_wrapper",
    "sampler_calc_cond_batch_function",
    "denoise_mask_function",
    "context_handler",
)
AROUND = ("patches", "patches_replace", "rope_options")
BEFORE_A_RUN = "on_pre_run"


def left_out(model: Any) -> str | None:
    """One line that names what is on a MODEL without effect. None where there is nothing."""
    names = list(dict.fromkeys([*_objects(model), *_functions(model), *_wrappers(model)]))
    if not names:
        return None
    return (
        f"Without effect on the stream, which calls the model's layers itself: {', '.join(names)}, set on "
        "the MODEL by other nodes"
    )


def _objects(model: Any) -> Iterator[str]:
    for name in getattr(model, "object_patches", {}):
        if name not in USED and not (name.startswith(NET) and REACHED.fullmatch(name.removeprefix(NET))):
            yield re.sub(r"\.\d+(?=\.|$)", ".*", name.removeprefix(NET))


def _functions(model: Any) -> Iterator[str]:
    options = getattr(model, "model_options", {})
    yield from (name for name in FUNCTIONS if options.get(name))
    yield from (name for name in AROUND if options.get("transformer_options", {}).get(name))


def _wrappers(model: Any) -> Iterator[str]:
    """By the key that a node gave them, or by the function's name."""
    inside = getattr(model, "model_options", {}).get("transformer_options", {}).get("wrappers", {})
    before = getattr(model, "callbacks", {}).get(BEFORE_A_RUN, {})
    for keyed in (*getattr(model, "wrappers", {}).values(), *inside.values(), before):
        for key, functions in keyed.items():
            yield from (
                str(key or getattr(function, "__name__", type(function).__name__)) for function in functions
            )
