"""Public layouts of causal Wan checkpoints become one file; everything else is refused with what was expected
and what came.
"""

import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from motionstream_core.__main__ import main
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.motion import TrackHead
from motionstream_core.model.presets import PRESETS, MotionConfig
from motionstream_core.model.weights.checkpoint_presets import (
    CHECKPOINT_PRESETS,
    checkpoint_preset,
    config_for,
    metadata_of,
    read_stated_config,
    size_note,
)
from motionstream_core.model.weights.convert import convert, picture_keys, plain_key
from motionstream_core.sampling.flow import model_timesteps, schedule_of

PRESET = checkpoint_preset("self-forcing")


def small(name: str = "wan2.1-1.3b", **more):
    return replace(
        PRESETS[name], dim=128, ffn_dim=64, num_heads=1, num_layers=2, text_dim=16, freq_dim=32, **more
    )


def state_of(config=None) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    net = WanDiT(config or small())
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    return {key: value.detach().clone() for key, value in net.state_dict().items()}


def renamed(state, start: str) -> dict:
    return {start + key: value for key, value in state.items()}


def checkpointed(state) -> dict:
    """As a trainer with FSDP and activation checkpoints saves it."""
    return {
        f"model._fsdp_wrapped_module.{key}".replace(
            "blocks.1.", "blocks.1._fsdp_wrapped_module._checkpoint_wrapped_module."
        ): value
        for key, value in state.items()
    }


def diffusers(state) -> dict:
    """The spelling of WanTransformer3DModel, written out by hand."""
    table = {
        "text_embedding.0": "condition_embedder.text_embedder.linear_1",
        "text_embedding.2": "condition_embedder.text_embedder.linear_2",
        "time_embedding.0": "condition_embedder.time_embedder.linear_1",
        "time_embedding.2": "condition_embedder.time_embedder.linear_2",
        "time_projection.1": "condition_embedder.time_proj",
        "head.head": "proj_out",
        "head.modulation": "scale_shift_table",
        "self_attn.": "attn1.",
        "cross_attn.": "attn2.",
        ".q.": ".to_q.",
        ".k.": ".to_k.",
        ".v.": ".to_v.",
        ".o.": ".to_out.0.",
        "norm3": "norm2",
        "ffn.0": "ffn.net.0.proj",
        "ffn.2": "ffn.net.2",
        "modulation": "scale_shift_table",
    }
    made = {}
    for key, value in state.items():
        for ours, theirs in table.items():
            key = key.replace(ours, theirs)
        made[key] = value
    return made


LAYOUTS = {
    "Self Forcing": lambda state: {"generator_ema": renamed(state, "model.")},
    "Self Forcing with all three": lambda state: {
        "generator": renamed({key: torch.zeros_like(value) for key, value in state.items()}, "model."),
        "critic": renamed(state, "model."),
        "generator_ema": checkpointed(state),
    },
    "CausVid": lambda state: {"generator": renamed(state, "model.")},
    "Causal Forcing": lambda state: {"generator": checkpointed(state)},
    "Krea": lambda state: renamed(state, "model."),
    "ComfyUI": lambda state: renamed(state, "diffusion_model."),
    "ComfyUI, whole checkpoint": lambda state: renamed(state, "model.diffusion_model."),
    "a student among roles": lambda state: {"student": renamed(state, "module."), "step": torch.tensor(3)},
    "compiled": lambda state: {"model": renamed(state, "_orig_mod.")},
    "diffusers": diffusers,
    "diffusers behind a name": lambda state: {"state_dict": renamed(diffusers(state), "transformer.")},
    "bare": dict,
    "half precision": lambda state: {
        "generator_ema": renamed({key: value.half() for key, value in state.items()}, "model.")
    },
    "trainer's own words beside": lambda state: {
        "generator": renamed(state, "model."),
        "step": 600,
        "config": {"lr": 2e-6, "steps": [1000, 750]},
        "critic_optimizer": {"state": {0: torch.zeros(2)}},
    },
}


@pytest.fixture(scope="module")
def state():
    return state_of()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_every_public_layout_becomes_wans_own_names(tmp_path, state, layout, ending):
    laid, source, target = (
        LAYOUTS[layout](state),
        tmp_path / f"public{ending}",
        tmp_path / "out" / "ours.safetensors",
    )
    flat = all(isinstance(value, torch.Tensor) for value in laid.values())
    if ending == ".safetensors" and not flat:
        laid = renamed(state, "generator_ema.model.")
    if ending == ".pt":
        torch.save(laid, source)
    else:
        save_file(laid, source)
    convert(source, target, PRESET, dtype=None)
    got, half = load_file(target), layout == "half precision"
    assert got.keys() == state.keys()
    for key, value in state.items():
        expected = value.half() if half and (ending == ".pt") else value
        assert torch.equal(got[key].float(), expected.float()), key


def test_a_file_of_an_old_torch_is_read_too(tmp_path, state):
    torch.save(
        {"generator": renamed(state, "model.")}, tmp_path / "a.pt", _use_new_zipfile_serialization=False
    )
    convert(tmp_path / "a.pt", tmp_path / "b.safetensors", PRESET, dtype=None)
    assert torch.equal(load_file(tmp_path / "b.safetensors")["head.head.weight"], state["head.head.weight"])


@pytest.mark.parametrize("named", ["folder", "index"])
def test_a_checkpoint_in_several_files_becomes_one(tmp_path, state, named):
    folder, laid = tmp_path / "transformer", diffusers(state)
    folder.mkdir()
    keys, places = sorted(laid), {}
    for part in range(3):
        name = f"diffusion_pytorch_model-0000{part + 1}-of-00003.safetensors"
        save_file({key: laid[key] for key in keys[part::3]}, folder / name)
        places |= dict.fromkeys(keys[part::3], name)
    index = folder / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    convert(folder if named == "folder" else index, tmp_path / "b.safetensors", PRESET, dtype=None)
    got = load_file(tmp_path / "b.safetensors")
    assert got.keys() == state.keys() and all(torch.equal(got[key], state[key]) for key in state)
    (folder / "diffusion_pytorch_model-00002-of-00003.safetensors").unlink()
    with pytest.raises(
        ValueError,
        match="expected all files of its weight_map beside it, got no diffusion_pytorch_model-00002",
    ):
        convert(index, tmp_path / "c.safetensors", PRESET)
    index.write_text(json.dumps({"weight_map": {"x": "../../elsewhere.safetensors"}}))
    with pytest.raises(ValueError, match="beside it, got no ../../elsewhere"):
        convert(index, tmp_path / "c.safetensors", PRESET)
    index.unlink()
    with pytest.raises(
        ValueError,
        match=(
            "transformer: expected one .*index.json in the folder, got 0; its safetensors files: "
            "diffusion_pytorch_model-00001"
        ),
    ):
        convert(folder, tmp_path / "c.safetensors", PRESET)


WATCHED = """
import sys, threading, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from motionstream_core.model.weights.checkpoint_presets import checkpoint_preset
from motionstream_core.model.weights.convert import convert

def private():
    status = open("/proc/self/status")
    return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:")) * 1024

before, most, done = private(), [0], []
def watch():
    while not done:
        most[0] = max(most[0], private())
        time.sleep(0.002)
thread = threading.Thread(target=watch)
thread.start()
try:
    source, target, lora = map(Path, sys.argv[1:])
    convert(source, target, checkpoint_preset("self-forcing"), dtype=torch.bfloat16, lora=lora)
finally:
    done.append(1)
    thread.join()
print(most[0] - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads what memory is its own from /proc")
def test_a_large_file_needs_the_memory_of_its_largest_tensors_and_not_its_own(tmp_path):
    large = replace(
        PRESETS["wan2.1-1.3b"], dim=1024, ffn_dim=4096, num_heads=8, num_layers=8, text_dim=64, freq_dim=32
    )
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in WanDiT(large).state_dict().items()}
    state = {key: torch.zeros(shape) for key, shape in shapes.items()}
    source, lora = tmp_path / "a.pt", tmp_path / "lora.pt"
    torch.save({"generator_ema": renamed(state, "model.")}, source)
    pairs = {
        key.removesuffix(".weight"): value.shape
        for key, value in state.items()
        if key.startswith("blocks") and value.ndim == 2
    }
    torch.save(
        {
            f"{key}.{part}.weight": torch.zeros(size)
            for key, (rows, columns) in pairs.items()
            for part, size in (("lora_A", (4, columns)), ("lora_B", (rows, 4)))
        },
        lora,
    )
    command = [sys.executable, "-c", WATCHED, str(source), str(tmp_path / "b.safetensors"), str(lora)]
    run = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
    )
    grown, size = int(run.stdout), source.stat().st_size
    assert size > 500e6 and grown < size / 3, (
        f"{grown / 1e6:.0f} MB for a file of {size / 1e6:.0f} MB, {size / 2e6:.0f} MB as written"
    )
    assert load_file(tmp_path / "b.safetensors").keys() == state.keys()


def test_the_file_says_what_it_is_to_the_host_and_to_us(tmp_path, state):
    torch.save({"generator": renamed(state, "model.")}, tmp_path / "longlive.pt")
    convert(tmp_path / "longlive.pt", tmp_path / "a.safetensors", checkpoint_preset("causvid"))
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["config"])["transformer"] == {
        "causal_ar": True,
        "text_dim": 16,
        "freq_dim": 32,
    }
    config = read_stated_config(tmp_path / "a.safetensors")
    assert (
        config.rolling.cache_shape.label == "c3s3w15"
        and config.rolling.shift == 8.0
        and model_timesteps(config.rolling, schedule_of(config)) == (1000, 757, 522)
    )
    assert schedule_of(config) == pytest.approx((1.0, 0.756757, 0.521739), abs=1e-6), (
        "the nearest of a thousand shifted levels"
    )
    assert model_timesteps(config.rolling, (1.0, 0.5)) == (1000, 500)
    assert (config.dim, config.num_layers, config.text_dim) == (128, 2, 16) and config.motion is None
    assert schedule_of(config, 2) == (1.0, 8 * 0.5 / (1 + 7 * 0.5))


def test_matrices_are_bfloat16_vectors_and_modulations_float32(tmp_path, state):
    torch.save(state, tmp_path / "a.pt")
    convert(tmp_path / "a.pt", tmp_path / "a.safetensors", PRESET)
    for key, value in load_file(tmp_path / "a.safetensors").items():
        assert value.dtype == (torch.float32 if value.ndim < 2 or "modulation" in key else torch.bfloat16), (
            key
        )


def test_a_converted_file_speaks_for_itself(tmp_path, state):
    torch.save(state, tmp_path / "a.pt")
    convert(tmp_path / "a.pt", tmp_path / "b.safetensors", checkpoint_preset("longlive"))
    assert convert(tmp_path / "b.safetensors", tmp_path / "c.safetensors", None) == read_stated_config(
        tmp_path / "b.safetensors"
    )
    assert read_stated_config(tmp_path / "c.safetensors").rolling.cache_shape.label == "c3s3w6"


@pytest.mark.parametrize("image", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_a_track_head_travels_in_the_same_file(tmp_path, image, apart):
    motion = MotionConfig(image_latent=image)
    config = small(in_channels=16 + motion.channels, motion=motion)
    weights, head = state_of(config), TrackHead().state_dict()
    options = {}
    if apart:
        save_file(head, tmp_path / "head.safetensors")
        options["track_head"] = tmp_path / "head.safetensors"
    else:
        weights |= renamed(head, "track_head.")
    torch.save(weights, tmp_path / "a.pt")
    found = convert(
        tmp_path / "a.pt", tmp_path / "a.safetensors", checkpoint_preset("motionstream-1.3b"), **options
    )
    assert found.motion == motion and torch.equal(
        load_file(tmp_path / "a.safetensors")["track_head.conv.bias"], head["conv.bias"]
    )


def test_a_cross_attention_that_looks_at_a_picture_is_carried_and_the_host_is_not_told_causal(
    tmp_path, state
):
    seen = {key: torch.zeros(value.shape) for key, value in picture_keys(small()).items()}
    torch.save({"generator": renamed({**state, **seen}, "model.")}, tmp_path / "a.pt")
    convert(tmp_path / "a.pt", tmp_path / "a.safetensors", PRESET)
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        assert "causal_ar" not in json.loads(file.metadata()["config"])["transformer"]
    assert (
        load_file(tmp_path / "a.safetensors").keys() == {**state, **seen}.keys()
        and read_stated_config(tmp_path / "a.safetensors").dim == 128
    )
    torch.save(without({**state, **seen}, "blocks.0.cross_attn.k_img.bias"), tmp_path / "b.pt")
    with pytest.raises(ValueError, match="1 missing, 0 unknown .* missing blocks.0.cross_attn.k_img.bias"):
        convert(tmp_path / "b.pt", tmp_path / "b.safetensors", PRESET)


@pytest.mark.parametrize("start", ["", "base_model.model.", "diffusion_model."])
@pytest.mark.parametrize("names", [("lora_A", "lora_B"), ("lora_down", "lora_up")])
def test_a_lora_is_merged_into_the_weights(tmp_path, state, start, names):
    torch.manual_seed(0)
    down, up = torch.randn(4, 128), torch.randn(64, 4)
    part = f"{start}model.blocks.1.ffn.0"
    lora = {f"{part}.{names[0]}.weight": down, f"{part}.{names[1]}.weight": up}
    if names[0] == "lora_down":
        lora[f"{part}.alpha"] = torch.tensor(8.0)
    torch.save({"generator_lora": lora, "epoch": 3}, tmp_path / "lora.pt")
    torch.save({"generator": renamed(state, "model.")}, tmp_path / "base.pt")
    convert(
        tmp_path / "base.pt",
        tmp_path / "a.safetensors",
        checkpoint_preset("longlive"),
        lora=tmp_path / "lora.pt",
        dtype=torch.float32,
    )
    got, scale = load_file(tmp_path / "a.safetensors"), 2.0 if names[0] == "lora_down" else 1.0
    assert torch.allclose(
        got["blocks.1.ffn.0.weight"], state["blocks.1.ffn.0.weight"] + scale * up @ down, atol=1e-5
    )
    assert torch.equal(got["blocks.0.ffn.0.weight"], state["blocks.0.ffn.0.weight"])


def test_whole_differences_of_a_lora_are_added_to_weights_biases_and_modulations(tmp_path, state):
    start = "diffusion_model.blocks.0"
    lora = {
        f"{start}.norm3.diff": torch.ones(128),
        f"{start}.ffn.0.diff_b": torch.full((64,), 2.0),
        f"{start}.diff_m": torch.full((1, 6, 128), 3.0),
    }
    save_file(lora, tmp_path / "lora.safetensors")
    torch.save(state, tmp_path / "a.pt")
    convert(
        tmp_path / "a.pt", tmp_path / "b.safetensors", PRESET, lora=tmp_path / "lora.safetensors", dtype=None
    )
    got = load_file(tmp_path / "b.safetensors")
    for key, more in (("norm3.weight", 1), ("ffn.0.bias", 2), ("modulation", 3)):
        assert torch.equal(got[f"blocks.0.{key}"], state[f"blocks.0.{key}"] + more)


# network, chunk, sink, all that is attended to, timesteps: as published (their window counts the sink and the
# chunk itself)
FACTS = {
    "self-forcing": ("wan2.1-1.3b", 3, 3, 21, (1000, 937.5, 833.33, 625)),
    "causal-forcing": ("wan2.1-1.3b", 3, 3, 21, (1000, 937.5, 833.33, 625)),
    "causal-forcing-framewise": ("wan2.1-1.3b", 1, 1, 21, (1000, 937.5, 833.33, 625)),
    "causal-forcing-2step": ("wan2.1-1.3b", 1, 1, 21, (1000, 833.33)),
    "causal-forcing-1step": ("wan2.1-1.3b", 1, 1, 21, (1000,)),
    "causvid": ("wan2.1-1.3b", 3, 3, 21, (1000, 757, 522)),
    "longlive": ("wan2.1-1.3b", 3, 3, 12, (1000, 937.5, 833.33, 625)),
    "longlive-2": ("wan2.2-5b", 8, 8, 32, (999, 937, 833, 624)),
    "infinite-forcing": ("wan2.1-1.3b", 3, 1, 6, (1000, 937.5, 833.33, 625)),
    "krea-14b": ("wan2.1-14b", 3, 1, 6, (1000, 937.5, 833.33, 625)),
    "motionstream-1.3b": ("wan2.1-1.3b", 3, 3, 9, (1000, 909.09, 714.29)),
    "motionstream-5b": ("wan2.2-5b", 3, 3, 9, (1000, 909.09, 714.29)),
    "track-v0": ("wan2.1-1.3b-track", 3, 1, 6, (1000, 947, 857, 666)),
}


@pytest.mark.parametrize("name", CHECKPOINT_PRESETS)
def test_a_preset_says_what_is_published_of_its_checkpoint(name):
    network, chunk, sink, span, timesteps = FACTS[name]
    config = config_for(checkpoint_preset(name))
    assert checkpoint_preset(name).network == network and (config.dim, config.latent_channels) == (
        PRESETS[network].dim,
        PRESETS[network].latent_channels,
    )
    assert (
        config.rolling.cache_shape.chunk,
        config.rolling.cache_shape.sink,
        config.rolling.cache_shape.frames,
    ) == (chunk, sink, span)
    assert model_timesteps(config.rolling, schedule_of(config)) == pytest.approx(timesteps, abs=0.01)


def test_a_size_that_a_known_network_was_not_trained_on_is_said():
    for name, width, height, said in (
        (
            "wan2.1-1.3b",
            1280,
            704,
            "1280x704 is not a size that wan2.1-1.3b was trained on (832x480): expect weaker pictures",
        ),
        ("wan2.1-14b", 480, 832, None),
        ("wan2.1-14b", 640, 640, "(832x480 or 1280x720)"),
        ("wan2.2-5b", 1280, 704, None),
        ("wan2.2-5b", 832, 480, "(1280x704)"),
        ("tiny", 128, 128, None),
        ("tiny", 256, 128, "256x128 is not a size that the built-in model was trained on (128x128)"),
    ):
        note = size_note(PRESETS[name], width, height)
        assert note is None if said is None else said in note
    assert size_note(small(), 99, 99) is None, "nothing is known of it"


def test_the_command_prints_what_it_wrote(tmp_path, state, capsys):
    torch.save({"generator_ema": renamed(state, "model.")}, tmp_path / "a.pt")
    arguments = [
        "convert",
        str(tmp_path / "a.pt"),
        str(tmp_path / "b.safetensors"),
        "--preset",
        "causvid",
        "--context",
        "c3s1w5",
        "--timesteps",
        "1000",
        "500",
    ]
    assert main(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["context"], said["steps"], said["sigmas"], said["track_head"]) == (
        "c3s1w5",
        2,
        [1.0, pytest.approx(0.5, abs=1e-3)],
        False,
    )
    assert read_stated_config(tmp_path / "b.safetensors").rolling.timesteps == (1000, 500)


@pytest.mark.parametrize("name", CHECKPOINT_PRESETS)
def test_every_preset_is_a_config_that_survives_the_header(tmp_path, name):
    config = config_for(checkpoint_preset(name))
    save_file({"x": torch.zeros(1)}, tmp_path / "a.safetensors", metadata=metadata_of(config, {}))
    assert (
        read_stated_config(tmp_path / "a.safetensors") == config
        and len(schedule_of(config)) == config.sampler.steps
    )


def test_a_key_is_plain_whatever_it_was_wrapped_in():
    for key in (
        "model.blocks.0.ffn.0.bias",
        "model._fsdp_wrapped_module.blocks.0._fsdp_wrapped_module.ffn.0.bias",
        "base_model.model.model.blocks.0.ffn.0.bias",
    ):
        assert plain_key(key) == "blocks.0.ffn.0.bias"


# ---- refused ----


def without(state, key):
    return {name: value for name, value in state.items() if name != key}


REFUSED = {
    "missing keys": (
        lambda state: without(without(state, "blocks.1.self_attn.q.weight"), "head.modulation"),
        r"2 missing, 0 unknown .* missing blocks.1.self_attn.q.weight, head.modulation",
    ),
    "unknown keys": (
        lambda state: {**state, **{f"extra.{n}": torch.zeros(1) for n in range(12)}},
        r"0 missing, 12 unknown .* unknown extra.0, .* and 4 more",
    ),
    "a quantised file": (
        lambda state: {**state, "blocks.0.ffn.0.scale_weight": torch.ones(())},
        r"unknown blocks.0.ffn.0.scale_weight \(a quantised file: convert the one it was made of",
    ),
    "a misshapen key": (
        lambda state: {**state, "blocks.0.modulation": torch.zeros(1, 6, 5)},
        r"blocks.0.modulation expected \(1, 6, 128\) got \(1, 6, 5\)",
    ),
    "two for one": (
        lambda state: {**state, "model.head.modulation": torch.zeros(1, 2, 128)},
        "expected one tensor for head.modulation, got several",
    ),
    "no Wan": (
        lambda state: {"conv.weight": torch.zeros(3)},
        "expected the keys of a Wan transformer, missing patch_embedding.weight",
    ),
    "an unknown wrapper": (
        lambda state: {"weights_of": state},
        r"expected tensors, or one of generator_ema, .* got \['weights_of'\]",
    ),
    "no dictionary": (lambda state: [1, 2], "expected a dictionary of tensors, got list"),
    "VACE": (
        lambda state: {**state, "vace_blocks.0.x": torch.zeros(1)},
        "expected a causal Wan, got a Wan for VACE",
    ),
    "image to video": (
        lambda state: {**state, "patch_embedding.weight": torch.zeros(128, 36, 1, 2, 2)},
        "expected 16 input channels .* got 36 without one",
    ),
    "another latent": (
        lambda state: {**state, "head.head.weight": torch.zeros(48, 128)},
        "expected a latent of 16 or 48 channels, got 12",
    ),
    "a width without heads": (
        lambda state: {**state, "patch_embedding.weight": torch.zeros(100, 16, 1, 2, 2)},
        "multiple of 128 .* got 100",
    ),
    "48 channels for a 16-channel preset": (
        lambda state: state_of(small("wan2.2-5b")),
        "expected a latent of 16 channels for this preset .* got 48",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_whole_causal_wan_is_refused_and_nothing_is_written(tmp_path, state, name):
    make, message = REFUSED[name]
    torch.save(make(state), tmp_path / "a.pt")
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "a.pt", tmp_path / "b.safetensors", PRESET)
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]


def test_weights_that_nobody_calls_causal_are_refused(tmp_path, state, capsys):
    torch.save(state, tmp_path / "a.pt")
    assert main(["convert", str(tmp_path / "a.pt"), str(tmp_path / "b.safetensors")]) == 2
    assert "cannot tell a causal Wan from a bidirectional one" in capsys.readouterr().err


def test_a_header_that_says_bidirectional_is_believed(tmp_path, state):
    save_file(state, tmp_path / "a.safetensors", metadata={"config": '{"transformer": {"causal_ar": false}}'})
    with pytest.raises(ValueError, match="header says that it is not"):
        convert(tmp_path / "a.safetensors", tmp_path / "b.safetensors", PRESET)


def test_a_lora_of_another_size_is_refused(tmp_path, state):
    torch.save(state, tmp_path / "a.pt")
    for key, rows in (("blocks.1.ffn.0", 99), ("blocks.7.ffn.0", 64)):
        torch.save(
            {f"{key}.lora_A.weight": torch.zeros(4, 128), f"{key}.lora_B.weight": torch.zeros(rows, 4)},
            tmp_path / "lora.pt",
        )
        with pytest.raises(
            ValueError,
            match=(
                f"lora.pt: expected a LoRA for this network, got one for {key}.weight of .{rows}, 128. where"
            ),
        ):
            convert(tmp_path / "a.pt", tmp_path / "b.safetensors", PRESET, lora=tmp_path / "lora.pt")


class Trap:
    opened = False

    def __reduce__(self):
        return (setattr, (Trap, "opened", True))


@pytest.mark.parametrize(
    "save",
    [
        torch.save,
        lambda value, path: path.write_bytes(pickle.dumps(value)),
        lambda value, path: path.write_bytes(b"not weights"),
    ],
)
def test_a_file_that_could_run_code_or_is_damaged_is_refused(tmp_path, save):
    save({"generator": {"x": Trap()}}, tmp_path / "a.pt")
    words = (
        "read safely: it would have to run (builtins.)?setattr"
        if save is torch.save
        else "a.pt: expected tensors alone"
    )
    with pytest.raises(ValueError, match=words):
        convert(tmp_path / "a.pt", tmp_path / "b.safetensors", PRESET)
    assert not Trap.opened


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preset", "huge"], "expected one of self-forcing"),
        (["--context", "c3s1w1"], "--context: expected it beside a --preset"),
        (["--preset", "causvid", "--context", "three"], "expected a label such as"),
        (["--preset", "causvid", "--timesteps", "900", "500"], "expected falling levels from 1000"),
        (["--preset", "causvid", "--timesteps", "1000", "1000"], "expected falling levels from 1000"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, state, capsys, options, message):
    torch.save(state, tmp_path / "a.pt")
    assert main(["convert", str(tmp_path / "a.pt"), str(tmp_path / "b.safetensors"), *options]) == 2
    assert message in capsys.readouterr().err


def test_the_target_must_be_another_safetensors_file(tmp_path, state, capsys):
    save_file(state, tmp_path / "a.safetensors")
    for target in ("a.safetensors", "b.pt"):
        assert (
            main(["convert", str(tmp_path / "a.safetensors"), str(tmp_path / target), "--preset", "causvid"])
            == 2
        )
    assert "expected another file than IN" in capsys.readouterr().err
