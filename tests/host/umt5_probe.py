"""Run as a program in the host's environment: a umt5 file of few numbers, opened by the host's own loader and
by `training.prompts`.

`python umt5_probe.py COMFYUI_FOLDER OUT` writes the file into OUT and prints one JSON line. The file has the
names of the public one, with its own sentencepiece model; of the sizes only the feed-forward's is kept, by
which the host knows the kind of file.
"""

import io
import json
import sys
from pathlib import Path

SIZES = {"d_model": 16, "d_kv": 8, "num_heads": 2, "num_layers": 24, "d_ff": 10240, "vocab_size": 60}
OPTIONS = {"umt5xxl_model_config": SIZES}
LENGTH = 512


def words_model() -> bytes:
    import sentencepiece

    made = io.BytesIO()
    text = iter(["a red cat moves right", "the camera pans left at night", "snow falls on a blue car"] * 20)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=text,
        model_writer=made,
        vocab_size=SIZES["vocab_size"],
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return made.getvalue()


def write(path: Path):
    import comfy.ops
    import torch
    from comfy.text_encoders import t5, wan
    from safetensors.torch import save_file

    config = json.loads(Path(wan.__file__).with_name("umt5_config_xxl.json").read_text()) | SIZES
    torch.manual_seed(0)
    net = t5.T5(config, torch.float32, "cpu", comfy.ops.manual_cast)
    state = {}
    for name, value in net.state_dict().items():
        state[name] = torch.ones_like(value) if "layer_norm" in name else 0.1 * torch.randn(value.shape)
    state["spiece_model"] = torch.frombuffer(bytearray(words_model()), dtype=torch.uint8)
    save_file(state, path)


def measured(path: Path) -> dict:
    import comfy.sd
    import torch

    from motionstream_core.training.data.prompts import host_prompts

    prompts = host_prompts(path, LENGTH, SIZES["d_model"], OPTIONS)
    clip = comfy.sd.load_clip([str(path)], clip_type=comfy.sd.CLIPType.WAN, model_options=dict(OPTIONS))
    one, two = prompts("a.mp4", "a red cat moves right"), prompts("b.mp4", "the camera pans left")
    theirs = clip.encode_from_tokens_scheduled(clip.tokenize("a red cat moves right"))[0][0][0].float()
    told = int((torch.from_numpy(one).abs().sum(1) > 0).sum())
    return {
        "model": type(clip.cond_stage_model).__name__,
        "tokenizer": type(clip.tokenizer).__name__,
        "shape": list(one.shape),
        "tokens": told,
        "spread": float(one[:told].std()),
        "error": float((torch.from_numpy(one).float() - theirs[:LENGTH]).abs().max()),
        "apart": float(abs(one[:3] - two[:3]).max()),
        "refused": refused(path),
    }


def refused(path: Path) -> list[str]:
    """What is said of files that are no umt5 text encoders."""
    import torch
    from safetensors.torch import save_file

    from motionstream_core.training.data.prompts import host_prompts

    said = []
    for name, state in (
        ("nothing", {"x": torch.zeros(1)}),
        ("t5", {"encoder.block.0.layer.0.SelfAttention.k.weight": torch.zeros(8, 8)}),
    ):
        other = path.with_name(f"{name}.safetensors")
        save_file(state, other)
        try:
            host_prompts(other, LENGTH, SIZES["d_model"])
            said.append("")
        except ValueError as error:
            said.append(str(error))
    (path.with_name("cut.safetensors")).write_bytes(path.read_bytes()[:1000])
    try:
        host_prompts(path.with_name("cut.safetensors"), LENGTH, SIZES["d_model"])
        said.append("")
    except ValueError as error:
        said.append(str(error))
    return said


def main():
    from wan_probe import start

    host, out = sys.argv[1:3]
    start(host)
    path = Path(out) / "umt5_small.safetensors"
    write(path)
    print(json.dumps(measured(path)))


if __name__ == "__main__":
    main()
