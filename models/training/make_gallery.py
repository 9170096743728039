# SPDX-License-Identifier: GPL-3.0-or-later
"""Make models/gallery.npz: shipped heads, and pictures of heads, hair, brows, beards, expressions.

    python -m models.training.make_gallery
    python -m models.training.make_gallery --only head --sheets out/gallery   # contact sheets, too

Who is shipped stands in `gallery_people.py`. Needs bpy; two minutes on two idle cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from facegen_addon.arrays import ByteArray, FloatArray
from facegen_addon.artifacts import models_directory
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.expressions import EXPRESSIONS, expressive
from facegen_addon.heads.gallery import ARTIFACT, Gallery, ShippedHead, gallery
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.named_styles import styled
from facegen_addon.heads.wear.outfit import Outfit
from facegen_addon.heads.wear.outfit_text import read_outfit
from facegen_addon.png import encode_png
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.render.head_renderer import HeadRenderer
from facegen_addon.scene.render.portrait import decode_jpeg, encode_jpeg
from facegen_addon.terminal.process import run_process
from models.training.gallery_people import MANNEQUINS, PEOPLE, cast
from models.training.register import save_and_register

SIDE = 128
"""Pixels of a picture's side."""
_SAMPLES, _DIGITS = 16, 4
_COLUMNS = (8, 10, 6, 9, 7)
"""Of a sheet: the first of these that leaves the fewest places empty."""
KINDS = ("head", "hair", "brows", "beard", "expression")


@dataclass(frozen=True)
class _Frame:
    """How a kind is rendered: pixels of a render, and the part of it that is shown, (left, top,
    width) as shares of its side; yaw: radians by which the head is turned."""

    size: int
    part: tuple[float, float, float]
    yaw: float = 0.0


_FRAMES = {
    "head": _Frame(144, (0.05, 0.0, 0.9)),
    "hair": _Frame(136, (0.0, 0.0, 1.0), yaw=0.6),
    "brows": _Frame(240, (0.29, 0.29, 0.42)),
    "beard": _Frame(216, (0.2, 0.26, 0.6)),
    "expression": _Frame(216, (0.2, 0.26, 0.6)),
}
_MANS_HAIR = ("Receding", "Bald", "Buzz Cut", "Short Sides", "Slick Back", "Side Parting")

Wanted = Iterable[tuple[str, Annotated[FloatArray, "P"], Outfit]]
"""Name, parameters (P,) and outfit of what is to be shown."""


def main(arguments: list[str] | None = None) -> int:
    """Render, write and register."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets (PNG)")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=KINDS,
        default=KINDS,
        help="render these anew, of heads those that have changed; the others stay",
    )
    options = parser.parse_args(arguments)
    before = gallery() if options.only != KINDS else Gallery((), {})
    person = load_head_model("person")
    heads = tuple(_people(load_head_model))
    pictures: dict[str, bytes] = {}
    for kind in KINDS:
        kept = {key: file for key, file in before.pictures.items() if key.split()[0] == kind}
        if kind not in options.only:
            pictures |= kept
        elif kind == "head":
            same = {f"head {head.name}" for head in heads if head in before.heads}
            new = _heads_pictures([head for head in heads if f"head {head.name}" not in same])
            new |= {key: file for key, file in kept.items() if key in same}
            pictures |= {key: new[key] for key in (f"head {head.name}" for head in heads)}
        else:
            pictures |= _pictures(person, kind, _styles(person, kind))
    save_and_register(
        ARTIFACT,
        models_directory() / "gallery.npz",
        Gallery(heads, pictures).arrays(),
        licence="CC0-1.0",
        source="heads and renders of this project's own; nobody's likeness",
        recipe=Path(__file__).name,
    )
    if options.sheets:
        options.sheets.mkdir(parents=True, exist_ok=True)
        for kind in KINDS:
            chosen = [decode_jpeg(file) for key, file in pictures.items() if key.startswith(kind)]
            (options.sheets / f"{kind}.png").write_bytes(encode_png(_sheet(chosen)))
    return 0


def _pictures(model: HeadModel, kind: str, wanted: Wanted) -> dict[str, bytes]:
    """The pictures, JPEG, by key."""
    frame, result = _FRAMES[kind], {}
    settings = RenderSettings(samples=_SAMPLES, size=frame.size)
    with HeadRenderer(model, settings) as renderer:
        for name, row, outfit in wanted:
            renderer.outfit = outfit
            seen = renderer.look(
                row, light=settings.light, seed=0, yaw=frame.yaw, pitch=0.0, face_only=False
            )
            result[f"{kind} {name}"] = encode_jpeg(_small(seen.image, frame.part))
            print(f"{kind} {name}", flush=True)
    return result


def _heads_pictures(heads: Sequence[ShippedHead]) -> dict[str, bytes]:
    result: dict[str, bytes] = {}
    for name in dict.fromkeys(head.model for head in heads):
        model = load_head_model(name)
        chosen = [head for head in heads if head.model == name]
        wanted = ((head.name, head.row(model), head.outfit.for_portrait) for head in chosen)
        result |= _pictures(model, "head", wanted)
    return result


def _people(load: Callable[[str], HeadModel]) -> Iterator[ShippedHead]:
    """All people, their numbers as short as the eye allows."""
    for person in PEOPLE:
        model = load(person.model)
        row = np.round(cast(model, person), _DIGITS)
        values = {
            name: float(value)
            for name, value, usual in zip(model.table.names, row, model.table.mean, strict=True)
            if abs(value - usual) > 0.5 * 10**-_DIGITS
        }
        yield ShippedHead(person.name, person.about, model.name, values, person.wear)


def _styles(model: HeadModel, kind: str) -> Wanted:
    """The named styles or expressions of a kind on a head that suits them."""
    woman, man = (cast(model, person) for person in MANNEQUINS)
    plain = read_outfit(MANNEQUINS[0].wear)
    if kind == "expression":
        for name in EXPRESSIONS:
            yield name, expressive(model.table, woman, name), plain
        return
    for name in model.named_styles[kind]:
        mans = kind == "beard" or name in _MANS_HAIR
        yield name, styled(model, man if mans else woman, kind, name), plain


def _small(image: ByteArray, part: tuple[float, float, float]) -> ByteArray:
    """A square part of a render as a picture, each pixel the mean of those that it covers."""
    left, top, width = (round(share * len(image)) for share in part)
    width -= max(0, left + width - len(image), top + width - len(image))
    square = image[top : top + width, left : left + width].astype(np.float64)
    return np.rint(_rows(_rows(square).swapaxes(0, 1)).swapaxes(0, 1)).astype(np.uint8)


def _rows(image: FloatArray) -> FloatArray:
    """An image (H, W, 3) with SIDE rows: sums up to each row's edges, and their differences."""
    sums = np.concatenate([np.zeros_like(image[:1]), np.cumsum(image, axis=0)])
    edges = np.linspace(0, len(image), SIDE + 1)
    below = np.floor(edges).astype(int)
    above = np.minimum(below + 1, len(image))
    share = (edges - below)[:, None, None]
    at = (1 - share) * sums[below] + share * sums[above]
    return np.diff(at, axis=0) * SIDE / len(image)


def _sheet(images: Sequence[ByteArray]) -> ByteArray:
    """Pictures row by row on one."""
    columns = min(_COLUMNS, key=lambda wide: -len(images) % wide)
    rows = -(-len(images) // columns)
    sheet = np.full((rows * SIDE, columns * SIDE, 3), 255, np.uint8)
    for number, image in enumerate(images):
        y, x = SIDE * (number // columns), SIDE * (number % columns)
        sheet[y : y + SIDE, x : x + SIDE] = image
    return sheet


if __name__ == "__main__":
    run_process(main, "make_gallery")
