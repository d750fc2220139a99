"""A refreshed sink in training is that of inference: same order, same cache, same warped start image, bit for
bit.
"""

from dataclasses import replace

import pytest
import torch
from core.test_training_stages import BOTH, IDS, TINY, batch, draws, model, rng

from motionstream_core.codec.tiny import CodecConfig, TinyCodec
from motionstream_core.model.cache import CacheShape
from motionstream_core.model.presets import PRESETS
from motionstream_core.sampling.flow import sigma_schedule
from motionstream_core.sampling.rollout import rollout
from motionstream_core.streaming.motion_conditioner import MotionConditioner
from motionstream_core.tracks.types import TrackChunk
from motionstream_core.training.methods import causal, roles, steps
from motionstream_core.training.methods.distill import DistillRecipe, DistillStage
from motionstream_core.training.methods.refresh import (
    SinkRefresh,
    as_first_frame,
    draw_refresh_chunk,
    least_chunks,
)

WAN = replace(PRESETS["tiny-ids"], dim=48, ffn_dim=64, num_heads=2, num_layers=2).with_context(
    CacheShape(3, 3, 3)
)


@pytest.fixture(scope="module")
def codec():
    torch.manual_seed(3)
    return TinyCodec(CodecConfig(encoder=(8, 8, 8), decoder=(8, 8, 8, 8))).eval().requires_grad_(False)


def conditioner(net, codec, clip, picture, anchors):
    """The Conditioner of inference on the tracks of a clip of one; `anchors` is a list with the newest
    last.
    """

    def source(first, count):
        part = slice(first, first + count)
        return TrackChunk(
            clip["xy"][0, part], clip["visible"][0, part], clip["visible"][0, part], anchors[-1]
        )

    return MotionConditioner(net.config, net.track_head, codec, picture, source, rng())


def seen_batch():
    """A clip of one whose tracks are all seen at some time, so that every one of them has an anchor."""
    clip = batch(size=1)
    clip["visible"][:, 0] = True
    return clip


@torch.no_grad()
def inference(net, clip, after, seeded, codec):
    """As a stream does it: KVCache, chunk by chunk, `change_scene`, `set_reference`, anchors where the tracks
    are.
    """
    told = net.motion(clip, seeded)
    parts, stream = net.config.motion.parts, []
    anchors = [clip["xy"][0, 0]]
    picture = codec.decode(clip["latents"][:, :, :1])[0, 0]
    place = conditioner(net, codec, clip, picture, anchors)

    def motion(start, count):
        made = told[:, :, start : start + count].clone()
        if "warp" in parts:
            carried = place.take(range(start, start + count))[:, parts["warp"].start : parts["mask"].stop]
            if len(anchors) > 1:  # before that the clip's own
                made[:, parts["warp"].start : parts["mask"].stop] = carried
        return made

    run = rollout(
        net.dit,
        first_latent=clip["latents"][:, :, :1],
        motion=motion,
        text=net.text(clip),
        shape=(4, 4),
        sigmas=sigma_schedule(net.config.sampler.steps, net.config.rolling.shift),
        cache=net.dit.make_cache(4, 4),
        rng=seeded,
        chunks=3,
    )
    for chunk in run:
        stream.append(chunk.latents)
        if chunk.index == after:
            assert run.change_scene(place.as_first_frame)
            end = chunk.start + chunk.latents.shape[2]
            place.set_reference(codec.decode(torch.cat(stream, dim=2))[0, -1])
            anchors.append(clip["xy"][0, 4 * (end - 1)])
    return torch.cat(stream, dim=2)


@BOTH
@pytest.mark.parametrize("after", [1, 2])
def test_the_rollout_of_training_with_a_refreshed_sink_is_that_of_inference_bit_for_bit(config, after, codec):
    net, clip = model(config), seen_batch()
    trained = steps.rollout_clip(net, clip, rng(3), refresh_after=(after,), codec=codec)
    assert torch.equal(trained, inference(net, clip, after, rng(3), codec))
    learning = steps.rollout_clip(
        net, clip, rng(3), grad=True, exit_step=2, refresh_after=(after,), codec=codec
    ).detach()
    torch.testing.assert_close(
        learning, trained, atol=1e-5, rtol=1e-5
    )  # attention that records gradients rounds otherwise
    plain = steps.rollout_clip(net, clip, rng(3)).detach()
    end = 1 + 3 * after
    assert (
        torch.equal(trained[:, :, :end], plain[:, :, :end])
        and (trained - plain)[:, :, end:].abs().mean() > 1e-3
    )


def test_a_sink_of_a_whole_chunk_is_refreshed_as_in_inference(codec):
    net, clip = model(WAN), seen_batch()
    assert torch.equal(
        steps.rollout_clip(net, clip, rng(3), refresh_after=(2,)).detach(),
        inference(net, clip, 2, rng(3), codec),
    )
    assert least_chunks(WAN.rolling.cache_shape) == 2
    too_early = steps.rollout_clip(net, clip, rng(3), refresh_after=(1,)).detach()
    assert torch.equal(too_early, steps.rollout_clip(net, clip, rng(3)).detach()), (
        "a sink of three frames cannot be filled by the first chunk"
    )


@BOTH
def test_the_motion_of_a_new_beginning_is_the_conditioners(config, codec):
    net, clip = model(config), seen_batch()
    place = conditioner(net, codec, clip, torch.zeros(3, 32, 32), [clip["xy"][0, 0]])
    motion, latents = (
        torch.randn(1, config.motion.channels, 2, 4, 4, generator=rng()),
        torch.randn(1, 16, 2, 4, 4, generator=rng(1)),
    )
    assert torch.equal(as_first_frame(config, motion, latents), place.as_first_frame(motion, latents))


@BOTH
def test_a_training_stream_and_a_rollout_remember_the_same_after_a_refresh(config, codec):
    """Keys and values of the causal stage's cache against those of a rollout that made the same latents."""
    net, clip = model(config), batch()
    scenes = causal.MotionTimeline(net, clip, net.motion(clip, rng()), codec)
    text = net.text(clip)
    context = causal._Context(net, scenes, text, 4, 4)
    with torch.no_grad():
        cache = net.dit.make_cache(4, 4, batch=2)
        motion = net.motion(clip, rng())
        run = rollout(
            net.dit,
            first_latent=clip["latents"][:, :, :1],
            motion=lambda start, count: motion[:, :, start : start + count],
            text=text,
            shape=(4, 4),
            sigmas=sigma_schedule(config.sampler.steps, config.rolling.shift),
            cache=cache,
            rng=rng(1),
            chunks=2,
        )
        made = [chunk.latents for chunk in run]
        run.change_scene(lambda m, x: as_first_frame(config, m, x))
        for start, latents in zip((0, 1, 4), made):
            context.commit(start, latents)
        context.refresh(7)
    assert (
        (context.cache.total, context.cache.in_sink, context.cache.in_window)
        == (cache.total, cache.in_sink, cache.in_window)
        == (7, 1, 3)
    )
    kept = cache.filled * cache.tokens
    for layer in range(cache.layers):
        mine = [
            torch.cat([held[layer][end] for held in (context.cache._sink, context.cache._window)], dim=1)
            for end in (0, -1)
        ]
        assert torch.equal(mine[0], cache._rotated[layer][:, :kept]) and torch.equal(
            mine[1], cache._values[layer][:, :kept]
        )


def test_the_carried_picture_begins_anew_from_the_refreshed_frame(codec):
    net, clip = model(), seen_batch()
    still = clip["xy"][:, 12:13].expand(-1, 37, -1, -1).clone()
    still[:, :12] = clip["xy"][:, :12]
    clip = {**clip, "xy": still, "visible": torch.ones_like(clip["visible"])}
    scenes = causal.MotionTimeline(net, clip, net.motion(clip, rng()), codec)
    before = scenes.motion
    scenes.set_reference(4, clip["latents"][:, :, :4])
    part = net.config.motion.parts["warp"]
    last = codec.encode(codec.decode(clip["latents"][:, :, :4])[:, -1:])
    resting = codec.encode(codec.decode(clip["latents"][:, :, :4])[:, -1:].expand(-1, 13, -1, -1, -1))
    assert torch.equal(scenes.motion[:, :, :4], before[:, :, :4])
    torch.testing.assert_close(scenes.motion[:, part, 9:], resting[:, :, -1:], atol=1e-4, rtol=1e-3)
    assert (scenes.motion[:, part, 9:] - last).abs().mean() < (before[:, part, 9:] - last).abs().mean()


@pytest.mark.parametrize("stage", ["causal", "distill"])
@BOTH
def test_both_stages_meet_refreshed_sinks_in_their_share_of_the_steps(config, stage, codec, monkeypatch):
    net, often = model(config), SinkRefresh(0.5, codec)
    made = (
        causal.CausalStage(net, causal.CausalRecipe(), refresh=often)
        if stage == "causal"
        else DistillStage(net, model(config, 2), DistillRecipe(), refresh=often)
    )
    happened = []
    monkeypatch.setattr(
        causal.MotionTimeline, "set_reference", lambda self, start, latents: happened.append(start)
    )
    for step in range(12):
        happened.append(None)
        loss, _ = made.loss("student", batch(1), draws(step, step))
        assert torch.isfinite(loss)
        loss.backward()
    steps = [start for start in happened if start is not None]
    assert 2 <= len(steps) <= 10 and set(steps) == {4, 7}


def test_gradients_reach_the_exit_step_alone_behind_a_refresh_too(codec):
    net, seen = model(), []
    handle = net.dit.register_forward_hook(
        lambda module, inputs, output: seen.append((float(inputs[1][0, -1]), output.requires_grad))
    )
    made = steps.rollout_clip(net, batch(), rng(), grad=True, exit_step=0, refresh_after=(1,), codec=codec)
    handle.remove()
    assert [needs for level, needs in seen if level == 1000] == [True] * 3 and not any(
        needs for level, needs in seen if level == 0
    )
    last = torch.autograd.grad(made[:, :, 4:].sum(), net.dit.blocks[0].self_attn.v.weight)[0]
    assert last.abs().sum() > 0


def test_micro_batches_of_a_step_agree_on_the_refresh():
    drawn = [
        (SinkRefresh(0.5).drawn(one), draw_refresh_chunk(one, TINY.rolling.cache_shape, 9))
        for one in (draws(0, 9), draws(1, 9))
    ]
    assert drawn[0] == drawn[1]
    assert {draw_refresh_chunk(draws(0, n), TINY.rolling.cache_shape, 3) for n in range(40)} == {1, 2}
    assert {draw_refresh_chunk(draws(0, n), WAN.rolling.cache_shape, 4) for n in range(40)} == {2, 3}
    assert draw_refresh_chunk(draws(), WAN.rolling.cache_shape, 2) == 0


def test_without_a_codec_or_a_sink_a_refresh_is_refused(codec):
    with pytest.raises(ValueError, match="expected a codec"):
        causal.CausalStage(model(TINY), causal.CausalRecipe(), refresh=SinkRefresh(0.1))
    with pytest.raises(ValueError, match="expected a share of 0..1, got 2"):
        SinkRefresh(2)
    with pytest.raises(ValueError, match="with a sink, got c3s0w3"):
        SinkRefresh(0.1).check(IDS.with_context(CacheShape(3, 0, 3)))
    assert isinstance(
        causal.CausalStage(model(IDS), causal.CausalRecipe(), refresh=SinkRefresh(0.1)).modules["student"],
        roles.MotionModel,
    )
