"""Our converter, presets and rollout give what the public code of each checkpoint gives: its latents lie in tests/fixtures/public_parity."""

from dataclasses import replace

import pytest
import torch
from public_inputs import CELLS, SIZES, embeds, expected, kept, noise, start_latent, trained_as, weights
from safetensors.torch import load_file

from motionstream_core.model.cache import CacheShape
from motionstream_core.model.causal_presets import causal_preset, config_for, stated
from motionstream_core.model.convert import convert
from motionstream_core.model.dit import CausalDiT
from motionstream_core.model.presets import Manner
from motionstream_core.streaming.flow import schedule_of
from motionstream_core.streaming.rollout import rollout

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


def opened(folder, preset: str, wrapped) -> CausalDiT:
    """A small checkpoint of the public layout, through our converter."""
    config = replace(config_for(causal_preset(preset)), **SIZES)
    torch.save(trained_as(weights(config), *wrapped), folder / "model.pt")
    convert(folder / "model.pt", folder / "ours.safetensors", causal_preset(preset), dtype=torch.float32, num_heads=SIZES["num_heads"])
    dit = CausalDiT(stated(folder / "ours.safetensors"))
    dit.load_state_dict(load_file(folder / "ours.safetensors"))
    return dit.requires_grad_(False)


def made(dit: CausalDiT, chunks: int, image: bool, text=None) -> torch.Tensor:
    """All latents (C, T, H, W) of our rollout on the inputs of the fixtures."""
    config = dit.config
    first = start_latent(config.latent_channels) if image else None
    text = dit.encode_text(embeds()) if text is None else text
    run = rollout(
        dit, first_latent=first, motion=None, text=text, shape=CELLS, sigmas=schedule_of(config), cache=dit.make_cache(*CELLS), rng=noise(), chunks=chunks
    )  # fmt: skip
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
    assert theirs.shape[1] > 3 + config.context.chunk
    short = replace(config, context=CacheShape(config.context.chunk, 1, 1))
    steps = replace(config, manner=Manner()) if config.manner != Manner() else replace(config, shift=config.shift + 0.2)
    for other in (short, steps):
        dit.config = other
        assert (kept(made(dit, chunks, image)) - theirs).abs().max() > 1e-3
