# SPDX-License-Identifier: GPL-3.0-or-later
"""Training sets of several distributions of heads, and one network on features for all of them.

The network is closed: (kernel) ridge regression from FaceNet's latent of an image to the guided
parameters. Kind and penalty are chosen by validation, for each size, the same for all sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from facegen_addon.arrays import BoolArray, FloatArray, IntArray, RealArray
from facegen_addon.errors import UserError
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.random_streams import random_stream
from models.training import pairs
from models.training.baselines import KernelRidge, Regressor, RidgeRegression
from models.training.pairs import Pairs
from models.training.render_pairs import wide_head

GUIDED, PRIOR, WIDE = "latent guidance", "prior", "wide draws"
DISTRIBUTIONS = (GUIDED, PRIOR, WIDE)
SIZES = (60, 125, 250, 500, 1900)
"""Heads of a training set; a distribution has those for which it has heads."""

ENOUGH = 0.98
"""Heads without a face are left out of the table: so many of a size will do."""


@dataclass(frozen=True)
class Choice:
    """A kind of network and its penalty."""

    kind: str
    penalty: float

    def fit(self, data: Pairs) -> Regressor:
        """The network that these pairs teach."""
        kind = RidgeRegression if self.kind == "ridge" else KernelRidge
        return kind.fit(data, self.penalty)


CHOICES = (
    *(Choice("ridge", penalty) for penalty in (0.3, 1.0, 3.0)),
    *(Choice("kernel ridge", penalty) for penalty in (0.3, 1.0)),
)


@dataclass(frozen=True)
class Sets:
    """Heads to learn from, and held-out ones, of each distribution; names as DISTRIBUTIONS."""

    learnt: Mapping[str, Pairs]
    held_out: Mapping[str, Pairs]

    def sizes(self, name: str, sizes: tuple[int, ...]) -> list[int]:
        """Those of `sizes` for which there are heads of a distribution."""
        return [size for size in sizes if ENOUGH * size <= len(self.learnt[name])]


def sets_of(model: HeadModel, drawn: Pairs, wide: BoolArray, count: int, seed: int = 0) -> Sets:
    """Training sets off the committed table of pairs, and off heads of PRIOR and WIDE beside it.

    Of the latter, `drawn` with `wide` (N,), the first `count` of each are held out; of those of
    latent guidance as many. UserError if the table has none of a kind.
    """
    data = pairs.load_pairs(model.name, model.table, from_table=True)
    random = len(pairs.load_random_pairs(model.name, model.table))
    places = np.arange(len(data))
    odd = np.zeros(len(data), bool)
    odd[:random] = are_wide(model.table, data.z[:random])
    guided = random_stream(seed, GUIDED).permutation(places[random:])
    kept = min(count, len(guided) // 2)
    learnt = {GUIDED: _of(data, guided[kept:])}
    held_out = {GUIDED: _of(data, guided[:kept])}
    for name, of_kind in ((PRIOR, False), (WIDE, True)):
        fresh = np.flatnonzero(wide == of_kind)
        held_out[name] = _of(drawn, fresh[:count])
        table = _of(data, places[:random][odd[:random] == of_kind])
        learnt[name] = table + _of(drawn, fresh[count:])
    for name in DISTRIBUTIONS:
        if min(len(learnt[name]), len(held_out[name])) < 2:
            raise UserError(f"the pairs of {model.name!r} have no heads of {name}: make them anew")
    return Sets(learnt, held_out)


def are_wide(table: ParameterTable, z: Annotated[RealArray, "N G"]) -> Annotated[BoolArray, "N"]:
    """Which of the heads that the table of pairs begins with are wide draws (N,).

    They are drawn again and looked up, for heads without a face are left out of that table. The
    prior's are not: it may have changed since.
    """
    drawn = {wide_head(table, 0, index).tobytes() for index in range(1, 2 * len(z), 2)}
    rows = pairs.quantised(z)
    return np.array([row.tobytes() in drawn for row in rows], bool)


def subset(data: Pairs, size: int, seed: int) -> Pairs:
    """`size` of the pairs, or all if there are fewer; a smaller set is part of a larger one."""
    return _of(data, random_stream(seed).permutation(len(data))[:size])


def choose(learnt: Mapping[str, Pairs], size: int) -> Choice:
    """What validates best, on a fifth of `size` pairs, in the mean over the distributions."""
    halves = {}
    for name, data in learnt.items():
        rows = subset(data, size, seed=0)
        test = np.arange(len(rows)) % 5 == 0
        halves[name] = _of(rows, np.flatnonzero(~test)), _of(rows, np.flatnonzero(test))

    def error(choice: Choice) -> float:
        shares = []
        for fit, test in halves.values():
            missed = choice.fit(fit).predict(test.latents) - test.z
            shares.append(np.mean(missed**2) / np.mean((test.z - fit.z.mean(axis=0)) ** 2))
        return float(np.mean(shares))

    return min(CHOICES, key=error)


def predicted(
    network: Regressor, latents: Annotated[RealArray, "N D"], table: ParameterTable
) -> Annotated[FloatArray, "N G"]:
    """z (N, G) of latents, within the parameters' ranges."""
    return np.clip(network.predict(latents), *table.guided_bounds()).astype(np.float64)


def as_spread(
    z: Annotated[RealArray, "N G"], like: Annotated[RealArray, "N G"]
) -> Annotated[RealArray, "N G"]:
    """Heads z whose deviations from their mean are, over all, as large as those of `like`."""
    middle = z.mean(axis=0)
    factor = np.sqrt(np.mean((like - like.mean(axis=0)) ** 2) / np.mean((z - middle) ** 2))
    result: RealArray = middle + factor * (z - middle)
    return result


def nearest_to(people: Annotated[RealArray, "M D"], data: Pairs, size: int) -> Pairs:
    """The `size` pairs whose latents are nearest to anybody's."""
    return least_of(data, -(data.latents @ people.T).max(axis=1), size)


def least_of(data: Pairs, values: Annotated[RealArray, "N"], size: int) -> Pairs:
    """The `size` pairs that have the least values."""
    return _of(data, np.argsort(values, kind="stable")[:size])


def _of(data: Pairs, rows: IntArray) -> Pairs:
    return Pairs(data.z[rows], data.latents[rows])
