"""Our converter, presets and rollout give what the public code of each checkpoint gives: its latents lie in
tests/fixtures/public_parity.
"""

from dataclasses import replace

import pytest
import torch
from public_inputs import (
    CELLS,
    SIZES,
    embeds,
    expected,
    kept,
    noise,
    start_latent,
    taehv_latents,
    taehv_weights,
    trained_as,
    weights,
)
from safetensors.torch import load_file

from motionstream_core.codec.taehv import TaehvCodec, taehv_of
from motionstream_core.model.cache import CacheShape
from motionstream_core.model.context import rolling_context
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.weights.checkpoint_presets import (
    checkpoint_preset,
    config_for,
    read_stated_config,
)
from motionstream_core.model.weights.convert import convert
from motionstream_core.sampling.flow import schedule_of
from motionstream_core.sampling.rollout import rollout
from motionstream_core.sampling.unipc import UniPC

SELF_FORCING = ("generator_ema", "model._fsdp_wrapped_module.")
PLAIN = ("generator", "model.")
# Fixture: (preset, how the file is wrapped, denoised chunks, whether there is a start image)
CASES = {
    "self-forcing": ("self-forcing", SELF_FORCING, 7, False),
    "self-forcing_image": ("self-forcing", SELF_FORCING, 6, True),
    "causal-forcing-framewise_image": ("causal-forcing-framewise", PLAIN, 8, True),
    "causal-forcing-2step_image": ("causal-forcing-2step", PLAIN, 8, True),
    "causal-forcing-1step": ("causal-forcing-1step", PLAIN, 8, False),
    "infinite-forcing": ("infinite-forcing", SELF_FORCING, 9, False),
    "longlive-2": ("longlive-2", PLAIN, 6, False),
}


def opened(folder, preset: str, wrapped) -> WanDiT:
    """A small checkpoint of the public layout, through our converter."""
    config = replace(config_for(checkpoint_preset(preset)), **SIZES)
    torch.save(trained_as(weights(config), *wrapped), folder / "model.pt")
    convert(
        folder / "model.pt",
        folder / "ours.safetensors",
        checkpoint_preset(preset),
        dtype=torch.float32,
        num_heads=SIZES["num_heads"],
    )
    dit = WanDiT(read_stated_config(folder / "ours.safetensors"))
    dit.load_state_dict(load_file(folder / "ours.safetensors"))
    return dit.requires_grad_(False)


def made(dit: WanDiT, chunks: int, image: bool, text=None) -> torch.Tensor:
    """All latents (C, T, H, W) of our rollout on the inputs of the fixtures."""
    config = dit.config
    first = start_latent(config.latent_channels) if image else None
    text = dit.encode_text(embeds()) if text is None else text
    run = rollout(
        dit,
        first_latent=first,
        motion=None,
        text=text,
        shape=CELLS,
        sigmas=schedule_of(config),
        cache=dit.make_cache(*CELLS),
        rng=noise(),
        chunks=chunks,
    )
    return torch.cat([chunk.latents for chunk in run], dim=2)[0]


@pytest.mark.parametrize("name", CASES)
def test_a_rollout_gives_what_the_public_code_gives(name, tmp_path):
    preset, wrapped, chunks, image = CASES[name]
    theirs = expected(name)
    ours = kept(made(opened(tmp_path, preset, wrapped), chunks, image))
    assert theirs.shape == ours.shape and theirs.std() > 1
    assert (ours - theirs).abs().max() < 2e-5 * theirs.std()


@pytest.mark.parametrize("name", CASES)
def test_the_fixtures_tell_another_context_and_another_schedule_apart(name, tmp_path):
    preset, wrapped, chunks, image = CASES[name]
    theirs, dit = expected(name), opened(tmp_path, preset, wrapped)
    config = dit.config
    assert theirs.shape[1] > 3 + config.rolling.cache_shape.chunk
    short = config.with_context(CacheShape(config.rolling.cache_shape.chunk, 1, 1))
    own = config.rolling
    plain = replace(own, solver="renoise", recache="chunks", timesteps=None, first_chunk_sigmas=None)
    steps = replace(config, sampler=replace(own, shift=own.shift + 0.2) if own == plain else plain)
    for other in (short, steps):
        dit.config = other
        assert (kept(made(dit, chunks, image)) - theirs).abs().max() > 1e-3


@pytest.mark.parametrize(("name", "channels"), [("taew2_1", 16), ("taew2_2", 48)])
def test_a_tiny_vae_decodes_as_its_own_code_does_whole_and_streaming(name, channels):
    theirs, latents = expected(name, "frames"), taehv_latents(channels)
    codec = TaehvCodec(taehv_of(taehv_weights(channels), name))
    state, pieces = codec.start_decode(), []
    for piece in latents.split([1, 3, 1], dim=2):
        frames, state = codec.decode_chunk(piece, state)
        pieces.append(frames)
    assert ((theirs > 0) & (theirs < 1)).float().mean() > 0.5, "most of it is not clamped"
    for ours in (codec.decode(latents), torch.cat(pieces, dim=1)):
        assert (ours[0, ::2, :, ::6, ::4] - theirs).abs().max() < 1e-5


def kept_keys(cache) -> list[torch.Tensor]:
    """Rotated keys and values that a forward would see in the last block, which know of the text."""
    end = cache.filled * cache.tokens
    return [group[-1][:, :end].clone() for group in (cache._rotated, cache._values)]


def at_once(dit: WanDiT, cache, latents: torch.Tensor, text):
    """The clean-context pass of several chunks in one piece, behind what the cache holds."""
    cache.at_once = True
    dit(latents, torch.zeros(1, latents.shape[2]), text, rolling_context(cache, write=True, output=False))
    cache.at_once = False


def begun(dit: WanDiT, chunks: int, texts) -> tuple:
    cache = dit.make_cache(*CELLS)
    run = rollout(
        dit,
        first_latent=None,
        motion=None,
        text=texts,
        shape=CELLS,
        sigmas=schedule_of(dit.config),
        cache=cache,
        rng=noise(),
        chunks=chunks,
    )
    return run, cache


@pytest.mark.parametrize(("before", "sink_stays"), [(5, True), (3, False)])
def test_a_prompt_switch_of_longlive_makes_the_window_anew_in_one_piece_and_leaves_a_full_sink_alone(
    before, sink_stays, tmp_path
):
    """As its interactive pipeline does with a global sink, on as many frames as it keeps; while all that was
    made still fits, the sink too.
    """
    dit = opened(tmp_path, "longlive", PLAIN)
    shape, (old, new) = (
        dit.config.rolling.cache_shape,
        (dit.encode_text(embeds(3)), dit.encode_text(embeds(4))),
    )
    run, cache = begun(dit, before + 1, lambda index: old if index < before else new)
    latents = torch.cat([next(run).latents for _ in range(before)], dim=2)
    run.finish_pending()
    first = kept_keys(cache)
    next(run)
    by_hand = dit.make_cache(*CELLS)
    if sink_stays:
        at_once(dit, by_hand, latents[:, :, : shape.sink], old)
    at_once(dit, by_hand, latents[:, :, -(shape.window + shape.chunk) :] if sink_stays else latents, new)
    sink = shape.sink * cache.tokens
    for ours, theirs, past in zip(kept_keys(cache), kept_keys(by_hand), first):
        assert ours.shape == theirs.shape and (ours - theirs).abs().max() < 1e-5
        assert torch.equal(ours[:, :sink], past[:, :sink]) is sink_stays
        assert (ours[:, sink:] - past[:, sink:]).abs().max() > 1e-3


def test_krea_makes_its_context_anew_in_one_piece_before_every_chunk(tmp_path):
    """First latent frame and the last two, as in its release server with the first frame kept; older frames
    leave no trace.
    """
    dit = opened(tmp_path, "krea-14b", PLAIN)
    text = dit.encode_text(embeds())
    run, cache = begun(dit, 4, text)
    latents = torch.cat([next(run).latents for _ in range(4)], dim=2)
    run.finish_pending()
    by_hand = dit.make_cache(*CELLS)
    at_once(dit, by_hand, torch.cat([latents[:, :, :1], latents[:, :, -2:]], dim=2), text)
    for ours, theirs in zip(kept_keys(cache), kept_keys(by_hand)):
        assert ours.shape == theirs.shape and (ours - theirs).abs().max() < 1e-5


def test_levels_that_a_deterministic_solver_cannot_begin_at_are_refused():
    with pytest.raises(ValueError, match="falling levels between 0 and 1 for this solver, got .1.0, 0.5."):
        UniPC((1.0, 0.5))
