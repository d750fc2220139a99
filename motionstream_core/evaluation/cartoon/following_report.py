"""`evaluate following`: the cartoon's motion teacher and student along tracks, as a table and one JSON
document.

Owns which cases are measured and what is looked at. Held-out scenes, closed form, the first seeds as they
come. The prompt is said in every case but the losses.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from ...codec.tiny import TinyCodec
from ...common.devices import device_label
from ...model.presets import preset
from ...model.weights.bundle import FORMAT, read_header
from ...model.weights.networks import CARTOON as BASE
from ...model.weights.networks import open_networks
from ...training.cartoon.motion_clips import LATENTS
from ...training.cartoon.roaming import PAIRS
from ...training.cartoon.sampling import decoded
from ...training.cartoon.vocabulary import CARTOON
from ...training.methods.guidance import Guidance
from ...training.methods.initial import start_from
from ...training.methods.roles import MotionModel, freeze
from ..results import RESULTS, markdown_table, show_result, write_result
from . import following
from .following import Lot, Maker

SHOWN_FRAMES = (0, 4, 8, 12, 16, 20, 24)
Rows = dict[str, dict[str, float]]


def open_motion(path: Path) -> MotionModel:
    """A motion model of a stage, or of a weights file that streams."""
    model = MotionModel(preset("cartoon-motion"), vocabulary=CARTOON)
    if FORMAT in read_header(path).get("__metadata__", {}):
        networks = open_networks(path)
        assert (
            networks.track_head is not None and model.words is not None and networks.text_encoder is not None
        )
        model = MotionModel(networks.config, vocabulary=networks.text_encoder.vocabulary)
        model.dit.load_state_dict(networks.dit.state_dict())  # pyright: ignore[reportAttributeAccessIssue]
        model.track_head.load_state_dict(networks.track_head.state_dict())
        assert model.words is not None
        model.words.load_state_dict(networks.text_encoder.state_dict())
    else:
        start_from(model, path)
    return freeze(model)


def cases(model: MotionModel, codec: TinyCodec, lot: Lot, make: Maker) -> tuple[Rows, np.ndarray]:
    """The errors in every case -> rows by case, and the clips of all tracks."""
    clips = following.made(model, codec, lot.batch, make)
    rows: Rows = {"tracks": following.errors(clips, lot)}
    for name, batch in (
        ("sparse", following.sparse(lot.batch)),
        ("none", following.untold(lot.batch)),
    ):
        rows[name] = following.errors(following.made(model, codec, batch, make), lot)
    pairs = lot.of(lot.pairs)
    if pairs.scenes:
        exchanged = following.exchanged(pairs.batch)
        rows["exchanged"] = following.follows_ids(following.made(model, codec, exchanged, make), pairs)
        rows["pairs"] = following.errors(clips[lot.pairs], pairs)
    return rows, clips


def references(codec: TinyCodec, lot: Lot) -> tuple[Rows, np.ndarray]:
    """What bounds the rows: the start image alone, and the true clips through the codec."""
    truth = decoded(codec, lot.batch["latents"])[:, 3:].numpy()
    still = np.repeat(truth[:, :1], truth.shape[1], 1)
    return {"static": following.errors(still, lot), "codec": following.errors(truth, lot)}, truth


def sheet(path: Path, lot: Lot, shown: dict[str, np.ndarray], columns: int = 2) -> None:
    """A strip of every scene and row, with a cross where each thing was told to be."""
    there, _ = lot.truth
    blocks = []
    for number, scene in enumerate(lot.scenes):
        strips = []
        for clips in shown.values():
            frames = [_crossed(clips[number, t], there[number, t // following.EVERY]) for t in SHOWN_FRAMES]
            strips.append(np.concatenate(frames, 1))
        head = np.full((14, strips[0].shape[1], 3), 255, np.uint8)
        text = f"{number}: {scene.caption} ({', '.join(shown)})".replace(" clear camera still", "")
        cv2.putText(head, text, (2, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
        blocks.append(np.concatenate([head, *strips]))
    blocks += [np.full_like(blocks[0], 255)] * (-len(blocks) % columns)
    rows = [np.concatenate(blocks[i : i + columns], 1) for i in range(0, len(blocks), columns)]
    cv2.imwrite(str(path), np.concatenate(rows)[:, :, ::-1])


def _crossed(frame: np.ndarray, places: np.ndarray) -> np.ndarray:
    frame = np.ascontiguousarray(frame)
    for x, y in places[np.isfinite(places).all(-1)]:
        cv2.drawMarker(frame, (int(x), int(y)), (255, 255, 255), cv2.MARKER_CROSS, 9, 2)
        cv2.drawMarker(frame, (int(x), int(y)), (0, 0, 0), cv2.MARKER_CROSS, 7, 1)
    return frame


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--teacher", type=Path, help="teacher.safetensors of the stage teacher")
    parser.add_argument("--student", type=Path, help="student.safetensors of a stage, or a weights file")
    parser.add_argument("--base", type=Path, default=BASE, help="weights file whose codec decodes")
    parser.add_argument("--count", type=int, default=36, help="held-out scenes")
    parser.add_argument("--latents", type=int, default=LATENTS, help="latent frames of a clip")
    parser.add_argument("--pairs", type=float, default=PAIRS, help="share of the scenes with a second thing")
    parser.add_argument("--ode-steps", type=int, default=16, help="of the teacher")
    parser.add_argument("--motion-weight", type=float, default=0.0, help="w_m of the teacher's guidance")
    parser.add_argument("--sheet", type=Path, help="picture of the first 32 scenes")
    parser.add_argument("--name", default="cartoon-motion", help="name of the result file")
    parser.add_argument("--results", type=Path, default=RESULTS)


@torch.no_grad()
def measure(args: argparse.Namespace) -> dict:
    """Everything -> one JSON-ready document: the student's keys at the top, rows by model and case below."""
    began = time.time()
    codec = open_networks(args.base).codec
    assert isinstance(codec, TinyCodec)
    lot = following.lot(codec, args.count, args.latents, pairs=args.pairs)
    rows, truth = references(codec, lot)
    document: dict = {"clips": args.count, "static_epe": rows["static"]["epe"], "references": rows}
    shown = {"true": truth}
    makers = {
        "teacher": following.of_teacher(args.ode_steps, Guidance(0.0, args.motion_weight)),
        "student": following.of_student(),
    }
    for role, make in makers.items():
        path = getattr(args, role)
        if path is None:
            continue
        model = open_motion(path)
        document[role], shown[role] = cases(model, codec, lot, make)
        if role == "teacher":
            document[role]["losses"] = following.losses(model, lot.batch)
            document["teacher_epe"] = document[role]["tracks"]["epe"]
        else:
            # This student is told of tracks by their ids alone: nothing else carries pixels for it.
            document |= {
                "epe": document[role]["tracks"]["epe"],
                "ids_only_epe": document[role]["tracks"]["epe"],
                "sparse_epe": document[role]["sparse"]["epe"],
                "found": document[role]["tracks"]["found"],
            }
    if args.sheet is not None:
        first = lot.of(list(range(min(32, args.count))))
        sheet(args.sheet, first, {name: clips[:32] for name, clips in shown.items()})
    return document | {"device": device_label(torch.device("cpu")), "seconds": round(time.time() - began, 1)}


def table(document: dict) -> str:
    columns = ("epe", "epe_last", "epe_all", "static_epe", "found", "things")
    rows = []
    for role in ("references", "teacher", "student"):
        for case, figures in document.get(role, {}).items():
            if "epe" in figures:
                rows.append((f"{role}, {case}", *(f"{figures[key]:.2f}" for key in columns)))
    text = markdown_table(("case", *columns), rows)
    for role in ("teacher", "student"):
        for case in ("losses", "exchanged"):
            if case in document.get(role, {}):
                figures = ", ".join(f"{key} {value:.3f}" for key, value in document[role][case].items())
                text += f"\n\n{role}, {case}: {figures}"
    return text


def run(args: argparse.Namespace) -> None:
    """The measurement that `add_arguments` parsed."""
    if args.teacher is None and args.student is None:
        raise ValueError("following: expected --teacher or --student, got neither")
    document = measure(args)
    about = (
        f"Device: {document['device']}. {document['clips']} held-out scenes of {4 * args.latents - 3} "
        f"frames, from number {following.FIRST} on. Errors in pixels of 128."
    )
    title = "Following tracks on the cartoon"
    kept = write_result(args.results, args.name, document["device"], title, about, table(document), document)
    show_result(table(document), document, kept)
