# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the latent of a head moves when it makes another face.

    .venv/bin/python -m models.training.measure_expressions --model person    # 12 heads, 84 renders

Heads as `generate` would make them, each at rest and with the named expressions of WORN. Prints a
table (docs/results/other_hands.md).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np

from facegen_addon.arrays import Float32Array, FloatArray
from facegen_addon.encoders.encoder import DEFAULT_ENCODER, Encoder
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.expressions import expressive
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.mapping.correction import load_sampler
from facegen_addon.mapping.screening import propose_variety
from facegen_addon.random_streams import random_stream
from facegen_addon.render_settings import RenderSettings
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.remedies import explain

WORN = ("smile", "laugh", "anger", "surprise", "sadness", "aa")
"""Named expressions at full strength; the last is a viseme, of a mouth that is open."""
COLUMNS = ("expression", "latent from the head at rest: median", "90 %", "largest")

Embed = Callable[[Annotated[FloatArray, "P"]], Annotated[Float32Array, "D"]]
"""Parameters of one head -> the latent (D,) of its render."""


def faces_of(
    model: HeadModel, head: Annotated[FloatArray, "P"]
) -> dict[str, Annotated[FloatArray, "P"]]:
    """Name of an expression -> the head with it."""
    return {name: expressive(model.table, head, name) for name in WORN}


def measure(
    model: HeadModel, heads: Annotated[FloatArray, "N P"], embed: Embed
) -> list[tuple[str, ...]]:
    """Cells as COLUMNS name them, a row for each expression and one for all; a bar tells how far
    it is."""
    bar = ProgressBar()
    moved: dict[str, list[float]] = {}
    for number, head in enumerate(heads):
        bar.update("look at heads", number, len(heads))
        rest = embed(expressive(model.table, head, "neutral"))
        for name, face in faces_of(model, head).items():
            distance = float(cosine_distance(rest, embed(face)))
            moved.setdefault(name, []).append(distance)
    bar.close()
    moved["all of these"] = [distance for far in moved.values() for distance in far]
    figures = {
        name: (np.median(far), np.quantile(far, 0.9), max(far)) for name, far in moved.items()
    }
    return [(name, *(f"{x:.3f}" for x in row)) for name, row in figures.items()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 2 after an error that the user can put right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="person")
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--samples", type=int, default=RenderSettings().samples)
    parser.add_argument("--size", type=int, default=RenderSettings().size)
    options = parser.parse_args(arguments)
    try:
        table = _measured(options)
    except UserError as error:
        print(f"measure_expressions: {explain(error)}", file=sys.stderr)
        return 2
    for cells in (COLUMNS, ("---",) * len(COLUMNS), *table):
        print(f"| {' | '.join(cells)} |")
    return 0


def _measured(options: argparse.Namespace) -> list[tuple[str, ...]]:
    from facegen_addon.scene.render.head_renderer import HeadRenderer

    model, encoder = load_head_model(options.model), Encoder.load(DEFAULT_ENCODER)
    if options.heads < 1:
        raise UserError(f"--heads {options.heads}: give 1 or more")
    guide = load_sampler(model.name, model.table), NaturalFaces.load()
    rng = random_stream(options.seed, 0)
    heads = propose_variety(*guide, rng, options.heads, encoder.threshold).parameters
    settings = RenderSettings(samples=options.samples, size=options.size)
    with HeadRenderer(model, settings) as renderer:

        def embed(head: FloatArray) -> Float32Array:
            return encoder.embed(renderer.render(head).crop_for(encoder)[None])[0]

        return measure(model, heads, embed)


if __name__ == "__main__":
    run_process(main, "measure_expressions")
