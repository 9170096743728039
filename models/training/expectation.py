# SPDX-License-Identifier: GPL-3.0-or-later
"""The talk's expectation, tested: do heads come nearer to latents as their look gets complete?

    python -m models.training.expectation                     all rows: over an hour on 2 cores
    python -m models.training.expectation --rows shape hair   these rows alone
    python -m models.training.expectation --quick             few heads, to see that all runs

Each row of the table frees one more part of the `person` head's look (expectation_rows.py) and has
pairs, surrogates and B of its own, at the same budget, from the same draws, for the same held-out
people. Needs bpy; networks are fitted by --train-python, which has torch. Resumable: what is in
--work is not made again. The whole table is written to docs/results/expectation.md and .json, that
of --quick or of some rows to the folder --work.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

# Inversion runs its own threads, one a block of heads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from facegen_addon.arrays import BoolArray, Float32Array, RealArray
from facegen_addon.artifacts import read_npz
from facegen_addon.atomic_file import replacing
from facegen_addon.encoders.encoder import same_face_threshold
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.person.head import PERSON
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.mapping.inversion import InversionSettings, TrustRegion
from facegen_addon.mapping.surrogate import SurrogateEnsemble
from facegen_addon.random_streams import random_stream
from facegen_addon.scene.render.view import Forward
from facegen_addon.terminal.process import run_process
from models.training import pairs, real_latents
from models.training.attribute_prior import DRAWS, draws_of, fit_attribute_prior
from models.training.expectation_figures import Judged, Yardstick, report_of
from models.training.expectation_page import page
from models.training.expectation_rows import KEYS, Row, rows_of
from models.training.kept_renders import KeptRenders, carried_out
from models.training.render_pairs import add_render_options, initial_heads
from models.training.train_backward import (
    PROPOSAL_WEIGHTS,
    given_precision,
    inverted_by,
    jitter,
    settings_given_people,
)

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/results/expectation"
ROUNDS, PROPOSED = 2, 0.2
"""Rounds of heads that a row's surrogates propose, and the share of all pairs in each."""

LEAST_PAIRS, LEAST_PEOPLE = 50, 10


@dataclass(frozen=True)
class Budget:
    """What each row may cost: pairs, judged heads, epochs of each fit; draws of the prior."""

    pairs: int = 600
    people: int = 200
    epochs: int = 40
    draws: int = DRAWS

    @property
    def batches(self) -> tuple[int, ...]:
        """Heads that are drawn at random, then those of each round."""
        proposed = round(PROPOSED * self.pairs)
        return (self.pairs - ROUNDS * proposed, *[proposed] * ROUNDS)


QUICK = Budget(60, 24, 8, 2000)


@dataclass(frozen=True)
class RowMapping:
    """B of one row, in what is free of its heads: from kernel ridge on its pairs, refined."""

    ensemble: SurrogateEnsemble
    region: TrustRegion
    settings: InversionSettings
    data: pairs.Pairs

    def heads(
        self,
        latents: Annotated[RealArray, "N D"],
        disagreement_weight: Annotated[RealArray, "N"] | None = None,
    ) -> Annotated[RealArray, "N F"]:
        """z (N, F) for latents (N, 512)."""
        return inverted_by(
            self.ensemble, self.region, self.settings, self.data, latents, disagreement_weight
        )


class Experiment:
    """All rows at one budget, kept in one folder. `forward` replaces rendering in tests.

    To be closed at the end.
    """

    def __init__(
        self, options: argparse.Namespace, budget: Budget, forward: Forward | None = None
    ) -> None:
        self.options, self.budget, self.work = options, budget, options.work
        self.model = load_head_model(PERSON)
        self.table = self.model.table
        self.rows = rows_of(self.table)
        self._renders = KeptRenders(self.work, self._request(), options, options.view, forward)
        self._renders.expect(len(options.rows) * (budget.pairs + budget.people))
        self.people = real_latents.held_out_latents(budget.people)
        self._fit_latents = real_latents.fit_latents()
        self._natural, self._probes = NaturalFaces.load(), AttributeProbes.load()
        draws = draws_of(self.model, budget.draws)
        assert draws is not None
        self._draws = draws

    def close(self) -> None:
        """End the processes that render."""
        self._renders.close()

    @property
    def yardstick(self) -> Yardstick:
        """What rows are measured by."""
        return Yardstick(self._natural.held_out, self._probes, same_face_threshold())

    def judged(self, row: Row) -> Judged:
        """Make pairs, surrogates and B of a row, and render its heads for held-out people."""
        first, *proposed = self.budget.batches
        drawn = row.held_of(initial_heads(self.model, first, seed=0))
        seen, usable = self._renders.rendered(f"{row.key}_random", drawn)
        data = _usable(seen, usable)
        # Every other one of initial_heads is drawn from the prior.
        prior = seen.latents[::2][usable[::2]]
        for number, count in enumerate(proposed, start=1):
            name = f"{row.key}_round_{number}"
            heads = self._renders.heads(
                f"{name}_proposal", self._proposing(row, data, number, count)
            )
            data = data + _usable(*self._renders.rendered(name, heads))
        mapping = self._mapping(row, data, len(proposed) + 1)
        heads = self._renders.heads(
            f"{row.key}_people_heads", lambda: row.heads(mapping.heads(self.people))
        )
        achieved, usable = self._renders.rendered(f"{row.key}_people", heads)
        predicted = mapping.ensemble.predict(heads[:, row.free])[0]
        return Judged(row, len(data), self.people, achieved.latents, predicted, usable, prior)

    def _proposing(
        self, row: Row, data: pairs.Pairs, number: int, count: int
    ) -> Callable[[], Float32Array]:
        """Heads (count, G) that are worth rendering next, as train_backward proposes them."""

        def propose() -> Float32Array:
            rng = random_stream(0, number)
            latents = real_latents.latents_to_invert(count, self._fit_latents, self._natural, rng)
            mapping = self._mapping(row, data, number)
            weight = np.resize(PROPOSAL_WEIGHTS, count).astype(np.float32)
            z = mapping.heads(latents, weight)
            jitter(z, rng)
            return row.heads(mapping.region.around(latents).project(z))

        return propose

    def _mapping(self, row: Row, data: pairs.Pairs, stage: int) -> RowMapping:
        """B of a row from the pairs so far, data of all G parameters."""
        free = pairs.Pairs(data.z[:, row.free], data.latents)
        name = f"{row.key}_surrogates_{stage}"
        path = self.work / f"{name}.npz"
        if not path.is_file():
            source = self.work / f"{row.key}_pairs_{stage}.npz"
            pairs.save_npz(source, z=free.z, latents=free.latents)
            fit(self.options.train_python, source, path, self.budget.epochs)
        table = row.table(self.table)
        settings = settings_given_people(table, agreement_weight=0.0)
        given, deviations = fit_attribute_prior(
            self.model, self._probes, data, self._draws, row.free
        )
        region = TrustRegion.of(table, settings, given_precision(deviations), given)
        ensemble = SurrogateEnsemble.from_arrays(read_npz(path))
        return RowMapping(ensemble, region, settings, free)

    def _request(self) -> dict[str, Any]:
        """What the files of the work folder depend on."""
        table = json.dumps([parameter.as_mapping() for parameter in self.table.parameters])
        return {
            "budget": asdict(self.budget),
            "samples": self.options.samples,
            "sources": self.model.sources,
            "table": hashlib.sha256(table.encode()).hexdigest(),
        }


def fit(python: Path, source: Path, target: Path, epochs: int) -> None:
    """Fit surrogates to a file of pairs where torch is; UserError if that fails."""
    command = [str(python.absolute()), "-m", "models.training.fit_pairs", str(source), str(target)]
    status = subprocess.run([*command, "--epochs", str(epochs)], cwd=ROOT, check=False).returncode
    if status:
        raise UserError(f"fitting {target.name} ended with status {status}: see what it said above")


def _usable(data: pairs.Pairs, usable: BoolArray) -> pairs.Pairs:
    if usable.sum() < 2:
        raise UserError(f"{usable.sum()} of {len(data)} heads show a face: nothing can be learnt")
    return pairs.Pairs(data.z[usable], data.latents[usable])


def budget_of(options: argparse.Namespace) -> Budget:
    """The budget that the command line asks for; UserError where it says nothing of any row."""
    given = {key: getattr(options, key) for key in ("pairs", "people", "epochs")}
    budget = replace(
        QUICK if options.quick else Budget(), **{key: n for key, n in given.items() if n}
    )
    for name, least in (("pairs", LEAST_PAIRS), ("people", LEAST_PEOPLE)):
        if getattr(budget, name) < least:
            raise UserError(f"--{name} {getattr(budget, name)} says nothing: give {least} or more")
    return budget


def run(options: argparse.Namespace, forward: Forward | None = None) -> None:
    """Make the rows, print their table and write it."""
    budget = budget_of(options)
    options.rows = [key for key in KEYS if key in options.rows]
    kind = "expectation-quick" if options.quick else "expectation"
    options.work = (options.work or ROOT / "out" / kind).absolute()
    whole = len(options.rows) == len(KEYS) and not options.quick
    target = options.report or (PAGE if whole else options.work / "expectation")
    experiment = Experiment(options, budget, forward)
    try:
        judged = [experiment.judged(experiment.rows[key]) for key in options.rows]
    finally:
        experiment.close()
    report = {
        "model": PERSON,
        "samples": options.samples,
        "budget": asdict(budget),
        **report_of(judged, experiment.yardstick),
    }
    texts = {".json": json.dumps(report, indent=1, allow_nan=False) + "\n", ".md": page(report)}
    for suffix, text in texts.items():
        with replacing(target.with_suffix(suffix)) as temporary:
            temporary.write_text(text, "utf-8")
    print(texts[".md"])


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", choices=KEYS, default=KEYS, help="all by default")
    parser.add_argument("--quick", action="store_true", help="few heads: figures that say little")
    for name, what in (
        ("pairs", "pairs of each row"),
        ("people", "held-out people, one judged head each, of each row"),
        ("epochs", "of each fit"),
    ):
        default = getattr(Budget(), name)
        parser.add_argument(
            f"--{name}", type=pairs.positive, metavar="N", help=f"{what} (default: {default})"
        )
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="default: out/expectation")
    parser.add_argument(
        "--report", type=Path, metavar="PATH", help="where to write .md and .json, without suffix"
    )
    parser.add_argument("--train-python", type=Path, default=ROOT / ".venv-recipes/bin/python")
    add_render_options(parser)
    parser.set_defaults(model=PERSON)
    return parser


def main(arguments: list[str] | None = None, forward: Forward | None = None) -> int:
    """Make the table; 2 after an error that the user can put right, 130 after Ctrl-C."""
    options = make_parser().parse_args(arguments)

    def work() -> None:
        if options.model != PERSON:
            raise UserError(f"--model {options.model} has not these parts: leave it out")
        if not options.train_python.exists():
            raise UserError(f"{options.train_python} is missing: run `make expectation`")
        run(options, forward)

    return carried_out("expectation", work)


if __name__ == "__main__":
    run_process(main, "expectation")
