# SPDX-License-Identifier: GPL-3.0-or-later
"""Render heads and embed them: the pairs (parameters, latent) that B learns from.

`python -m models.training.render_pairs COMMAND`:

    initial --count 4000 --workers 2   heads of the prior and wider draws
    round 1 --workers 2                heads that train_backward proposed
    pack                               all pairs into models/pairs_open_flame.npz

Needs bpy, not torch. A killed run goes on where it stopped: chunks that are there are not rendered
again. Each head has its own seed, so its pair does not depend on the number of workers.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np

from facegen_addon.artifacts import read_npz
from facegen_addon.encoders.facenet_builder import LATENT_SIZE
from facegen_addon.errors import RejectedSample, UserError
from facegen_addon.heads.catalogue import load_head_model, model_sources
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.random_streams import random_stream
from facegen_addon.scene.render.view import Forward, View, load_forward
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.remedies import explain
from facegen_addon.terminal.workers import report, reports, serve, start_worker
from models.training import pairs
from models.training.register import register

SAMPLES = 8
"""Cycles samples a pixel, unless told otherwise."""


def initial_heads(model: HeadModel, count: int, seed: int) -> np.ndarray:
    """Standardised parameters (count, G) to start from, half prior, half wide.

    Wide heads draw every group at its own scale, so that surrogates see groups vary apart.
    Head i depends on (seed, i) alone.
    """
    rows = [_initial_head(model, random_stream(seed, i), i) for i in range(count)]
    return pairs.quantised(np.stack(rows))


def _initial_head(model: HeadModel, rng: np.random.Generator, index: int) -> np.ndarray:
    table = model.table
    if index % 2 == 0:
        row: np.ndarray = table.standardise(model.sample_prior(rng, 1))[0]
    else:
        row = rng.normal(size=len(table.guided))
        for columns in table.guided_groups().values():
            row[columns] *= rng.uniform(0.2, 1.4)
    return np.clip(row, *table.guided_bounds())


def render_share(
    table: ParameterTable,
    z: np.ndarray,
    folder: Path,
    forward: Forward,
    share: tuple[int, int] = (0, 1),
) -> Iterator[int]:
    """Render this worker's chunks of z (N, G); yields after each head or chunk found done.

    `share` (i, n): chunks i, i + n, i + 2n, ... A yielded number counts heads.
    """
    starts = range(0, len(z), pairs.CHUNK)
    for index, start in list(enumerate(starts))[share[0] :: share[1]]:
        part, path = z[start : start + pairs.CHUNK], pairs.chunk_path(folder, index)
        if pairs.chunk_is_of(path, part):
            yield len(part)
            continue
        rows, usable = yield from render_rows(table, part, forward)
        pairs.write_chunk(path, part, rows, usable)


def render_rows(
    table: ParameterTable, z: np.ndarray, forward: Forward
) -> Generator[int, None, tuple[np.ndarray, np.ndarray]]:
    """Render heads z (N, G); yields 1 after each and returns latents (N, D) and usable (N,)."""
    latents: dict[int, np.ndarray] = {}
    for row, parameters in enumerate(table.from_standardised(z)):
        with contextlib.suppress(RejectedSample):
            latents[row] = forward(parameters[None])[0]
        yield 1
    width = len(next(iter(latents.values()))) if latents else LATENT_SIZE
    rows = np.stack([latents.get(row, np.zeros(width, np.float32)) for row in range(len(z))])
    return rows, np.array([row in latents for row in range(len(z))])


def render_heads(
    z: np.ndarray, folder: Path, options: argparse.Namespace, forward: Forward | None = None
) -> None:
    """Render all of z (N, G) into chunks in `folder`, by `options.workers` processes.

    F is as `options.view` says. With `forward` given, everything happens in this process.
    """
    stage, bar, done = folder.name, ProgressBar(), 0
    steps = (
        _of_workers(z, folder, options)
        if forward is None
        else render_share(load_head_model(options.model).table, z, folder, forward)
    )
    for count in steps:
        done += count
        bar.update(stage, done, len(z))
    bar.close()


def _of_workers(z: np.ndarray, folder: Path, options: argparse.Namespace) -> Iterator[int]:
    """Start the workers and yield the heads they report, in the order of arrival."""
    heads = folder / "heads.npz"
    pairs.save_npz(heads, z=z.astype(np.float16))
    yield from reports([_start_worker(heads, index, options) for index in range(options.workers)])


def _start_worker(heads: Path, index: int, options: argparse.Namespace) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "models.training.render_pairs", "worker", str(heads),
        "--share", str(index), str(options.workers), "--threads", str(options.threads),
        "--model", options.model, "--samples", str(options.samples),
        "--encoders", *options.view.encoders,
        "--light", options.view.light, "--noise-seed", str(options.view.seed),
    ]  # fmt: skip
    return start_worker(command)


def _render_own_share(options: argparse.Namespace) -> None:
    """In a worker: render one share and report each head on stdout."""
    model = load_head_model(options.model)
    view = View(tuple(options.encoders), options.light, options.noise_seed)
    forward = load_forward(model, options.samples, options.threads, view)
    z = read_npz(options.heads)["z"].astype(np.float32)
    for count in render_share(model.table, z, options.heads.parent, forward, tuple(options.share)):
        report(count)


def run(options: argparse.Namespace, forward: Forward | None = None) -> None:
    """Do what the command line asks; `forward` replaces Blender and FaceNet in tests."""
    options.model = pairs.model_name(options.model)
    if options.command == "worker":
        sys.exit(serve(lambda: _render_own_share(options)))
    elif options.command == "pack":
        model = load_head_model(options.model)
        path = pairs.pack(options.model, model.table)
        register(
            f"pairs_{options.model}", path, licence="GPL-3.0-or-later",
            source="renders of this project's own heads, embedded by FaceNet",
            recipe="render_pairs.py", head=model_sources(model),
        )  # fmt: skip
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    elif options.command == "initial":
        z = initial_heads(load_head_model(options.model), options.count, options.seed)
        render_heads(z, pairs.batch_folder(options.model, "initial"), options, forward)
    else:
        proposal = pairs.proposal_path(options.model, options.number)
        z = read_npz(proposal)["z"].astype(np.float32)
        render_heads(z, proposal.parent, options, forward)


def add_render_options(parser: argparse.ArgumentParser) -> None:
    """The options of every script that renders; `view` is for the caller to replace."""
    parser.set_defaults(view=View())
    pairs.add_model_option(parser)
    parser.add_argument("--workers", type=pairs.positive, default=2, help="render processes")
    parser.add_argument("--threads", type=pairs.positive, default=1, help="threads of each process")
    parser.add_argument(
        "--samples", type=pairs.positive, default=SAMPLES, help="Cycles samples a pixel"
    )


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    initial = commands.add_parser("initial", help="heads of the prior and wider draws")
    initial.add_argument("--count", type=pairs.positive, default=4000)
    initial.add_argument("--seed", type=int, default=0)
    round_ = commands.add_parser("round", help="heads that train_backward.py proposed")
    round_.add_argument("number", type=pairs.positive)
    packing = commands.add_parser("pack", help="write the committed table of all pairs")
    worker = commands.add_parser("worker", help="one process of the others (internal)")
    worker.add_argument("heads", type=Path)
    worker.add_argument("--share", type=int, nargs=2, metavar=("I", "N"), default=(0, 1))
    worker.add_argument("--encoders", nargs="+", default=View.encoders)
    worker.add_argument("--light", default=View.light)
    worker.add_argument("--noise-seed", type=int, default=View.seed)
    for command in (initial, round_, packing, worker):
        add_render_options(command)
    return parser


def main(arguments: list[str] | None = None, forward: Forward | None = None) -> int:
    """Run one command; 2 after an error that the user can put right."""
    try:
        run(make_parser().parse_args(arguments), forward)
    except UserError as error:
        print(f"render_pairs: {explain(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_process(main, "render_pairs")
