# SPDX-License-Identifier: GPL-3.0-or-later
"""The same landmark network from scratch, taught by as many images of each distribution of heads.

    .venv-recipes/bin/python -m models.training.landmarks.by_distribution    # from out/landmarks
    .venv-readers/bin/python -m models.training.landmarks.judge_photos \\
        --network out/landmarks/networks/*.onnx

All take as many steps. Prints a table in Markdown, errors on held-out heads of every distribution;
the second command judges the same networks on photos. A stopped run goes on.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from facegen_addon.choices import DISTRIBUTIONS
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.photo.landmark_network import LANDMARKS, LandmarkNetwork
from facegen_addon.report.section import Table
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.remedies import explain
from models.training.landmarks.judge_heads import (
    PARTS,
    part_errors,
    readings_of,
    shares_off,
)
from models.training.landmarks.learning import Course, learn, standard_of
from models.training.landmarks.learning_set import MODEL, LearningSet
from models.training.landmarks.make_set import DEFAULT_FOLDER
from models.training.landmarks.write_network import write_landmark_network

_SHAPE = list(PARTS).index("shape")


@dataclass(frozen=True)
class Cell:
    """A network: which heads teach it, how many images of them, and its seed."""

    distribution: str
    images: int
    seed: int

    def path(self, folder: Path) -> Path:
        """Where its file lies."""
        return folder / "networks" / f"{self.distribution}_{self.images}_{self.seed}.onnx"

    def make(self, learnt: LearningSet, folder: Path, steps: int) -> None:
        """Teach it by the first images of its distribution, unless its file is there."""
        path, data = self.path(folder), learnt.of(self.distribution)
        if len(data) < self.images:
            raise UserError(f"{len(data)} images of {self.distribution} are there: make more")
        if path.exists():
            return
        data = data[np.arange(self.images)]
        each = max(1, self.images // Course.batch)
        course = Course(passes=max(1, steps // each), seed=self.seed)
        standard = standard_of(data)
        network = learn(data, standard, course)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_landmark_network(network, standard, load_head_model(MODEL).table.names, path)
        print(path, file=sys.stderr, flush=True)

    def row(self, held_out: LearningSet, folder: Path) -> Iterator[str]:
        """Its row of the table."""
        path = self.path(folder)
        network = LandmarkNetwork.of(path.read_bytes(), path, threads=1)
        yield from (self.distribution, str(self.images), str(self.seed))
        for distribution in DISTRIBUTIONS:
            data = held_out.of(distribution)
            readings = readings_of(network, data)
            each = shares_off(readings, data)[:, :LANDMARKS].mean(1)
            shape = part_errors(network, readings, data)[_SHAPE]
            yield f"{np.median(each):.3f} / {shape:.2f}"


def cells_of(sizes: Sequence[int], seeds: int) -> list[Cell]:
    """All networks, in turns: a run that is stopped has as many of each distribution."""
    turns = itertools.product(range(seeds), sizes, DISTRIBUTIONS)
    return [Cell(distribution, images, seed) for seed, images, distribution in turns]


def table(data: LearningSet, cells: Sequence[Cell], folder: Path, steps: int) -> str:
    """Teach what is missing and judge all: landmarks, median, and shape, in standard deviations."""
    learnt, held_out = data[~data.held_out], data[data.held_out]
    for cell in cells:
        cell.make(learnt, folder, steps)
    columns = ("learnt from", "images", "seed", *(f"on {name}" for name in DISTRIBUTIONS))
    rows = tuple(tuple(cell.row(held_out, folder)) for cell in cells)
    return Table("Held-out heads: landmarks / shape", columns, rows).markdown()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--sizes", type=int, nargs="+", default=[250, 500])
    parser.add_argument("--seeds", type=int, default=3, help="how many networks of each")
    parser.add_argument("--steps", type=int, default=400, help="of each network")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    cells = cells_of(options.sizes, options.seeds)
    try:
        print(table(LearningSet.read(options.folder), cells, options.folder, options.steps))
    except UserError as error:
        print(f"by_distribution: {explain(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_process(main, "by_distribution")
