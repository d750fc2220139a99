"""What other nodes put on a MODEL: named where a stream has no use for it, silent where it counts."""

from types import SimpleNamespace

import pytest
import torch
from test_adopt import hosted


@pytest.fixture(scope="module")
def left_out(pack):
    return pack("nodes._left_out").left_out


def model(**named):
    options = {"transformer_options": {}, **named.pop("options", {})}
    return SimpleNamespace(
        **{"object_patches": {}, "wrappers": {}, "callbacks": {}, "model_options": options, **named}
    )


def test_nothing_is_said_of_a_model_without_additions_and_of_what_counts(left_out):
    counts = ["model_sampling", "manual_cast_dtype"]
    counts += [
        f"diffusion_model.{name}"
        for name in (
            "blocks.3.self_attn.q",
            "blocks.0.cross_attn.norm_k_img.forward",
            "blocks.11.ffn.0",
            "blocks.11.ffn.forward",
            "text_embedding.2",
            "head.head",
            "patch_embedding.forward",
            "img_emb.proj.1",
        )
    ]
    assert left_out(SimpleNamespace()) is None and left_out(model()) is None
    assert (
        left_out(
            model(
                object_patches=dict.fromkeys(counts),
                options={"transformer_options": {"optimized_attention_override": print}},
            )
        )
        is None
    )


def test_what_stands_in_place_of_blocks_and_around_the_model_is_named_once(left_out):
    def skip_steps():
        pass

    patches = {f"diffusion_model.blocks.{index}.cross_attn.forward": print for index in range(30)} | {
        "diffusion_model.blocks.0": 1,
        "diffusion_model.blocks.0.norm1": 1,
        "concat_cond": 2,
    }
    around = {"diffusion_model": {"torch.compile": [print]}, "apply_model": {None: [skip_steps]}}
    options = {
        "model_function_wrapper": print,
        "transformer_options": {
            "patches_replace": {"dit": {}},
            "wrappers": {"outer_sample": {"preview": [print]}},
        },
    }
    said = left_out(
        model(
            object_patches=patches,
            wrappers=around,
            callbacks={"on_pre_run": {None: [skip_steps]}, "on_load_after": {"silent": [print]}},
            options=options,
        )
    )
    names = (
        "blocks.*.cross_attn.forward, blocks.*, blocks.*.norm1, concat_cond, model_function_wrapper, "
        "patches_replace, torch.compile, skip_steps, preview"
    )
    assert said == (
        f"Without effect on the stream, which calls the model's layers itself: {names}, set on the "
        "MODEL by other nodes"
    )


def test_a_streams_parts_carry_the_line_and_compute_in_the_dtype_that_a_node_chose(pack):
    adopt = pack("nodes._adopt")
    wan = hosted(pack)
    wan.attachments[adopt.STATEMENT] = adopt.stated_config(wan, "self-forcing")
    plain = adopt.model_in(wan)
    assert plain.left_out is None and plain.dit.dtype == torch.float32
    wan.object_patches = {
        "manual_cast_dtype": torch.bfloat16,
        "diffusion_model.blocks.0.self_attn.forward": print,
    }
    patched = adopt.model_in(wan)
    assert "blocks.*.self_attn.forward" in patched.left_out and patched.dit.dtype == torch.bfloat16


def answer(parts):
    with torch.no_grad():
        x, embeds = (
            torch.randn(*shape, generator=torch.Generator().manual_seed(1))
            for shape in ((1, 16, 3, 4, 4), (1, 4, 8))
        )
        return parts.dit(x, torch.full((1, 3), 500.0), parts.dit.encode_text(embeds))


@pytest.mark.parametrize(
    "name",
    [
        "blocks.0.self_attn.v",
        "blocks.0.ffn.0",
        "blocks.0.norm3",
        "blocks.0.cross_attn.o.forward",
        "text_embedding.2",
        "blocks.0.ffn",
        "blocks.0.ffn.forward",
        "patch_embedding",
        "patch_embedding.forward",
        "head.head",
    ],
)
def test_what_is_said_to_count_counts_from_when_the_host_loads_the_model(pack, left_out, name):
    """The host puts patches in, and takes those of another clone out, after a stream has taken the model."""
    adopt, wan = pack("nodes._adopt"), hosted(pack)
    wan.model.diffusion_model.patch_embedding = torch.nn.Conv3d(
        16, 24, (1, 2, 2), (1, 2, 2)
    )  # as a host has it
    torch.manual_seed(4)
    for parameter in wan.model.diffusion_model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    wan.attachments[adopt.STATEMENT] = adopt.stated_config(wan, "self-forcing")
    plain = answer(adopt.model_in(wan))
    owner, _, last = f"diffusion_model.{name}".rpartition(".")
    owner = wan.model.get_submodule(owner)
    old = getattr(owner, last)

    class Twice(torch.nn.Module):
        def forward(self, x):
            return 2 * old(x)

    wan.object_patches = {f"diffusion_model.{name}": None}
    taken_before = adopt.model_in(wan)
    setattr(owner, last, Twice() if last != "forward" else lambda x: 2 * old(x))
    taken_after = adopt.model_in(wan)
    assert taken_before.left_out is None and not torch.allclose(plain, answer(taken_before))
    setattr(owner, last, old)
    assert torch.equal(plain, answer(taken_after))
