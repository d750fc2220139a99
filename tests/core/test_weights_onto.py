"""Files that are additions to another file, and the student's low-rank additions through such a file."""

from dataclasses import replace

import pytest
import torch

from motionstream_core.codec.tiny import TinyCodec
from motionstream_core.model.config import BufferConfig, Partition
from motionstream_core.model.presets import preset
from motionstream_core.model.weights.bundle import load_bundle, save_bundle
from motionstream_core.model.weights.networks import open_networks
from motionstream_core.model.weights.onto import reference_to
from motionstream_core.training.cartoon import export
from motionstream_core.training.cartoon.distill_stage import student_of
from motionstream_core.training.cartoon.network import Cartoon

CONFIG = replace(preset("cartoon"), dim=64, ffn_dim=96, num_heads=2, num_layers=2)


def small(seed=0):
    torch.manual_seed(seed)
    net = Cartoon(CONFIG)
    torch.nn.init.normal_(net.dit.head.head.weight, std=0.1)
    return net.eval()


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "base.safetensors"
    export.write(path, small(), TinyCodec(), {"stage": "base"})
    return path


def learned(teacher):
    student = student_of(teacher, 4)
    for p in student.parameters():
        if p.requires_grad:
            torch.nn.init.normal_(p, std=0.05)
    return student.eval()


def test_a_student_of_low_rank_comes_back_from_its_file(base, tmp_path):
    teacher, codec = export.read(base)
    student = learned(teacher)
    path = tmp_path / "student.safetensors"
    export.write_student(path, student.state_dict(), base, {"stage": "student"})
    assert path.stat().st_size < base.stat().st_size / 4
    opened = open_networks(path)
    x, levels = torch.randn(1, 16, 8, 16, 16), torch.full((1, 8), 0.5)
    ids = torch.randint(1, 30, (1, 20))
    text = opened.dit.encode_text(opened.text_encoder(ids))
    made = opened.dit(x, 1000 * levels, text)
    with torch.no_grad():
        own = student.dit.encode_text(student.words(ids))
        expected = student.dit(x, 1000 * levels, own)
        far = float((teacher.dit(x, 1000 * levels, text) - expected).norm())
    assert float((made - expected).norm()) < 0.03 * far  # one byte a number of the additions
    known = (Partition(2, 4, 0, 1),)
    assert opened.config.sampler == BufferConfig(2, 4, micro_steps=1, guidance=1.0, trained=known)
    assert opened.running_latents and opened.text_encoder.vocabulary == teacher.words.vocabulary
    assert all(
        torch.equal(value, codec.state_dict()[key]) for key, value in opened.codec.state_dict().items()
    )
    assert load_bundle(path).provenance["parents"] == [reference_to(base)]


def test_a_new_student_is_its_teacher_and_learns_little():
    teacher = small()
    student = student_of(teacher, 4)
    x, levels, ids = torch.randn(1, 16, 8, 16, 16), torch.full((1, 8), 0.5), torch.randint(1, 30, (1, 20))
    with torch.no_grad():
        assert torch.allclose(student(x, levels, ids), teacher(x, levels, ids), atol=1e-5)
    learning = {name for name, p in student.named_parameters() if p.requires_grad}
    assert not any(name.startswith("words") or name.endswith("original") for name in learning)
    assert any(name.endswith("0.up") for name in learning) and "dit.head.head.weight" in learning


def addition(base, path, tensors, onto=None):
    settings = {"onto": onto or reference_to(base)}
    save_bundle(path, CONFIG, {"dit": tensors}, settings=settings)
    return path


def test_another_base_or_none_is_an_error(base, tmp_path):
    path = addition(base, tmp_path / "a.safetensors", {})
    export.write(base, small(1), TinyCodec(), {})
    with pytest.raises(
        ValueError, match="a.safetensors: expected the base.safetensors that it is an addition"
    ):
        load_bundle(path)
    base.unlink()
    with pytest.raises(ValueError, match="expected base.safetensors beside it"):
        load_bundle(path)


@pytest.mark.parametrize(
    "onto", ["base.safetensors", {"file": "../base.safetensors", "sha256": ""}, {"file": 3, "sha256": ""}, {}]
)
def test_a_reference_that_is_none_is_an_error(base, tmp_path, onto):
    path = addition(base, tmp_path / "a.safetensors", {}, onto=onto or {"name": "x"})
    with pytest.raises(ValueError, match="expected the (name of a file beside it|settings of onto)"):
        load_bundle(path)


@pytest.mark.parametrize(
    "tensors",
    [
        {"blocks.0.self_attn.q.weight.up": torch.zeros(64, 4)},
        {"wings.weight.up": torch.zeros(64, 4), "wings.weight.down": torch.zeros(4, 64)},
        {
            "blocks.0.self_attn.q.weight.up": torch.zeros(64, 4),
            "blocks.0.self_attn.q.weight.down": torch.zeros(3, 64),
        },
    ],
)
def test_factors_that_fit_nothing_are_an_error(base, tmp_path, tensors):
    with pytest.raises(ValueError, match="a.safetensors: dit.(blocks|wings).*expected a matrix in the base"):
        load_bundle(addition(base, tmp_path / "a.safetensors", tensors))
