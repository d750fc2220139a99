"""Causal Wan checkpoints in a real ComfyUI: small random files through the host's own loaders, LoRA and VAE
nodes into our sampler.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from harness.graphs import changed, node, streaming
from harness.host import PACK, Host, figures_of, video_of
from host.test_host import decoded, outcome, refusal
from host.test_steering import Performer
from host.wan_probe import SIZES, small, state_of
from PIL import Image
from safetensors.torch import save_file

SIDE = 64
FROM_FILE = "as the file says"


def document(*points: dict) -> str:
    """The editor's document of one track through these points."""
    size = {"version": 1, "width": SIDE, "height": SIDE, "frames": 25, "fps": 16}
    return json.dumps({**size, "tracks": [{"points": list(points)}]})


@pytest.fixture(scope="module")
def files(host):
    """In the host's models: a checkpoint converted by the command, one with the host's flag alone, an
    ordinary one; LoRAs; VAEs.
    """
    models = host.base / "models"
    for name in ("diffusion_models", "loras", "vae", "vae_approx"):
        (models / name).mkdir(parents=True, exist_ok=True)
    diffusion, state = models / "diffusion_models", state_of(small())
    write_models(diffusion, state)
    rng = torch.Generator().manual_seed(5)
    for name, rows in (("fits", SIZES["dim"]), ("another-size", 300)):
        part = "diffusion_model.blocks.0.self_attn.q"
        lora = {
            f"{part}.lora_A.weight": torch.randn(4, SIZES["dim"], generator=rng),
            f"{part}.lora_B.weight": torch.randn(rows, 4, generator=rng),
        }
        save_file(lora, models / "loras" / f"{name}.safetensors")
    write_autoencoders(models)
    return host


def write_models(folder, state):
    from motionstream_core.__main__ import main
    from motionstream_core.model.motion import TrackHead
    from motionstream_core.model.presets import MotionConfig
    from motionstream_core.model.weights.checkpoint_presets import metadata_of
    from motionstream_core.model.weights.convert import picture_keys

    torch.save(
        {"generator_ema": {f"model._fsdp_wrapped_module.{key}": value for key, value in state.items()}},
        folder.parent / "public.pt",
    )
    out = str(folder / "converted.safetensors")
    assert (
        main(
            [
                "convert",
                str(folder.parent / "public.pt"),
                out,
                "--preset",
                "self-forcing",
                "--context",
                "c3s1w2",
                "--heads",
                "2",
            ]
        )
        == 0
    )
    sizes = {"text_dim": SIZES["text_dim"], "text_len": SIZES["text_len"]}
    save_file(
        state,
        folder / "flagged.safetensors",
        metadata={"config": json.dumps({"transformer": {"causal_ar": True, **sizes}})},
    )
    save_file(state, folder / "ordinary.safetensors", metadata={"config": json.dumps({"transformer": sizes})})
    wide = small(48).with_steps(2)
    save_file(state_of(wide), folder / "wan22.safetensors", metadata=metadata_of(wide, {}))
    motion = MotionConfig(image_latent=True)
    led = replace(small(), in_channels=48, motion=motion).with_steps(2)
    torch.manual_seed(9)
    head = {f"track_head.{key}": value for key, value in TrackHead().state_dict().items()}
    save_file({**state_of(led), **head}, folder / "with-head.safetensors", metadata=metadata_of(led, {}))
    rng = torch.Generator().manual_seed(6)
    seen = {
        key: 0.1 * torch.randn(value.shape, generator=rng) + ("norm" in key)
        for key, value in picture_keys(led).items()
    }
    save_file(
        {**state_of(led), **head, **seen},
        folder / "looks.safetensors",
        metadata=metadata_of(led, {}, picture=True),
    )


def write_autoencoders(models):
    from motionstream_core.codec.taehv import TAEHV
    from motionstream_core.codec.wan_layers import WanVAE, WanVAEConfig

    torch.manual_seed(2)
    vae = WanVAE(WanVAEConfig(16, 8, 8))
    for name, parameter in vae.named_parameters():
        torch.nn.init.normal_(parameter, mean=1.0 if name.endswith("gamma") else 0.0, std=0.1)
    save_file(vae.state_dict(), models / "vae" / "wan_small.safetensors")
    for channels, name in ((16, "taew2_1"), (48, "taew2_2")):
        tiny = TAEHV(channels)
        torch.save(
            {key: value.half() for key, value in tiny.state_dict().items()},
            models / "vae_approx" / f"{name}.pth",
        )
        if channels == 16:  # the names by which the host's loader knows tiny VAEs
            save_file(
                {key: value.half() for key, value in tiny.state_dict().items()},
                models / "vae_approx" / "taehv.safetensors",
            )
            save_file(tiny.state_dict(), models / "vae_approx" / "lighttaew2_1.safetensors")


def graph(
    file: str, frames: int = 25, seed: int = 1, preset: str | None = None, tiny: str | None = None, **sampler
) -> dict:
    """Host's loaders → (statement) → motion → stream → file, preview. Ids as in `streaming`; 20 model, 21
    statement, 22 VAE, 23 tiny VAE.
    """
    prompt = streaming("none", frames=frames, seed=seed, **{"steps": 0, **sampler})
    del prompt["1"]
    prompt["20"] = node("UNETLoader", unet_name=f"{file}.safetensors", weight_dtype="default")
    prompt["22"] = node("VAELoader", vae_name="wan_small.safetensors")
    prompt["4"] = node("RandomConditioning", tokens=SIZES["text_len"], width=SIZES["text_dim"], seed=3)
    model, vae = ["20", 0], ["22", 0]
    if preset is not None:
        prompt["21"] = node("MotionStreamCheckpoint", model=model, preset=preset)
        model = ["21", 0]
    if tiny is not None:
        prompt["23"] = node(
            "MotionStreamTinyVAE", file=f"vae_approx/{tiny}", kind="taew (latents of the model)"
        )
        vae = ["23", 0]
    inputs = {"model": model, "vae": vae}
    prompt["5"]["inputs"].update(inputs)
    prompt["6"]["inputs"].update(inputs)
    editor = {
        "width": SIDE,
        "height": SIDE,
        "frames": 25,
        "document": document({"x": 10, "y": 30}, {"x": 50, "y": 30}),
    }
    return changed(prompt, n3=editor)


def frames_of(host: Host, entry: dict) -> list:
    assert outcome(entry) == "success", outcome(entry)
    return decoded(host.fetch(video_of(entry)))


@pytest.mark.parametrize("name", ["MotionStreamCheckpoint", "MotionStreamTinyVAE"])
def test_the_nodes_have_a_tooltip_everywhere_and_a_help_page(files, name):
    info = files.object_info()[name]
    assert all(spec[1].get("tooltip") for spec in info["input"]["required"].values()) and all(
        info["output_tooltips"]
    )
    assert files.get(f"/extensions/{PACK}/docs/{name}.md").startswith(b"#")


def test_a_converted_checkpoint_streams_through_the_hosts_loaders_and_vae(files):
    entry = files.run(graph("converted"))
    frames, figures = frames_of(files, entry), figures_of(entry)
    assert len(frames) == 25 and frames[0].shape == (SIDE, SIDE, 3) and frames[20].std() > 1
    assert figures["control"].startswith("guided: ") and figures["cache_bytes"] > 0


def test_it_is_said_which_control_is_active_and_one_that_the_model_lacks_is_refused(files):
    free = changed(graph("converted", frames=13), n6={"control": "none"})
    entry = files.run(free)
    led = frames_of(files, files.run(graph("converted", frames=13)))
    assert figures_of(entry)["control"].startswith("none: ") and any(
        "Control: none" in note for note in figures_of(entry)["notes"]
    )
    assert any((a != b).any() for a, b in zip(frames_of(files, entry), led))
    assert "expected one of guided, none for this model, got 'track head'" in refusal(
        files, changed(free, n6={"control": "track head"})
    )


def test_the_hosts_own_vae_decodes_our_latents_to_the_same_frames(files):
    prompt = graph("converted", frames=13)
    prompt["9"] = node("PreviewImage", images=["6", 0])
    prompt["10"] = node("VAEDecode", samples=["6", 1], vae=["22", 0])
    prompt["11"] = node("PreviewImage", images=["10", 0])
    entry = files.run(prompt)
    assert outcome(entry) == "success"
    ours, theirs = (entry["outputs"][name]["images"] for name in ("9", "11"))
    assert len(ours) == len(theirs) == 13
    for one, other in zip(ours, theirs):
        a, b = (np.asarray(Image.open(io.BytesIO(files.fetch(image)))).astype(int) for image in (one, other))
        assert abs(a - b).max() <= 2


def test_a_flagged_checkpoint_streams_once_it_is_stated_what_it_is(files):
    said = refusal(files, graph("flagged"))
    assert "not for which chunk and noise levels" in said and "Causal Wan Checkpoint" in said
    assert (
        len(frames_of(files, files.run(graph("flagged", preset="causal-forcing-framewise", frames=9)))) == 9
    )


def test_load_motionstream_takes_a_converted_file_and_says_what_it_lacks(files):
    (files.base / "models" / "motionstream" / "wan.safetensors").write_bytes(
        (files.base / "models" / "diffusion_models" / "converted.safetensors").read_bytes()
    )
    prompt = changed(graph("converted", frames=9), n20={})
    prompt["20"] = node("MotionStreamLoader", weights="wan.safetensors")
    assert len(frames_of(files, files.run(prompt))) == 9
    prompt["4"] = node("CLIPTextEncode", clip=["20", 1], text="a ball")
    assert "wan.safetensors holds the transformer alone; use the host's Load CLIP" in refusal(files, prompt)


def test_a_track_head_in_the_file_is_used(files):
    entry = files.run(graph("with-head"))
    still = changed(
        graph("with-head"),
        n3={
            "document": document({"x": 10, "y": 30}),
        },
    )
    one, other = frames_of(files, entry), frames_of(files, files.run(still))
    assert figures_of(entry)["control"] == "track head"
    assert any((a != b).any() for a, b in zip(one, other))


def test_a_model_that_looks_at_a_picture_is_shown_one(files):
    assert "expected CLIP vision features of the start image" in refusal(files, graph("looks", frames=9))
    videos = []
    for seed in (1, 2):
        prompt = graph("looks", frames=9)
        prompt["41"] = node("SeenPicture", positive=["4", 0], seed=seed)
        prompt["6"]["inputs"]["positive"] = ["41", 0]
        videos.append(frames_of(files, files.run(prompt)))
    assert len(videos[0]) == 9 and any((a != b).any() for a, b in zip(*videos))


def test_a_lora_of_the_hosts_loader_changes_the_video(files):
    plain = frames_of(files, files.run(graph("converted", frames=13, seed=4)))
    prompt = graph("converted", frames=13, seed=4)
    prompt["30"] = node(
        "LoraLoaderModelOnly", model=["20", 0], lora_name="fits.safetensors", strength_model=1.0
    )
    for name in "56":
        prompt[name]["inputs"]["model"] = ["30", 0]
    patched = frames_of(files, files.run(prompt))
    assert (plain[0] == patched[0]).all() and any((a != b).any() for a, b in zip(plain, patched))
    prompt["31"] = node("MotionStreamCheckpoint", model=["30", 0], preset=FROM_FILE)
    for name in "56":
        prompt[name]["inputs"]["model"] = ["31", 0]
    assert all((a == b).all() for a, b in zip(patched, frames_of(files, files.run(prompt)))), (
        "a statement behind the LoRA changes nothing"
    )


def test_the_benchmark_takes_a_checkpoint_and_a_vae_of_the_hosts_loaders(files):
    prompt = {
        "20": node("UNETLoader", unet_name="converted.safetensors", weight_dtype="default"),
        "22": node("VAELoader", vae_name="wan_small.safetensors"),
    }
    prompt["2"] = node(
        "MotionStreamBenchmark", model=["20", 0], vae=["22", 0], width=64, height=64, frames=37, steps=1
    )
    entry = files.run(prompt)
    assert outcome(entry) == "success", outcome(entry)
    assert (
        "frames a second" in entry["outputs"]["2"]["text"][0]
        and "Most of a chunk goes into" in entry["outputs"]["2"]["text"][0]
    )


def test_a_tiny_vae_decodes_48_channels_and_what_the_wan_vae_encoded(files):
    assert len(frames_of(files, files.run(graph("wan22", frames=9, tiny="taew2_2.pth")))) == 9
    prompt = graph("converted", frames=9, tiny="taew2_1.pth")
    prompt["5"]["inputs"]["vae"] = ["22", 0]
    assert len(frames_of(files, files.run(prompt))) == 9
    assert (
        len(
            frames_of(
                files,
                files.run(
                    changed(graph("converted", frames=9), n22={"vae_name": "lighttaew2_1.safetensors"})
                ),
            )
        )
        == 9
    )


def test_the_prompt_of_the_hosts_text_encoder_counts_and_may_change_live(files):
    prompt = graph("converted", frames=13)
    prompt["40"] = node("SmallUmt5", width=SIZES["text_dim"], tokens=SIZES["text_len"])
    prompt["4"] = node("CLIPTextEncode", clip=["40", 0], text="a red ball rolls down a hill")
    one = frames_of(files, files.run(prompt))
    other = frames_of(files, files.run(changed(prompt, n4={"text": "rain falls"})))
    assert any((a != b).any() for a, b in zip(one, other))
    live = Performer(files, changed(prompt, n6={"frames": 0, "clip": ["40", 0]}))
    assert "prompt" in live.run["controls"]
    live.until_chunk(2)
    live.post("prompt", text="rain falls on the old town")
    live.post("scene")
    live.until_chunk(6)
    live.post("stop")
    entry = live.done()
    assert figures_of(entry)["frames"] > 40
    log = files.log.read_text()
    assert (
        "MotionStream: prompt took effect before chunk" in log
        and "MotionStream: scene took effect before chunk" in log
    )


def test_the_cache_and_what_is_worked_in_beside_it_are_announced_to_the_host(files):
    entry = files.run(graph("converted", frames=9, seed=8))
    announced = [
        int(line.split("announced ")[1].split()[0])
        for line in files.log.read_text().splitlines()
        if "announced" in line and "CausalAR" in line
    ]
    cache, net = figures_of(entry)["cache_bytes"], SIZES["dim"] * SIZES["num_layers"]
    assert (
        outcome(entry) == "success"
        and cache == (2 * 6 + 5) * 16 * net * 4
        and cache < announced[-1] < cache + 2**30
    )


@pytest.mark.parametrize("kind", ["card", "machine"])
def test_memory_that_ends_in_the_middle_ends_the_video_with_what_was_made(files, kind):
    prompt = with_node(graph("converted", frames=61), "MemoryEnds", calls=40, kind=kind)
    entry = files.run(prompt)
    made, figures = frames_of(files, entry), figures_of(entry)
    assert 13 <= len(made) < 61 and figures["frames"] == len(made)
    assert any(
        note.startswith("Out of memory in chunk") and "Load Tiny VAE" in note for note in figures["notes"]
    )
    assert (
        "memory: expected room for one chunk after the start image, got none: choose a smaller window"
        in refusal(files, changed(prompt, n30={"calls": 0}))
    )
    assert len(frames_of(files, files.run(graph("converted", frames=9, seed=31 + len(kind))))) == 9


def test_what_nobody_can_know_of_the_weights_is_said(files):
    entry = files.run(graph("ordinary", preset="causal-forcing-framewise", frames=9))
    assert outcome(entry) == "success" and any(
        "An ordinary (bidirectional) Wan has weights of the same names" in note
        for note in figures_of(entry)["notes"]
    )
    for name, preset in (
        ("flagged", "causal-forcing-framewise"),
        ("converted", None),
        ("converted", "self-forcing"),
    ):
        assert not any(
            "bidirectional" in note
            for note in figures_of(files.run(graph(name, preset=preset, frames=9)))["notes"]
        ), name


def test_weights_cast_to_fp8_by_the_hosts_loader_stream(files):
    plain = frames_of(files, files.run(graph("converted", frames=9, seed=12)))
    entry = files.run(changed(graph("converted", frames=9, seed=12), n20={"weight_dtype": "fp8_e4m3fn"}))
    assert any((a != b).any() for a, b in zip(plain, frames_of(files, entry)))


def packed(name: str, lora: str | None = None, **loader) -> dict:
    prompt = graph(name, preset="causal-forcing-framewise", frames=9, seed=21)
    prompt["9"] = node("PreviewImage", images=["6", 0])
    prompt["20"] = node(
        "PackedLoader", unet_name=f"{name}.safetensors", **{"packed": True, "low": False, **loader}
    )
    if lora is not None:
        prompt["30"] = node(
            "LoraLoaderModelOnly", model=["20", 0], lora_name=f"{lora}.safetensors", strength_model=1.0
        )
        prompt["21"]["inputs"]["model"] = ["30", 0]
    return prompt


def pictures(host: Host, prompt: dict) -> np.ndarray:
    """The frames as they were made: the video file is compressed, and there a rounding in noise becomes a
    block.
    """
    entry = host.run(prompt)
    assert outcome(entry) == "success", outcome(entry)
    return np.stack(
        [
            np.asarray(Image.open(io.BytesIO(host.fetch(image)))).astype(int)
            for image in entry["outputs"]["9"]["images"]
        ]
    )


@pytest.mark.parametrize("low", [False, True])
def test_a_file_kept_packed_by_a_foreign_loader_streams_as_what_it_stands_for(files, low):
    plain, with_lora = (pictures(files, packed("ordinary", lora, packed=False)) for lora in (None, "fits"))
    assert len(plain) == 9 and abs(plain - with_lora).max() > 8
    for lora, expected in ((None, plain), ("fits", with_lora)):
        assert abs(pictures(files, packed("ordinary", lora, low=low)) - expected).max() <= 1, lora
    again = changed(packed("ordinary", low=low), n6={"keep_mb": 100})  # the LoRA is gone
    assert abs(pictures(files, again) - plain).max() <= 1
    assert "expected a LoRA for this network" in refusal(files, packed("ordinary", "another-size", low=low))


def test_the_dtype_that_a_node_chose_counts_and_does_not_stay(files):
    plain = {**graph("converted", frames=9, seed=22), "9": node("PreviewImage", images=["6", 0])}
    before = pictures(files, plain)
    assert (before != pictures(files, with_node(changed(plain), "ModelComputeDtype", dtype="bf16"))).any()
    assert (before == pictures(files, changed(plain, n6={"keep_mb": 100}))).all()


def test_what_other_nodes_put_on_a_model_without_effect_is_said(files):
    entry = files.run(
        with_node(graph("converted", frames=9, seed=23), "TorchCompileModel", backend="inductor")
    )
    assert outcome(entry) == "success", outcome(entry)
    assert any(
        note.startswith("Without effect on the stream") and "torch.compile" in note
        for note in figures_of(entry)["notes"]
    )


def test_an_endless_stream_keeps_its_memory_and_ends_when_told(files):
    live = Performer(files, graph("converted", frames=0, record="takes/wan", keep_mb=16))
    live.until_chunk(9)
    live.post("stop")
    figures = figures_of(live.done())
    c3s1w2 = (2 * 6 + 5) * 16 * SIZES["dim"] * SIZES["num_layers"] * 4
    assert figures["frames"] >= 1 + 8 * 12 and figures["cache_bytes"] == c3s1w2


WRONG = {
    "an ordinary Wan": (lambda: graph("ordinary"), "nothing says that it is causal; an ordinary Wan is not"),
    "no statement in the file": (
        lambda: graph("flagged", preset=FROM_FILE),
        "the file says nothing of what it was made for",
    ),
    "a preset of another latent": (
        lambda: graph("wan22", preset="self-forcing", tiny="taew2_2.pth"),
        "expected one for a latent of 48 channels, got one for 16",
    ),
    "a 16-channel VAE for 48": (
        lambda: graph("wan22"),
        "expected one with 48 latent channels and a stride of 16 for this model, got one with 16",
    ),
    "a tiny VAE of another model": (
        lambda: graph("converted", tiny="taew2_2.pth"),
        "expected one with 16 latent channels",
    ),
    "a file that is no tiny VAE": (
        lambda: changed(graph("converted", tiny="taew2_1.pth"), n23={"file": "vae/wan_small.safetensors"}),
        "expected the keys of a TAEHV",
    ),
    "a half-precision TAE of the host's loader": (
        lambda: changed(graph("converted"), n22={"vae_name": "taehv.safetensors"}),
        "got one that the host took for HunyuanVideo",
    ),
    "a LoRA of another size": (
        lambda: with_node(
            graph("converted"),
            "LoraLoaderModelOnly",
            lora_name="another-size.safetensors",
            strength_model=1.0,
        ),
        "expected a LoRA for this network",
    ),
    "guidance": (
        lambda: with_node(graph("converted"), "RescaleCFG", multiplier=0.7),
        "because a distilled student runs at CFG 1 alone",
    ),
    "text of another encoder": (
        lambda: changed(graph("converted"), n4={"width": 768}),
        "expected embeddings of width 24",
    ),
    "a size that does not fit": (
        lambda: changed(graph("converted"), n5={"width": 72, "height": 64}),
        "divisible by 16",
    ),
    "more cache than memory": (
        lambda: changed(
            graph("converted"),
            n6={"window": 256, "chunk": 64, "sink": 64},
            n5={"width": 4096, "height": 4096},
        ),
        "for the rolling cache",
    ),
}


def with_node(prompt: dict, kind: str, /, **inputs) -> dict:
    prompt["30"] = node(kind, model=["20", 0], **inputs)
    for name in "56":
        prompt[name]["inputs"]["model"] = ["30", 0]
    return prompt


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_stream_is_refused_in_clear_words_and_the_host_lives_on(files, name):
    make, words = WRONG[name]
    said = refusal(files, make())
    assert words in said, said
    assert files.alive


def test_after_all_of_that_the_host_still_streams(files):
    assert len(frames_of(files, files.run(graph("converted", frames=9, seed=77)))) == 9


def test_the_probe_leaves_no_host_in_this_process():
    assert "comfy" not in sys.modules
