# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is drawn: the density of real faces given sex, age and skin, or shares of these.

The density within a group of people is that of real faces, exactly: latents are drawn from it and
those of others rejected. So what people of a group have together, they keep.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np

from ..arrays import BoolArray, Float32Array, FloatArray
from ..errors import UserError
from .attributes import AttributeProbes
from .natural import NaturalFaces
from .sphere import normalise

Range = tuple[float, float]
"""The lower bound, included, and the upper one, excluded."""

SEXES: Mapping[str, Range] = {"woman": (0.5, np.inf), "man": (-np.inf, 0.5)}
"""Ranges of the probability that a latent is a woman's."""
_PLURALS = {"woman": "women", "man": "men"}
SKINS: Mapping[str, Range] = {
    "dark": (-np.inf, 55.0),
    "medium": (55.0, 65.0),
    "fair": (65.0, np.inf),
}
"""Ranges of the lightness of skin, L*: thirds of where people's skins lie, 45 to 75."""
DARKEST, FAIREST = 35.0, 80.0
"""L* between which the probe reads 99 in 100 real faces."""
YOUNGEST, OLDEST = 18.0, 80.0
"""Years between which real faces were seen often enough to say what is natural."""

Margins = tuple[Mapping[Range, float], Mapping[Range, float], Mapping[Range, float]]
"""Of sex, age and lightness: ranges that do not overlap, with shares that sum to one."""
EVERYBODY: Mapping[Range, float] = {(-np.inf, np.inf): 1.0}
"""The margin of an attribute of which nothing is asked."""

_FEWEST, _MOST = 64, 65_536
"""Latents drawn at once."""
_HOPE = 500_000
"""Latents drawn in vain before a group is given up: that rare ones are not to be had."""


class Faces(Protocol):
    """Anything that latents are drawn from."""

    def sample(self, rng: np.random.Generator, n: int) -> Annotated[Float32Array, "N D"]:
        """Draw n latents of unit norm."""
        ...


@dataclass(frozen=True)
class Group:
    """People whose attributes lie in these ranges."""

    female: Range = (-np.inf, np.inf)
    age: Range = (-np.inf, np.inf)
    lightness: Range = (-np.inf, np.inf)

    def holds(self, attributes: Annotated[FloatArray, "N 3"]) -> Annotated[BoolArray, "N"]:
        """Whether people with these ATTRIBUTES (N, 3) belong to it, (N,)."""
        low, high = np.array([self.female, self.age, self.lightness]).T
        return np.asarray(((low <= attributes) & (attributes < high)).all(axis=1))

    def common(self, other: Group) -> Group | None:
        """Those of both; None if there can be none."""
        ranges = [
            (max(a[0], b[0]), min(a[1], b[1]))
            for a, b in zip(self._ranges(), other._ranges(), strict=True)
        ]
        return Group(*ranges) if all(low < high for low, high in ranges) else None

    def __str__(self) -> str:
        """In words, such as ``women, 60 to 75 years, lightness of skin below 55``."""
        words = [_PLURALS[name] for name, bounds in SEXES.items() if bounds == self.female]
        words += [f"{_words(self.age)} years"] if np.isfinite(self.age).any() else []
        if np.isfinite(self.lightness).any():
            named = [name for name, bounds in SKINS.items() if bounds == self.lightness]
            words.append(f"{named[0]} skin" if named else f"skin of {_words(self.lightness)}")
        return ", ".join(words) or "anybody"

    def _ranges(self) -> tuple[Range, Range, Range]:
        return self.female, self.age, self.lightness


def _words(bounds: Range) -> str:
    low, high = bounds
    if np.isinf(low):
        return f"below {high:g}"
    return f"{low:g} to {high:g}" if np.isfinite(high) else f"from {low:g}"


@dataclass(frozen=True)
class Population:
    """Groups of which nobody belongs to two, and their shares, which sum to one."""

    groups: tuple[Group, ...] = (Group(),)
    shares: tuple[float, ...] = (1.0,)

    @classmethod
    def product(cls, margins: Margins) -> Population:
        """Every combination of the margins' ranges, by the product of their shares."""
        cells = list(itertools.product(*(margin.items() for margin in margins)))
        groups = tuple(Group(*(bounds for bounds, _ in cell)) for cell in cells)
        return cls(groups, tuple(float(np.prod([share for _, share in cell])) for cell in cells))

    def within(self, group: Group) -> Population:
        """Those of a group alone, by the shares that they have against one another.

        UserError if nobody of the population belongs to it.
        """
        pairs = zip(self.groups, self.shares, strict=True)
        both = [(kept, share) for g, share in pairs if (kept := g.common(group)) and share > 0]
        total = sum(share for _, share in both)
        if total <= 0:
            raise UserError(f"nobody of the population is {group}: widen the ranges")
        return Population(tuple(g for g, _ in both), tuple(share / total for _, share in both))

    @property
    def is_everybody(self) -> bool:
        """Whether it asks for nothing."""
        return self.groups == (Group(),)


POPULATIONS: Mapping[str, Margins] = {
    "as-found": (EVERYBODY, EVERYBODY, EVERYBODY),
    "balanced": (
        {bounds: 0.5 for bounds in SEXES.values()},
        {bounds: 0.25 for bounds in ((YOUNGEST, 30.0), (30.0, 45.0), (45.0, 60.0), (60.0, OLDEST))},
        {bounds: 1 / 3 for bounds in SKINS.values()},
    ),
}
"""Real faces as the photos have them, of which three in four are men; as many women as men, of
each of four ages and of each of three skins."""


@dataclass(frozen=True)
class PopulationFaces:
    """The density of real faces, shared out by a population, as probes read it."""

    faces: NaturalFaces
    probes: AttributeProbes
    population: Population

    def sample(self, rng: np.random.Generator, n: int) -> Annotated[Float32Array, "N D"]:
        """Latents (n, D) of n people who do not exist, each of a group drawn by the shares.

        UserError if a group is so rare among real faces that none is found.
        """
        if self.population.is_everybody:
            return self.faces.sample(rng, n)
        if n < 0:
            raise UserError(f"{n} latents cannot be drawn: ask for 0 or more")
        groups = self.population.groups
        group = rng.choice(len(groups), n, p=self._shares)
        waiting = [list(np.flatnonzero(group == k)) for k in range(len(groups))]
        points = np.zeros((n, self.faces.basis.shape[1]))
        probes = self.probes.on_axes(self.faces.basis)
        in_vain, size = 0, _FEWEST
        while any(waiting):
            drawn = self.faces.draw(rng, size)
            attributes = probes.read(normalise(drawn))
            served = [
                _serve(drawn[asked.holds(attributes)], places, points)
                for asked, places in zip(groups, waiting, strict=True)
                if places
            ]
            in_vain = 0 if all(served) else in_vain + size
            size = min(2 * size, _MOST)
            if in_vain >= _HOPE:
                rare = next(g for g, places in zip(groups, waiting, strict=True) if places)
                raise UserError(
                    f"next to no {rare} among {in_vain:,} faces drawn: widen the ranges"
                )
        return self.faces.latents(points)

    @property
    def _shares(self) -> FloatArray:
        shares = np.array(self.population.shares)
        return shares / shares.sum()


def _serve(drawn: FloatArray, places: list[int], points: FloatArray) -> bool:
    """Put what was drawn for a group (M, T) where it is waited for in ``points`` (N, T)."""
    taken = drawn[: len(places)]
    points[places[: len(taken)]] = taken
    del places[: len(taken)]
    return len(taken) > 0
