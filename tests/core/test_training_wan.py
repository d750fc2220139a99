"""Wan-shaped training from the command line: latents by a Wan VAE file, text as embeddings, every stage on
such shards. All networks tiny and random.
"""

import json
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

pytest.importorskip("cv2")

from motionstream_core.__main__ import main
from motionstream_core.codec.video import write_video
from motionstream_core.codec.wan_layers import WanVAE, WanVAEConfig
from motionstream_core.codec.wan_vae import WanCodec
from motionstream_core.model import presets
from motionstream_core.training.data import prompts
from motionstream_core.training.data.pool import Pool
from motionstream_core.training.methods.roles import MotionModel

NAME, WIDTH, TOKENS = "wan2.1-small-motion", 24, 6
SMALL = replace(
    presets.PRESETS["wan2.1-1.3b-motion"],
    dim=48,
    ffn_dim=64,
    num_heads=2,
    num_layers=2,
    text_dim=WIDTH,
    text_len=TOKENS,
    freq_dim=32,
)


@pytest.fixture(scope="module", autouse=True)
def small():
    """A preset of Wan's kind that a test can train."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(presets.PRESETS, NAME, SMALL)
        yield


def moving(seed: int, frames: int = 25) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    picture = np.kron(rng.random((20, 20, 3)), np.ones((8, 8, 1))).astype(np.float32)
    return torch.from_numpy(np.stack([picture[20:84, 20 + t : 84 + t] for t in range(frames)]))


def text_of(name: str) -> torch.Tensor:
    return torch.randn(4, WIDTH, generator=torch.Generator().manual_seed(len(name)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Videos, their embeddings and a VAE."""
    folder = tmp_path_factory.mktemp("wan")
    for number, name in enumerate(("a", "sub/bb")):
        write_video(folder / "videos" / f"{name}.mp4", moving(number), 16)
        (folder / "text" / name).parent.mkdir(parents=True, exist_ok=True)
        save_file({"text": text_of(name)}, folder / "text" / f"{name}.safetensors")
    torch.manual_seed(1)
    vae = WanVAE(WanVAEConfig(16, 4, 4))
    for key, value in vae.named_parameters():
        torch.nn.init.normal_(value, mean=1.0 if key.endswith("gamma") else 0.0, std=0.08)
    save_file(vae.state_dict(), folder / "vae.safetensors")
    return folder


def train(*words):
    assert main(["train", *map(str, words)]) == 0


def data_words(folder, out):
    return (
        "data",
        "--preset",
        NAME,
        "--videos",
        folder / "videos",
        "--out",
        out,
        "--codec",
        folder / "vae.safetensors",
        "--size",
        "64x64",
        "--frames",
        25,
        "--grid",
        "6x6",
        "--min-motion",
        0,
        "--device",
        "cpu",
    )


@pytest.fixture(scope="module")
def shards(folder):
    train(*data_words(folder, folder / "data"), "--embeddings", folder / "text")
    return folder / "data"


def test_the_shards_have_the_vaes_latents_and_the_embeddings_of_their_captions(folder, shards):
    pool = Pool(shards, ("latents", "xy", "visible", "text"))
    rows = pool.read([(name, row) for name, shard in pool.shards.items() for row in range(shard.rows)])
    assert (
        rows["latents"].shape == (2, 16, 7, 8, 8)
        and rows["text"].shape == (2, TOKENS, WIDTH)
        and rows["xy"].shape == (2, 25, 36, 2)
    )
    assert torch.isfinite(rows["latents"]).all() and rows["latents"].std() > 0.01
    expected = {float(text_of(name)[0, 0].half()) for name in ("a", "sub/bb")}
    assert {float(row[0, 0]) for row in rows["text"]} == expected and not rows["text"][:, 4:].any(), (
        "zeros behind the last token"
    )


COMMON = ("--steps", 2, "--batch", 2, "--warmup", 0, "--decay", 0, "--optimizer", "adamw", "--preset", NAME)


@pytest.fixture(scope="module")
def done(folder, shards):
    """Every stage, once, from the weights of the one before; the last with sinks that are refreshed, and
    sample videos.
    """
    data = ("--data", shards, "--held", shards)
    train("teacher", *data, *COMMON, "--out", folder / "one", "--codec", folder / "vae.safetensors")
    train(
        "teacher",
        *data,
        *COMMON,
        "--out",
        folder / "two",
        "--phase",
        2,
        "--init",
        folder / "one/teacher.safetensors",
    )
    train(
        "trajectories",
        "--preset",
        NAME,
        "--teacher",
        folder / "two/teacher.safetensors",
        "--data",
        shards,
        "--out",
        folder / "paths",
        "--count",
        1,
        "--batch",
        2,
        "--ode-steps",
        3,
    )
    train(
        "causal-init",
        "--init",
        folder / "two/teacher.safetensors",
        "--data",
        folder / "paths",
        "--held",
        shards,
        *COMMON,
        "--out",
        folder / "init",
    )
    train(
        "causal-init",
        "--start",
        "ar",
        "--init",
        folder / "two/teacher.safetensors",
        *data,
        *COMMON,
        "--out",
        folder / "ar",
    )
    train(
        "causal",
        *data,
        *COMMON,
        "--init",
        folder / "ar/student.safetensors",
        "--out",
        folder / "causal",
        "--refresh-share",
        0.5,
    )
    train(
        "distill",
        "--student",
        folder / "init/student.safetensors",
        "--teacher",
        folder / "two/teacher.safetensors",
        *data,
        *COMMON,
        "--critic-steps",
        1,
        "--out",
        folder / "student",
        "--refresh-share",
        1,
        "--codec",
        folder / "vae.safetensors",
    )
    return folder


def test_every_stage_runs_on_such_shards_and_its_weights_have_no_vocabulary(done):
    keys = MotionModel(SMALL, own_words=False).state_dict().keys()
    files = [
        done / name
        for name in (
            "one/teacher",
            "two/teacher",
            "init/student",
            "ar/student",
            "causal/student",
            "student/student",
        )
    ]
    states = [load_file(path.with_suffix(".safetensors")) for path in files]
    assert all(state.keys() == keys for state in states)
    changed = [
        not torch.equal(one["dit.blocks.0.ffn.0.weight"], two["dit.blocks.0.ffn.0.weight"])
        for one, two in zip(states, states[1:])
    ]
    assert all(changed) and list((done / "student/samples").glob("*.mp4"))
    assert any(
        "validation/rollout_mse" in json.loads(line)
        for line in (done / "student/curve.jsonl").read_text().splitlines()
    )


def test_text_reaches_the_prediction_and_no_text_is_padding(done, shards):
    model = MotionModel(SMALL, own_words=False)
    torch.nn.init.normal_(model.dit.head.head.weight, std=0.05)
    batch = Pool(shards, ("text",)).batch(np.random.default_rng(0), 2)
    with torch.no_grad():
        told, empty = model.text(batch), model.text(batch, torch.zeros(2, dtype=torch.bool))
        zeros = model.text({**batch, "text": torch.zeros_like(batch["text"])})
        motion = model.motion(batch, torch.Generator().manual_seed(0))
        x = torch.cat([batch["latents"], motion], 1)
        one, two = (model(x, torch.full((2, 7), 500.0), text) for text in (told, empty))
    assert not torch.allclose(one, two) and all(torch.equal(a, b) for a, b in zip(empty.keys, zeros.keys))


def test_shards_without_embeddings_are_refused_before_training(folder, shards, tmp_path, capsys):
    shard = dict(np.load(next(shards.glob("*.npz"))))
    np.savez(tmp_path / "0.npz", **{key: value for key, value in shard.items() if key != "text"})
    assert (
        main(["train", "teacher", "--data", str(tmp_path), "--out", str(tmp_path / "out"), *map(str, COMMON)])
        != 0
    )
    assert "got a shard without text" in capsys.readouterr().err
    with pytest.raises(ValueError, match="expected a batch with text, got latents"):
        MotionModel(SMALL, own_words=False).text({"latents": torch.zeros(1)})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "expected --text-encoder FILE or --embeddings FOLDER for wan2.1-small-motion, got neither"),
        (("--embeddings", "nowhere"), "expected a folder with NAME.safetensors"),
        (("--text-encoder", "nowhere"), "text encoder: expected a file"),
        (("--embeddings", "text", "--text-tokens", "7"), "text-tokens: expected 1 to 6, got 7"),
        (("--text-encoder", "vae.safetensors", "--comfyui", "text"), "which has no comfy/sd.py"),
    ],
)
def test_what_is_missing_for_the_text_is_said_in_words(folder, tmp_path, words, told, capsys):
    words = [str(folder / word) if word in ("nowhere", "text", "vae.safetensors") else word for word in words]
    assert main(["train", *map(str, data_words(folder, tmp_path)), *words]) != 0
    assert told in capsys.readouterr().err


def test_without_a_host_the_text_encoder_says_so_and_a_preset_with_words_wants_none(
    folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(prompts, "HOST", "no_such_host.sd")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (
        main(
            [
                "train",
                *map(str, data_words(folder, tmp_path)),
                "--text-encoder",
                str(folder / "vae.safetensors"),
            ]
        )
        != 0
    )
    assert (
        "expected a ComfyUI that can be imported, got none (No module named 'no_such_host')"
        in capsys.readouterr().err
    )
    assert (
        main(
            [
                "train",
                "data",
                "--videos",
                str(folder / "videos"),
                "--out",
                str(tmp_path),
                "--embeddings",
                str(folder / "text"),
            ]
        )
        != 0
    )
    assert "which has a vocabulary of its own" in capsys.readouterr().err


def test_a_video_without_embeddings_is_skipped_and_listed(folder, tmp_path):
    (tmp_path / "text").mkdir()
    save_file({"text": text_of("a")[None]}, tmp_path / "text/a.safetensors")
    train(*data_words(folder, tmp_path / "data"), "--embeddings", tmp_path / "text")
    bad = json.loads((tmp_path / "data/bad_files.jsonl").read_text())
    assert bad["video"] == "sub/bb.mp4" and "expected its embeddings bb.safetensors" in bad["reason"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (torch.zeros(3, 5), r"expected embeddings \(tokens, 24\), got \(3, 5\)"),
        (torch.full((2, WIDTH), float("nan")), "numbers"),
        (torch.full((2, WIDTH), 1e6), "within float16"),
        (torch.zeros(0, WIDTH), "tokens"),
    ],
)
def test_embeddings_that_do_not_fit_are_refused(value, told):
    with pytest.raises(ValueError, match=told):
        prompts.row_of(value, TOKENS, WIDTH, "x")


def test_a_hosts_clip_is_asked_once_for_clips_of_the_same_caption_and_long_texts_are_cut():
    asked = []

    def encode(tokens):
        asked.append(tokens)
        return torch.arange(8 * WIDTH).view(1, 8, WIDTH) / 10, None

    clip = types.SimpleNamespace(
        tokenize=lambda text: text.split(), encode_from_tokens=lambda tokens: encode(tokens)[0]
    )
    host = prompts.HostPrompts(clip, TOKENS, WIDTH, "x")
    rows = [host("a.mp4", "red cat"), host("a.mp4", "red cat"), host("b.mp4", "blue")]
    assert (
        asked == [["red", "cat"], ["blue"]]
        and rows[0].shape == (TOKENS, WIDTH)
        and rows[0].dtype == np.float16
    )
    assert rows[0][5, 23] == np.float16((5 * WIDTH + 23) / 10)


def test_the_latents_are_those_of_the_vae_of_the_file(folder, shards):
    from motionstream_core.codec.wan_layers import open_wan_vae

    pool = Pool(shards, ("latents",))
    latents = pool.read([(next(iter(pool.shards)), 0)])["latents"]
    frames = WanCodec(open_wan_vae(folder / "vae.safetensors")).encode(moving(0).permute(0, 3, 1, 2)[None])
    both = [
        float(
            (
                latents
                - WanCodec(open_wan_vae(folder / "vae.safetensors")).encode(
                    moving(n).permute(0, 3, 1, 2)[None]
                )
            )
            .abs()
            .mean()
        )
        for n in (0, 1)
    ]
    assert min(both) < 0.3 * frames.std() and max(both) > 2 * min(both), "through the video file's own loss"
