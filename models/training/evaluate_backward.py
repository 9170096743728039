# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the backward mapping by renders of heads for identities that nothing was fitted to.

    python -m models.training.evaluate_backward --workers 2   all methods, 500 identities
    python -m models.training.evaluate_backward --count 100 --methods refined direct
    python -m models.training.evaluate_backward --model flame2023.pkl --report out/flame2023

Both grades, corrected as heads are sampled, and the baselines, then the capacity: how many heads
mutually apart `propose_variety` yields. Needs bpy, not torch. Resumable:
heads already rendered are not rendered again. Writes docs/results/backward_MODEL.json and
the table backward_MODEL.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

# Inversion runs its own threads, one a block of heads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from facegen_addon.arrays import BoolArray, RealArray
from facegen_addon.artifacts import models_folder
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.latent.metrics import frechet_to, moments
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.selection import capacity_curve
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.correction import load_sampler
from facegen_addon.mapping.roundtrip import Roundtrip
from facegen_addon.mapping.screening import propose_variety
from facegen_addon.random_streams import random_stream
from facegen_addon.scene.render.view import Forward
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.remedies import explain
from models.training import pairs, real_latents
from models.training.baselines import KernelRidge, NearestPair, Regressor, RidgeRegression
from models.training.render_pairs import add_render_options, render_heads

DOCS = Path(__file__).resolve().parents[2] / "docs/results"
CURVE = np.round(np.arange(0.2, 0.801, 0.05), 2)
THRESHOLD = 0.51
FRECHET_HEADS = 64
"""Sets of so many are compared with other people: the Frechet distance falls with their number."""
_FRECHET_PEOPLE = 624
_REGRESSORS: dict[str, Callable[[pairs.Pairs], Regressor]] = {
    "nearest pair": NearestPair,
    "ridge": RidgeRegression.fit,
    "kernel ridge": KernelRidge.fit,
}
METHODS = ("refined", "direct", "mean head", *_REGRESSORS)

Rendered = Callable[[str, RealArray], tuple[pairs.Pairs, BoolArray]]
"""Name of a set of heads and their z (N, G) -> what was really rendered, and which are usable."""


def heads_of(
    method: str, latents: Annotated[RealArray, "N D"], backward: BackwardMapping, data: pairs.Pairs
) -> Annotated[RealArray, "N G"]:
    """z (N, G) that one method gives for latents (N, 512)."""
    if method in ("refined", "direct"):
        return backward.standardised(latents, method)  # type: ignore[arg-type]
    if method == "mean head":
        return np.zeros((len(latents), data.z.shape[1]), np.float32)
    low, high = backward.table.guided_bounds()
    return np.clip(_REGRESSORS[method](data).predict(latents), low, high)


def judged(
    method: str,
    latents: Annotated[RealArray, "N D"],
    backward: BackwardMapping,
    data: pairs.Pairs,
    rendered: Rendered,
) -> dict[str, Any]:
    """Figures of one method on renders, and the surrogates' opinion of the same heads."""
    z = heads_of(method, latents, backward, data)
    # One head stands for all where all are the same.
    distinct = z[:1] if method == "mean head" else z
    heads, usable = rendered(method, distinct)
    achieved = np.broadcast_to(heads.latents, (len(z), 512))
    keep = np.broadcast_to(usable, len(z))
    parameters = backward.table.from_standardised(pairs.quantised(z))
    trip = Roundtrip(latents[keep], achieved[keep], parameters[keep])
    promised = cosine_distance(latents, backward.predicted(pairs.quantised(z)))
    return {
        **trip.figures(backward.table),
        "pairwise_5_percent": _low_pairwise(trip.achieved),
        "promised_median": float(np.median(promised)),
        "capacity": dict(
            zip(map(str, CURVE), capacity_curve(trip.achieved, CURVE).tolist(), strict=True)
        ),
    }


def capacity(
    backward: BackwardMapping, natural: NaturalFaces, budget: int, rendered: Rendered
) -> dict[str, Any]:
    """Number of `budget` proposed heads that are mutually apart, by distance and renders spent."""
    rng = random_stream(0)
    proposal = propose_variety(backward, natural, rng, budget, THRESHOLD)
    z = backward.table.standardise(proposal.parameters)
    heads, usable = rendered("capacity", z)
    spent = [*(count for count in (16, 32, 50, 100, 200, 300) if count < budget), budget]
    curves = {
        count: capacity_curve(heads.latents[:count][usable[:count]], [*CURVE, THRESHOLD])
        for count in spent
    }
    fallen = cosine_distance(proposal.predicted, heads.latents)[usable]
    return {
        "renders": budget,
        "distances": [*CURVE.tolist(), THRESHOLD],
        "heads_apart_by_renders": {str(count): curve.tolist() for count, curve in curves.items()},
        "promised": capacity_curve(proposal.predicted, [*CURVE, THRESHOLD]).tolist(),
        "prediction_error_median": float(np.median(fallen)),
        "frechet": frechet(heads.latents[usable]),
    }


def frechet(latents: Annotated[RealArray, "N 512"]) -> dict[str, float] | None:
    """Of the first 64 of these heads, and of 64 held-out people, each to 560 others of these.

    None where there are fewer heads than that.
    """
    if len(latents) < FRECHET_HEADS:
        return None
    held_out = real_latents.held_out_latents(_FRECHET_PEOPLE)
    people, others = held_out[:FRECHET_HEADS], held_out[FRECHET_HEADS:]
    distance = frechet_to(moments(others))
    return {"heads": distance(latents[:FRECHET_HEADS]), "people": distance(people)}


def _low_pairwise(latents: RealArray) -> float:
    distances = 1 - latents @ latents.T
    return float(np.quantile(distances[np.triu_indices(len(latents), 1)], 0.05))


def markdown(report: dict[str, Any]) -> str:
    """The report as two tables for people."""
    first = next(iter(report["methods"].values()))
    bounded = tuple(report["inversion"]["group_rms"])
    lines = [
        f"Head model {report['model']}, B learnt from {report['pairs']} pairs. Rendered heads for"
        f" {first['count']} held-out identities, one photo each.",
        "",
        "| method | roundtrip median / 90 % | surrogates' opinion | own identity of 120,"
        " raw / centred | pairwise median (5 %) | RMS | " + " / ".join(bounded) + " | beyond 3 |"
        " apart at 0.5 |",
        "|---" * 9 + "|",
    ]
    for name, figures in report["methods"].items():
        own, plausible = figures["own_identity_nearest"], figures["plausibility"]
        groups = " / ".join(f"{plausible['group_rms'].get(group, 0):.2f}" for group in bounded)
        lines.append(
            f"| {name} | {figures['roundtrip']['median']:.3f} /"
            f" {figures['roundtrip']['quantile90']:.3f} | {figures['promised_median']:.3f} |"
            f" {own['raw']:.3f} / {own['centred']:.3f} | {figures['pairwise']['median']:.3f}"
            f" ({figures['pairwise_5_percent']:.3f}) | {plausible['rms']:.2f} | {groups} |"
            f" {plausible['share_beyond_3']:.4f} | {figures['capacity']['0.5']} |"
        )
    return "\n".join([*lines, "", *_capacity_lines(report["capacity"])]) + "\n"


def _capacity_lines(figures: dict[str, Any]) -> list[str]:
    by_renders = figures["heads_apart_by_renders"]
    lines = [
        "Heads mutually at least d apart, among the first renders of `propose_variety`; the last"
        " column is what the surrogates promised.",
        "",
        "| d | " + " | ".join(f"{count} renders" for count in by_renders) + " | promised |",
        "|---" * (len(by_renders) + 2) + "|",
    ]
    for place in np.argsort(figures["distances"]):
        cells = [str(curve[place]) for curve in by_renders.values()]
        cells.append(str(figures["promised"][place]))
        lines.append(f"| {figures['distances'][place]:.2f} | " + " | ".join(cells) + " |")
    natural = figures["frechet"]
    if natural is not None:
        lines += [
            "",
            f"Frechet distance of the first {FRECHET_HEADS} of these heads to held-out people"
            f" {natural['heads']:.2f}, of as many of these people {natural['people']:.2f}.",
        ]
    return lines


def run(options: argparse.Namespace, forward: Forward | None = None) -> None:
    """Evaluate and write the report."""
    options.model = pairs.model_name(options.model)
    table: ParameterTable = load_head_model(options.model).table
    backward = load_sampler(options.model, table)
    data = pairs.load_pairs(options.model, table)
    latents = real_latents.held_out_latents(options.count)
    work = models_folder(options.model) / "built" / f"evaluation_{options.model}"

    def rendered(name: str, z: RealArray) -> tuple[pairs.Pairs, BoolArray]:
        folder = work / name.replace(" ", "_")
        render_heads(pairs.quantised(z), folder, options, forward)
        heads, usable = pairs.read_batch(folder)
        return pairs.Pairs(heads.z[: len(z)], heads.latents[: len(z)]), usable[: len(z)]

    report = {
        "model": options.model,
        "pairs": len(data),
        "inversion": backward.settings.as_mapping(),
        "methods": {
            method: judged(method, latents, backward, data, rendered) for method in options.methods
        },
        "capacity": capacity(backward, NaturalFaces.load(), options.capacity, rendered),
    }
    target = options.report or DOCS / f"backward_{options.model}"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    target.with_suffix(".md").write_text(markdown(report), "utf-8")
    print(markdown(report))


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=pairs.positive, default=500, help="held-out identities")
    parser.add_argument("--capacity", type=pairs.positive, default=400, help="renders to spend")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument(
        "--report",
        type=Path,
        metavar="PATH",
        help="without suffix; default: docs/results/backward_MODEL",
    )
    add_render_options(parser)
    return parser


def main(arguments: list[str] | None = None, forward: Forward | None = None) -> int:
    """Evaluate; 2 after an error that the user can put right. `forward` replaces rendering."""
    try:
        run(make_parser().parse_args(arguments), forward)
    except UserError as error:
        print(f"evaluate_backward: {explain(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_process(main, "evaluate_backward")
