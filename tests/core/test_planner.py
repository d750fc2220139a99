"""Before loading: what a stream takes, whether it fits and what would; and FLOPs by the architecture."""

import json
import re
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from motionstream_core.__main__ import main
from motionstream_core.cli import bench_networks
from motionstream_core.cli.bench_networks import chunk_flops, peak_flops, random_networks
from motionstream_core.model import linear
from motionstream_core.model.cache import CacheShape
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.presets import PRESETS
from motionstream_core.model.weights.checkpoint_presets import metadata_of
from motionstream_core.planning.examination import Report, checkpoint_lines
from motionstream_core.planning.stream_memory import GIB, Plan, advice, cheaper_plans, first_that_fits
from motionstream_core.sampling.flow import schedule_of
from motionstream_core.sampling.rollout import rollout
from motionstream_core.streaming.stream import cache_bytes

CPU = torch.device("cpu")


def wish(name="wan2.1-1.3b", context="c3s3w15", precision="bf16", decoder="wan"):
    return Plan(PRESETS[name], 832, 480, CacheShape.parse(context), precision, decoder)


@pytest.mark.parametrize("name", ["tiny", "wan2.1-1.3b", "wan2.2-5b"])
def test_weights_and_cache_are_those_of_the_real_network(name):
    config = PRESETS[name]
    with torch.device("meta"):
        net = WanDiT(config).to(torch.bfloat16)
        size = (512, 320)
        cache = net.make_cache(size[1] // config.vae_stride[1], size[0] // config.vae_stride[2])
    plan = Plan(config, *size, config.rolling.cache_shape, "bf16", "wan")
    head = 0 if config.motion is None else 4 * 64 * 16 + 16
    assert plan.parts["weights"] == 2 * (sum(p.numel() for p in net.parameters()) + head)
    assert plan.cache == cache.nbytes == cache_bytes(net, *size)


def test_a_small_card_is_told_what_to_give_up_in_order():
    asked = wish()
    needs = [plan.bytes for plan in cheaper_plans(asked)]
    assert first_that_fits(asked, 80 * GIB) == asked and needs[0] == max(needs)
    for plan in cheaper_plans(asked):
        found = first_that_fits(asked, plan.bytes)
        assert found is not None and found.bytes <= plan.bytes
    shorter = first_that_fits(asked, 12 * GIB)
    assert (shorter.decoder, shorter.context.label) == ("taehv", "c3s3w3")
    words = advice(asked, 12 * GIB)
    assert "It does not fit" in words and "Load Tiny VAE" in words and "window to 3" in words
    assert (
        first_that_fits(asked, GIB) is None
        and "weights alone take" in advice(asked, GIB)
        and "smaller model" in advice(asked, GIB)
    )
    assert "It fits" in advice(asked, 80 * GIB)


def test_a_14b_fits_a_32_gib_card_in_fp8_alone():
    asked = wish("wan2.1-14b", "c3s1w3", decoder="taehv")
    assert asked.bytes > 32 * GIB and first_that_fits(asked, 32 * GIB).precision == "fp8"


def test_where_no_way_of_running_it_fits_a_size_is_named_that_does():
    asked = wish("wan2.1-14b", "c3s1w3")
    assert first_that_fits(asked, 24 * GIB) is None
    said = re.search(
        r"What does: (\d+)x(\d+) with fp8, c3s1w3, decoder taehv \(([\d.]+) GiB\)", advice(asked, 24 * GIB)
    )
    width, height, needs = int(said[1]), int(said[2]), float(said[3])
    assert (
        width % 16 == height % 16 == 0
        and 0.6 < width / 832 < 1
        and abs(width / height - 832 / 480) < 0.1
        and needs <= 24
    )
    found = first_that_fits(Plan(asked.config, width, height, asked.context, "fp8", "taehv"), 24 * GIB)
    assert found is not None and "Load the weights as fp8" in advice(asked, 24 * GIB)


def test_checkpoints_are_listed_by_what_they_say_of_themselves(tmp_path):
    config = PRESETS["wan2.1-1.3b"]
    save_file({"x": torch.zeros(1)}, tmp_path / "a.safetensors", metadata=metadata_of(config, {}))
    save_file(
        {"x": torch.zeros(1)},
        tmp_path / "b.safetensors",
        metadata={"config": '{"transformer": {"causal_ar": true}}'},
    )
    save_file({"x": torch.zeros(1)}, tmp_path / "self_forcing_dmd.safetensors")
    (tmp_path / "d.safetensors").write_bytes(b"damaged")
    lines = checkpoint_lines((path.name, path) for path in sorted(tmp_path.iterdir()))
    assert lines[0] == "ready    a.safetensors: c3s3w3, 3 steps, no track head (guided control)"
    assert lines[1].startswith("ready    b.safetensors: causal by its header; say which") and lines[
        2
    ].startswith("broken   d.safetensors")
    assert lines[3] == (
        "         1 more say nothing of being causal: for a causal one, say which it is in the node "
        "Causal Wan Checkpoint"
    )
    assert "convert" in checkpoint_lines([])[0]


def test_the_command_says_it_in_words_and_json(capsys):
    assert main(["plan", "--preset", "self-forcing", "--memory", "24"]) == 0
    out = capsys.readouterr().out.strip().splitlines()
    assert "It fits" in "\n".join(out) and json.loads(out[-1])["fits"]
    assert main(["plan", "--preset", "krea-14b", "--memory", "8"]) == 1
    assert main(["plan", "--preset", "nothing", "--memory", "8"]) == 2
    assert "self-forcing" in capsys.readouterr().err


def plain(q, k, v, heads):
    """As matrix products, which torch counts on every device."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    return ((q @ k.transpose(-1, -2)).softmax(-1) @ v).transpose(1, 2).flatten(2)


@pytest.mark.parametrize("steps", [1, 3])
def test_flops_of_a_steady_chunk_are_those_that_torch_counts(steps):
    networks = random_networks("wan2.1-1.3b", CPU, small=True)
    config, shape = networks.config, CacheShape(2, 1, 2)
    text = networks.dit.encode_text(torch.zeros(1, config.text_len, config.text_dim))
    made = rollout(
        networks.dit,
        first_latent=None,
        motion=None,
        text=text,
        shape=(8, 12),
        sigmas=schedule_of(config, steps),
        cache=networks.dit.make_cache(8, 12, shape=shape),
        rng=torch.Generator(),
        attention=plain,
    )
    with (
        torch.no_grad(),
        patch.object(linear, "onednn_here", lambda: False),
    ):  # torch counts what oneDNN computes as nothing
        for _ in range(3):
            next(made)
        with FlopCounterMode(display=False) as counter:
            next(made)
    expected = chunk_flops(config, 24, shape, steps)
    assert counter.get_total_flops() == sum(expected.values()) > 0


def test_a_large_preset_is_no_load_for_a_cpu():
    with pytest.raises(ValueError, match="expected --small or a GPU for wan2.1-14b"):
        random_networks("wan2.1-14b", CPU)
    assert peak_flops(CPU, torch.float32, 0.01) > 1e8


def test_the_peak_of_a_cpu_is_that_of_the_better_library(monkeypatch):
    figures = iter((1e9, 3e9))
    monkeypatch.setattr(bench_networks, "onednn_here", lambda: True)
    monkeypatch.setattr(bench_networks, "_flops_of", lambda *args: next(figures))
    assert peak_flops(CPU, torch.float32) == 3e9
    monkeypatch.setattr(bench_networks, "onednn_here", lambda: False)
    figures = iter((1e9,))
    assert peak_flops(CPU, torch.float32) == 1e9


def test_bench_of_a_small_wan_reports_every_stage(capsys):
    assert (
        main(
            [
                "bench",
                "--preset",
                "wan2.2-5b",
                "--small",
                "--size",
                "64x64",
                "--frames",
                "61",
                "--steps",
                "1",
                "--device",
                "cpu",
            ]
        )
        == 0
    )
    report = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert all(
        report[key] > 0
        for key in (
            "denoise_s",
            "cache_s",
            "decode_s",
            "first_frame_s",
            "chunk_p50_s",
            "denoise_gflop",
            "peak_tflops",
            "of_peak",
        )
    )
    assert report["chunk_p95_s"] >= report["chunk_p50_s"] and report["of_peak"] < 1.5


def test_what_is_missing_comes_with_what_to_do():
    lines = Report({}, {"av": "No package metadata was found for av"}, ["no CUDA device"]).lines
    assert any("do this" in line and "pip install av" in line for line in lines) and lines[-1].startswith(
        "slow"
    )
