"""Public weights in a folder of models: what a loader offers of them, and their conversion on first use."""

import json
import os

import pytest
import torch
import trackwan_inputs as given
from safetensors.torch import load_file, save_file
from test_convert import renamed, state_of

from motionstream_core.model.weights import first_use, safetensors_files
from motionstream_core.model.weights.bundle import FORMAT
from motionstream_core.model.weights.checkpoint_presets import read_stated_config
from motionstream_core.model.weights.first_use import convert_once, is_public, offered


@pytest.fixture(scope="module")
def weights():
    return given.saved_weights()


@pytest.fixture
def models(tmp_path, weights):
    """A folder of models with a TrackWan pipeline in it."""
    folder = tmp_path / "diffusion_models" / "mine" / "Track-v0"
    (folder / "transformer").mkdir(parents=True)
    (folder / "vae").mkdir()
    index = {"transformer": ["diffusers", "CausalTrackWanTransformer3DModel"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    save_file(weights, folder / "transformer" / "model.safetensors")
    save_file({"x": torch.zeros(1)}, folder / "vae" / "model.safetensors")
    return tmp_path / "diffusion_models"


def files_of(root) -> list:
    return [(path.relative_to(root).as_posix(), path) for path in sorted(root.rglob("*")) if path.is_file()]


def weights_in(root) -> list:
    return [each for each in files_of(root) if each[1].suffix in (".safetensors", ".pt")]


def test_a_folder_is_offered_once_and_files_by_what_is_in_them(models):
    (models / "flux").mkdir()
    (models / "flux" / "model_index.json").write_text('{"transformer": ["diffusers", "FluxTransformer"]}')
    save_file({"x": torch.zeros(1)}, models / "flux" / "model.safetensors")
    save_file({"patch_embedding.weight": torch.zeros(1)}, models / "ordinary_causal_track.safetensors")
    save_file({"track_encoder.proj.weight": torch.zeros(1)}, models / "a.safetensors")
    save_file({"x": torch.zeros(1)}, models / "b.safetensors", metadata={FORMAT: "{}"})
    (models / "c.safetensors").write_bytes(b"not one")
    torch.save({}, models / "d.pt")
    found = offered(weights_in(models))
    assert list(found) == ["a.safetensors", "b.safetensors", "d.pt", "mine/Track-v0/"]
    assert found["mine/Track-v0/"] == models / "mine" / "Track-v0"
    assert [name for name in found if is_public(found[name])] == ["a.safetensors", "d.pt", "mine/Track-v0/"]
    assert "c.safetensors" in offered(weights_in(models), everything=True)
    transformer = models / "mine" / "Track-v0" / "transformer"
    (transformer.parent / "model_index.json").unlink()
    (transformer / "config.json").write_text(json.dumps(given.config_json()))
    assert "mine/Track-v0/transformer/" in offered(weights_in(models))


def test_a_file_is_converted_once_with_progress_and_again_when_it_has_changed(models, tmp_path):
    source, seen, said = models / "mine" / "Track-v0", [], []

    def opened():
        return convert_once(source, None, tmp_path, say=said.append, on_bytes=lambda *part: seen.append(part))

    made = opened()
    assert made == models / "mine" / "Track-v0.motionstream.safetensors"
    done = [part[0] for part in seen]
    assert done == sorted(done) and done[0] == 0 and done[-1] < seen[0][1] and len(done) > 50
    assert not read_stated_config(made).bidirectional and str(made) in said[0]
    before, count = made.stat().st_mtime_ns, len(seen)
    assert opened() == made and len(seen) == count and made.stat().st_mtime_ns == before
    os.utime(source / "transformer" / "model.safetensors", (1, 1))
    opened()
    assert len(seen) == 2 * count
    assert set(offered(weights_in(models))) == {"mine/Track-v0.motionstream.safetensors", "mine/Track-v0/"}


def test_one_that_is_stopped_or_has_no_room_leaves_nothing(models, tmp_path, monkeypatch):
    source, before = models / "mine" / "Track-v0", files_of(models)

    def stop(done: int, total: int):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_once(source, None, tmp_path, on_bytes=stop)
    monkeypatch.setattr(safetensors_files, "free_bytes", lambda folder: 1000)
    with pytest.raises(ValueError, match="expected room for"):
        convert_once(source, None, tmp_path)
    assert files_of(models) == before


def test_where_the_folder_cannot_be_written_the_file_goes_elsewhere(models, tmp_path, monkeypatch):
    elsewhere = tmp_path / "motionstream"
    monkeypatch.setattr(first_use.os, "access", lambda path, mode: False)
    made = convert_once(models / "mine" / "Track-v0", None, elsewhere)
    assert made.parent == elsewhere
    assert convert_once(models / "mine" / "Track-v0", None, elsewhere, on_bytes=pytest.fail) == made


def test_a_file_that_does_not_say_what_it_is_asks_and_is_kept_by_its_preset(models, tmp_path, weights):
    save_file(weights, models / "lonely.safetensors")
    with pytest.raises(ValueError, match=r"preset: expected track-v0 .* or trackwan-teacher"):
        convert_once(models / "lonely.safetensors", None, tmp_path)
    teacher = convert_once(models / "lonely.safetensors", "trackwan-teacher", tmp_path)
    assert (
        teacher.name == "lonely.trackwan-teacher.motionstream.safetensors"
        and read_stated_config(teacher).bidirectional
    )
    torch.save({"generator_ema": renamed(state_of(), "model.")}, models / "self_forcing_dmd.pt")
    with pytest.raises(ValueError, match="expected a preset, because the file says nothing of being causal"):
        convert_once(models / "self_forcing_dmd.pt", None, tmp_path)
    made = convert_once(models / "self_forcing_dmd.pt", "self-forcing", tmp_path)
    assert read_stated_config(made).rolling.cache_shape.label == "c3s3w15" and len(load_file(made)) == len(
        state_of()
    )


def test_anothers_file_of_that_name_is_left_alone(models, tmp_path):
    there = models / "mine" / "Track-v0.motionstream.safetensors"
    there.write_bytes(b"mine")
    with pytest.raises(ValueError, match="move it away"):
        convert_once(models / "mine" / "Track-v0", None, tmp_path)
    assert there.read_bytes() == b"mine"
