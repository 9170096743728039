# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in a set of heads: how many of each sex, age and skin, and how near others have a head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any

import numpy as np

from ..arrays import FloatArray, IntArray, RealArray
from ..random_streams import random_stream
from .attributes import AttributeProbes
from .coverage import mean_of_groups
from .natural import NaturalFaces
from .people import (
    BALANCED,
    EIGHT_GROUPS,
    OLDEST,
    POPULATIONS,
    SEXES,
    SKINS,
    YOUNGEST,
    Group,
    Population,
    PopulationFaces,
    eight_groups_of,
)
from .sphere import cosine_distance_matrix

AGES = tuple(POPULATIONS[BALANCED][1])
"""Ranges of age, years, that a census tells apart; the outer ones hold all beyond as well."""

SOURCES = ("parameters", "requested", "achieved")
"""By what heads are counted: their own parameters, and probes on what was asked for and on what
the renders came to."""

_PEOPLE = 150
"""People of each of EIGHT_GROUPS whose distance to the nearest head is taken."""

Census = Mapping[str, Any]
"""Plain data; see `census_of`."""


def count_people(attributes: Annotated[RealArray, "N J"]) -> Annotated[IntArray, "S K A"]:
    """Numbers of people (2, 3, 4) by SEXES, SKINS and AGES, all N counted once."""
    female, age, lightness = np.asarray(attributes).T[:3]
    sex = (female < SEXES["woman"][0]).astype(int)
    skin = np.searchsorted([low for low, _ in list(SKINS.values())[1:]], lightness, side="right")
    years = np.searchsorted([low for low, _ in AGES[1:]], age, side="right")
    counts = np.zeros((len(SEXES), len(SKINS), len(AGES)), int)
    np.add.at(counts, (sex, skin, years), 1)
    return counts


def census_of(
    parameters: Annotated[RealArray, "N 3"] | None,
    requested: Annotated[RealArray, "N D"] | None,
    achieved: Annotated[RealArray, "M D"] | None,
) -> dict[str, Any]:
    """Who N heads are, as plain data: counts by each of SOURCES, and coverage of EIGHT_GROUPS.

    Args:
        parameters: ATTRIBUTES of the heads by their own parameters.
        requested: FaceNet latents that they were asked for.
        achieved: FaceNet latents of their renders.
        None for each that there is not.
    """
    tally = CensusTally()
    if parameters is not None:
        tally.add("parameters", parameters)
    if requested is not None:
        tally.add_latents("requested", requested)
    if achieved is not None:
        tally.add_latents("achieved", achieved)
    return tally.census()


class CensusTally:
    """A census of heads that come piece by piece: in the end that of all of them at once."""

    def __init__(self) -> None:
        self._probes = AttributeProbes.load()
        self._counts: dict[str, IntArray] = {}
        self._groups: dict[str, IntArray] = {}
        self._nearest: FloatArray | None = None

    def add(self, source: str, attributes: Annotated[RealArray, "N J"]) -> None:
        """Count heads by one of SOURCES, which says this of them."""
        groups = np.bincount(eight_groups_of(attributes), minlength=len(EIGHT_GROUPS))
        self._counts[source] = count_people(attributes) + self._counts.get(source, 0)
        self._groups[source] = groups + self._groups.get(source, 0)

    def add_latents(self, source: str, latents: Annotated[RealArray, "N D"]) -> None:
        """Count heads by their FaceNet latents; those that were achieved cover people, too."""
        self.add(source, self._probes.read(latents))
        if source == "achieved" and len(latents):
            nearest = _nearest_to_people(latents)
            before = self._nearest
            self._nearest = nearest if before is None else np.minimum(before, nearest)

    def census(self) -> dict[str, Any]:
        """Who they are, as `census_of` says it."""
        return {
            "sex": list(SEXES),
            "skin": list(SKINS),
            "age": [f"{low:g} to {high:g}" for low, high in AGES],
            **{source: self._listed(self._counts, source) for source in SOURCES},
            "groups": self._of_groups(),
        }

    def _of_groups(self) -> dict[str, dict[str, Any]]:
        """Of each of EIGHT_GROUPS: heads by each source, people's distance to the nearest head."""
        counts = {source: self._listed(self._groups, source) for source in SOURCES}
        nearest = self._nearest
        covered = None if nearest is None else mean_of_groups(nearest, _people_of_groups()[1])
        return {
            name: {source: found and found[k] for source, found in counts.items()}
            | {"coverage": None if covered is None else round(float(covered[k]), 4)}
            for k, name in enumerate(EIGHT_GROUPS)
        }

    @staticmethod
    def _listed(counts: Mapping[str, IntArray], source: str) -> list[Any] | None:
        return counts[source].tolist() if source in counts else None


def coverage_of_groups(heads: Annotated[RealArray, "N D"]) -> Annotated[FloatArray, "8"]:
    """Mean distance from people of each of EIGHT_GROUPS to the nearest of heads.

    The people do not exist: they are drawn where real faces of their group lie, always the same.
    """
    return mean_of_groups(_nearest_to_people(heads), _people_of_groups()[1])


def _nearest_to_people(heads: Annotated[RealArray, "N D"]) -> Annotated[FloatArray, "P"]:
    return np.asarray(cosine_distance_matrix(_people_of_groups()[0], heads).min(axis=1))


@cache
def _people_of_groups() -> tuple[RealArray, IntArray]:
    natural, probes = NaturalFaces.load(), AttributeProbes.load()
    grown = Group(age=(YOUNGEST, OLDEST))
    drawn = []
    for number, group in enumerate(EIGHT_GROUPS.values()):
        population = Population((group,), (1.0,)).within(grown)
        faces = PopulationFaces(natural, probes, population)
        drawn.append(faces.sample(random_stream("people of groups", number), _PEOPLE))
    return np.concatenate(drawn), np.repeat(np.arange(len(drawn)), _PEOPLE)


Rows = Sequence[Sequence[str]]


def census_rows(found: Census) -> Rows:
    """The joint table in words, its heading first: heads by their parameters, then by probes on
    renders, and in brackets how many were asked for; what there is not is left out."""
    rows = [["", *(f"{years} years" for years in found["age"])]]
    ages = range(len(found["age"]))
    for i, sex in enumerate(found["sex"]):
        for j, skin in enumerate(found["skin"]):
            cells = [[found[source] and found[source][i][j][k] for source in SOURCES] for k in ages]
            rows.append([f"{sex}, {skin} skin", *map(_words, cells)])
    return rows


def coverage_rows(found: Census) -> Rows:
    """Heads and coverage of each of the eight groups in words, the heading first."""
    rows = [["", "heads", "mean distance to the nearest head"]]
    for name, group in found["groups"].items():
        distance = group["coverage"]
        shown = "–" if distance is None else f"{distance:.3f}"
        rows.append([name, _words([group[source] for source in SOURCES]), shown])
    return rows


def _words(counts: Sequence[int | None]) -> str:
    """Counts by SOURCES."""
    parameters, requested, achieved = counts
    shown = " / ".join(f"{count}" for count in (parameters, achieved) if count is not None)
    return shown if requested is None else f"{shown} ({requested})".strip()


def coverage_ratio(found: Census) -> float | None:
    """Coverage of the worst of the eight groups against the best one's."""
    distances = [group["coverage"] for group in found["groups"].values()]
    if any(distance is None for distance in distances) or min(distances) <= 0:
        return None
    return float(max(distances) / min(distances))
