"""The codec's stage on the engine: it learns, goes on where it was, keeps latents that must stay, and says
what it cannot use.
"""

import copy

import numpy as np
import pytest
import torch

pytest.importorskip("cv2")

from core.test_engine import assert_same_state, newest, quiet
from safetensors.torch import load_file

from motionstream_core.__main__ import main
from motionstream_core.codec.tiny import CodecConfig, TinyCodec
from motionstream_core.codec.video import read_video, write_video
from motionstream_core.training.data.drawn_media import build_drawn_media
from motionstream_core.training.engine.engine import train
from motionstream_core.training.engine.stage import TrainConfig
from motionstream_core.training.methods.codec import (
    CROP,
    FRAMES,
    CodecStage,
    Crops,
    codec_loss,
    heldout_clips,
    read_videos,
)


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "media"
    build_drawn_media(out)
    return out / "train.npz"


@pytest.fixture(scope="module")
def clips(media):
    return heldout_clips(media, 2, 5)[..., :32, :32].contiguous()


def small(seed=0):
    torch.manual_seed(seed)
    return TinyCodec(CodecConfig(encoder=(8, 8, 8), decoder=(8, 8, 8, 8)))


class Patches(Crops):
    """The same crops, smaller."""

    def batch(self, rng, size):
        return {"frames": super().batch(rng, size)["frames"][:, :5, :, :16, :16]}


def run(media, clips, out, steps, codec=None, **values):
    stage = CodecStage(codec or small(), clips, clips)
    config = TrainConfig(
        **{
            "lr": {"codec": 1e-2},
            "steps": steps,
            "batch": 2,
            "device": "cpu",
            "optimizer": "muon",
            "log_every": 1,
            **values,
        }
    )
    return train(stage, Patches(media), config, out, {"preset": "codec"}, quiet)


def test_a_codec_learns_and_its_latents_have_the_worlds_statistics(media, clips, tmp_path):
    before = CodecStage(small(), clips, clips).validate({"codec": small()}, torch.Generator())["psnr"]
    result = run(media, clips, tmp_path, 25, lr={"codec": 3e-2}, ema_decay=0.5, decay=0.5)
    assert result["validation/psnr"] > before + 0.05
    codec = small()
    codec.load_state_dict(load_file(result["weights"]))
    latents = torch.cat([codec.encode(clip[None]) for clip in clips])
    assert (
        latents.mean((0, 2, 3, 4)).abs().max() < 1e-3 and (latents.std((0, 2, 3, 4)) - 1).abs().max() < 1e-3
    )
    frames, _ = read_video(tmp_path / "samples/000025.mp4")
    assert frames.shape[0] == 5 and frames.shape[2] == 2 * frames.shape[1], (
        "the truth and what was made of it side by side"
    )


def test_a_codec_goes_on_as_if_it_had_not_stopped(media, clips, tmp_path):
    run(media, clips, tmp_path / "whole", 4)
    run(media, clips, tmp_path / "parts", 2)
    run(media, clips, tmp_path / "parts", 4, small(seed=9))
    assert_same_state(newest(tmp_path / "whole"), newest(tmp_path / "parts"))
    one, two = (load_file(tmp_path / name / "codec.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_a_decoder_that_learns_alone_leaves_the_latents_as_they_are(media, clips, tmp_path):
    codec = small()
    codec.latent_mean.fill_(0.2)
    codec.latent_std.fill_(1.5)
    before, latents = copy.deepcopy(codec.state_dict()), codec.encode(clips)
    stage = CodecStage(codec, None)
    loss, _ = codec_loss(codec, clips, torch.Generator().manual_seed(0))
    loss.backward()
    assert {
        name.split(".")[0] for name, p in codec.named_parameters() if p.grad is not None and p.grad.any()
    } == {"decoder", "decoder_skip"}
    config = TrainConfig(lr={"codec": 1e-2}, steps=2, batch=2, device="cpu", optimizer="muon")
    result = train(stage, Patches(media), config, tmp_path, {"preset": "codec"}, quiet)
    made = small()
    made.load_state_dict(load_file(result["weights"]))
    assert torch.equal(made.encode(clips), latents)
    assert not torch.equal(made.decoder_skip.weight, before["decoder_skip.weight"])


def test_crops_follow_from_their_generator_alone_and_films_are_among_them(media):
    film = np.zeros((2 * FRAMES, CROP, CROP + 8, 3), np.uint8)
    data = Crops(media, (film,))
    one, two, other = (data.batch(np.random.default_rng(seed), 7)["frames"] for seed in (1, 1, 2))
    assert one.shape == (7, FRAMES, 3, CROP, CROP) and torch.equal(one, two) and not torch.equal(one, other)
    black = sum(bool((data.batch(np.random.default_rng(seed), 3)["frames"] == 0).all()) for seed in range(8))
    assert 0 < black < 8


def test_a_film_that_cannot_be_used_is_refused_in_words(tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no film")
    with pytest.raises(ValueError, match=r"video: expected a file that can be decoded, got .*bad.mp4"):
        read_videos((tmp_path / "bad.mp4",))
    write_video(tmp_path / "short.mp4", torch.zeros(5, 16, 16, 3), 16)
    with pytest.raises(ValueError, match=r"video: expected at least 18 frames, got 5 in .*short.mp4"):
        read_videos((tmp_path / "short.mp4",))


def test_a_finished_codec_is_not_begun_anew_over_itself(media, tmp_path, capsys):
    common = ("train", "codec", "--folder", str(media.parents[1]), "--steps", "1", "--out", str(tmp_path))
    assert (
        main([*common, "--decoder-only"]) == 2
        and "decoder-only: expected --init FILE" in capsys.readouterr().err
    )
    (tmp_path / "codec.safetensors").write_bytes(b"precious")
    assert main(list(common)) == 2 and "name it as --init and another --out" in capsys.readouterr().err
    assert (tmp_path / "codec.safetensors").read_bytes() == b"precious"
    assert (
        main(["train", "codec", "--folder", str(tmp_path / "none"), "--steps", "1"]) == 2
        and "run `train media` first" in capsys.readouterr().err
    )
