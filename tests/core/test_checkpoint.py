"""Weights files: what is written comes back, and every other file is refused in clear words."""

import pickle
from dataclasses import replace

import pytest
import torch
from core.small_stages import limited
from reference import small_config, small_model, small_text
from safetensors.torch import save_file

from motionstream_core.codec.tiny import TinyCodec
from motionstream_core.model.config import BufferConfig
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.motion import TrackHead
from motionstream_core.model.presets import PRESETS, preset
from motionstream_core.model.text import Vocabulary, WordEncoder
from motionstream_core.model.weights import networks as networks_module
from motionstream_core.model.weights.bundle import config_from_dict, config_to_dict, load_bundle, save_bundle
from motionstream_core.model.weights.networks import Networks, open_networks, save_networks


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    parts = {
        "dit": small_model(),
        "track_head": TrackHead(),
        "codec": {"mean": torch.tensor([0.1]), "steps": torch.tensor(3)},
    }
    save_bundle(
        path,
        small_config(),
        parts,
        settings={"codec": {"width": 8}},
        provenance={"seed": 1, "data": "made here"},
    )
    return path


def test_a_saved_model_comes_back_in_float32_with_its_config_and_provenance(saved):
    bundle = load_bundle(saved)
    assert bundle.config == small_config() and set(bundle.components) == {"dit", "track_head", "codec"}
    assert bundle.provenance == {"seed": 1, "data": "made here"} and bundle.settings == {
        "codec": {"width": 8}
    }
    model, original = bundle.dit(), small_model()
    for name, value in model.state_dict().items():
        expected = original.state_dict()[name]
        assert value.dtype == torch.float32
        assert torch.equal(value, expected.bfloat16().float() if expected.ndim > 1 else expected)
    x = torch.randn(1, 56, 3, 4, 4)
    assert model(x, torch.zeros(1, 3), small_text(model)).shape == (1, 32, 3, 4, 4)


def test_vectors_and_integers_keep_their_precision(saved):
    codec = load_bundle(saved).components["codec"]
    assert torch.equal(codec["mean"], torch.tensor([0.1])) and codec["steps"].dtype == torch.int64


def test_the_track_head_comes_back(saved):
    assert load_bundle(saved).track_head().conv.weight.shape == (16, 256, 1, 1, 1)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_survives_the_metadata(name):
    assert config_from_dict(config_to_dict(PRESETS[name])) == PRESETS[name]


def test_saving_leaves_one_file_and_replaces_the_old_one_whole(saved):
    save_bundle(saved, small_config(), {"codec": {"mean": torch.zeros(1)}})
    assert [file.name for file in saved.parent.iterdir()] == ["model.safetensors"]
    assert set(load_bundle(saved).components) == {"codec"}


def test_a_full_disk_leaves_the_weights_that_are_there(saved):
    before = saved.read_bytes()
    with limited(len(before) // 2), pytest.raises(OSError, match="model.safetensors: could not be written"):
        save_bundle(saved, small_config(), {"dit": small_model()})
    assert [path.read_bytes() for path in saved.parent.iterdir()] == [before]


def test_weights_in_use_stay_as_they_are_when_another_file_is_written_over_theirs(saved):
    model, bundle = load_bundle(saved).dit(), load_bundle(saved)
    before = [value.clone() for value in model.state_dict().values()]
    with saved.open(
        "r+b"
    ) as file:  # in place, as `cp` does it: whoever has mapped the file sees the new bytes
        file.write(b"\xff" * saved.stat().st_size)
    assert all(torch.equal(value, old) for value, old in zip(model.state_dict().values(), before))
    assert (
        torch.equal(bundle.components["codec"]["mean"], torch.tensor([0.1]))
        and bundle.components["codec"]["steps"] == 3
    )


@pytest.mark.parametrize("share", [0.001, 0.3, 0.999])
def test_a_truncated_file_is_refused(saved, share):
    data = saved.read_bytes()
    saved.write_bytes(data[: max(9, int(len(data) * share))])
    with pytest.raises(ValueError, match="truncated: expected"):
        load_bundle(saved)


@pytest.mark.parametrize(
    "data",
    [b"", b"abc", b"\x89PNG\r\n\x1a\n" + b"0" * 100, b"\x10" + b"\0" * 7 + b"{not json at all" + b"0" * 9],
)
def test_a_file_that_is_no_weights_file_is_refused(tmp_path, data):
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="model.safetensors: expected a safetensors"):
        load_bundle(path)


class Trap:
    opened = False

    def __reduce__(self):
        return (setattr, (Trap, "opened", True))


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_a_pickled_file_is_refused_and_never_opened(tmp_path, save):
    path = tmp_path / "model.pt"
    save({"weights": Trap()}, path)
    with pytest.raises(ValueError, match="pickled"):
        load_bundle(path)
    assert not Trap.opened


def test_foreign_safetensors_are_refused_by_their_keys(tmp_path):
    save_file({"lora_up.weight": torch.zeros(2)}, tmp_path / "lora.safetensors")
    with pytest.raises(ValueError, match="foreign weights with 1 tensors: lora_up.weight"):
        load_bundle(tmp_path / "lora.safetensors")


def test_metadata_of_another_version_is_refused(tmp_path):
    about = '{"version": 99, "config": {}, "settings": {}, "provenance": {}}'
    save_file({"dit.x": torch.zeros(2)}, tmp_path / "new.safetensors", metadata={"motionstream": about})
    with pytest.raises(ValueError, match="expected format version 1, got 99"):
        load_bundle(tmp_path / "new.safetensors")


def test_keys_that_are_missing_unknown_or_misshapen_are_all_listed(tmp_path):
    state = small_model().state_dict()
    state["extra.weight"] = state.pop("head.head.bias")
    state["blocks.0.modulation"] = torch.zeros(1, 6, 5)
    save_bundle(tmp_path / "odd.safetensors", small_config(), {"dit": state})
    with pytest.raises(
        ValueError,
        match=(
            r"blocks.0.modulation expected \(1, 6, 24\) got \(1, 6, 5\); "
            r"missing head.head.bias; unknown extra.weight"
        ),
    ):
        load_bundle(tmp_path / "odd.safetensors").dit()


def test_a_component_that_is_not_in_the_file_is_refused(saved):
    save_bundle(saved, small_config(), {"codec": {"mean": torch.zeros(1)}})
    with pytest.raises(ValueError, match=r"expected a component 'dit', got \['codec'\]"):
        load_bundle(saved).dit()


@pytest.mark.parametrize("change", [{"context": 5}, {"dim": "wide"}, {"patch": None}, {"motion": 3}])
def test_a_config_with_a_value_of_another_kind_is_refused(change):
    with pytest.raises(ValueError, match="Config: expected"):
        config_from_dict(config_to_dict(small_config()) | change)


def test_a_config_with_an_unknown_field_is_refused():
    with pytest.raises(ValueError, match="wings"):
        config_from_dict(config_to_dict(small_config()) | {"wings": 2})


def test_a_buffer_sampler_goes_through_the_header_beside_the_same_network():
    config = replace(PRESETS["cartoon"], sampler=BufferConfig(chunk_frames=2, chunks=4, micro_steps=2))
    values = config_to_dict(config)
    assert values["buffer"]["chunks"] == 4 and "context" not in values and "steps" not in values
    assert config_from_dict(values) == config
    with pytest.raises(ValueError, match="expected a model of the rolling sampler, got BufferConfig"):
        _ = config.rolling.cache_shape


@pytest.mark.parametrize("gamma", [1.0, 0.5])
def test_after_its_micro_steps_a_buffers_levels_are_those_of_the_older_neighbours(gamma):
    config = BufferConfig(chunk_frames=2, chunks=4, micro_steps=3, reference_frames=1, gamma=gamma)
    before, after = config.sigmas(0), config.sigmas(3)
    assert after[0] == 0 and after[1:] == before[:-1] and before[-1] == 1
    assert (config.frames, config.steps) == (9, 12)


def test_a_file_of_version_1_with_a_manner_opens_as_a_rolling_sampler():
    values = config_to_dict(PRESETS["wan2.1-1.3b"]) | {
        "steps": 2,
        "sigmas": [1.0, 0.5],
        "manner": {
            "solver": "renoise",
            "timesteps": [1000.0, 501.0],
            "first_sigmas": None,
            "recache": "window",
        },
    }
    sampler = config_from_dict(values).rolling
    assert (sampler.sigmas, sampler.timesteps, sampler.recache) == ((1.0, 0.5), (1000.0, 501.0), "window")


def test_networks_of_a_text_to_video_model_keep_their_own_words(tmp_path):
    """A file without a track head, with a vocabulary of its own."""
    config = replace(preset("cartoon"), dim=32, ffn_dim=32, num_heads=2, num_layers=1, windows=((1, 2, 2),))
    encoder = WordEncoder(config.text_dim, config.text_len, Vocabulary(("<pad>", "red", "car")))
    networks = Networks(WanDiT(config), None, TinyCodec(), encoder)
    save_networks(tmp_path / "own.safetensors", networks)
    opened = open_networks(tmp_path / "own.safetensors")
    assert opened.track_head is None and opened.config == config
    assert opened.text_encoder.vocabulary.words == ("<pad>", "red", "car")
    assert opened.text_encoder.vocabulary.unknown("A red boat") == ["a", "boat"]
    assert opened.text_encoder.tokenize("red red car")[:4].tolist() == [1, 1, 2, 0]


@pytest.mark.parametrize("words", [None, 3, ["one"], ["a", "a"], ["<pad>", 4]])
def test_a_vocabulary_that_is_none_is_an_error(tmp_path, words):
    path = tmp_path / "words.safetensors"
    save_bundle(
        path,
        preset("tiny"),
        {"codec": {"mean": torch.zeros(1)}},
        settings={"text_encoder": {"vocabulary": words}},
    )
    with pytest.raises(ValueError, match="vocabulary"):
        networks_module._vocabulary(load_bundle(path))


def with_about(path, change) -> None:
    """The file with another header: change(about) works on the part under "motionstream"."""
    import json
    import struct

    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    about = json.loads(header["__metadata__"]["motionstream"])
    change(about)
    header["__metadata__"]["motionstream"] = json.dumps(about)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])


@pytest.mark.parametrize(
    ("place", "name", "value", "message"),
    [
        (
            "config",
            "num_layers",
            10**6,
            "expected num_layers to be a whole number from 1 to 512, got 1000000",
        ),
        ("config", "num_layers", 400, "expected weights of 400 layers, got 8"),
        ("config", "text_len", "16", "expected text_len to be a whole number"),
        ("config", "num_heads", 0, "expected num_heads to be a whole number from 1"),
        ("config", "patch", [1, 2, 2, 2], "expected patch to be three whole numbers"),
        ("settings", "codec", "wide", "expected the settings of codec to be an object"),
        ("codec", "encoder", [4000, 4000, 4000], "codec does not fit: .* expected .* got"),
        ("codec", "decoder", [10**7] * 4, "codec: expected a whole number from 1 to 8192"),
        ("config", "context", "c1000000s0w0", "expected a context such as 'c3s1w3'"),
    ],
)
def test_sizes_in_a_header_are_checked_before_anything_is_built(tmp_path, place, name, value, message):
    from motionstream_core.model.weights.networks import open_networks, save_networks, untrained_networks

    path = tmp_path / "w.safetensors"
    save_networks(path, untrained_networks("tiny"))

    def change(about):
        (about["settings"]["codec"] if place == "codec" else about[place])[name] = value

    with_about(path, change)
    with pytest.raises(ValueError, match=message):
        open_networks(path)


def test_loading_can_be_stopped_at_every_tensor():
    from motionstream_core.model.weights.networks import open_networks

    class Stop(BaseException):
        pass

    calls = []

    def check():
        calls.append(1)
        if len(calls) == 5:
            raise Stop

    with pytest.raises(Stop):
        open_networks(check_interrupt=check)


def test_a_pipe_among_the_weights_is_refused_and_not_waited_for(tmp_path):
    import os

    from motionstream_core.planning.examination import checkpoint_lines

    os.mkfifo(tmp_path / "pipe.safetensors")
    (line, *_) = checkpoint_lines([("pipe", tmp_path / "pipe.safetensors")])
    assert line.startswith("broken   pipe: pipe.safetensors: expected a file")
