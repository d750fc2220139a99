"""The Doctor and the Benchmark in the real host."""

import torch
from harness.graphs import node
from harness.host import PACK
from host.test_host import outcome
from safetensors.torch import save_file

from motionstream_core.model.weights.checkpoint_presets import checkpoint_preset, config_for, metadata_of


def text_of(host, entry: dict, number: str) -> str:
    assert outcome(entry) == "success", outcome(entry)
    return entry["outputs"][number]["text"][0]


def test_the_doctor_says_what_is_here_and_what_fits(host):
    asked = {
        "preset": "self-forcing",
        "width": 832,
        "height": 480,
        "context": "",
        "precision": "bf16",
        "decoder": "wan",
    }
    prompt = {
        "1": node("MotionStreamDoctor", **asked, memory_gib=9.0),
        "2": node("MotionStreamDoctor", **asked, memory_gib=0.0),
    }
    entry = host.run(prompt)
    small, own = text_of(host, entry, "1"), text_of(host, entry, "2")
    assert "ok       torch" in small and "It does not fit" in small and "Load Tiny VAE" in small
    assert "rolling cache (keys and values of sink, window and chunk): 8.03 GiB" in own and "fit" in own
    assert "optional xformers" in small and "doctored" not in small
    (host.base / "models" / "diffusion_models").mkdir(exist_ok=True)
    save_file(
        {"x": torch.zeros(1)},
        host.base / "models" / "diffusion_models" / "doctored.safetensors",
        metadata=metadata_of(config_for(checkpoint_preset("longlive")), {}),
    )
    try:
        host.object_info()  # the host looks at its folders anew
        assert (
            "ready    diffusion_models/doctored.safetensors: c3s3w6, 4 steps, no track head (guided control)"
            in text_of(host, host.run(prompt), "1")
        )
    finally:
        (host.base / "models" / "diffusion_models" / "doctored.safetensors").unlink()


def test_the_benchmark_says_where_the_time_goes(host, weights):
    prompt = {"1": node("MotionStreamLoader", weights=weights)}
    prompt["2"] = node(
        "MotionStreamBenchmark", model=["1", 0], vae=["1", 2], width=64, height=64, frames=25, steps=1
    )
    text = text_of(host, host.run(prompt), "2")
    assert "frames a second" in text and "Most of a chunk goes into" in text and "| denoise_gflop |" in text


def test_they_have_a_tooltip_everywhere_and_a_help_page(host):
    for name in ("MotionStreamDoctor", "MotionStreamBenchmark"):
        info = host.object_info()[name]
        assert all(spec[1].get("tooltip") for spec in info["input"]["required"].values()) and all(
            info["output_tooltips"]
        )
        assert host.get(f"/extensions/{PACK}/docs/{name}.md").startswith(b"#")
