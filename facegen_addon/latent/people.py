# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is drawn: the density of real faces given sex, age and skin, or shares of these.

The density within a group of people is that of real faces, exactly: latents are drawn from it, what
probes say of them first, and those of others rejected. So what people of a group have together,
they keep.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Protocol

import numpy as np

from ..arrays import BoolArray, Float32Array, FloatArray, IntArray, RealArray
from ..errors import UserError
from .attributes import AttributeProbes
from .natural import NaturalFaces
from .own_probe import Range
from .probes_first import ProbesFirst
from .sphere import normalise

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

Margins = tuple[Mapping[Range, float], ...]
"""Of sex, age, lightness and, if there is one, a user's own probe: ranges that do not overlap, with
shares that sum to one."""
EVERYBODY: Mapping[Range, float] = {(-np.inf, np.inf): 1.0}
"""The margin of an attribute of which nothing is asked."""

_FEWEST, _MOST = 64, 65_536
"""Candidates drawn at once."""
_COMPLETED, _AT_LEAST = 8, 16
"""Candidates completed for each latent that is waited for, and for each group."""
_HOPE = 4_000_000
"""Candidates drawn in vain before a group is given up: that rare ones are not to be had."""


class Faces(Protocol):
    """Anything that latents are drawn from."""

    @property
    def pushed(self) -> bool:
        """Whether latents may be pushed away from others."""
        ...

    @property
    def kept(self) -> Annotated[FloatArray, "D K"]:
        """Orthonormal directions along which a latent stays where it is when it is pushed: pushed
        along these, it would be somebody else than asked for."""
        ...

    def groups_of(self, latents: Annotated[RealArray, "N D"]) -> Annotated[IntArray, "N"]:
        """Which of the groups that are to be covered alike each latent is of, (N,); -1 for those
        that nobody asks for."""
        ...

    def strata_of(self, latents: Annotated[RealArray, "N D"]) -> Annotated[IntArray, "N K"]:
        """Numbers of the groups that each latent belongs to, by the ways of grouping whose shares
        were asked for, (N, K)."""
        ...

    def sample(self, rng: np.random.Generator, n: int) -> Annotated[Float32Array, "N D"]:
        """Draw n latents of unit norm."""
        ...

    def people(self, rng: np.random.Generator, n: int) -> Annotated[Float32Array, "N D"]:
        """Draw about n latents of those who are to be covered: as many of each group, within which
        they lie as real faces do."""
        ...


@dataclass(frozen=True)
class Group:
    """People whose attributes lie in these ranges."""

    female: Range = (-np.inf, np.inf)
    age: Range = (-np.inf, np.inf)
    lightness: Range = (-np.inf, np.inf)
    own: Range = (-np.inf, np.inf)

    def holds(self, attributes: Annotated[FloatArray, "N J"]) -> Annotated[BoolArray, "N"]:
        """Whether people with these ATTRIBUTES, and readings of a user's own probe, (N, J) belong
        to it, (N,)."""
        low, high = np.array(self.ranges[: attributes.shape[1]]).T
        return np.asarray(((low <= attributes) & (attributes < high)).all(axis=1))

    def linear_bounds(
        self, biases: Annotated[FloatArray, "J"]
    ) -> tuple[Annotated[FloatArray, "J"], Annotated[FloatArray, "J"]]:
        """Bounds (J,) of what probes say of its people before their biases are added."""
        low, high = np.array(self.ranges[: len(biases)]).T
        for bounds in (low, high):
            bounds[0] = _log_odds(bounds[0])
        return low - biases, high - biases

    def common(self, other: Group) -> Group | None:
        """Those of both; None if there can be none."""
        ranges = [
            (max(a[0], b[0]), min(a[1], b[1]))
            for a, b in zip(self.ranges, other.ranges, strict=True)
        ]
        return Group(*ranges) if all(low < high for low, high in ranges) else None

    def __str__(self) -> str:
        """In words, such as ``women, 60 to 75 years, lightness of skin below 55``."""
        words = [_PLURALS[name] for name, bounds in SEXES.items() if bounds == self.female]
        words += [f"{_words(self.age)} years"] if np.isfinite(self.age).any() else []
        if np.isfinite(self.lightness).any():
            named = [name for name, bounds in SKINS.items() if bounds == self.lightness]
            words.append(f"{named[0]} skin" if named else f"skin of {_words(self.lightness)}")
        words += [f"a reading of {_words(self.own)}"] if np.isfinite(self.own).any() else []
        return ", ".join(words) or "anybody"

    @property
    def ranges(self) -> tuple[Range, ...]:
        """Of all attributes, in the order of the probes."""
        return self.female, self.age, self.lightness, self.own


def _shared_out(
    rng: np.random.Generator, shares: Annotated[FloatArray, "K"], n: int
) -> Annotated[IntArray, "n"]:
    """Numbers (n,) of groups in any order, of each as many as its share, by evenly spaced places.

    Drawn one by one, a hundred people would be less than 44 or more than 56 women every fifth time.
    """
    places = (np.arange(n) + rng.random(1)) / max(n, 1)
    ends = np.cumsum(shares)
    groups: IntArray = np.searchsorted(ends / ends[-1], places, side="right")
    return rng.permutation(groups)


def _log_odds(chance: float) -> float:
    """Of a chance; infinite where nothing is demanded of it."""
    if chance <= 0:
        return -np.inf
    return float(np.log(chance / (1 - chance))) if chance < 1 else np.inf


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
    def hull(self) -> Group:
        """The smallest group that holds all of them."""
        ranges = zip(*(group.ranges for group in self.groups), strict=True)
        return Group(
            *((min(r[0] for r in each), max(r[1] for r in each)) for each in map(list, ranges))
        )

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
AS_FOUND, BALANCED = POPULATIONS

EIGHT_GROUPS: Mapping[str, Group] = {
    f"{skin} {age} {_PLURALS[sex]}": Group(SEXES[sex], years, lightness)
    for sex in SEXES
    for age, years in {"younger": (-np.inf, 45.0), "older": (45.0, np.inf)}.items()
    for skin, lightness in {"darker": (-np.inf, 60.0), "fairer": (60.0, np.inf)}.items()
}
"""Everybody, by sex, age and skin in halves: the groups whose coverage is compared."""


def eight_groups_of(attributes: Annotated[FloatArray, "N J"]) -> Annotated[IntArray, "N"]:
    """Which of EIGHT_GROUPS (N,) people with these ATTRIBUTES (N, J) belong to."""
    held = np.stack([group.holds(attributes) for group in EIGHT_GROUPS.values()])
    return np.argmax(held, axis=0)


@dataclass(frozen=True)
class PopulationFaces:
    """The density of real faces, shared out by a population, as probes read it.

    pushed: whether latents may be pushed away from others, which costs likeness to who they are.
    """

    faces: NaturalFaces
    probes: AttributeProbes
    population: Population
    pushed: bool = True

    @cached_property
    def kept(self) -> Annotated[FloatArray, "D K"]:
        """What the probes read: who is asked for stays who it is."""
        directions, _ = np.linalg.qr(normalise(self.probes.weights.T).T)
        return np.asarray(directions)

    def groups_of(self, latents: Annotated[RealArray, "N D"]) -> Annotated[IntArray, "N"]:
        """Which of EIGHT_GROUPS; -1 for those who are not of the population."""
        attributes = self.probes.read(latents)
        held = [group.holds(attributes) for group in self.population.groups]
        return np.where(np.any(held, axis=0), eight_groups_of(attributes), -1)

    def strata_of(self, latents: Annotated[RealArray, "N D"]) -> Annotated[IntArray, "N K"]:
        """By the population's groups, and by the ranges that these have of each attribute."""
        attributes, groups = self.probes.read(latents), self.population.groups
        held = np.stack([group.holds(attributes) for group in groups])
        group = np.argmax(held, axis=0)
        columns = [group]
        for ranges in zip(*(asked.ranges for asked in groups), strict=True):
            _, numbers = np.unique(np.array(ranges), axis=0, return_inverse=True)
            columns.append(numbers.ravel()[group])
        return np.stack(columns, axis=1)

    def sample(self, rng: np.random.Generator, n: int) -> Annotated[Float32Array, "N D"]:
        """Latents (n, D) of n people who do not exist, of each group its share: to one or so.

        UserError if a group is so rare among real faces that none is found.
        """
        if self.population.is_everybody:
            return self.faces.sample(rng, n)
        if n < 0:
            raise UserError(f"{n} latents cannot be drawn: ask for 0 or more")
        groups = self.population.groups
        group = _shared_out(rng, self._shares, n)
        waiting = {
            asked: places
            for k, asked in enumerate(groups)
            if len(places := np.flatnonzero(group == k))
        }
        points = np.zeros((n, self.faces.basis.shape[1]))
        in_vain, size = 0, _FEWEST
        while waiting:
            found = self._found(
                rng, {asked: len(places) for asked, places in waiting.items()}, size
            )
            in_vain = 0 if all(map(len, found.values())) else in_vain + size
            if in_vain >= _HOPE:
                rare = next(asked for asked, drawn in found.items() if not len(drawn))
                raise UserError(
                    f"next to no {rare} among {in_vain:,} faces drawn: widen the ranges"
                )
            for asked, drawn in found.items():
                places = waiting.pop(asked)
                points[places[: len(drawn)]] = drawn
                if len(drawn) < len(places):
                    waiting[asked] = places[len(drawn) :]
            size = min(2 * size, _MOST)
        return self.faces.latents(points)

    def people(self, rng: np.random.Generator, n: int) -> Annotated[Float32Array, "N D"]:
        """As many, about n in all, of each of EIGHT_GROUPS that anybody asked for belongs to."""
        hull = self.population.hull
        groups = [both for group in EIGHT_GROUPS.values() if (both := group.common(hull))]
        shares = (1 / len(groups),) * len(groups)
        evenly = PopulationFaces(self.faces, self.probes, Population(tuple(groups), shares))
        drawn = evenly.sample(rng, n)
        return drawn[self.groups_of(drawn) >= 0]  # a population may leave some out within its hull

    def _found(
        self, rng: np.random.Generator, wanted: Mapping[Group, int], size: int
    ) -> dict[Group, FloatArray]:
        """Points (M, T) of each group, as many as wanted at most, among so many candidates.

        Those completed for a group are the first that may belong to it, so that whether a candidate
        may belong to another, too, decides nothing.
        """
        candidates, biases = self._first.draw(rng, size), self.probes.biases
        looked_at = {}
        for group, count in wanted.items():
            may = self._first.may_read(candidates, *group.linear_bounds(biases))
            looked_at[group] = np.flatnonzero(may)[: _COMPLETED * count + _AT_LEAST]
        rows = np.unique(np.concatenate(list(looked_at.values())))
        points = self._first.complete(rng, candidates[rows])
        attributes = self._probes_on_axes.read(normalise(points))
        found = {}
        for group, looked in looked_at.items():
            places = np.searchsorted(rows, looked)
            found[group] = points[places[group.holds(attributes[places])]][: wanted[group]]
        return found

    @cached_property
    def _probes_on_axes(self) -> AttributeProbes:
        return self.probes.on_axes(self.faces.basis)

    @cached_property
    def _first(self) -> ProbesFirst:
        return ProbesFirst(self.faces, self._probes_on_axes.weights)

    @property
    def _shares(self) -> FloatArray:
        shares = np.array(self.population.shares)
        return shares / shares.sum()
