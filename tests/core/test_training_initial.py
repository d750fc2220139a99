"""A training begins with other weights: plain Wan, a control model of 48 inputs, an earlier stage; what does
not fit is named.
"""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from motionstream_core.model.dit import WanDiT
from motionstream_core.model.presets import MotionConfig, preset
from motionstream_core.training.methods.initial import start_from, start_from_wan
from motionstream_core.training.methods.roles import MotionModel

SMALL = {
    "dim": 24,
    "ffn_dim": 32,
    "num_heads": 2,
    "num_layers": 2,
    "text_dim": 8,
    "text_len": 4,
    "freq_dim": 8,
}
PLAIN = replace(preset("wan2.1-1.3b"), **SMALL)
MOTION = replace(preset("wan2.1-1.3b-motion"), **SMALL)


def forward(dit, x):
    text = dit.encode_text(torch.ones(1, 4, 8))
    return dit(x, torch.full((1, x.shape[2]), 500.0), text)


def test_a_plain_wan_model_gives_the_motion_model_its_own_video_to_begin_with():
    torch.manual_seed(0)
    wan, model = WanDiT(PLAIN), MotionModel(MOTION, own_words=False)
    torch.nn.init.normal_(wan.head.head.weight, std=0.1)
    assert start_from_wan(model, {f"model.{key}": value for key, value in wan.state_dict().items()}) == []
    x = torch.randn(1, 16, 2, 4, 4)
    torch.testing.assert_close(
        forward(model.dit, torch.cat([x, torch.randn(1, 32, 2, 4, 4)], dim=1)), forward(wan, x)
    )


def test_a_control_model_of_48_inputs_keeps_all_of_them_and_says_what_has_no_place():
    torch.manual_seed(0)
    source, model = WanDiT(MOTION), MotionModel(MOTION, own_words=False)
    state = source.state_dict() | {
        "img_emb.proj.0.weight": torch.zeros(3),
        "blocks.0.cross_attn.k_img.weight": torch.zeros(3),
    }
    assert start_from_wan(model, state) == ["blocks.0.cross_attn.k_img.weight", "img_emb.proj.0.weight"]
    assert torch.equal(model.dit.patch_embedding.weight, source.patch_embedding.weight)


def test_weights_of_an_earlier_stage_fill_everything(tmp_path):
    config = replace(preset("tiny"), **SMALL | {"text_dim": 8, "text_len": 4})
    one, two = MotionModel(config), MotionModel(config)
    save_file(one.state_dict(), tmp_path / "teacher.safetensors")
    assert "all weights" in start_from(two, tmp_path / "teacher.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values()))


def test_weights_of_another_kind_are_refused_in_words(tmp_path):
    model = MotionModel(MOTION, own_words=False)
    with pytest.raises(ValueError, match=r"expected Wan's names"):
        start_from_wan(model, {"conv.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match="at most 48 input channels, got 148"):
        start_from_wan(model, {"patch_embedding.weight": torch.zeros(24, 148, 1, 2, 2)})
    with pytest.raises(ValueError, match="does not fit this preset: .*missing"):
        start_from_wan(model, {"patch_embedding.weight": torch.zeros(24, 16, 1, 2, 2)})
    with pytest.raises(ValueError, match="expected a .safetensors file"):
        start_from(model, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="expected a file, got .*nowhere.safetensors"):
        start_from(model, tmp_path / "nowhere.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"cut off")
    with pytest.raises(
        ValueError, match="cut.safetensors: expected weights .safetensors., got a file that cannot be read"
    ):
        start_from(model, tmp_path / "cut.safetensors")


def test_a_whole_weights_file_gives_its_student_and_leaves_codec_and_detail(tmp_path):
    config = replace(preset("tiny"), **SMALL | {"text_dim": 8, "text_len": 4})
    one, two = MotionModel(config), MotionModel(config)
    state = {key.replace("words.", "text_encoder.", 1): value for key, value in one.state_dict().items()}
    save_file(
        {**state, "codec.latent_mean": torch.zeros(16), "detail.x": torch.zeros(1)},
        tmp_path / "whole.safetensors",
    )
    start_from(two, tmp_path / "whole.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values()))


@pytest.mark.parametrize(
    ("name", "channels"), [("wan2.1-1.3b-motion", 48), ("wan2.1-14b-motion", 48), ("wan2.2-5b-motion", 96)]
)
def test_the_motion_presets_have_room_for_latent_track_head_and_start_image(name, channels):
    config = preset(name)
    with torch.device("meta"):
        model = MotionModel(config, own_words=False)
    assert model.dit.patch_embedding.weight.shape[1] == channels and isinstance(config.motion, MotionConfig)
    assert model.track_head.conv.out_channels == config.latent_channels
