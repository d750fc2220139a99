"""The ablation command: its figures are zero for the truth, its trainings differ in what they say they differ
in, its journal goes on.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("cv2")

from motionstream_core.__main__ import main
from motionstream_core.cli.evaluate import findings_command
from motionstream_core.codec.tiny import CodecConfig, TinyCodec
from motionstream_core.evaluation.heldout import disoccluded_mask, heldout_set
from motionstream_core.evaluation.lab import findings, findings_trained
from motionstream_core.evaluation.measure import uncovered_psnr
from motionstream_core.evaluation.methods import told_baseline
from motionstream_core.model.presets import PRESETS
from motionstream_core.streaming.warped_image import forward_warp
from motionstream_core.training.data.shards import LIMIT, imperfect_sample, make_sample

MEDIA = Path(__file__).parents[2] / "benchmarks/heldout"


@pytest.fixture(scope="module")
def items():
    return heldout_set(MEDIA, 2)


@pytest.fixture(scope="module")
def codec():
    torch.manual_seed(0)
    return TinyCodec(CodecConfig(encoder=(8, 8, 8), decoder=(8, 8, 8, 8))).eval().requires_grad_(False)


def test_the_truth_has_no_error_and_the_still_picture_has(items):
    truth = findings.clip_figures(items, [item.frames for item in items])
    still = findings.clip_figures(items, [np.repeat(item.frames[:1], len(item.frames), 0) for item in items])
    assert truth["epe_sprite"] == 0 and truth["psnr"] > 90
    assert still["epe_sprite"] > 4 and still["psnr"] < 40


def test_a_cell_is_mean_and_spread():
    row = findings.Row("steps", "3", {"psnr": [20.0, 22.0], "epe_sprite": [float("nan"), 1.0]})
    assert (
        row.cell("psnr") == "21.000 ± 1.414"
        and row.cell("epe_sprite") == "1.000"
        and row.cell("drift_db") == ""
    )
    assert "| 3 | 21.000 ± 1.414 | 1.000 |" in findings.table([row])


def test_the_journal_gives_back_what_was_done(tmp_path):
    rows = [
        findings.Row("context", "c3s1w1", {"psnr": [20.5, 21.5]}),
        findings.Row("context", "c3s0w1", {"psnr": [20.0]}),
    ]
    findings_command.write_journal(tmp_path / "j.jsonl", rows[:1])
    findings_command.write_journal(tmp_path / "j.jsonl", rows[1:])
    assert findings_command.read_journal(tmp_path / "j.jsonl") == rows


def test_a_setting_that_is_done_stays_done_when_the_next_one_fails(tmp_path, monkeypatch, capsys):
    asked = []

    def part(name, networks, args, done):
        asked.append(list(done))
        if "before" not in done:
            yield findings.Row("refresh", "before", {"psnr": [20.0]})
            raise FloatingPointError("no number")
        yield findings.Row("refresh", "none in training", {"psnr": [21.0]})

    monkeypatch.setattr(findings_command, "_part", part)
    words = [
        "evaluate",
        "findings",
        "--parts",
        "refresh",
        "--data",
        str(tmp_path),
        "--journal",
        str(tmp_path / "j.jsonl"),
        "--results",
        str(tmp_path),
    ]
    assert main(words) == 2 and "no number" in capsys.readouterr().err
    assert [row.setting for row in findings_command.read_journal(tmp_path / "j.jsonl")] == ["before"]
    assert main(words) == 0 and asked == [[], ["before"]]
    assert [row.setting for row in findings_command.read_journal(tmp_path / "j.jsonl")] == [
        "before",
        "none in training",
    ]
    assert "| none in training | 21.000 |" in next(tmp_path.glob("findings_cpu_*.md")).read_text()


def test_settings_are_handed_out_one_by_one_and_those_that_are_done_are_left_out(codec, monkeypatch):
    trained = []
    monkeypatch.setattr(
        findings_trained,
        "_train_setting",
        lambda name, stage, *rest, **more: trained.append(stage.refresh.share) or stage.modules["student"],
    )
    monkeypatch.setattr(findings_trained, "_make_clip", lambda *given: None)
    monkeypatch.setattr(findings_trained, "clip_figures", lambda items, made: {"psnr": 1.0})
    monkeypatch.setattr(findings_trained, "heldout_set", lambda *given, **more: [])
    torch.manual_seed(0)
    student, short = (
        findings_trained.MotionModel(PRESETS["tiny"]),
        findings_trained.Short(None, None, MEDIA, 1.0, 1, 1),
    )
    rows = findings_trained.refreshed(student, codec, short, lambda line: None, ("none in training",))
    assert next(rows).setting == "before" and trained == []
    assert [row.setting for row in rows] == ["in half of the steps"] and trained == [0.5]


def test_drawn_tracks_are_seen_by_the_codec_where_the_tracks_are(codec):
    xy = torch.full((1, 5, 1, 2), 12.0)
    batch = {
        "latents": torch.zeros(1, 16, 2, 4, 4),
        "xy": xy,
        "visible": torch.ones(1, 5, 1, dtype=torch.bool),
    }
    rng = torch.Generator().manual_seed(0)
    drawn = findings_trained.drawn_latents(codec, batch, rng)
    empty = findings_trained.drawn_latents(
        codec, {**batch, "visible": torch.zeros(1, 5, 1, dtype=torch.bool)}, rng
    )
    difference = (drawn - empty).abs().sum((0, 1, 2))
    assert drawn.shape == (1, 16, 2, 4, 4) and difference.argmax() == 1 * 4 + 1


def test_with_the_head_off_the_tracks_say_nothing_to_it(items, codec):
    torch.manual_seed(0)
    batch, config = findings.as_batch(codec, items[0]), PRESETS["tiny"]
    off, on = findings_trained.HeadOff(config), findings_trained.MotionModel(config)
    head = config.motion.parts["head"]
    seen = on.motion(batch, torch.Generator().manual_seed(0))[:, head]
    assert seen.std(dim=(3, 4)).max() > 0
    assert off.motion(batch, torch.Generator().manual_seed(0))[:, head].std(dim=(3, 4)).max() == 0


def test_an_imperfect_sample_is_the_same_scene_told_of_otherwise(items, codec):
    clean, spoiled = (
        make_sample(codec, items[0].clip, items[0].chosen),
        imperfect_sample(codec, items[0].clip, items[0].chosen, 3),
    )
    assert np.array_equal(clean["latents"], spoiled["latents"]) and clean["xy"].shape == spoiled[
        "xy"
    ].shape == (25, LIMIT, 2)
    assert not np.array_equal(clean["xy"], spoiled["xy"]) or not np.array_equal(
        clean["visible"], spoiled["visible"]
    )
    assert np.isfinite(spoiled["warp"].astype(np.float32)).all()


def test_a_track_that_was_never_given_carries_nothing_and_one_that_was_let_go_rests(
    items, codec, monkeypatch
):
    from motionstream_core.training.data import shards
    from motionstream_core.training.data.augment import Given

    clip, chosen = items[0].clip, items[0].chosen[:6]
    xy, visible = torch.from_numpy(clip.xy[None][:, :, chosen]), torch.ones(1, 25, 6, dtype=torch.bool)
    visible[:, :, 4:], unsaid = False, torch.zeros_like(visible)  # two were never given
    visible[:, 10:, 0], unsaid[:, 10:, 0] = False, True  # one was let go
    monkeypatch.setattr(shards, "make_imperfect", lambda *given: Given(xy, visible, unsaid))
    seen = []
    monkeypatch.setattr(
        shards,
        "forward_warp",
        lambda carrier, places, moving: (
            seen.append((len(carrier.xy0), moving)) or forward_warp(carrier, places, moving)
        ),
    )
    sample = imperfect_sample(codec, clip, chosen, 0, unspecified=True)
    assert seen[0][0] == 4 and seen[0][1].all(), "all four move pixels throughout"
    assert (
        not sample["visible"][10:, 0].any()
        and sample["unspecified"][10:, 0].all()
        and sample["unspecified"].sum() == 15
    )
    assert "unspecified" not in imperfect_sample(codec, clip, chosen, 0)


def test_a_head_that_hears_of_silence_does_at_first_as_before(items, codec):
    torch.manual_seed(0)
    student = findings_trained.MotionModel(PRESETS["tiny"])
    widened = findings_trained.saying_nothing(student)
    batch = findings.as_batch(codec, items[0])
    batch["unspecified"] = torch.rand(batch["visible"].shape) < 0.5
    rng = torch.Generator().manual_seed
    assert torch.equal(student.motion(batch, rng(0)), widened.motion(batch, rng(0)))
    torch.nn.init.ones_(widened.track_head.conv.weight)
    silent = {**batch, "unspecified": torch.zeros_like(batch["unspecified"])}
    assert not torch.equal(widened.motion(batch, rng(0)), widened.motion(silent, rng(0)))


def test_told_inpainting_touches_uncovered_places_alone_and_is_nearer_than_the_frame_before(items):
    made = told_baseline()
    for item in items:
        frames, mask = made(item, item.chosen), disoccluded_mask(item.scene, item.clip)
        assert mask.any() and frames.shape == item.frames.shape
        assert (
            abs(frames - item.frames)[~mask].max() <= 0.5 / 255 + 1e-6 < abs(frames - item.frames)[mask].max()
        )
    still = uncovered_psnr(items, lambda item, chosen: item.frames[:1].repeat(len(item.frames), 0))
    assert (
        still
        < uncovered_psnr(items, made)
        < 60
        < uncovered_psnr(items, lambda item, chosen: item.frames + 1e-6)
    )
