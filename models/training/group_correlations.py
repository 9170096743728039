# SPDX-License-Identifier: GPL-3.0-or-later
"""Do people who are asked for keep what people of their group have together?

    python -m models.training.group_correlations --model person

Of each of the eight groups (sex, age, skin in halves), correlations among what probes say and the
leading axes of natural faces, and among parameters of B's heads: of held-out real people against
latents drawn for that group. Prints a table; needs the shared data of real faces, of which only
statistics of many leave this program. A minute.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from typing import Annotated

# Inversion runs its own threads, one a block of heads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from facegen_addon.arrays import FloatArray, IntArray, RealArray
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.people import (
    EIGHT_GROUPS,
    Population,
    PopulationFaces,
    eight_groups_of,
)
from facegen_addon.latent.real_faces import load_photos, one_photo_each, split_identities
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.correction import load_sampler
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.remedies import explain
from models.training import pairs

DRAWN = 2000
"""Latents drawn of each group."""
FEWEST = 30
"""Real people of a group below whom nothing is said of it."""
_AXES = 6
_PARAMETERS = 12
"""Guided parameters that vary most among heads of people drawn."""


@dataclass(frozen=True)
class Agreement:
    """Of the correlations among some numbers of two sets of people, root mean squares: of those of
    the first, of the differences, and of the differences that sampling alone makes."""

    strength: float
    difference: float
    expected: float

    @classmethod
    def of(cls, real: Annotated[RealArray, "N K"], drawn: Annotated[RealArray, "M K"]) -> Agreement:
        """Correlations among K numbers of people against those of people drawn."""
        upper = np.triu_indices(real.shape[1], 1)
        one, other = (np.corrcoef(x.T)[upper] for x in (real, drawn))
        noise = (1 - other**2) ** 2 * (1 / len(real) + 1 / len(drawn))
        return cls(*(float(np.sqrt(np.mean(x))) for x in (one**2, (one - other) ** 2, noise)))

    def __str__(self) -> str:
        return f"{self.strength:.2f} | {self.difference:.3f} | {self.expected:.3f}"


def numbers_of(
    latents: Annotated[RealArray, "N D"], natural: NaturalFaces, probes: AttributeProbes
) -> Annotated[FloatArray, "N K"]:
    """What probes say, before sex is made a chance, and the places on the leading axes."""
    said = latents @ probes.weights
    return np.column_stack([said, latents @ natural.basis[:, :_AXES]])


def parameters_of(
    latents: RealArray, backward: BackwardMapping, columns: IntArray
) -> Annotated[FloatArray, "N K"]:
    """Some of the guided parameters of B's heads, in the direct grade."""
    z = backward.standardised(np.asarray(latents, np.float32), "direct")
    return np.asarray(z[:, columns], np.float64)


def rows(people: Annotated[RealArray, "N D"], model: str) -> list[str]:
    """The table's rows, in Markdown."""
    natural, probes = NaturalFaces.load(), AttributeProbes.load()
    backward = load_sampler(model, load_head_model(model).table)
    everybody = backward.standardised(natural.sample(random_stream(0), DRAWN), "direct")
    columns = np.argsort(-everybody.std(axis=0))[:_PARAMETERS]
    groups = eight_groups_of(probes.read(people))
    lines = []
    for number, (name, group) in enumerate(EIGHT_GROUPS.items()):
        real = people[groups == number]
        if len(real) < FEWEST:
            lines.append(f"| {name} | fewer than {FEWEST} | | | | | | |")
            continue
        faces = PopulationFaces(natural, probes, Population((group,), (1.0,)))
        drawn = faces.sample(random_stream("correlations", number), DRAWN)
        latents = Agreement.of(*(numbers_of(x, natural, probes) for x in (real, drawn)))
        heads = Agreement.of(*(parameters_of(x, backward, columns) for x in (real, drawn)))
        lines.append(f"| {name} | {len(real)} | {latents} | {heads} |")
    return lines


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    pairs.add_model_option(parser)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 2 after an error that the user can put right."""
    options = make_parser().parse_args(arguments)
    try:
        photos = load_photos()
        held_out = split_identities(photos.identity).held_out
        people = photos.latents[one_photo_each(photos.identity, held_out)]
        found = rows(people, pairs.model_name(options.model))
    except UserError as error:
        print(f"group_correlations: {explain(error)}", file=sys.stderr)
        return 2
    print(
        "| group | real people | latents: strength | difference | by sampling alone"
        " | heads: strength | difference | by sampling alone |\n|---|---|---|---|---|---|---|---|"
    )
    print("\n".join(found))
    return 0


if __name__ == "__main__":
    run_process(main, "group_correlations")
