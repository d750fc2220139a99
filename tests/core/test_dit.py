"""The transformer: public Wan names, shapes and counts; what a frame may see; dtypes."""

import pytest
import torch
from reference import complex_rotate, full_forward, small_model, small_text

from motionstream_core.model.context import rolling_context
from motionstream_core.model.dit import WanDiT, timestep_features
from motionstream_core.model.presets import PRESETS, preset
from motionstream_core.model.rope import Rope, axis_dims

# The public T2V 1.3B, T2V 14B and TI2V 5B files: parameters, tensors, width, feed-forward width, layers,
# latent channels.
PUBLIC = {
    "wan2.1-1.3b": (1_418_996_800, 825, 1536, 8960, 30, 16),
    "wan2.1-14b": (14_288_491_584, 1095, 5120, 13824, 40, 16),
    "wan2.2-5b": (4_999_787_712, 825, 3072, 14336, 30, 48),
}


def public_shapes(dim: int, ffn: int, layers: int, channels: int) -> dict[str, tuple[int, ...]]:
    """Every parameter of a public Wan T2V or TI2V file, written out."""
    shapes = {"patch_embedding.weight": (dim, channels, 1, 2, 2), "patch_embedding.bias": (dim,)}

    def linear(name: str, to: int, of: int):
        shapes[f"{name}.weight"] = (to, of)
        shapes[f"{name}.bias"] = (to,)

    linear("text_embedding.0", dim, 4096)
    linear("text_embedding.2", dim, dim)
    linear("time_embedding.0", dim, 256)
    linear("time_embedding.2", dim, dim)
    linear("time_projection.1", 6 * dim, dim)
    for block in (f"blocks.{n}" for n in range(layers)):
        shapes[f"{block}.modulation"] = (1, 6, dim)
        shapes |= {f"{block}.norm3.weight": (dim,), f"{block}.norm3.bias": (dim,)}
        for attention in (f"{block}.self_attn", f"{block}.cross_attn"):
            for part in "qkvo":
                linear(f"{attention}.{part}", dim, dim)
            shapes |= {f"{attention}.norm_q.weight": (dim,), f"{attention}.norm_k.weight": (dim,)}
        linear(f"{block}.ffn.0", ffn, dim)
        linear(f"{block}.ffn.2", dim, ffn)
    linear("head.head", 4 * channels, dim)
    shapes["head.modulation"] = (1, 2, dim)
    return shapes


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_wan_preset_has_exactly_the_public_names_shapes_and_count(name):
    count, tensors, *sizes = PUBLIC[name]
    with torch.device("meta"):
        state = WanDiT(PRESETS[name]).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == public_shapes(*sizes)
    assert len(state) == tensors and sum(value.numel() for value in state.values()) == count


@pytest.mark.parametrize(("name", "channels"), [("tiny", (56, 32)), ("tiny-ids", (48, 16))])
def test_the_tiny_presets_stay_below_five_million_parameters(name, channels):
    config = PRESETS[name]
    with torch.device("meta"):
        model = WanDiT(config)
    assert sum(value.numel() for value in model.parameters()) < 5e6
    assert (
        config.in_channels,
        config.out_channels,
    ) == channels and config.rolling.cache_shape.label == "c3s1w3"


def test_the_motion_channels_of_the_tiny_preset_are_head_warp_and_mask_in_this_order():
    assert PRESETS["tiny"].motion.parts == {
        "head": slice(0, 16),
        "warp": slice(16, 32),
        "mask": slice(32, 40),
    }
    assert PRESETS["tiny-ids"].motion.parts == {"head": slice(0, 16), "image": slice(16, 32)}


def test_an_unknown_preset_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="wan2.1-14b.*got 'huge'"):
        preset("huge")


def test_an_untrained_network_predicts_nothing():
    torch.manual_seed(0)
    model = WanDiT(small_model().config)
    assert model(torch.randn(1, 56, 3, 4, 4), torch.zeros(1, 3), small_text(model)).abs().max() == 0


def test_the_patch_embedding_is_the_convolution_whose_weights_it_holds():
    layer = small_model().patch_embedding
    x = torch.randn(2, 56, 3, 4, 6)
    plain = torch.nn.functional.conv3d(x, layer.weight, layer.bias, stride=layer.stride)
    assert torch.allclose(layer(x), plain.flatten(2).transpose(1, 2), atol=1e-5)


@pytest.mark.parametrize("name", ["tiny", "tiny-ids", "wan2.1-1.3b", "wan2.2-5b"])
def test_without_a_cache_every_frame_sees_every_frame(name):
    model = small_model(name)
    text, channels = small_text(model, batch=2), model.config.in_channels
    x, timestep = torch.randn(2, channels, 4, 4, 6), torch.rand(2, 4) * 1000
    everything = [{frame: frame for frame in range(4)}] * 4
    assert (model(x, timestep, text) - full_forward(model, x, timestep, text, everything)).abs().max() <= 1e-4


def test_each_frame_has_its_own_timestep():
    model = small_model()
    text, x = small_text(model), torch.randn(1, 56, 3, 4, 4)
    base, moved = (model(x, torch.tensor([[100.0, 100.0, last]]), text) for last in (100.0, 900.0))
    change = (base - moved).abs().mean(dim=(0, 1, 3, 4))
    assert change[2] > 2 * change[:2].max() > 0


def test_a_forward_without_commit_leaves_the_cache_as_it_was():
    model = small_model()
    text, cache, x = small_text(model), model.make_cache(4, 4), torch.randn(1, 56, 3, 4, 4)
    model(torch.randn_like(x[:, :, :1]), torch.zeros(1, 1), text, rolling_context(cache, write=True))
    first = model(x, torch.zeros(1, 3), text, rolling_context(cache))
    model(torch.randn_like(x), torch.ones(1, 3), text, rolling_context(cache))
    assert torch.equal(model(x, torch.zeros(1, 3), text, rolling_context(cache)), first) and cache.total == 1


def test_one_text_serves_a_batch_and_short_texts_are_padded_with_zeros():
    model = small_model()
    embeds = torch.randn(1, 2, 8)
    padded = torch.cat([embeds, torch.zeros(1, 2, 8)], dim=1).expand(2, -1, -1)
    x, timestep = torch.randn(2, 56, 3, 4, 4), torch.zeros(2, 3)
    one, two = (model(x, timestep, model.encode_text(part)) for part in (embeds, padded))
    assert torch.allclose(one, two, atol=1e-5)


def test_timestep_features_are_cosines_then_sines():
    features = timestep_features(torch.tensor([0.0, 1.0]), 4)
    assert torch.allclose(features[0], torch.tensor([1.0, 1.0, 0.0, 0.0]))
    assert torch.allclose(features[1], torch.tensor([0.540302, 0.999950, 0.841471, 0.0099998]))


@pytest.mark.parametrize("how", ["bfloat16 weights", "autocast"])
def test_bfloat16_follows_float32(how):
    model = small_model()
    text, x, timestep = small_text(model), torch.randn(1, 56, 3, 4, 4), torch.full((1, 3), 300.0)

    def run(dtype=None):
        with torch.autocast("cpu", torch.bfloat16, enabled=how == "autocast" and dtype is not None):
            cache = model.make_cache(4, 4)
            model(x[:, :, :1], timestep[:, :1], small_text(model), rolling_context(cache, write=True))
            return model(x, timestep, small_text(model), rolling_context(cache))

    expected = run()
    if how == "bfloat16 weights":
        model.to(torch.bfloat16)
    got = run(torch.bfloat16)
    assert text.keys[0].dtype == torch.float32 and torch.isfinite(got).all()
    assert (got.float() - expected).abs().mean() < 0.05 * expected.std()


def test_a_wan_head_splits_into_time_height_and_width():
    assert axis_dims(128) == (44, 42, 42) and axis_dims(32) == (12, 10, 10)


@pytest.mark.parametrize("slots", [(0, 1, 2), (4, 5, 6), (0, 7, 3)])
def test_real_rotation_equals_complex_rotation_in_double_precision(slots):
    x = torch.randn(2, 3 * 6, 64)
    turned = Rope(32, (2, 3)).rotate(x, slots)
    assert turned.dtype == torch.float32
    assert (turned - complex_rotate(x, list(slots), (2, 3), 32)).abs().max() < 1e-5


def test_attention_scores_depend_on_the_distance_of_slots_alone():
    rope, q, k = Rope(32, (1, 1)), torch.randn(1, 1, 32), torch.randn(1, 1, 32)
    scores = [(rope.rotate(q, (a,)) * rope.rotate(k, (b,))).sum() for a, b in ((5, 2), (9, 6), (5, 3))]
    assert torch.allclose(scores[0], scores[1], atol=1e-5) and not torch.allclose(
        scores[0], scores[2], atol=1e-3
    )


@pytest.mark.parametrize(
    ("x", "timestep", "message"),
    [
        ((1, 55, 3, 4, 4), (1, 3), r"expected \(B, 56, T, H, W\), got \(1, 55, 3, 4, 4\)"),
        ((1, 56, 3, 4, 4), (1,), r"expected \(B, T\) = \(1, 3\), got \(1,\)"),
        ((1, 56, 3, 5, 4), (1, 3), "multiples of 2 x 2, got 5 x 4"),
    ],
)
def test_a_wrong_input_is_refused_with_expected_and_got(x, timestep, message):
    model = small_model()
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(x), torch.zeros(timestep), small_text(model))


def test_a_text_of_a_wrong_width_or_length_is_refused():
    for shape in ((1, 3, 9), (1, 5, 8), (3, 8)):
        with pytest.raises(ValueError, match="text: expected"):
            small_model().encode_text(torch.zeros(shape))
