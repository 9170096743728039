# SPDX-License-Identifier: GPL-3.0-or-later
"""How far heads and pairs move in other hands: crops, noise, light, turns.

    .venv/bin/python -m models.training.measure_hands --model person     # 16 heads, 160 renders

Heads as `generate` would render them, each seen in every way of WAYS and, by crops and in the hands
by which a variety is chosen, held to its lower bounds. Prints tables in Markdown, from which
variety/apart.py and variety/hands.py have their numbers (docs/results/other_hands.md).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np

from facegen_addon.arrays import Float32Array, FloatArray, IntArray, RealArray
from facegen_addon.encoders.crop_jitter import JITTERS, CropJitter, random_jitters
from facegen_addon.encoders.encoder import DEFAULT_ENCODER, Encoder
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.latent.views import lower_bounds
from facegen_addon.mapping.correction import load_sampler
from facegen_addon.mapping.screening import propose_variety
from facegen_addon.random_streams import random_stream
from facegen_addon.render_settings import RenderSettings
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.remedies import explain
from facegen_addon.variety.hands import Hands, other_hands

_TURN = math.radians(12)
_LIGHT = "studio"
WAYS = {
    "other noise": Hands(_LIGHT, 1, 0.0, 0.0),
    "turned to its left": Hands(_LIGHT, 0, _TURN, 0.0),
    "turned to its right": Hands(_LIGHT, 0, -_TURN, 0.0),
    "turned up": Hands(_LIGHT, 0, 0.0, _TURN * 2 / 3),
    **{name: Hands(name, 2, 0.0, 0.0) for name in ("window", "overcast", "softbox")},
}
"""Ways to see a head that choose no variety."""

See = Callable[
    [Annotated[FloatArray, "P"], Hands | None, Sequence[CropJitter]],
    Annotated[Float32Array, "V D"],
]
"""Parameters of one head, in whose hands, crops -> latents (V, D) of one render."""

COLUMNS = (
    "seen by", "a head from itself", "pairs: mean change", "standard deviation", "lowest",
    "below the distance", "below the bound by crops", "below that by other hands",
)  # fmt: skip


def rows(
    usual: Annotated[RealArray, "N V D"],
    hands: Annotated[RealArray, "N W D"],
    ways: dict[str, Annotated[RealArray, "N K D"]],
) -> list[tuple[str, ...]]:
    """Cells as COLUMNS name them, one row a way.

    usual: views by crops of the first render, ours first; hands: views in the hands by which a
    variety is chosen, those of the first render among them; ways: three views of each head in
    another way, the first to be compared with ours, then two by random crops.
    """
    pairs = np.triu_indices(len(usual), 1)
    first = _between(usual[:, 0], usual[:, 0], pairs)
    by_crops, by_hands = (
        np.stack([lower_bounds(head, views) for head in views])[pairs] for views in (usual, hands)
    )
    found = []
    for name, seen in ways.items():
        change = _between(seen[:, 0], seen[:, 0], pairs) - first
        fresh = _between(seen[:, 1], seen[:, -1], pairs)
        shares = ((fresh < bound).mean() for bound in (first, by_crops, by_hands))
        own = np.median(cosine_distance(usual[:, 0], seen[:, 0]))
        figures = (own, change.mean(), change.std(), change.min())
        found.append((name, *(f"{x:.3f}" for x in figures), *(f"{x:.1%}" for x in shares)))
    taken = by_hands - by_crops
    low = (np.quantile(taken, 0.01), np.quantile(by_crops - first, 0.01))
    found.append(
        ("bound by crops, against the first distance", "-", f"{(by_crops - first).mean():.3f}",
         f"{(by_crops - first).std():.3f}", f"{low[1]:.3f} (1 %)", "-", "-", "-")
    )  # fmt: skip
    found.append(
        ("bound by other hands, against that by crops", "-", f"{taken.mean():.3f}",
         f"{taken.std():.3f}", f"{low[0]:.3f} (1 %)", "-", "-", "-")
    )  # fmt: skip
    return found


def _between(a: RealArray, b: RealArray, pairs: tuple[IntArray, IntArray]) -> FloatArray:
    return cosine_distance(a[pairs[0]], b[pairs[1]])


def measure(parameters: Annotated[FloatArray, "N P"], see: See, seed: int) -> list[tuple[str, ...]]:
    """Render and compare heads (N, P); a bar tells how far it is."""
    rng, bar = random_stream(seed, "hands"), ProgressBar()
    usual, hands = [], []
    ways: dict[str, list[RealArray]] = {name: [] for name in ("other crops", *WAYS)}
    for number, row in enumerate(parameters):
        bar.update("look at heads", number, len(parameters))
        fresh = random_jitters(rng, 2)
        seen = see(row, None, (*JITTERS, *fresh))
        usual.append(seen[: len(JITTERS)])
        ways["other crops"].append(np.concatenate([seen[-1:], seen[-2:]]))
        looks = [see(row, way, JITTERS) for way in other_hands(_LIGHT)]
        hands.append(np.concatenate([usual[-1], *looks]))
        for name, way in WAYS.items():
            ways[name].append(see(row, way, (JITTERS[0], *random_jitters(rng, 2))))
    bar.close()
    return rows(
        np.stack(usual), np.stack(hands), {name: np.stack(seen) for name, seen in ways.items()}
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; 2 after an error that the user can put right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="person")
    parser.add_argument("--heads", type=int, default=16)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--samples", type=int, default=RenderSettings().samples)
    parser.add_argument("--size", type=int, default=RenderSettings().size)
    parser.add_argument("--encoder", default=DEFAULT_ENCODER)
    options = parser.parse_args(arguments)
    try:
        table = _measured(options)
    except UserError as error:
        print(f"measure_hands: {explain(error)}", file=sys.stderr)
        return 2
    for cells in (COLUMNS, ("---",) * len(COLUMNS), *table):
        print(f"| {' | '.join(cells)} |")
    return 0


def _measured(options: argparse.Namespace) -> list[tuple[str, ...]]:
    from facegen_addon.scene.render.head_renderer import HeadRenderer

    model, encoder = load_head_model(options.model), Encoder.load(options.encoder)
    if options.heads < 2:
        raise UserError(f"--heads {options.heads} make no pair: give 2 or more")
    guide = load_sampler(model.name, model.table), NaturalFaces.load()
    rng = random_stream(options.seed, 0)
    heads = propose_variety(*guide, rng, options.heads, encoder.threshold).parameters
    settings = RenderSettings(samples=options.samples, size=options.size, light=_LIGHT)
    with HeadRenderer(model, settings) as renderer:

        def see(
            parameters: FloatArray, hands: Hands | None, jitters: Sequence[CropJitter]
        ) -> Float32Array:
            if hands is None:
                seen = renderer.render(parameters)
            else:
                seen = renderer.look(parameters, **vars(hands), face_only=False)
            return encoder.embed(np.stack([seen.crop_for(encoder, one) for one in jitters]))

        return measure(heads, see, options.seed)


if __name__ == "__main__":
    run_process(main, "measure_hands")
