"""The one rollout: what it yields, what it asks for, and that its cache is full attention under the
equivalent mask.
"""

from dataclasses import replace
from itertools import islice

import pytest
import torch
from reference import full_forward, small_model, small_text

from motionstream_core.sampling.flow import sigma_schedule
from motionstream_core.sampling.rollout import rollout

SIGMAS = sigma_schedule(3, 6.0)


def still_motion(start: int, count: int) -> torch.Tensor:
    """Motion (1, 40, count, 4, 4) that depends on the absolute latent frame alone."""
    frames = [
        torch.randn(1, 40, 1, 4, 4, generator=torch.Generator().manual_seed(frame))
        for frame in range(start, start + count)
    ]
    return torch.cat(frames, dim=2)


def first_latent(batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 16, 1, 4, 4, generator=torch.Generator().manual_seed(5))


def run(model, *, seed: int = 0, batch: int = 1, cache=None, **changes):
    arguments = {
        "first_latent": first_latent(batch),
        "motion": still_motion,
        "text": small_text(model),
        "shape": (4, 4),
        "sigmas": SIGMAS,
        "cache": cache or model.make_cache(4, 4, batch=batch),
        "rng": torch.Generator().manual_seed(seed),
        "chunks": 3,
    }
    return rollout(model, **(arguments | changes))


def latents(chunks) -> torch.Tensor:
    return torch.cat([chunk.latents for chunk in chunks], dim=2)


class Recorder:
    """A model that keeps every call it answers."""

    def __init__(self, model):
        self.model = model
        self.calls = []
        self.asked = []

    def __getattr__(self, name):
        return getattr(self.model, name)

    def __call__(self, x, timestep, text, context):
        self.asked.append(context.output)
        out = self.model(x, timestep, text, replace(context, output=True))
        self.calls.append((x, timestep, context.write, text, out))
        return out


def test_the_first_chunk_is_the_start_image_and_the_rest_follow_without_a_gap():
    chunks = list(run(small_model()))
    assert [(chunk.index, chunk.start, chunk.latents.shape[2]) for chunk in chunks] == [
        (0, 0, 1),
        (1, 1, 3),
        (2, 4, 3),
        (3, 7, 3),
    ]
    assert torch.equal(chunks[0].latents, first_latent())
    assert all(set(chunk.timings) == {"motion_s", "denoise_s", "cache_s"} for chunk in chunks)


def test_the_same_seed_gives_the_same_video_and_another_seed_another():
    model = small_model()
    again = [latents(run(model, seed=seed)) for seed in (4, 4, 5)]
    assert torch.equal(again[0], again[1]) and not torch.allclose(again[0][:, :, 1:], again[2][:, :, 1:])


def test_the_global_generator_is_neither_used_nor_moved():
    model, state = small_model(), torch.random.get_rng_state()
    list(run(model))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_longer_rollout_begins_with_the_shorter_one():
    model = small_model()
    assert torch.equal(latents(run(model, chunks=6))[:, :, :7], latents(run(model, chunks=2)))


def test_a_rollout_without_a_number_of_chunks_never_ends():
    chunks = list(islice(run(small_model(), chunks=None), 40))
    assert chunks[-1].start == 1 + 38 * 3 and all(torch.isfinite(chunk.latents).all() for chunk in chunks)


@pytest.mark.parametrize("context", ["c3s1w3", "c3s3w3", "c1s1w2", "c3s0w4"])
def test_the_cached_rollout_equals_full_attention_under_the_equivalent_mask(context):
    recorder = Recorder(small_model(context=context))
    made = run(recorder, chunks=5)
    list(made)
    made.finish_pending()
    shape, sees, place, committed = recorder.config.rolling.cache_shape, [], 0, []
    for x, _, commit, _, _ in recorder.calls:
        own = list(range(place, place + x.shape[2]))
        beyond = committed[shape.sink :]
        kept = committed[: shape.sink] + beyond[max(0, len(beyond) - shape.window) :]
        sees += [{frame: slot for slot, frame in enumerate(kept + own)}] * len(own)
        committed += own if commit else []
        place += len(own)
    inputs, times, outputs = (
        torch.cat([call[i] for call in recorder.calls], dim=d) for i, d in ((0, 2), (1, 1), (4, 2))
    )
    expected = full_forward(recorder.model, inputs, times, small_text(recorder), sees)
    assert len(recorder.calls) == 1 + 5 * 4 and expected.std() > 0.1
    assert (outputs - expected).abs().max() <= 1e-4


def test_every_step_noises_afresh_to_its_own_level_and_the_clean_pass_is_at_timestep_zero():
    recorder = Recorder(small_model("tiny-ids"))
    recorder.head.head.weight.zero_()
    recorder.head.head.bias.zero_()

    def quiet(start, count):
        return torch.zeros(1, 32, count, 4, 4)

    made = run(recorder, motion=quiet, chunks=1)
    chunk = list(made)[-1]
    made.finish_pending()
    calls = recorder.calls[1:]
    assert [call[1][0].tolist() for call in calls] == [
        pytest.approx([1000 * sigma] * 3) for sigma in (*SIGMAS, 0)
    ]
    # A zero velocity means x0 = x, so that the noise that was added can be read off.
    x = [call[0][:, :16] for call in calls]
    noise = [x[0], (x[1] - (1 - SIGMAS[1]) * x[0]) / SIGMAS[1], (x[2] - (1 - SIGMAS[2]) * x[1]) / SIGMAS[2]]
    correlations = torch.corrcoef(torch.stack([n.flatten() for n in noise]))
    assert (correlations - torch.eye(3)).abs().max() < 0.2
    assert torch.equal(x[3], chunk.latents) and [call[2] for call in calls] == [False, False, False, True]


def test_motion_is_asked_once_at_each_border_and_a_live_change_touches_only_later_chunks():
    model, asked = small_model(), []

    def live(start, count):
        asked.append((start, count))
        return still_motion(start, count) + (1.0 if start >= 4 else 0.0)

    changed, before = latents(run(model, motion=live)), latents(run(model))
    assert asked == [(0, 1), (1, 3), (4, 3), (7, 3)]
    assert torch.equal(changed[:, :, :4], before[:, :, :4]) and not torch.allclose(
        changed[:, :, 4:7], before[:, :, 4:7]
    )


def test_a_prompt_can_switch_at_a_chunk_border():
    model = small_model()
    texts = [small_text(model, seed=seed) for seed in (1, 2)]
    switched = latents(run(model, text=lambda index: texts[index >= 2]))
    plain = latents(run(model, text=texts[0]))
    assert torch.equal(switched[:, :, :4], plain[:, :, :4]) and not torch.allclose(
        switched[:, :, 4:], plain[:, :, 4:]
    )


def test_every_step_is_reported_and_an_interrupt_in_mid_chunk_leaves_a_usable_cache():
    model, steps = small_model(), []
    cache = model.make_cache(4, 4)
    whole = latents(run(model, cache=cache, on_step=lambda chunk, step: steps.append((chunk, step))))
    assert steps == [(chunk, step) for chunk in (1, 2, 3) for step in (0, 1, 2)]

    def interrupt(chunk, step):
        if (chunk, step) == (2, 1):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        list(run(model, cache=cache, on_step=interrupt))
    assert torch.equal(latents(run(model, cache=cache)), whole)


def test_the_clean_pass_is_owed_until_the_next_chunk_and_without_one_never_made():
    recorder = Recorder(small_model())
    made, commits = run(recorder, chunks=2), []
    for _ in made:
        commits.append(sum(call[2] for call in recorder.calls))
    assert commits == [0, 1, 2] and sum(call[2] for call in recorder.calls) == 2 and made.ended
    assert [asked for call, asked in zip(recorder.calls, recorder.asked) if call[2]] == [False, False]
    made.finish_pending()
    made.finish_pending()
    assert sum(call[2] for call in recorder.calls) == 3


@pytest.mark.parametrize("settled", [0, 1, 2])
def test_when_the_clean_pass_is_made_changes_nothing(settled):
    model = small_model()
    made, got = run(model, chunks=4), []
    for chunk in made:
        got.append(chunk.latents)
        for _ in range(settled):
            made.finish_pending()
    assert torch.equal(torch.cat(got, dim=2), latents(run(model, chunks=4)))


def test_a_snapshot_between_two_chunks_holds_the_chunk_before_it():
    model = small_model()
    made = run(model, chunks=4)
    next(made), next(made), next(made)
    moment, rest = made.snapshot(), latents(made)
    made.restore(moment)
    assert torch.equal(latents(made), rest) and torch.equal(latents(run(model, chunks=4))[:, :, 7:], rest)


def test_a_batch_runs_with_its_own_noise_for_each_element():
    model = small_model()
    both = latents(run(model, batch=2, text=small_text(model, batch=2)))
    assert both.shape == (2, 16, 10, 4, 4) and not torch.allclose(both[0, :, 1:], both[1, :, 1:])


def test_a_wan_shaped_model_runs_without_start_image_and_motion():
    model = small_model("wan2.1-1.3b", "c3s3w3")
    chunks = list(run(model, first_latent=None, motion=None))
    assert [(chunk.index, chunk.start) for chunk in chunks] == [(0, 0), (1, 3), (2, 6)]


def test_a_bfloat16_model_gives_float32_latents_close_to_the_float32_model():
    model = small_model()
    expected = latents(run(model, chunks=1))
    half = model.to(torch.bfloat16)
    got = latents(run(half, chunks=1))
    assert got.dtype == torch.float32 and (got - expected).abs().mean() < 0.05 * expected.std()


def test_without_grad_nothing_is_recorded_and_the_callers_grad_mode_is_untouched():
    model = small_model().requires_grad_(True)
    text = small_text(model).detach()
    for chunk in run(model, text=text, chunks=2):
        assert torch.is_grad_enabled() and not chunk.latents.requires_grad


def test_with_grad_the_last_chunk_reaches_the_motion_of_the_first():
    model, shift = small_model(), torch.zeros(1, requires_grad=True)

    def learned(start, count):
        return still_motion(start, count) + (shift if start == 0 else 0.0)

    chunks = list(run(model, cache=model.make_grad_cache(4, 4), motion=learned, grad=True, chunks=2))
    chunks[-1].latents.sum().backward()
    assert shift.grad.abs() > 0


def test_with_an_exit_step_each_chunk_ends_there_and_earlier_chunks_are_cut_off():
    recorder = Recorder(small_model().requires_grad_(True))
    text = small_text(recorder).detach()
    cache = recorder.make_grad_cache(4, 4, detached=True)
    chunks = list(run(recorder, cache=cache, text=text, grad=True, exit_step=1, chunks=2))
    assert [call[4].requires_grad for call in recorder.calls] == [False] + [False, True, False] * 2
    assert all(chunk.latents.requires_grad for chunk in chunks[1:])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first_latent": torch.zeros(1, 16, 3, 4, 4)}, "first latent: expected"),
        ({"shape": (6, 6), "first_latent": torch.zeros(1, 16, 1, 6, 6)}, "token grid"),
        ({"motion": None}, "motion: expected a function"),
        ({"motion": lambda start, count: torch.zeros(1, 39, count, 4, 4)}, "expected .*40.*, got .*39"),
        ({"sigmas": ()}, "sigmas"),
    ],
)
def test_a_wrong_argument_is_refused_with_expected_and_got(changes, message):
    with pytest.raises(ValueError, match=message):
        list(run(small_model(), **changes))


def test_fewer_channels_than_the_model_takes_are_refused_before_the_first_chunk():
    config = small_model().config
    with pytest.raises(ValueError, match="in_channels: expected 56"):
        replace(config, in_channels=55)
