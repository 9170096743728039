# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asked for, in a user's words: a sex, a range of ages and of skins, a population."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .attributes import AttributeProbes
from .natural import NaturalFaces
from .own_probe import OwnProbe, read_range, split_probe
from .people import (
    BALANCED,
    DARKEST,
    EVERYBODY,
    FAIREST,
    OLDEST,
    POPULATIONS,
    SEXES,
    SKINS,
    YOUNGEST,
    Faces,
    Group,
    Population,
    PopulationFaces,
    Range,
)

ANY = "any"
_EVERY: Range = (-np.inf, np.inf)
_ENOUGH = 1e-6
"""By how much shares may miss a sum of 1."""


@dataclass(frozen=True)
class Who:
    """Who is asked for. sex: any, woman or man; age: ``60:75`` in years, or empty; skin: dark,
    medium, fair, a range of lightness such as ``45:60`` (L*), or empty; population: a name of
    POPULATIONS or the path of a .toml file; probe: ``FILE.npz:LOW:HIGH`` or ``FILE.npz:LEVEL``,
    what an OwnProbe has to read, or empty."""

    sex: str = ANY
    age: str = ""
    skin: str = ""
    population: str = BALANCED
    probe: str = ""

    def drawn_from(self, spelled: Callable[[str], str] = str) -> Population:
        """The population of these people alone; UserError that names value and remedy, and the
        field as ``spelled`` says it."""
        group = Group(
            sex_range(self.sex, spelled("sex")),
            age_range(self.age, spelled("age")),
            skin_range(self.skin, spelled("skin")),
            probe_range(self.probe, spelled("probe")),
        )
        return read_population(self.population, spelled("population")).within(group)

    def faces(self) -> Faces:
        """What their latents are drawn from. Those of certain people are not to be pushed about."""
        own = OwnProbe.load(split_probe(self.probe)[0]) if self.probe else None
        certain = bool(self.sex not in ("", ANY) or self.age or self.skin or self.probe)
        return faces_of(self.drawn_from(), own, pushed=not certain)


def faces_of(population: Population, own: OwnProbe | None = None, *, pushed: bool = True) -> Faces:
    """What latents of a population are drawn from, of which a user's own probe may be asked, too;
    without probes where nobody is asked for. pushed: see PopulationFaces."""
    natural = NaturalFaces.load()
    if population.is_everybody:
        return natural
    probes = AttributeProbes.load().beside(own)
    return PopulationFaces(natural, probes, population, pushed)


ANYBODY = Who()
"""Whoever comes, of a balanced population."""


def sex_range(word: str, where: str = "sex") -> Range:
    """woman, man or any -> the chance that a latent is a woman's. UserError for the rest."""
    if word in ("", ANY):
        return _EVERY
    if word not in SEXES:
        raise UserError(f"{where} {word!r} is unknown; choose from {', '.join((ANY, *SEXES))}")
    return SEXES[word]


def age_range(word: str, where: str = "age") -> Range:
    """``60:75`` -> years from 60 to below 75; all for nothing. UserError for anything else."""
    if not word:
        return _EVERY
    low, high = read_range(word, where, "years such as 60:75")
    if low < YOUNGEST or high > OLDEST:
        raise UserError(
            f"{where} {word!r} leaves {YOUNGEST:g} to {OLDEST:g} years, between which real faces"
            " were seen: children and the very old are made by sliders"
        )
    return low, high


def skin_range(word: str, where: str = "skin") -> Range:
    """A name of SKINS or ``45:60`` -> a range of L*; all for nothing. UserError for the rest."""
    if not word:
        return _EVERY
    if word in SKINS:
        return SKINS[word]
    remedy = f"{', '.join(SKINS)} or a range of lightness (L*) such as 45:60"
    low, high = read_range(word, where, remedy)
    if low < DARKEST or high > FAIREST:
        raise UserError(
            f"{where} {word!r} leaves the lightness of real faces, L* from {DARKEST:g} to"
            f" {FAIREST:g}; give {remedy}"
        )
    return low, high


def probe_range(word: str, where: str = "probe") -> Range:
    """``FILE.npz:0.5:1`` or ``FILE.npz:LEVEL`` -> readings of that probe; all for nothing.

    UserError for the rest.
    """
    if not word:
        return _EVERY
    file, rest = split_probe(word, where)
    return OwnProbe.load(file, where).range_of(rest, where)


def read_population(name: str, where: str = "population") -> Population:
    """A named population, or that of a .toml file; UserError that names file, key and remedy.

    The file has up to three tables, sex, age and skin, of shares that sum to 1: ``woman = 0.5``,
    ``"60:75" = 0.2``, ``dark = 0.3``. A table that is left out is as real faces have it.
    """
    if name in POPULATIONS:
        return Population.product(POPULATIONS[name])
    path = Path(name)
    if path.suffix != ".toml":
        raise UserError(
            f"unknown {where} {name!r}; choose from {', '.join(POPULATIONS)}, or name a .toml file"
        )
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{where} {name} cannot be read ({error.strerror}): name a file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{where} {name} is no TOML: {error}") from None
    return _population(content, name)


def _population(content: Mapping[str, Any], file: str) -> Population:
    unknown = [table for table in content if table not in READERS]
    if unknown:
        raise UserError(f"{file}: unknown table [{unknown[0]}]; give {', '.join(READERS)}")
    margins = (_shares(content.get(table, {}), table, f"{file}: [{table}]") for table in READERS)
    return Population.product(tuple(margins))


def _shares(table: Any, attribute: str, where: str) -> Mapping[Range, float]:
    """Ranges with their shares; UserError if they overlap or do not sum to 1."""
    if not isinstance(table, Mapping):
        raise UserError(f"{where} is no table; give lines such as woman = 0.5")
    if not table:
        return EVERYBODY
    for word, share in table.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise UserError(f"{where} {word} is {share!r}; give a share from 0 to 1")
    total = sum(table.values())
    if abs(total - 1.0) > _ENOUGH:
        raise UserError(f"{where} sums to {total:g}; give shares that sum to 1")
    return margin(table, attribute, where)


def margin(shares: Mapping[str, float], attribute: str, where: str) -> Mapping[Range, float]:
    """Words of one of READERS with shares -> ranges with shares; UserError if two overlap."""
    return ranges(shares, READERS[attribute], where)


def ranges(
    shares: Mapping[str, float], read: Callable[[str, str], Range], where: str
) -> Mapping[Range, float]:
    """Words with shares -> what ``read`` makes of them, with shares; UserError if two overlap."""
    found: dict[Range, float] = {}
    for word, share in shares.items():
        bounds = read(word, where)
        for other in found:
            if bounds[0] < other[1] and other[0] < bounds[1]:
                raise UserError(
                    f"{where} {word} overlaps another range; let each begin where one ends"
                )
        found[bounds] = float(share)
    return found


READERS: Mapping[str, Callable[[str, str], Range]] = {
    "sex": sex_range,
    "age": age_range,
    "skin": skin_range,
}
"""What reads a word for an attribute, and names the place of a wrong one."""
