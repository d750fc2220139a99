"""The StreamDiT presets by their sizes, and window attention without masks against the masked reference."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from motionstream_core.model import windows
from motionstream_core.model.context import bidirectional_context
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.presets import preset
from motionstream_core.model.windows import Windows, grouped_attention, shift_of, window_groups, window_of
from motionstream_core.planning.buffer_cost import attention_pairs, evaluation_cost
from motionstream_core.planning.network_cost import parameters

HEADS, DIM = 2, 16


def tokens(video, batch=2):
    rng = torch.Generator().manual_seed(sum(video))
    return [torch.randn(batch, video[0] * video[1] * video[2], DIM, generator=rng) for _ in range(3)]


def groups_of(video, window, shifted, wrap):
    window = window_of(video, window)
    shift = shift_of(video, window) if shifted else (0, 0, 0)
    return window_groups(video, window, shift, wrap, torch.device("cpu"))


def test_streamdit_4b_has_four_billion_parameters_and_its_latents_sixteen_thousand_tokens():
    config = preset("streamdit-4b")
    with torch.device("meta"):
        net = WanDiT(config)
    count = sum(p.numel() for p in net.parameters())
    assert abs(count / 4.0e9 - 1) < 0.03
    assert config.latent_channels == 8 and config.sampler.queue_frames == 16
    rows, columns = config.token_grid(512 // config.vae_stride[1], 512 // config.vae_stride[2])
    assert 16 * rows * columns == 16384
    for window in config.windows or ():
        assert window[0] * window[1] * window[2] == 1024


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize(
    ("video", "window"),
    [((5, 7, 6), (2, 4, 4)), ((3, 9, 5), (8, 4, 2)), ((4, 4, 4), (2, 2, 4)), ((1, 5, 3), (4, 4, 4))],
)
def test_groups_are_the_masked_reference_at_odd_sizes(video, window, shifted, wrap):
    q, k, v = tokens(video)
    made = Windows(video, window, shifted, wrap)
    groups = groups_of(video, window, shifted, wrap)
    assert sorted(groups.order.tolist()) == list(range(q.shape[1]))
    assert sum(groups.lengths) == q.shape[1] == int(groups.starts[-1])
    torch.testing.assert_close(
        grouped_attention(q, k, v, HEADS, groups), made.masked(q, k, v, HEADS), atol=1e-5, rtol=1e-4
    )


def test_many_keys_take_the_way_without_masks(monkeypatch):
    taken = []
    monkeypatch.setattr(windows, "grouped_attention", lambda q, *rest: taken.append(q.shape[1]) or q)
    for video, window in (((8, 8, 8), (2, 8, 8)), ((4, 16, 16), (2, 16, 16))):
        Windows(video, window)(*tokens(video, 1), HEADS)
    assert taken == [4 * 16 * 16]


@pytest.mark.parametrize("shifted", [False, True])
def test_a_varlen_kernel_gets_the_groups_as_its_signature_wants_them(shifted, monkeypatch):
    """Torch's kernel runs on a card alone: a stand-in with its arguments checks what it is handed."""
    video, window = (5, 7, 6), (2, 4, 4)
    q, k, v = tokens(video)

    def stand_in(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k):
        assert query.ndim == 3 and cu_seq_q.dtype == torch.int32 and cu_seq_q is cu_seq_k
        assert max_q == max_k == int((cu_seq_q[1:] - cu_seq_q[:-1]).max())
        parts = []
        for a, b in zip(cu_seq_q.tolist(), cu_seq_q[1:].tolist()):
            one = [x[a:b].transpose(0, 1) for x in (query, key, value)]
            parts.append(torch.nn.functional.scaled_dot_product_attention(*one).transpose(0, 1))
        return torch.cat(parts)

    monkeypatch.setattr(windows, "varlen_kernel", lambda x: stand_in)
    made = grouped_attention(q, k, v, HEADS, groups_of(video, window, shifted, False))
    expected = Windows(video, window, shifted).masked(q, k, v, HEADS)
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-4)


def test_the_counted_attention_is_that_of_the_pairs_that_see_each_other():
    config = replace(preset("streamdit-4b"), windows=((2, 4, 4),), num_layers=2, wrap=False)
    video = (5, 6, 7)
    seen = 0
    for layer in range(2):
        window = window_of(video, (2, 4, 4))
        shift = shift_of(video, window) if layer else (0, 0, 0)
        pads = [-n % w for n, w in zip(video, window)]
        places = list(product(*map(range, video)))
        homes = [
            tuple(
                ((p - s) % (n + pad) // w, p < s)
                for p, s, n, pad, w in zip(place, shift, video, pads, window)
            )
            for place in places
        ]
        seen += sum(a == b for a in homes for b in homes)
    assert attention_pairs(config, video) == seen
    cost = evaluation_cost(preset("streamdit-4b"), 512, 512)
    assert cost.tokens == 16384 and cost.attention_flops < cost.full_attention_flops / 16
    # A dense layer is 2 FLOPs a parameter and token; keys and values of the text are made once a prompt.
    whole = preset("streamdit-4b")
    dense = parameters(whole) - whole.num_layers * 2 * whole.dim**2
    assert 0.96 < cost.linear_flops / (2 * dense * cost.tokens) < 1.0


@pytest.mark.parametrize(
    ("grid", "shapes"),
    [
        ((6, 8, 8), ((2, 4, 4), (3, 2, 8))),  # both divide, one after the other the first
        ((5, 6, 8), ((2, 4, 4), (5, 3, 2))),  # the second alone divides
        ((5, 7, 6), ((2, 4, 4), (3, 2, 4))),  # odd: none does
        ((4, 4, 4), ((8, 8, 8),)),
    ],
)
def test_a_network_window_by_window_is_the_one_frame_by_frame(grid, shapes, monkeypatch):
    config = replace(
        preset("streamdit-tiny"),
        dim=24,
        ffn_dim=32,
        num_heads=2,
        num_layers=4,
        windows=shapes,
        place_features=2,
    )
    torch.manual_seed(0)
    net = WanDiT(config).eval().requires_grad_(False)
    torch.nn.init.normal_(net.head.head.weight, std=0.2)
    torch.nn.init.normal_(net.place_embedding.weight, std=0.2)
    frames, rows, columns = grid
    x = torch.randn(2, 16, frames, 2 * rows, 2 * columns)
    timestep = 1000 * torch.rand(2, frames)
    text = net.encode_text(torch.randn(1, 4, config.text_dim))
    plain = bidirectional_context(config)
    expected = net(x, timestep, text, plain)
    assert plain.order is None, "a CPU masks a few keys"
    monkeypatch.setattr(windows, "MASKED_KEYS", 0)
    ordered = bidirectional_context(config)
    torch.testing.assert_close(net(x, timestep, text, ordered), expected, atol=1e-4, rtol=1e-4)
    divides = any(not any(n % min(n, w) for n, w in zip(grid, shape)) for shape in shapes)
    assert (ordered.order is not None) == divides


def test_a_plain_layer_of_the_order_is_a_reshape_and_the_others_sort_once(monkeypatch):
    video, shapes = (4, 8, 8), ((2, 4, 4), (4, 2, 2))
    monkeypatch.setattr(windows, "MASKED_KEYS", 0)
    major = windows.major_of(video, shapes, torch.device("cpu"))
    order = windows.token_order(video, major)
    assert major == shapes[0] and order.frames.tolist()[:3] == [0, 1, 0]
    q, k, v = tokens(video)
    seen = []
    attention = torch.nn.functional.scaled_dot_product_attention

    def spy(query, key, value):
        seen.append(query.data_ptr())
        return attention(query, key, value)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
    for layer in range(4):
        there = windows.windows_of_layer(layer, shapes, video, False, major)
        sorted_q, sorted_k, sorted_v = (x[:, order.order] for x in (q, k, v))
        seen.clear()
        made = there(sorted_q, sorted_k, sorted_v, HEADS)[:, order.back]
        same = Windows(video, there.window, there.shifted).masked(q, k, v, HEADS)
        torch.testing.assert_close(made, same, atol=1e-5, rtol=1e-4)
        assert (seen == [sorted_q.data_ptr()]) == (layer == 0)
