"""Attention backends agree."""

import pytest
import torch

from motionstream_core.model.attention import attend, available_backends


def plain(q, k, v, heads):
    """The definition, in double precision; also stands for a host's callable."""
    q, k, v = (x.double().unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2).float()


@pytest.mark.parametrize("backend", available_backends())
@pytest.mark.parametrize("keys", [5, 40])
def test_a_backend_equals_the_definition(backend, keys):
    q, k, v = torch.randn(2, 12, 48), torch.randn(2, keys, 48), torch.randn(2, keys, 48)
    assert torch.allclose(attend(q, k, v, 6, backend), attend(q, k, v, 6, plain), atol=1e-5)


def test_a_view_into_a_longer_buffer_is_attended_like_its_copy():
    q, buffer = torch.randn(2, 12, 48), torch.randn(2, 50, 48)
    view = buffer[:, :20]
    assert torch.allclose(attend(q, view, view, 6), attend(q, view.clone(), view.clone(), 6), atol=1e-6)


def test_a_callable_is_used_as_given():
    assert attend(*torch.zeros(3, 1, 2, 4), 2, lambda q, k, v, heads: f"{heads} heads") == "2 heads"


def test_an_unknown_backend_is_refused_with_those_available():
    with pytest.raises(ValueError, match="expected one of .*sdpa.*got 'magic'"):
        attend(*torch.zeros(3, 1, 2, 4), 2, "magic")
