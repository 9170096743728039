# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the rows of the talk's expectation, each with its 95 % interval.

Figures of people one by one (roundtrips, agreement) have the bootstrap's interval over people.
Those of all pairs of heads, or of a covariance, would count a head that is drawn twice as a pair of
doubles: theirs comes from random halves of the heads, whose figures scatter by as much as a figure
of all heads is uncertain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import AnyArray, BoolArray, Float32Array, FloatArray, RealArray
from facegen_addon.confidence import bootstrap_interval
from facegen_addon.errors import UserError
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.metrics import Moments, frechet_to, pairwise_distances
from facegen_addon.latent.selection import capacity_curve
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.random_streams import random_stream
from models.training.expectation_rows import Row
from models.training.report_attributes import spearman

HALVES = 40
_EFFORT = 200
_NORMAL = 1.96
Figure = dict[str, float | None]
"""value, low and high; None where there is none."""


@dataclass(frozen=True)
class Yardstick:
    """Moments of held-out people's latents, probes of attributes, the same-face threshold."""

    people: Moments
    probes: AttributeProbes
    threshold: float

    @cached_property
    def frechet(self) -> Callable[[Annotated[RealArray, "N D"]], float]:
        """Frechet distance of latents (N, 512) to these people."""
        return frechet_to(self.people)


@dataclass(frozen=True)
class Judged:
    """One row: latents (N, 512) asked for, of the renders, and as its surrogates predict them.

    usable (N,): a face was seen; prior (M, 512): of random heads of the row; pairs: how many
    taught its B.
    """

    row: Row
    pairs: int
    requested: Annotated[Float32Array, "N D"]
    achieved: Annotated[RealArray, "N D"]
    predicted: Annotated[RealArray, "N D"]
    usable: Annotated[BoolArray, "N"]
    prior: Annotated[RealArray, "M D"]

    @property
    def distances(self) -> Annotated[FloatArray, "N"]:
        """From what was asked for to the render, NaN where no face was seen."""
        return np.where(self.usable, cosine_distance(self.requested, self.achieved), np.nan)


def report_of(rows: Sequence[Judged], yardstick: Yardstick) -> dict[str, Any]:
    """Figures of all rows in their order, those of people, and what became of the roundtrip."""
    for judged in rows:
        if judged.usable.sum() < 4 or len(judged.prior) < 4:
            raise UserError(f"row {judged.row.key!r} shows too few faces: give --people more")
    figures = [figures_of(judged, yardstick) for judged in rows]
    for (before, after), figure in zip(pairwise(rows), figures[1:], strict=True):
        figure["step"] = change(before, after)
    requested = rows[0].requested
    return {
        "rows": figures,
        "people": variety(requested, yardstick),
        "change": change(rows[0], rows[-1]) if len(rows) > 1 else None,
    }


def figures_of(judged: Judged, yardstick: Yardstick) -> dict[str, Any]:
    """Figures of one row."""
    seen, rng = judged.usable, random_stream(0)
    distances = judged.distances[seen]
    wanted, got = (
        yardstick.probes.read(latents[seen]) for latents in (judged.requested, judged.achieved)
    )
    both = np.stack([wanted, got], axis=1)
    promised = cosine_distance(judged.requested, judged.predicted)
    return {
        "key": judged.row.key,
        "title": judged.row.title,
        "parameters": int(judged.row.free.sum()),
        "pairs": judged.pairs,
        "heads": int(seen.sum()),
        "median": _bounded(distances, np.median, rng),
        "quantile90": _bounded(distances, partial(np.quantile, q=0.9), rng),
        "promised": float(np.median(promised)),
        **variety(judged.achieved[seen], yardstick),
        "prior_pairwise": _of_halves(judged.prior, _pairwise, rng),
        "same_sex": _bounded(both[:, :, 0] > 0.5, lambda sex: np.mean(sex[:, 0] == sex[:, 1]), rng),
        "age": _bounded(both[:, :, 1], _order, rng),
        "lightness": _bounded(both[:, :, 2], _order, rng),
    }


def variety(latents: Annotated[RealArray, "N D"], yardstick: Yardstick) -> dict[str, Figure]:
    """How varied and how natural latents (N, 512) are."""
    rng = random_stream(0)
    share = _of_halves(latents, lambda some: _share_apart(some, yardstick.threshold), rng)
    count = len(latents)
    return {
        "pairwise": _of_halves(latents, _pairwise, rng),
        "frechet": _of_halves(latents, yardstick.frechet, rng),
        "apart": {
            key: None if x is None else min(max(x * count, 1.0), count) for key, x in share.items()
        },
    }


def change(before: Judged, after: Judged) -> Figure:
    """Median roundtrip of a row less that of another, of people whose face both show."""
    both = np.stack([before.distances, after.distances], axis=1)
    both = both[np.isfinite(both).all(axis=1)]
    return _bounded(
        both, lambda rows: np.median(rows[:, 1]) - np.median(rows[:, 0]), random_stream(0)
    )


def _share_apart(latents: RealArray, threshold: float) -> float:
    return float(capacity_curve(latents, [threshold], effort=_EFFORT)[0] / len(latents))


def _pairwise(latents: RealArray) -> float:
    return pairwise_distances(latents).median


def _order(rows: RealArray) -> float:
    return spearman(rows[:, 0], rows[:, 1])


def _bounded(
    values: AnyArray, statistic: Callable[[AnyArray], Any], rng: np.random.Generator
) -> Figure:
    interval = bootstrap_interval(values, statistic, rng)
    return _figure(float(statistic(values)), interval.low, interval.high)


def _of_halves(
    latents: Annotated[RealArray, "N D"],
    statistic: Callable[[RealArray], float],
    rng: np.random.Generator,
) -> Figure:
    """The statistic of latents, bounded by how it scatters over random halves of them."""
    size = len(latents) // 2
    halves = [latents[rng.permutation(len(latents))[:size]] for _ in range(HALVES)]
    value, spread = statistic(latents), float(np.std([statistic(half) for half in halves]))
    return _figure(value, value - _NORMAL * spread, value + _NORMAL * spread)


def _figure(value: float, low: float, high: float) -> Figure:
    """Plain numbers, none where there is none: probes that read the same of all have no order."""
    named = {"value": value, "low": low, "high": high}
    return {key: float(x) if np.isfinite(x) else None for key, x in named.items()}
