"""Pictures and sprites for the synthetic world, out of packages that anybody can install by name.

Owns the list of sources with their licences and the split into training and held-out media: a picture or a
sprite, with all of its variants (skin tones, colours, poses, crops), is on one side only. Writes two files,
`train.npz` and `heldout.npz`, each with

- `picture_NN`: uint8 (H, W, 3), the longer side at most 512.
- `sprites`: uint8 (N, 96, 96, 4) RGBA. `names`: N strings. `credits`: one line per source.
"""

from __future__ import annotations

import json
import unicodedata
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SPRITE_SIZE = 96
PICTURE_SIDE = 512
HELD_OUT_SHARE = 12  # one sprite in twelve is held out
VARIANT_WORDS = frozenset(
    "red orange yellow green blue purple brown black white pink dark beige sand".split()
    + "small medium large huge".split()
)


@dataclass(frozen=True)
class MediaPicture:
    path: str
    credit: str
    held_out: bool = False


SKIMAGE = "scikit-image 0.26 data"
OPENCV = "Debian opencv-doc 4.6 sample data, Apache-2.0/BSD"
LOMIRI = "Debian lomiri-wallpapers-16.04"
PICTURES = (
    MediaPicture("skimage/astronaut.png", f"{SKIMAGE}: NASA, public domain"),
    MediaPicture("skimage/brick.png", f"{SKIMAGE}: CC0"),
    MediaPicture("skimage/grass.png", f"{SKIMAGE}: CC0"),
    MediaPicture("skimage/hubble_deep_field.jpg", f"{SKIMAGE}: NASA, public domain"),
    MediaPicture("skimage/ihc.png", f"{SKIMAGE}: BSD/CC0"),
    MediaPicture(
        "sklearn/china.jpg", "scikit-learn: china.jpg, CC-BY 2.0, copyright (c) 2008 Krystian Olszanski"
    ),
    MediaPicture("opencv/aloeL.jpg", OPENCV),
    MediaPicture("opencv/fruits.jpg", OPENCV),
    MediaPicture("opencv/leuvenA.jpg", OPENCV),
    MediaPicture("opencv/home.jpg", OPENCV),
    MediaPicture("opencv/board.jpg", OPENCV),
    MediaPicture("opencv/stuff.jpg", OPENCV),
    MediaPicture("lomiri/aitzgorri_by_Aitzol_Berasategi.jpg", f"{LOMIRI}: Aitzol Berasategi 2018, CC-BY-4.0"),
    MediaPicture("lomiri/friends_by_Aitzol_Berasategi.jpg", f"{LOMIRI}: Aitzol Berasategi 2018, CC-BY-4.0"),
    MediaPicture("lomiri/life_by_Aitzol_Berasategi.jpg", f"{LOMIRI}: Aitzol Berasategi 2018, CC-BY-4.0"),
    MediaPicture("lomiri/sunset_by_Aitzol_Berasategi.jpg", f"{LOMIRI}: Aitzol Berasategi 2018, CC-BY-4.0"),
    MediaPicture("lomiri/umang_by_Abhishek_Mudgal.jpg", f"{LOMIRI}: Abhishek Mudgal 2018, CC-BY-4.0"),
    MediaPicture("lomiri/Picture_0B_by_freespace.jpg", f"{LOMIRI}: Trevor 'Freespace' 2018, CC-BY-4.0"),
    MediaPicture("skimage/coffee.png", f"{SKIMAGE}: Rachel Michetti, CC0", held_out=True),
    MediaPicture("skimage/chelsea.png", f"{SKIMAGE}: Stefan van der Walt, CC0", held_out=True),
    MediaPicture("skimage/rocket.jpg", f"{SKIMAGE}: SpaceX, CC0", held_out=True),
    MediaPicture("skimage/gravel.png", f"{SKIMAGE}: CC0", held_out=True),
    MediaPicture(
        "sklearn/flower.jpg", "scikit-learn: flower.jpg, CC-BY 2.0, copyright (c) 2009 dany13", held_out=True
    ),
    MediaPicture(
        "lomiri/picosdeeuropa_by_Aitzol_Berasategi.jpg",
        f"{LOMIRI}: Aitzol Berasategi 2018, CC-BY-4.0",
        held_out=True,
    ),
    MediaPicture("lomiri/Wine_by_Jakkub_Mede.jpg", f"{LOMIRI}: Jakub Mede 2018, CC-BY-4.0", held_out=True),
    MediaPicture(
        "lomiri/seeding_by_Clements_Engelhardt.jpg",
        f"{LOMIRI}: Clemens Engelhardt 2018, CC0-1.0",
        held_out=True,
    ),
    MediaPicture(
        "lomiri/Picture_1A_by_freespace.jpg", f"{LOMIRI}: Trevor 'Freespace' 2018, CC-BY-4.0", held_out=True
    ),
)
EMOJI_CREDIT = "npm @lobehub/fluent-emoji-3d 1.1.0 (Microsoft Fluent Emoji), MIT"
KENNEY_CREDIT = "PyPI arcade 3.3.3 resources (Kenney), CC0"
KENNEY_FOLDERS = ("enemies", "items", "topdown_tanks", "space_shooter", "alien")


def build_media(sources: Path, out: Path) -> dict[str, dict[str, int]]:
    """Reads the unpacked packages below `sources` (folders skimage, sklearn, opencv, lomiri, emoji, kenney)
    and writes the two pools.

    Returns counts. A missing picture raises FileNotFoundError: the split must not depend on what happens to
    be installed.
    """
    out.mkdir(parents=True, exist_ok=True)
    sprites = [*_emoji(sources / "emoji"), *_kenney(sources / "kenney")]
    counts: dict[str, dict[str, int]] = {}
    for name, held_out in (("train", False), ("heldout", True)):
        pictures = [p for p in PICTURES if p.held_out == held_out]
        chosen = split_sprites(sprites, held_out)
        credits = [f"{p.path}: {p.credit}" for p in pictures] + [EMOJI_CREDIT, KENNEY_CREDIT]
        packed: dict[str, Any] = {
            f"picture_{i:02d}": _picture(sources / p.path) for i, p in enumerate(pictures)
        }
        np.savez_compressed(
            out / f"{name}.npz",
            sprites=np.stack([s[1] for s in chosen]),
            names=np.array([s[0] for s in chosen]),
            credits=np.array(credits),
            **packed,
        )
        counts[name] = {"pictures": len(pictures), "sprites": len(chosen)}
    return counts


def load_media(path: Path) -> tuple[list[np.ndarray], np.ndarray, list[str], list[str]]:
    """A pool (.npz) or a folder written by `export_media` -> pictures (list of uint8 (H, W, 3)), sprites (N,
    96, 96, 4) uint8, names, credits.
    """
    if path.is_dir():
        return _load_folder(path)
    with np.load(path, allow_pickle=False) as data:
        pictures = [data[key] for key in sorted(data.files) if key.startswith("picture_")]
        return pictures, data["sprites"], [str(n) for n in data["names"]], [str(c) for c in data["credits"]]


def export_media(pool: Path, folder: Path, side: int = 384) -> None:
    """Writes a pool as ordinary files: NN.jpg, sprites.webp (one sheet, lossless), media.json with names and
    credits.
    """
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    pictures, sprites, names, credits = load_media(pool)
    for i, picture in enumerate(pictures):
        image = Image.fromarray(picture)
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        image.save(folder / f"{i:02d}.jpg", quality=92)
    sheet = Image.fromarray(np.concatenate(sprites, axis=0))
    rows = -(-len(sprites) // 12)
    grid = Image.new("RGBA", (12 * SPRITE_SIZE, rows * SPRITE_SIZE))
    for i in range(len(sprites)):
        box = (0, i * SPRITE_SIZE, SPRITE_SIZE, (i + 1) * SPRITE_SIZE)
        grid.paste(sheet.crop(box), (i % 12 * SPRITE_SIZE, i // 12 * SPRITE_SIZE))
    grid.save(folder / "sprites.webp", lossless=True, quality=100, exact=True)
    (folder / "media.json").write_text(json.dumps({"names": names, "credits": credits}, indent=1) + "\n")


def _load_folder(folder: Path) -> tuple[list[np.ndarray], np.ndarray, list[str], list[str]]:
    from PIL import Image

    about = json.loads((folder / "media.json").read_text())
    pictures = [np.asarray(Image.open(p).convert("RGB")) for p in sorted(folder.glob("*.jpg"))]
    sheet = np.asarray(Image.open(folder / "sprites.webp").convert("RGBA"))
    s = SPRITE_SIZE
    sprites = np.stack(
        [
            sheet[i // 12 * s : (i // 12 + 1) * s, i % 12 * s : (i % 12 + 1) * s]
            for i in range(len(about["names"]))
        ]
    )
    return pictures, sprites, about["names"], about["credits"]


def split_sprites(sprites: list[tuple[str, np.ndarray]], held_out: bool) -> list[tuple[str, np.ndarray]]:
    """The (name, sprite) pairs of one side. What differs from a held-out sprite by colour, size or pose alone
    is on neither side.
    """
    origins = {sprite_origin(name) for name, _ in sprites if _is_held_out(name)}
    if held_out:
        return [sprite for sprite in sprites if _is_held_out(sprite[0])]
    return [sprite for sprite in sprites if sprite_origin(sprite[0]) not in origins]


def sprite_origin(name: str) -> str:
    """What a sprite's name says without colour, size, pose and hour: equal for drawings of one thing."""
    if name.startswith("clock face"):
        return "clock face"
    for stem in ("alien", "tank", "tilesand", "tilegrass"):
        if name.startswith(stem):
            return stem
    return " ".join(word for word in name.split() if word not in VARIANT_WORDS) or name


def _is_held_out(name: str) -> bool:
    return zlib.crc32(name.encode()) % HELD_OUT_SHARE == 0


def _picture(path: Path) -> np.ndarray:
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"expected a picture at {path}")
    scale = min(1.0, PICTURE_SIDE / max(image.shape[:2]))
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def _emoji(folder: Path) -> list[tuple[str, np.ndarray]]:
    """One sprite for each base code point: variants that differ by skin tone or sequence are left out."""
    found = []
    for path in sorted(folder.glob("*.webp")):
        codes = [int(c, 16) for c in path.stem.split("-") if c != "fe0f"]
        if len(codes) != 1 or not 0x1F300 <= codes[0] <= 0x1FAFF or 0x1F3FB <= codes[0] <= 0x1F3FF:
            continue
        found.append((unicodedata.name(chr(codes[0]), path.stem).lower(), _sprite(path)))
    return found


def _kenney(folder: Path) -> list[tuple[str, np.ndarray]]:
    found = []
    for name in KENNEY_FOLDERS:
        for path in sorted((folder / name).rglob("*.png")):
            found.append((path.stem.lower().rstrip("0123456789").replace("_", " ").strip(), _sprite(path)))
    return [s for s in found if (s[1][..., 3] > 128).mean() > 0.15]


def _sprite(path: Path) -> np.ndarray:
    from PIL import Image

    image = Image.open(path).convert("RGBA")
    box = image.getbbox()
    image = image.crop(box) if box else image
    scale = SPRITE_SIZE / max(image.size)
    image = image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.LANCZOS
    )
    canvas = np.zeros((SPRITE_SIZE, SPRITE_SIZE, 4), np.uint8)
    y, x = (SPRITE_SIZE - image.height) // 2, (SPRITE_SIZE - image.width) // 2
    canvas[y : y + image.height, x : x + image.width] = np.asarray(image)
    return canvas
