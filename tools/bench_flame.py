# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceGen's FLAME against the smplx package's on one core, as ratios in one run.

    .venv-recipes/bin/python -m tools.bench_flame
    .venv-recipes/bin/python -m tools.bench_flame --repeats 100

Below 1, ours is faster. Both compute 5,023 vertices from 300 + 100 components, all five poses and
a translation, in turn, so that a machine that slows down slows both alike.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

# Before NumPy starts its threads: one on either side.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import torch

from facegen_addon.heads.flame.file import FlameArrays, from_arrays
from facegen_addon.heads.flame.model import FlameParameters, IncrementalFlame
from facegen_addon.terminal.process import run_process
from tools.flame_parity import EXPRESSION, IDENTITY, Pair, as_tensors
from tools.timing import print_ratio, timed

VERTICES, TRIANGLES, JOINTS = 5023, 9976, 5
BATCH = 64


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=50)
    repeats = max(3, parser.parse_args().repeats)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(random_head(rng), Path(folder))
    for count in (1, BATCH):
        ours, theirs = _forward(pair, pair.random(rng, count), repeats)
        print_ratio(f"FLAME, {count} at once, per head", ours, "smplx", theirs)
    head = pair.random(rng, 1)
    moves = list(_moves(pair, head, rng, repeats))
    _, theirs = _forward(pair, head, repeats)
    print_ratio("FLAME, one slider moved", moves, "smplx", theirs)
    return 0


def random_head(rng: np.random.Generator) -> FlameArrays:
    """Random numbers of FLAME's size: what they are does not matter to the time."""
    shares = rng.random((VERTICES, JOINTS))
    arrays = {
        "v_template": rng.normal(0.0, 0.1, (VERTICES, 3)),
        "f": rng.integers(VERTICES, size=(TRIANGLES, 3)),
        "shapedirs": rng.normal(0.0, 1e-3, (VERTICES, 3, IDENTITY + EXPRESSION)),
        "posedirs": rng.normal(0.0, 1e-3, (VERTICES, 3, 9 * (JOINTS - 1))),
        "J_regressor": np.eye(JOINTS, VERTICES),
        "weights": shares / shares.sum(1, keepdims=True),
        "parents": np.array([-1, 0, 1, 1, 1]),
    }
    return from_arrays(arrays, "random", "", "random")


def _forward(
    pair: Pair, parameters: FlameParameters, repeats: int
) -> tuple[list[float], list[float]]:
    """Seconds a head, ours and theirs."""
    ours, theirs = [], []
    tensors = as_tensors(parameters)
    for _ in range(repeats):
        ours.append(timed(partial(pair.ours.forward, parameters))[0] / len(parameters))
        theirs.append(timed(partial(pair.theirs, tensors))[0] / len(parameters))
    return ours, theirs


def _moves(
    pair: Pair, head: FlameParameters, rng: np.random.Generator, repeats: int
) -> Iterator[float]:
    """Seconds from a slider's move to new vertices."""
    incremental = IncrementalFlame(pair.ours, head)

    def move() -> None:
        incremental.set_shape(int(rng.integers(IDENTITY)), rng.standard_normal())
        _ = incremental.vertices

    for _ in range(repeats):
        yield timed(move)[0]


if __name__ == "__main__":
    run_process(main, "bench_flame")
