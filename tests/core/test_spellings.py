"""Spellings that people have: LoRAs of other trainers, roles and parts beside the network, folders, and what
is refused with its name.
"""

import json
import os

import pytest
import torch
import trackwan_inputs as given
from safetensors.torch import load_file, save_file
from test_convert import PRESET, diffusers, renamed, state_of

from motionstream_core.model.weights import safetensors_files
from motionstream_core.model.weights.checkpoint_presets import checkpoint_preset
from motionstream_core.model.weights.convert import convert
from motionstream_core.model.weights.lora import dot_key

TRACK = checkpoint_preset("track-v0")


@pytest.fixture(scope="module")
def state():
    return state_of()


def pair(rows: int, columns: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(4, columns, generator=rng), torch.randn(rows, 4, generator=rng)


def merged(tmp_path, state, lora: dict, name: str = "lora.safetensors") -> tuple[dict, list[str]]:
    """The network with the LoRA in it, and what was said."""
    save_file(state, tmp_path / "net.safetensors")
    save_file({key: value.clone() for key, value in lora.items()}, tmp_path / name)
    said: list[str] = []
    source, target = tmp_path / "net.safetensors", tmp_path / "out.safetensors"
    convert(source, target, PRESET, lora=tmp_path / name, dtype=None, say=said.append)
    return load_file(target), said


@pytest.mark.parametrize(
    ("module", "ends"),
    [
        ("lora_unet_blocks_1_cross_attn_k", ("lora_down.weight", "lora_up.weight")),
        ("lora_unet_blocks_1_attn2_to_k", ("lora_down.weight", "lora_up.weight")),
        ("diffusion_model.blocks.1.cross_attn.k", ("lora.down.weight", "lora.up.weight")),
        ("transformer.blocks.1.attn2.to_k", ("lora.down.weight", "lora.up.weight")),
    ],
)
def test_loras_of_other_trainers_are_merged(tmp_path, state, module, ends):
    down, up = pair(128, 128)
    lora = {f"{module}.{ends[0]}": down, f"{module}.{ends[1]}": up, f"{module}.alpha": torch.tensor(2.0)}
    got, said = merged(tmp_path, state, lora)
    key = "blocks.1.cross_attn.k.weight"
    assert torch.allclose(got[key], state[key] + 2.0 / 4 * up @ down, atol=1e-5)
    assert all(torch.equal(got[other], state[other]) for other in state if other != key)
    assert not any("left out" in line for line in said)


def test_every_module_of_the_network_is_found_by_its_flat_name(state):
    modules = {key.removesuffix(".weight") for key, value in state.items() if value.ndim == 2}
    for module in modules:
        assert dot_key(f"lora_unet_{module.replace('.', '_')}.alpha") == f"{module}.alpha"
    theirs = {key.removesuffix(".weight") for key, value in diffusers(state).items() if value.ndim == 2}
    for module in theirs:
        assert dot_key(f"lora_unet_{module.replace('.', '_')}.alpha") == f"{module}.alpha"


def test_a_dora_is_named_as_one(tmp_path, state):
    down, up = pair(128, 128)
    module = "lora_unet_blocks_0_self_attn_q"
    lora = {
        f"{module}.lora_down.weight": down,
        f"{module}.lora_up.weight": up,
        f"{module}.dora_scale": torch.ones(128, 1),
    }
    with pytest.raises(
        ValueError, match="expected a LoRA, got a DoRA .with lora_unet_blocks_0_self_attn_q.dora"
    ):
        merged(tmp_path, state, lora)


def test_keys_for_parts_that_are_not_there_are_left_out_and_listed_and_unknown_ones_refused(tmp_path, state):
    down, up = pair(128, 128)
    lora = {}
    for module in (
        "diffusion_model.blocks.0.self_attn.q",
        "diffusion_model.blocks.0.cross_attn.k_img",
        "lora_te_text_model_encoder_layers_0_mlp_fc1",
    ):
        lora |= {f"{module}.lora_down.weight": down, f"{module}.lora_up.weight": up}
    got, said = merged(tmp_path, state, lora)
    line = next(line for line in said if "left out of the LoRA" in line)
    assert "blocks.0.cross_attn.k_img" in line and "lora_te_text_model" in line and "self_attn.q" not in line
    assert not torch.equal(got["blocks.0.self_attn.q.weight"], state["blocks.0.self_attn.q.weight"])
    for module in ("diffusion_model.blocks.0.self_attn.z", "diffusion_model.blocks.7.ffn.0"):
        lora |= {f"{module}.lora_down.weight": down, f"{module}.lora_up.weight": up}
    with pytest.raises(
        ValueError, match="got one for blocks.0.self_attn.z.weight, blocks.7.ffn.0.weight, which"
    ):
        merged(tmp_path, state, lora)


def test_of_generator_and_generator_ema_in_a_flat_file_the_average_is_taken(tmp_path, state):
    other = {key: torch.zeros_like(value) for key, value in state.items()}
    laid = renamed(state, "generator_ema.model.") | renamed(other, "generator.model.")
    laid |= renamed(other, "critic.model.")
    save_file({key: value.clone() for key, value in laid.items()}, tmp_path / "a.safetensors")
    said = []
    convert(tmp_path / "a.safetensors", tmp_path / "b.safetensors", PRESET, dtype=None, say=said.append)
    got = load_file(tmp_path / "b.safetensors")
    assert got.keys() == state.keys() and all(torch.equal(got[key], state[key]) for key in state)
    assert any("generator_ema is taken, generator, critic left" in line for line in said)


def test_of_a_whole_checkpoint_in_one_file_the_network_is_taken(tmp_path, state):
    laid = renamed(state, "model.diffusion_model.")
    laid |= {
        "vae.encoder.conv1.weight": torch.ones(3),
        "text_encoders.umt5xxl.transformer.shared.weight": torch.ones(4, 2),
    }
    save_file(laid, tmp_path / "a.safetensors")
    said = []
    convert(tmp_path / "a.safetensors", tmp_path / "b.safetensors", PRESET, dtype=None, say=said.append)
    assert load_file(tmp_path / "b.safetensors").keys() == state.keys()
    assert any("2 tensors left out (text_encoders, vae)" in line for line in said)
    save_file(laid | {"model.diffusion_model.extra.weight": torch.ones(2)}, tmp_path / "c.safetensors")
    with pytest.raises(ValueError, match="unknown extra.weight"):
        convert(tmp_path / "c.safetensors", tmp_path / "d.safetensors", PRESET)


def folder_of(path, config: dict | None, weights: dict | None = None):
    path.mkdir()
    if config is not None:
        (path / "config.json").write_text(json.dumps(config))
    save_file(weights or given.saved_weights(), path / "diffusion_pytorch_model.safetensors")
    return path


def test_the_teacher_in_the_place_of_the_student_is_told_by_the_file_beside_it(tmp_path):
    for name, about in (("TrackWan", {}), ("Wan", {"_class_name": "WanTransformer3DModel"})):
        teacher = folder_of(tmp_path / name, given.config_json(causal=False) | about)
        with pytest.raises(ValueError, match="expected TrackWan's student for this preset, got its teacher"):
            convert(teacher, tmp_path / "a.safetensors", TRACK)
    said = []
    alone = folder_of(tmp_path / "alone", None) / "diffusion_pytorch_model.safetensors"
    convert(alone, tmp_path / "a.safetensors", TRACK, say=said.append)
    assert any("nothing beside diffusion_pytorch_model.safetensors says" in line for line in said)


def test_a_track_config_of_another_grid_and_a_track_encoder_of_another_form_are_refused(tmp_path):
    config = given.config_json()
    config["track_config"]["vae_spatial_compression"] = 16
    with pytest.raises(ValueError, match="expected a track_config with vae_spatial_compression 8, got 16"):
        convert(folder_of(tmp_path / "grid", config), tmp_path / "a.safetensors", TRACK)
    weights = given.saved_weights()
    weights["track_encoder.proj.weight"] = torch.zeros(8, 16, 1, 1, 1)
    with pytest.raises(ValueError, match="expected 16 channels of 16 from the track encoder, got .8, 16"):
        convert(folder_of(tmp_path / "proj", None, weights), tmp_path / "a.safetensors", TRACK)
    weights = given.saved_weights()
    del weights["blocks.1.attn2.add_v_proj.bias"]
    with pytest.raises(ValueError, match="missing blocks.1.cross_attn.v_img.bias"):
        convert(folder_of(tmp_path / "half", None, weights), tmp_path / "a.safetensors", TRACK)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn])
def test_files_of_every_precision_are_read_and_the_small_sums_stay_exact(tmp_path, dtype):
    weights = {
        key: value.to(dtype) if value.ndim > 1 else value for key, value in given.saved_weights().items()
    }
    folder = folder_of(tmp_path / "in", given.config_json(), weights)
    convert(folder, tmp_path / "a.safetensors", TRACK)
    got = load_file(tmp_path / "a.safetensors")
    assert got["track_head.conv.weight"].dtype == got["track_head.known.weight"].dtype == torch.float32
    key = "blocks.0.self_attn.q.weight"
    expected = torch.float8_e4m3fn if dtype.itemsize == 1 else torch.bfloat16
    assert got[key].dtype == expected


def test_a_folder_half_downloaded_is_named(tmp_path, state):
    folder = folder_of(tmp_path / "half", None, state)
    whole = folder / "diffusion_pytorch_model.safetensors"
    part = folder / "diffusion_pytorch_model-00001-of-00002.safetensors"
    os.replace(whole, part)
    with pytest.raises(ValueError, match="parts of a larger file, whose index is not there"):
        convert(folder, tmp_path / "a.safetensors", PRESET)
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(ValueError, match="truncated: expected"):
        convert(part, tmp_path / "a.safetensors", PRESET)
    part.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 6258309504\n")
    with pytest.raises(ValueError, match="got a Git LFS pointer"):
        convert(part, tmp_path / "a.safetensors", PRESET)


def test_without_room_on_the_disk_nothing_is_written(tmp_path, state, monkeypatch):
    save_file(state, tmp_path / "a.safetensors")
    monkeypatch.setattr(safetensors_files, "free_bytes", lambda folder: 1000)
    with pytest.raises(ValueError, match="b.safetensors: expected room for .* MiB on the disk, got 0.0 MiB"):
        convert(tmp_path / "a.safetensors", tmp_path / "out" / "b.safetensors", PRESET)
    assert not list((tmp_path / "out").iterdir())
