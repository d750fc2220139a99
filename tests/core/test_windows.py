"""Window attention against full attention with a mask written out, and the linear skip of a velocity."""

import math
from dataclasses import replace
from itertools import product

import pytest
import torch

from motionstream_core.model.attention import sdpa
from motionstream_core.model.dit import WanDiT, place_features
from motionstream_core.model.presets import preset
from motionstream_core.model.skip import velocity_of
from motionstream_core.model.weights.bundle import config_from_dict, config_to_dict
from motionstream_core.model.windows import (
    Windows,
    cut_windows,
    join_windows,
    plain_attention,
    shift_of,
    window_of,
    windows_of_layer,
)
from motionstream_core.sampling.flow import add_noise, to_x0

HEADS, DIM = 2, 8


def tokens(video, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(2, video[0] * video[1] * video[2], DIM, generator=rng) for _ in range(3)]


def reference(q, k, v, video, window, shifted, wrap):
    """Full attention of tokens that the definition lets see each other."""
    window = window_of(video, window)
    shift = shift_of(video, window) if shifted else (0, 0, 0)
    padded = [-(-n // w) * w for n, w in zip(video, window)]
    places = list(product(*map(range, video)))
    homes, sides = [], []
    for place in places:
        moved = [(p - s) % n for p, s, n in zip(place, shift, padded)]
        homes.append(tuple(m // w for m, w in zip(moved, window)))
        sides.append(tuple(p < s for p, s in zip(place, shift)))
    seen = torch.tensor(
        [[a == b and (wrap or c == d) for b, d in zip(homes, sides)] for a, c in zip(homes, sides)]
    )
    split = [x.unflatten(-1, (HEADS, -1)).transpose(1, 2) for x in (q, k, v)]
    out = torch.nn.functional.scaled_dot_product_attention(*split, attn_mask=seen)
    return out.transpose(1, 2).flatten(2)


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize(
    "video,window",
    [((4, 4, 4), (2, 4, 4)), ((4, 4, 4), (4, 2, 2)), ((5, 3, 6), (2, 2, 4)), ((1, 4, 4), (2, 4, 2))],
)
def test_windows_are_full_attention_under_their_mask(video, window, shifted, wrap):
    q, k, v = tokens(video)
    made = Windows(video, window, shifted, wrap)(q, k, v, HEADS)
    assert torch.allclose(made, reference(q, k, v, video, window, shifted, wrap), atol=1e-5)


def test_a_window_over_everything_is_full_attention():
    q, k, v = tokens((3, 4, 4))
    for shifted in (False, True):
        assert torch.allclose(
            Windows((3, 4, 4), (8, 8, 8), shifted)(q, k, v, HEADS), sdpa(q, k, v, HEADS), atol=1e-5
        )
    assert torch.allclose(plain_attention(q, k, v, HEADS), sdpa(q, k, v, HEADS), atol=1e-5)


@pytest.mark.parametrize("shift", [(0, 0, 0), (1, 2, 1)])
def test_cut_and_join_are_inverse(shift):
    x = torch.randn(2, 5 * 6 * 4, HEADS, 4)
    assert torch.equal(
        join_windows(cut_windows(x, (5, 6, 4), (2, 4, 4), shift), (5, 6, 4), (2, 4, 4), shift), x
    )


def test_layers_take_the_shapes_in_turn_and_shift_every_second_time():
    shapes = ((2, 8, 8), (8, 4, 4))
    layers = [windows_of_layer(i, shapes, (8, 8, 8), False) for i in range(4)]
    assert [(w.window, w.shifted) for w in layers] == [
        (shapes[0], False),
        (shapes[1], False),
        (shapes[0], True),
        (shapes[1], True),
    ]


def test_a_network_with_windows_over_everything_is_the_one_without():
    config = replace(preset("cartoon"), dim=32, ffn_dim=64, num_layers=2, windows=((8, 8, 8),))
    net, other = WanDiT(config), WanDiT(replace(config, windows=None))
    torch.nn.init.normal_(net.head.head.weight, std=0.1)
    other.load_state_dict(net.state_dict())
    x, told = torch.randn(1, 16, 3, 8, 8), torch.full((1, 3), 500.0)
    text = net.encode_text(torch.randn(1, 20, 64))
    assert torch.allclose(net(x, told, text), other(x, told, text), atol=1e-5)


def test_the_config_of_windows_goes_through_a_file():
    config = preset("cartoon")
    assert config_from_dict(config_to_dict(config)) == config
    assert "windows" not in config_to_dict(preset("tiny"))


def placed(place_features):
    config = replace(
        preset("cartoon"), dim=32, ffn_dim=64, num_layers=1, windows=None, place_features=place_features
    )
    torch.manual_seed(0)
    net = WanDiT(config)
    torch.nn.init.normal_(net.head.head.weight, std=0.1)
    return net


def test_tokens_are_told_their_place_by_cosines_of_the_pictures_axes():
    features = place_features((2, 4), 3)
    assert features.shape == (8, 6)
    for row in range(2):
        for column in range(4):
            u, v = (row + 0.5) / 2, (column + 0.5) / 4
            expected = [math.cos(math.pi * k * at) for at in (u, v) for k in (1, 2, 3)]
            assert features[4 * row + column].tolist() == pytest.approx(expected, abs=1e-6)


def test_a_network_learns_places_from_nothing_and_then_tells_them_apart():
    net, without = placed(4), placed(0)
    assert set(net.state_dict()) - set(without.state_dict()) == {"place_embedding.weight"}
    without.load_state_dict({k: v for k, v in net.state_dict().items() if k != "place_embedding.weight"})
    x, told = torch.ones(1, 16, 2, 8, 12), torch.full((1, 2), 500.0)
    text = net.encode_text(torch.randn(1, 20, 64))
    assert torch.equal(net(x, told, text), without(x, told, text))  # its weights begin at zero
    even = net(x, told, text)[..., ::2, ::2]
    assert torch.allclose(even, even[..., :1, :1].expand_as(even), atol=1e-4)  # all tokens alike
    torch.nn.init.normal_(net.place_embedding.weight)
    apart = net(x, told, text)[0, 0, 0, ::2, ::2]
    assert len(apart.flatten().round(decimals=4).unique()) == apart.numel()


def test_a_header_without_places_opens_and_stays_without():
    config = replace(preset("cartoon"), place_features=0)
    values = config_to_dict(config)
    assert "place_features" not in values and config_from_dict(values) == config
    with pytest.raises(ValueError, match="place_features: expected at least 0, got -1"):
        replace(config, place_features=-1)


def test_the_skip_leaves_what_is_not_linear_in_unit_variance():
    rng = torch.Generator().manual_seed(0)
    x0, noise = (torch.randn(1, 1, 4, 300, 300, generator=rng) for _ in range(2))
    for sigma in (0.1, 0.5, 0.8):
        x = add_noise(x0, noise, sigma)
        spread = (1 - sigma) ** 2 + sigma**2
        left = (noise - x0 - velocity_of(torch.zeros_like(x), x, sigma)) * spread**0.5
        assert abs(float(left.std()) - 1) < 0.02 and abs(float((left * x).mean())) < 0.02


def test_x0_of_a_velocity_with_the_skip():
    x0, noise = torch.randn(2, 3, 4, 2, 2), torch.randn(2, 3, 4, 2, 2)
    levels = torch.rand(2, 4)
    x, at = add_noise(x0, noise, levels), levels[:, None, :, None, None]
    spread = (1 - at) ** 2 + at**2
    output = (noise - x0 - (2 * at - 1) / spread * x) * spread**0.5
    assert torch.allclose(to_x0(output, x, levels, "velocity_skip"), x0, atol=1e-5)
