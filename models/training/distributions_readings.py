# SPDX-License-Identifier: GPL-3.0-or-later
"""What networks say of many photos, without a render: do parameters go together as people's do,
and do the heads' own sex, age and lightness agree with what others read off the photos?

Of photos only statistics of many leave this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import BoolArray, FloatArray, RealArray
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.latent.real_faces import one_photo_each, split_identities
from facegen_addon.random_streams import random_stream
from models.training.distributions_figures import Figure, figure
from models.training.fit_attributes import load_read
from models.training.report_attributes import spearman

ADULT_HALF = 40.0
"""Years, as photos read, at which people are parted into younger and older ones."""
_PRIOR_HEADS = 4000


@dataclass(frozen=True)
class Readings:
    """N people whom nothing was fitted to: latents (N, 512) of a photo each, and what was read off
    it by others, (N, 3): chance of a woman, years, L* of the cheeks."""

    latents: Annotated[RealArray, "N D"]
    attributes: Annotated[FloatArray, "N 3"]

    def __len__(self) -> int:
        return len(self.latents)


def groups_of(attributes: Annotated[FloatArray, "N 3"]) -> dict[str, Annotated[BoolArray, "N"]]:
    """Who is of which sex and age, (N,) bool by name; nobody of whom nothing was read."""
    female, age = attributes[:, 0], attributes[:, 1]
    return {
        "women": female > 0.5,
        "men": female <= 0.5,
        f"below {ADULT_HALF:.0f}": age < ADULT_HALF,
        f"{ADULT_HALF:.0f} and older": age >= ADULT_HALF,
    }


def read_held_out(count: int) -> Readings:
    """At most `count` of the people whom nothing was fitted to, of whom something was read."""
    photos, attributes = load_read()
    people = split_identities(photos.identity).held_out
    rows = one_photo_each(photos.identity, people)
    rows = rows[np.isfinite(attributes[rows]).all(axis=1)][:count]
    return Readings(photos.latents[rows], attributes[rows])


def readings_report(
    readings: Readings,
    outputs: Mapping[str, Annotated[RealArray, "N G"]],
    of_b: Annotated[RealArray, "N G"],
    model: HeadModel,
) -> dict[str, Any]:
    """Figures of what networks, by name, and B say of the same photos, z (N, G) each.

    Correlations are of every other photo; those of B's heads of the rest are what they are compared
    with.
    """
    every, other = slice(0, None, 2), slice(1, None, 2)
    named = {"B, refined": of_b, **outputs}
    halves = {name: z[every] for name, z in named.items()}
    found: dict[str, Any] = {
        "people": len(readings),
        "correlations": correlation_rows(halves, of_b[other], model),
        "attributes": [],
        "together": [{"name": "photos, as read off them", **together(readings.attributes)}],
    }  # fmt: skip
    for name, z in named.items():
        heads = model.attributes(model.table.from_standardised(z))
        if heads is not None:
            found["attributes"].append({"name": name, **attribute_row(heads, readings.attributes)})
            found["together"].append({"name": name, **together(heads)})
    return found


def correlation_rows(
    outputs: Mapping[str, Annotated[RealArray, "N G"]], people: RealArray, model: HeadModel
) -> list[dict[str, Any]]:
    """How far correlations among parameters are those of B's heads of people and of the prior.

    outputs: z (N, G) by whose they are; people: z (M, G) of B for half of the same photos.
    """
    prior = model.table.standardise(
        model.sample_prior(random_stream("correlations"), _PRIOR_HEADS)
    )  # fmt: skip
    varying = np.flatnonzero((people.std(axis=0) > 1e-6) & (prior.std(axis=0) > 1e-6))
    wanted = {
        "people": _correlations(people[:, varying]),
        "prior": _correlations(prior[:, varying]),
    }
    rows = []
    for name, z in outputs.items():
        row: dict[str, Any] = {"name": name}
        row["strength"] = float(np.sqrt(np.mean(_correlations(z[:, varying]) ** 2)))
        for reference, pattern in wanted.items():
            row[reference] = figure(z[:, varying], _likeness_to(pattern))
        rows.append(row)
    return rows


def _likeness_to(pattern: FloatArray) -> Callable[[RealArray], float]:
    """Correlation between two sets of correlations: 1 for the same pattern, however strong."""

    def likeness(z: RealArray) -> float:
        return float(np.corrcoef(_correlations(z), pattern)[0, 1])

    return likeness


def _correlations(z: Annotated[RealArray, "N G"]) -> FloatArray:
    """Those above the diagonal; 0 where a parameter does not vary."""
    centred = z - z.mean(axis=0, dtype=np.float64)
    unit = centred / np.maximum(np.sqrt(np.square(centred).sum(axis=0)), 1e-9)
    found: FloatArray = (unit.T @ unit)[np.triu_indices(z.shape[1], 1)]
    return found


def attribute_row(
    heads: Annotated[FloatArray, "N 3"], photos: Annotated[FloatArray, "N 3"]
) -> dict[str, Figure]:
    """Agreement of heads' own attributes with those read off photos, over all and in groups: of
    sex the chance that a woman's head is the more female one of a pair; of years and lightness the
    correlation of ranks. And how sex, age and lightness go together."""
    both = np.stack([heads, photos], axis=1)
    found = {"sex": figure(both, _auc_of_sex)}
    for column, name in ((1, "age"), (2, "lightness")):
        found[name] = figure(both, _ranks_of(column))
    for group, chosen in groups_of(photos).items():
        if chosen.sum() > 2:
            found[f"age, {group}"] = figure(both[chosen], _ranks_of(1))
            found[f"lightness, {group}"] = figure(both[chosen], _ranks_of(2))
    return found


def together(attributes: Annotated[FloatArray, "N 3"]) -> dict[str, Figure]:
    """Correlations of ranks among sex, age and lightness of people or heads (N, 3)."""
    pairs = {"sex and age": [0, 1], "sex and lightness": [0, 2], "age and lightness": [1, 2]}
    return {
        name: figure(attributes[:, both], lambda x: spearman(x[:, 0], x[:, 1]))
        for name, both in pairs.items()
    }


def _ranks_of(column: int) -> Callable[[RealArray], float]:
    return lambda both: spearman(both[:, 0, column], both[:, 1, column])


def _auc_of_sex(both: RealArray) -> float:
    female = both[:, 1, 0] > 0.5
    heads = both[:, 0, 0]
    women, men = heads[female, None], heads[None, ~female]
    if not women.size or not men.size:
        return float("nan")
    return float((women > men).mean() + 0.5 * (women == men).mean())
