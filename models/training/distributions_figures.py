# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of training sets, each with its 95 % interval, over held-out heads or over people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import FloatArray, IntArray, RealArray
from facegen_addon.confidence import bootstrap_interval
from facegen_addon.random_streams import random_stream
from models.training.distributions_people import Likeness

Figure = dict[str, float]
"""value, low and high."""

DRAWS = 1000
"""Of the bootstrap."""

MISSED, REACHED = 2.0, 0.5
"""A size that is searched for beyond the sizes at hand: so many times the largest, the smallest."""


@dataclass(frozen=True)
class Errors:
    """Squared errors of S networks of one set and size on H held-out heads, (S, H, G), in squared
    standard deviations of the prior."""

    squared: Annotated[RealArray, "S H G"]

    @property
    def each_head(self) -> Annotated[FloatArray, "H"]:
        """Mean squared error of each head (H,), over networks and parameters."""
        return self.squared.mean(axis=(0, 2), dtype=np.float64)

    @property
    def overall(self) -> Figure:
        """Root mean square over all, and `seeds`: the networks' standard deviation of it."""
        networks = np.sqrt(self.squared.mean(axis=(1, 2), dtype=np.float64))
        return {**figure(self.each_head, _root_mean), "seeds": float(networks.std())}

    def of_group(self, columns: Annotated[IntArray, "K"]) -> Figure:
        """Root mean square over a group of parameters."""
        return figure(self.squared[:, :, columns].mean(axis=(0, 2), dtype=np.float64), _root_mean)


def figure(values: Annotated[RealArray, "N ..."], of: Callable[[RealArray], Any]) -> Figure:
    """A statistic of rows, with its interval over these."""
    low, high = bootstrap_interval(values, of, random_stream(0), DRAWS)
    return {"value": float(of(values)), "low": low, "high": high}


def likeness_figures(likeness: Likeness, threshold: float) -> dict[str, Any]:
    """Of heads for people: medians, ranks, the share that reads as one person by FaceNet."""
    seen = ~np.isnan(likeness.facenet).any(axis=1)
    found: dict[str, Any] = {"missing": int((~seen).sum())}
    if not seen.any():
        return found
    part = likeness.of_people(seen)
    return found | {
        "facenet": figure(part.facenet, np.median),
        "sface": figure(part.sface, np.median),
        "one_person": figure(part.facenet, lambda x: np.mean(x < threshold)),
        "first": figure(part.rank, _first),
        "rank": figure(part.rank, np.median),
        "sface_first": figure(part.sface_rank, _first),
        "sface_rank": figure(part.sface_rank, np.median),
    }


def compared(one: Likeness, other: Likeness) -> dict[str, Figure]:
    """By how much heads are nearer than others to the same people: medians of the differences, and
    the share of people to whom they are nearer."""
    found = {}
    for name in ("facenet", "sface"):
        gaps = getattr(one, name).mean(axis=1) - getattr(other, name).mean(axis=1)
        gaps = gaps[~np.isnan(gaps)]
        if len(gaps):
            found[name] = figure(gaps, np.median)
            found[f"{name}_nearer"] = figure(gaps, lambda x: np.mean(x < 0))
    return found


def size_reaching(sizes: Sequence[int], errors: Annotated[RealArray, "K"], target: float) -> float:
    """Heads at which errors (K,) at `sizes` come down to `target`, straight on a scale of
    logarithms; REACHED times the smallest, or MISSED times the largest, where they are beyond."""
    below = np.flatnonzero(np.asarray(errors) <= target)
    if not len(below):
        return MISSED * sizes[-1]
    at = int(below[0])
    if at == 0:
        return REACHED * sizes[0]
    share = (errors[at - 1] - target) / (errors[at - 1] - errors[at])
    return float(np.exp(np.interp(share, [0, 1], np.log([sizes[at - 1], sizes[at]]))))


def data_cost(
    curve: Mapping[int, Annotated[RealArray, "N"]],
    target: Annotated[RealArray, "N"],
    statistic: Callable[[RealArray], RealArray],
) -> Figure:
    """Heads that a distribution needs for what another reaches.

    curve: size -> values (N,) of heads or people; target (N,): the same of the other; `statistic`
    maps rows (N, K) to K errors.
    """
    sizes = sorted(curve)
    values = np.column_stack([*(curve[size] for size in sizes), target])
    values = values[~np.isnan(values).any(axis=1)]

    def reached(rows: RealArray) -> float:
        *errors, wanted = statistic(rows)
        return size_reaching(sizes, np.array(errors), float(wanted))

    return {**figure(values, reached), "least": sizes[0], "most": sizes[-1]}


def root_means(rows: Annotated[RealArray, "N K"]) -> Annotated[FloatArray, "K"]:
    """Roots of the means of squared errors (N, K)."""
    return np.sqrt(rows.mean(axis=0))


def medians(rows: Annotated[RealArray, "N K"]) -> Annotated[FloatArray, "K"]:
    """Medians of distances (N, K)."""
    return np.median(rows, axis=0)


def _root_mean(squares: RealArray) -> float:
    return float(np.sqrt(squares.mean()))


def _first(ranks: RealArray) -> float:
    return float(np.mean(ranks == 1))
