"""Who takes part in a training, and who of them learns.

Owns `MotionModel`, the trainable parts of one motion-controlled model together (every role is one: teacher,
student, fake score), and the only calls of requires_grad_. Knows nothing of losses, noise or files.

Shapes: latents (B, C, t, h, w), t = 1 + 3 k. xy (B, T, N, 2) pixels, visible (B, T, N), T = 4 t - 3. Tokens
(B, L) or text (B, L, text_dim).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from ...common.state_dict import state_problems
from ...model.config import KNOWN_CHANNELS
from ...model.context import AttentionContext
from ...model.dit import TextContext, WanDiT
from ...model.motion import ID_RANGE, TrackHead, motion_map, pack_time, sinusoidal_ids
from ...model.presets import ModelConfig
from ...model.text import BUILT_IN, Vocabulary, WordEncoder
from ..engine.stage import Batch as Batch

M = TypeVar("M", bound=nn.Module)


class MotionModel(nn.Module):
    """dit, track head and, for the presets with a vocabulary of their own, words. The same parameters serve
    as bidirectional teacher (no cache) and as causal student (with one).
    """

    def __init__(self, config: ModelConfig, own_words: bool = True, vocabulary: Vocabulary = BUILT_IN):
        super().__init__()
        if config.motion is None:
            raise ValueError("motion model: expected a config with motion, got one without")
        self.config = config
        self.dit = WanDiT(config)
        self.track_head = TrackHead(config.motion.map_channels, config.motion.head_channels)
        self.words = WordEncoder(config.text_dim, config.text_len, vocabulary) if own_words else None
        # A network that looks at a picture is given its first text tokens there (see `text_as_picture`).
        self.sees_text = False

    def forward(
        self, x: Tensor, timestep: Tensor, text: TextContext, context: AttentionContext | None = None
    ) -> Tensor:
        """The transformer's forward (see WanDiT.forward), so that a wrapper around the whole model sees
        every use of it.
        """
        return self.dit(x, timestep, text, context)

    def motion(self, batch: Batch, rng: torch.Generator, ids: Tensor | None = None) -> Tensor:
        """The condition (B, C_m, t, h, w) of a batch, with fresh random track ids or the given ones."""
        h, w = batch["latents"].shape[-2:]
        ids = self.draw_ids(batch, rng) if ids is None else ids
        rules = self.config.require_motion.map
        emb = sinusoidal_ids(ids, self.config.require_motion.id_dim, rules)
        unspecified = (
            batch.get("unspecified", torch.zeros_like(batch["visible"]))
            if self.config.require_motion.unspecified_channel
            else None
        )
        stride = self.config.vae_stride[1]
        maps = motion_map(batch["xy"], batch["visible"], emb, (h, w), stride, unspecified, rules)
        made = [self.track_head(pack_time(maps, rules=rules)), *self._picture(batch)]
        if "warp" in self.config.require_motion.parts:
            made += [batch["warp"], batch["masks"]]
        return self._with_known(made)

    def _picture(self, batch: Batch) -> list[Tensor]:
        """The start image's channels, for a model that has some: zeros behind it, or the grey of a batch."""
        config = self.config.require_motion
        if "image" not in config.parts:
            return []
        return [batch["grey"].float() if config.grey else _start_image(batch["latents"])]

    def _with_known(self, made: list[Tensor]) -> Tensor:
        """The parts of a motion as one, with the mask of what is known where the model has one."""
        if not self.config.require_motion.known:
            return torch.cat(made, dim=1)
        size, _, frames, h, w = made[0].shape
        known = made[0].new_zeros(size, KNOWN_CHANNELS, frames, h, w)
        known[:, :, :1] = 1
        return torch.cat([*made, known], dim=1)

    def no_motion(self, batch: Batch) -> Tensor:
        """What "no track says anything" is (c_m = 0 of section 3.1): an empty map for the head, nothing
        carried, every place disoccluded. The start image stays: it is no motion.

        TrackWan was trained with zeros in the place of the head's answer to an empty map.
        """
        latents = batch["latents"]
        size, _, frames, h, w = latents.shape
        empty = latents.new_zeros(1, self.track_head.conv.weight.shape[1], 1, 1, 1)
        silent = self.track_head(empty).expand(size, -1, frames, h, w)
        if self.config.require_motion.known:
            silent = torch.zeros_like(silent)
        made = [silent, *self._picture(batch)]
        if "warp" in self.config.require_motion.parts:
            start = _start_image(latents)
            disoccluded = (
                latents.new_tensor([1.0, 0.0] * 4).view(1, 8, 1, 1, 1).expand(size, 8, frames, h, w).clone()
            )
            disoccluded[:, :, :1] = batch["masks"][:, :, :1]
            made += [start, disoccluded]
        return self._with_known(made)

    def draw_ids(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """(B, N) random track ids."""
        return draw_ids(batch, rng, self.config.require_motion.id_range)

    @property
    def device(self) -> torch.device:
        return self.dit.device

    def text(self, batch: Batch, keep: Tensor | None = None) -> TextContext:
        """The text of a batch. Where keep (B,) is False it is the empty one (padding)."""
        name = "tokens" if self.words is not None else "text"
        if name not in batch:
            raise ValueError(f"text: expected a batch with {name}, got {', '.join(sorted(batch))}")
        source = batch[name]
        if keep is not None:
            source = source * keep.view(-1, *[1] * (source.ndim - 1)).to(source)
        embeds = self.words(source) if self.words is not None else source
        if self.config.image_dim is None:
            return self.dit.encode_text(embeds)
        if self.sees_text:
            return self.dit.text_as_picture(embeds)
        if "picture" not in batch:
            raise ValueError(f"picture: expected a batch with picture, got {', '.join(sorted(batch))}")
        return self.dit.encode_text(embeds, batch["picture"].float())


def has_own_words(name: str) -> bool:
    """Whether the text of a preset is tokens of a vocabulary of its own. Otherwise it is embeddings
    (`prompts`).
    """
    return not name.startswith(("wan", "streamdit-4b"))


def draw_ids(batch: Batch, rng: torch.Generator, limit: int = ID_RANGE) -> Tensor:
    """(B, N) random track ids below `limit`."""
    size, _, tracks = batch["xy"].shape[:3]
    ids = torch.randint(limit, (size, tracks), generator=rng, device=rng.device)
    return ids.to(batch["xy"].device)


def _start_image(latents: Tensor) -> Tensor:
    image = torch.zeros_like(latents)
    image[:, :, :1] = latents[:, :, :1]
    return image


class HasDevice(Protocol):
    @property
    def device(self) -> torch.device: ...


def move_batch(batch: Batch, model: HasDevice) -> dict[str, Tensor]:
    """The batch where the model is."""
    return {key: value.to(model.device) for key, value in batch.items()}


def stack_texts(*texts: TextContext) -> TextContext:
    """Texts of equal shapes along the batch."""
    keys = tuple(torch.cat(layer) for layer in zip(*(text.keys for text in texts)))
    values = tuple(torch.cat(layer) for layer in zip(*(text.values for text in texts)))
    images = zip(*(text.image for text in texts))
    image = tuple((torch.cat([k for k, _ in layer]), torch.cat([v for _, v in layer])) for layer in images)
    return TextContext(keys, values, image)


def set_trainable(model: M, *, frozen: tuple[str, ...] = ()) -> M:
    """Everything learns but the children named in `frozen`, and the parameters that the model holds."""
    unknown = set(frozen) - {name for name, _ in model.named_children()}
    if unknown:
        raise ValueError(f"frozen: expected children of the model, got {sorted(unknown)}")
    for name, child in model.named_children():
        child.requires_grad_(name not in frozen)
    held = getattr(model, "held", frozenset())
    for name, p in model.named_parameters():
        if name in held:
            p.requires_grad_(False)
    return model.train()


def freeze(model: M) -> M:
    """Nothing learns."""
    return model.eval().requires_grad_(False)


def clone(model: M) -> M:
    """A copy with parameters of its own. Fake score and student begin as copies and never share."""
    return copy.deepcopy(model)


def check_no_shared_memory(*models: nn.Module):
    """ValueError where two roles hold the same memory."""
    seen: dict[int, int] = {}
    for number, model in enumerate(models):
        for name, tensor in model.state_dict(keep_vars=True).items():
            owner = seen.setdefault(tensor.data_ptr(), number) if tensor.numel() else number
            if owner != number:
                raise ValueError(
                    f"roles: expected parameters of their own, got {name} in role {owner} and in role "
                    f"{number}"
                )


def check_compatible(teacher: MotionModel, student: MotionModel):
    """ValueError unless the student may be taught by this teacher: same latents, same motion, same text, same
    network.
    """
    for field in ("latent_channels", "vae_stride", "motion", "text_dim", "text_len", "patch", "prediction"):
        wanted, got = getattr(teacher.config, field), getattr(student.config, field)
        if wanted != got:
            raise ValueError(f"student: expected {field} {wanted} (the teacher's), got {got}")


def load_into(model: nn.Module, state: Mapping[str, Tensor], name: str):
    """Gives the model a state. ValueError lists what does not fit."""
    problems = state_problems(model.state_dict(), state)
    if problems:
        raise ValueError(f"{name}: does not fit this preset: {'; '.join(problems)}")
    model.load_state_dict(dict(state))
