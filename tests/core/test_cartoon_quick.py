"""The quick norm and rotation are the plain ones, forward and backward, and the swapped prompt."""

import torch

from motionstream_core.model.dit import RMSNorm
from motionstream_core.model.rope import Rope
from motionstream_core.training.cartoon.flow_stage import swapped
from motionstream_core.training.cartoon.quick import QuickRope, quicken
from motionstream_core.training.cartoon.vocabulary import tokenize


def both(function, *inputs):
    """The value and the gradients of a function of double tensors, in float32."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    out = function(*leaves)
    (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
    return [out.detach(), *(leaf.grad for leaf in leaves)]


def test_the_quick_norm_is_the_norm():
    torch.manual_seed(0)
    norm, quick = RMSNorm(24, eps=1e-3), torch.nn.Sequential(RMSNorm(24, eps=1e-3))
    torch.nn.init.normal_(norm.weight)
    quick[0].load_state_dict(norm.state_dict())
    names = list(quick.state_dict())
    quicken(quick)
    x = torch.randn(3, 5, 24)
    for a, b in zip(both(norm, x), both(quick, x)):
        assert torch.allclose(a, b, atol=1e-5)
    assert torch.allclose(norm.weight.grad, quick[0].weight.grad, atol=1e-4)
    assert list(quick.state_dict()) == names


def test_the_quick_rotation_is_the_rotation():
    x = torch.randn(2, 3 * 6, 2 * 16, generator=torch.Generator().manual_seed(0))
    plain, quick = Rope(16, (2, 3)), QuickRope(16, (2, 3))
    for a, b in zip(
        both(lambda x: plain.rotate(x, (0, 4, 7)), x), both(lambda x: quick.rotate(x, (0, 4, 7)), x)
    ):
        assert torch.allclose(a, b, atol=1e-5)


def test_left_and_right_change_places_in_a_prompt():
    ids = torch.from_numpy(tokenize("a red car moves left hills day clear camera still"))[None]
    other = torch.from_numpy(tokenize("a red car moves right hills day clear camera still"))[None]
    assert torch.equal(swapped(ids), other) and torch.equal(swapped(other), ids)
    still = torch.from_numpy(tokenize("a red car stays hills day"))[None]
    assert torch.equal(swapped(still), still)
