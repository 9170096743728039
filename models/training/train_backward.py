# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the backward mapping on rendered pairs.

`python -m models.training.train_backward COMMAND`:

    surrogates                      fit the ensemble to all pairs so far
    surrogates --warm --epochs 6    go on from the present one (cheap)
    settings                        after a change of InversionSettings alone
    propose 1 --count 600           heads worth rendering next, for round 1
    rounds                          what the rounds promised and what renders said
    distil                          the direct network, from inversions

Needs torch (bar `propose` and `rounds`), not bpy. `make_backward.py` runs all in order.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

# Threads that spin while they wait make training ten times slower where another process runs:
# torch's are told not to, and NumPy's are replaced by inversion's own, one a block of heads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from facegen_addon.arrays import AnyArray, BoolArray, FloatArray, IntArray, RealArray
from facegen_addon.artifacts import artifact, models_folder, read_npz
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.selection import farthest_point_order
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.mapping.attributes import AttributePrior
from facegen_addon.mapping.backward import PRECISION, load_inversion
from facegen_addon.mapping.inversion import InversionSettings, TrustRegion, dressed, invert
from facegen_addon.mapping.screening import pushed_apart
from facegen_addon.mapping.surrogate import SurrogateEnsemble
from facegen_addon.mapping.wardrobe import Wardrobe
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.remedies import explain
from models.training import pairs, real_latents
from models.training.attribute_prior import (
    Draws,
    draws_of,
    effects_of,
    fit_attribute_prior,
    fit_hair_colours,
)
from models.training.baselines import KernelRidge
from models.training.register import register

PROPOSAL_STEPS = 120
PROPOSAL_WEIGHTS = (0.5, 1.0, 2.0, 4.0)
"""Disagreement weights tried side by side in each round, so that renders can choose among them."""

JITTERED_SHARE, JITTER = 0.25, 0.3
APART_SHARE, APART = 3, 0.51
"""The third of the heads that is farthest apart is pushed farther, as a variety's are: there
surrogates promise most, and renders fall furthest short (0.089, where pairs had none such)."""

_START_PAIRS = 3000
_SHRINKAGE = 0.1
_FARTHEST = 4.0  # spreads: beyond, where a prior has steps, draws say nothing of correlations
GIVEN_RMS = 1.2
"""Largest root mean square of a head's deviations from people of its kind. Their correlations hold
it at about 1 in any case (1.03 over 60 held-out people); a bound of 1 stops the descent half way,
and renders come back at 0.351 instead of 0.319 (medians; 90 %: 0.501, 0.436)."""

WORN_RMS = {"hair": 0.6, "beard": 0.8}
"""Of what people may have one way or another: for a face that it cannot reach FaceNet takes long
hair before the eyes, which nobody would believe. At 0.5 it costs 0.03 of likeness."""

WARDROBE = 1200
"""Heads of the prior whose hairstyles B chooses from."""
_ODD = 3.5  # spreads of people of a kind

HAIR_COLOURS = ("_melanin", "_redness", "_grey")
"""Ends of names of what B takes from single people, in the groups hair, brow and beard."""

AGREEMENT = 0.05
"""Price of misreadings. At 0.02 as at 0.3 surrogates promise the sex and age asked for, and 0.000
to 0.007 of likeness is lost."""

_LICENCE = "GPL-3.0-or-later"
_SOURCE = "renders of this project's own heads, embedded by FaceNet"


def train_surrogates(options: argparse.Namespace) -> None:
    """Fit the ensemble, write and register it."""
    # Imported here: only fitting needs torch.
    from models.training.fit_surrogates import SurrogateOptions, fit_surrogates

    table = load_head_model(options.model).table
    data = pairs.load_pairs(options.model, table, options.from_table)
    start = SurrogateEnsemble.load(options.model) if options.warm else None
    shape = SurrogateOptions(
        members=options.members, width=options.width, epochs=options.epochs, seed=options.seed
    )
    bar = ProgressBar()
    stage = f"surrogates, {len(data)} pairs"
    ensemble, score = fit_surrogates(data, shape, start, lambda i, n: bar.update(stage, i, n))
    facts = {"pairs": len(data), "held_out_median_distance": round(score, 4)}
    path = enter_surrogates(load_head_model(options.model), ensemble, data, facts)
    print(f"{path.name}: held-out median cosine distance {score:.4f} ({len(data)} pairs)")


def enter_surrogates(
    model: HeadModel, ensemble: SurrogateEnsemble, data: pairs.Pairs, facts: dict[str, Any]
) -> Path:
    """Write and register the ensemble, the prior and the present settings.

    The prior is that given attributes, where the head model has a say on them.
    """
    given, draws = None, draws_of(model)
    settings = InversionSettings.of(model.table)
    if draws is not None:
        given = fit_attribute_prior(model, AttributeProbes.load(), data, draws)
        settings = settings_given_people(model.table)
        common = real_latents.fit_latents().mean(axis=0)
        columns = colour_columns(model.table)
        colours = fit_hair_colours(given[0], draws, columns, ensemble, common)
    precision = prior_precision(model) if given is None else given_precision(given[1])
    TrustRegion.of(model.table, settings, precision)
    path = models_folder(model.name) / f"surrogate_{model.name}.npz"
    arrays = {**ensemble.arrays(), PRECISION: precision.astype(np.float16)}
    if given is not None and draws is not None:
        styles = wardrobe_of(model.table, given[0], draws, given[1], ensemble, common)
        arrays |= given[0].arrays() | styles.arrays() | colours.arrays()
    np.savez(path, **arrays)  # type: ignore[arg-type]
    register(
        f"surrogate_{model.name}", path, licence=_LICENCE, source=_SOURCE,
        recipe="train_backward.py", inversion=settings.as_mapping(), **facts,
    )  # fmt: skip
    return path


def settings_given_people(
    table: ParameterTable, agreement_weight: float = AGREEMENT
) -> InversionSettings:
    """Settings for a head model whose B keeps to the prior given what latents say of people.

    How far single parameters go is bounded by the trust region's reach there, in people's spreads.
    """
    settings, groups = InversionSettings.of(table), table.guided_groups()
    worn = {name: rms for name, rms in WORN_RMS.items() if name in groups}
    return replace(
        settings,
        agreement_weight=agreement_weight,
        overall_rms=GIVEN_RMS,
        group_rms={**settings.group_rms, **worn},
        soft_limit_weight=0.0,
    )


def wardrobe_of(
    table: ParameterTable,
    prior: AttributePrior,
    draws: Draws,
    deviations: Annotated[RealArray, "N G"],
    ensemble: SurrogateEnsemble,
    common: Annotated[RealArray, "512"],
) -> Wardrobe:
    """What draws of the prior wear: all of hair and beard but their colours.

    Of the first draws whose `deviations` (N, G) from people of their kind are not odd: the best of
    many would be an oddity.
    """
    groups = table.guided_groups()
    columns = np.concatenate([groups[name] for name in WORN_RMS if name in groups])
    names = [table.parameters[table.guided[column]].name for column in columns]
    columns = columns[[not name.endswith(HAIR_COLOURS) for name in names]]
    usual = np.flatnonzero(np.abs(deviations[:, columns]).max(axis=1) < _ODD)[:WARDROBE]
    worn = np.asarray(draws.z[usual][:, columns], np.float32)
    people = draws.attributes[usual]
    effects = effects_of(prior, people, columns, worn, ensemble)
    return Wardrobe(columns, worn, people, effects, np.asarray(common, np.float32))


def colour_columns(table: ParameterTable) -> Annotated[IntArray, "H"]:
    """Which of the guided parameters (H,) are colours of hair, brows or beard."""
    rows = [table.parameters[place] for place in table.guided]
    coloured = [
        row.group in ("hair", "brow", "beard") and row.name.endswith(HAIR_COLOURS) for row in rows
    ]
    return np.flatnonzero(coloured)


def prior_precision(model: HeadModel) -> Annotated[FloatArray, "G G"]:
    """(G, G) inverse of the prior's correlations, shrunk: shares that sum to 1 have no inverse."""
    return precision_of(model.table.standardise(model.sample_prior(random_stream(0), 20_000)))


def given_precision(deviations: Annotated[RealArray, "N G"]) -> Annotated[FloatArray, "G G"]:
    """`precision_of` deviations (N, G) from the prior given attributes.

    What attributes determine deviates by less than its spread: that is free without correlation.
    """
    z = np.clip(deviations, -_FARTHEST, _FARTHEST)
    lacking = np.sqrt(np.maximum(1 - np.mean(z**2, axis=0), 0))
    return precision_of(z + lacking * random_stream(0).standard_normal(z.shape))


def precision_of(z: Annotated[RealArray, "N G"]) -> Annotated[FloatArray, "G G"]:
    """(G, G) inverse of the shrunk correlations of heads z (N, G) in standard units."""
    shrunk = (1 - _SHRINKAGE) * (z.T @ z) / len(z) + _SHRINKAGE * np.eye(z.shape[1])
    inverse: RealArray = np.linalg.inv(shrunk)
    return inverse


def enter_settings(options: argparse.Namespace) -> None:
    """Enter the present `InversionSettings` beside the surrogates that are there."""
    known = artifact(f"surrogate_{options.model}").facts
    facts = {key: known[key] for key in ("pairs", "held_out_median_distance")}
    ensemble, model = SurrogateEnsemble.load(options.model), load_head_model(options.model)
    data = pairs.load_pairs(options.model, model.table, options.from_table)
    enter_surrogates(model, ensemble, data, facts)


def inverted(
    options: argparse.Namespace,
    table: ParameterTable,
    latents: Annotated[RealArray, "N D"],
    disagreement_weight: Annotated[RealArray, "N"] | None = None,
) -> Annotated[RealArray, "N G"]:
    """z (N, G) found for latents (N, 512) by the registered surrogates."""
    data = pairs.load_pairs(options.model, table, options.from_table)
    return inverted_by(*load_inversion(options.model, table), data, latents, disagreement_weight)


def inverted_by(
    ensemble: SurrogateEnsemble,
    region: TrustRegion,
    settings: InversionSettings,
    data: pairs.Pairs,
    latents: Annotated[RealArray, "N D"],
    disagreement_weight: Annotated[RealArray, "N"] | None = None,
) -> Annotated[RealArray, "N G"]:
    """z (N, G) found for latents (N, 512) from kernel ridge on `data` on."""
    rows = np.linspace(0, len(data) - 1, min(len(data), _START_PAIRS)).astype(int)
    start = KernelRidge.fit(pairs.Pairs(data.z[rows], data.latents[rows])).predict(latents)
    start = dressed(latents, region.around(latents).project(start), region)
    bar = ProgressBar()
    return invert(
        ensemble,
        latents,
        start,
        region,
        replace(settings, steps=PROPOSAL_STEPS),
        disagreement_weight,
        lambda i, n: bar.update("inversion", i, n),
    )


def propose(options: argparse.Namespace) -> None:
    """Invert latents with the present surrogates; a share of the heads is jittered."""
    rng = random_stream(options.seed, options.number)
    table = load_head_model(options.model).table
    natural = NaturalFaces.load()
    latents = real_latents.latents_to_invert(
        options.count, real_latents.fit_latents(), natural, rng
    )
    weight = np.resize(PROPOSAL_WEIGHTS, len(latents)).astype(np.float32)
    z = inverted(options, table, latents, weight)
    ensemble, region, settings = load_inversion(options.model, table)
    around = region.around(latents)
    apart = farthest_point_order(ensemble.predict(z)[0], -(-len(z) // APART_SHARE)).indices
    latents[apart], z[apart] = pushed_apart(
        ensemble,
        around.rows(apart).wearing(z[apart]),
        settings,
        latents[apart],
        z[apart],
        APART,
        natural.kept,
    )
    jittered = jitter(z, rng)
    z = pairs.quantised(around.project(z))
    predicted = ensemble.predict(z)[0]
    path = pairs.proposal_path(options.model, options.number)
    pairs.save_npz(
        path, z=z, requested=latents, weight=weight, jittered=jittered,
        predicted=cosine_distance(latents, predicted).astype(np.float32),
    )  # fmt: skip
    print(f"{path}: {len(z)} heads, {int(jittered.sum())} jittered")


def jitter(z: Annotated[RealArray, "N G"], rng: np.random.Generator) -> Annotated[BoolArray, "N"]:
    """Move a share of the heads z (N, G), in place, so that surrogates see what lies beside; which
    (N,)."""
    jittered = rng.random(len(z)) < JITTERED_SHARE
    z[jittered] += JITTER * rng.normal(size=z[jittered].shape)
    return jittered


def report_rounds(options: argparse.Namespace) -> None:
    """Print a table: each round's heads by disagreement weight, promised and rendered."""
    print("| round | weight | heads | promised median | rendered median | 90 % | rms |")
    print("|---|---|---|---|---|---|---|")
    for name in pairs.batch_names(options.model):
        path = pairs.batch_folder(options.model, name) / pairs.PROPOSAL
        if path.exists():
            _report_round(name, read_npz(path), *pairs.read_batch(path.parent))


def _report_round(
    name: str, proposal: dict[str, AnyArray], rendered: pairs.Pairs, usable: BoolArray
) -> None:
    count = len(rendered)
    distance = cosine_distance(proposal["requested"][:count], rendered.latents)
    for weight in np.unique(proposal["weight"]):
        rows = usable & ~proposal["jittered"][:count] & (proposal["weight"][:count] == weight)
        if rows.any():
            promised = np.median(proposal["predicted"][:count][rows])
            median, high = np.quantile(distance[rows], [0.5, 0.9])
            rms = np.sqrt(np.mean(rendered.z[rows] ** 2))
            print(
                f"| {name} | {weight:g} | {rows.sum()} | {promised:.3f} | {median:.3f}"
                f" | {high:.3f} | {rms:.2f} |"
            )


def distil(options: argparse.Namespace) -> None:
    """Invert many latents and fit the direct network to what was found."""
    from models.training.fit_surrogates import DirectOptions, fit_direct
    from models.training.write_onnx import write_direct_network

    table = load_head_model(options.model).table
    latents = real_latents.latents_to_invert(
        options.count, real_latents.fit_latents(), NaturalFaces.load(),
        random_stream(options.seed, 1 << 20),
    )  # fmt: skip
    found = inverted(options, table, latents)
    bar = ProgressBar()
    network = fit_direct(
        latents, found, *load_inversion(options.model, table),
        DirectOptions(epochs=options.epochs, width=options.width, seed=options.seed),
        lambda i, n: bar.update("direct network", i, n),
    )  # fmt: skip
    path = models_folder(options.model) / f"backward_{options.model}.onnx"
    write_direct_network(network, path)
    register(
        f"backward_{options.model}", path, licence=_LICENCE, source=_SOURCE,
        recipe="train_backward.py", latents=len(latents),
        surrogate=artifact(f"surrogate_{options.model}").sha256,
    )  # fmt: skip
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    surrogates = commands.add_parser("surrogates", help="fit the ensemble")
    surrogates.add_argument("--members", type=pairs.positive, default=3)
    surrogates.add_argument("--width", type=pairs.positive, default=768)
    surrogates.add_argument("--epochs", type=pairs.positive, default=20)
    surrogates.add_argument("--warm", action="store_true", help="go on from the present ensemble")
    surrogates.set_defaults(run=train_surrogates)
    settings = commands.add_parser("settings", help="register changed inversion settings")
    settings.set_defaults(run=enter_settings)
    proposing = commands.add_parser("propose", help="heads worth rendering next")
    proposing.add_argument("number", type=pairs.positive, help="of the round")
    proposing.add_argument("--count", type=pairs.positive, default=600)
    proposing.set_defaults(run=propose)
    reporting = commands.add_parser("rounds", help="what was promised, what came")
    reporting.set_defaults(run=report_rounds)
    distilling = commands.add_parser("distil", help="the direct network")
    distilling.add_argument("--count", type=pairs.positive, default=14_000)
    distilling.add_argument("--width", type=pairs.positive, default=1280)
    distilling.add_argument("--epochs", type=pairs.positive, default=60)
    distilling.set_defaults(run=distil)
    for command in (surrogates, settings, proposing, reporting, distilling):
        pairs.add_model_option(command)
        command.add_argument("--seed", type=int, default=0)
        command.add_argument(
            "--from-table", action="store_true", help="the committed pairs, not the work folder's"
        )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 2 after an error that the user can put right."""
    try:
        options = make_parser().parse_args(arguments)
        options.model = pairs.model_name(options.model)
        options.run(options)
    except UserError as error:
        print(f"train_backward: {explain(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_process(main, "train_backward")
