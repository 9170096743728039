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
import sys
from pathlib import Path
from typing import Annotated

import numpy as np

from facegen_addon.arrays import Float32Array, RealArray
from facegen_addon.artifacts import read_npz
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.random_streams import random_stream
from facegen_addon.scene.render.view import Forward, View
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.remedies import explain
from models.training import pairs
from models.training.register import register
from models.training.render_pool import RenderPool, serve_renders

SAMPLES = 8
"""Cycles samples a pixel, unless told otherwise."""


def initial_heads(model: HeadModel, count: int, seed: int) -> Annotated[Float32Array, "N G"]:
    """Standardised parameters (count, G) to start from, half prior, half wide.

    Wide heads draw every group at its own scale, so that surrogates see groups vary apart.
    Head i depends on (seed, i) alone.
    """
    rows = [_initial_head(model, random_stream(seed, i), i) for i in range(count)]
    return pairs.quantised(np.stack(rows))


def wide_head(table: ParameterTable, seed: int, index: int) -> Annotated[Float32Array, "G"]:
    """Head `index` of `initial_heads` (G,), one of the wide ones: `index` is odd."""
    return pairs.quantised(
        np.clip(_wide(table, random_stream(seed, index)), *table.guided_bounds())
    )


def _initial_head(model: HeadModel, rng: np.random.Generator, index: int) -> RealArray:
    table = model.table
    if index % 2 == 0:
        row: RealArray = table.standardise(model.sample_prior(rng, 1))[0]
    else:
        row = _wide(table, rng)
    return np.clip(row, *table.guided_bounds())


def _wide(table: ParameterTable, rng: np.random.Generator) -> RealArray:
    row: RealArray = rng.normal(size=len(table.guided))
    for columns in table.guided_groups().values():
        row[columns] *= rng.uniform(0.2, 1.4)
    return row


def render_heads(
    z: Annotated[RealArray, "N G"],
    folder: Path,
    options: argparse.Namespace,
    forward: Forward | None = None,
) -> None:
    """Render all of z (N, G) into chunks in `folder`, by `options.workers` processes.

    F is as `options.view` says. With `forward` given, everything happens in this process.
    """
    with contextlib.closing(RenderPool(options, forward)) as pool:
        pool.render(z, folder, options.view)


def run(options: argparse.Namespace, forward: Forward | None = None) -> None:
    """Do what the command line asks; `forward` replaces Blender and FaceNet in tests."""
    options.model = pairs.model_name(options.model)
    if options.command == "pack":
        model = load_head_model(options.model)
        path = pairs.pack(options.model, model.table)
        register(
            f"pairs_{options.model}", path, licence="GPL-3.0-or-later",
            source="renders of this project's own heads, embedded by FaceNet",
            recipe="render_pairs.py", head=model.sources,
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
    commands.add_parser("worker", help="one process of the others (internal)")
    for command in (initial, round_, packing):
        add_render_options(command)
    return parser


def main(arguments: list[str] | None = None, forward: Forward | None = None) -> int:
    """Run one command; 2 after an error that the user can put right."""
    try:
        options = make_parser().parse_args(arguments)
        if options.command == "worker":
            return serve_renders()
        run(options, forward)
    except UserError as error:
        print(f"render_pairs: {explain(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_process(main, "render_pairs")
