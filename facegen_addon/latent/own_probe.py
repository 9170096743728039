# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own probe: a linear function of latents in a file, by which people are asked for.

The .npz file holds

    name       text: what it says, such as "smiling"
    encoder    text: whose latents it reads; "facenet", since natural faces are FaceNet's
    direction  (512,) floats: a unit latent l reads as direction . l + offset
    offset     a float
    range      (2,) floats: the least and the largest reading that was seen on real faces
    unit       text, may be left out: what readings are in
    levels     (L,) texts, and level_bounds (L + 1,) floats, rising: names of ranges that follow one
               another; both may be left out
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import numpy as np

from ..arrays import AnyArray, FloatArray
from ..artifacts import read_npz
from ..errors import UserError
from .checked import LATENT_SIZE

ENCODER = "facenet"
"""Whose latents natural faces are: the key of encoders.encoder.DEFAULT_ENCODER."""

Range = tuple[float, float]


def read_range(word: str, where: str, remedy: str, of: str = "") -> Range:
    """Two numbers with a colon between them, the lower one first; UserError for the rest.

    where, remedy, of: what errors say of the place, of what to give, and of what has the range.
    """
    first, colon, last = word.partition(":")
    try:
        low, high = float(first), float(last)
    except ValueError:
        low = high = np.nan
    if not colon or not np.isfinite([low, high]).all():
        raise UserError(f"{where} {word!r} is no range{of}; give {remedy}")
    if low >= high:
        raise UserError(f"{where} {word!r} is empty; give the lower number first")
    return low, high


"""The lower bound, included, and the upper one, excluded."""

_SUFFIX = ".npz"
_REMEDY = "see docs/command_line.md for what a probe's file holds"


@dataclass(frozen=True)
class OwnProbe:
    """name; a unit latent reads as direction (D,) . latent + offset, in ``unit``; seen: the least
    and the largest reading of real faces; levels: names of ranges of readings."""

    name: str
    direction: Annotated[FloatArray, "D"]
    offset: float
    seen: Range
    unit: str
    levels: Mapping[str, Range]

    @classmethod
    def load(cls, path: Path | str, where: str = "probe") -> OwnProbe:
        """A probe's file; UserError, one line, that names file, array and remedy."""
        try:
            file = _File(f"{where} {path}", read_npz(path))
        except UserError as error:
            raise error.within(where) from None
        if (encoder := file.text("encoder")) != ENCODER:
            file.fail(f"reads latents of encoder {encoder!r}, those of real faces are {ENCODER!r}")
        direction = file.floats("direction", (LATENT_SIZE,))
        if not direction.any():
            file.fail("direction is zero, which says the same of everybody")
        low, high = file.floats("range", (2,))
        if low >= high:
            file.fail(f"range {low:g} to {high:g} is empty")
        return cls(
            file.text("name"),
            direction,
            float(file.floats("offset", ())),
            (float(low), float(high)),
            file.text("unit") if "unit" in file.arrays else "",
            file.levels(),
        )

    def range_of(self, word: str, where: str = "probe") -> Range:
        """A level's name, or ``0.5:1`` -> readings from 0.5 to below 1. UserError for the rest."""
        if word in self.levels:
            return self.levels[word]
        (least, largest), names = self.seen, "".join(f"{name}, " for name in self.levels)
        remedy = f"{names}or two numbers such as {least:g}:{largest:g}"
        low, high = read_range(word, where, remedy, f" of {self.name}")
        if low < least or high > largest:
            raise UserError(
                f"{where} {word!r} leaves {least:g} to {largest:g}{self._in_unit}, between which"
                f" {self.name} was seen on real faces; give {remedy}"
            )
        return low, high

    @property
    def _in_unit(self) -> str:
        return f" {self.unit}" if self.unit else ""


def split_probe(word: str, where: str = "probe") -> tuple[Path, str]:
    """``FILE.npz:0.5:1`` or ``FILE.npz:LEVEL`` -> the file, and the rest. UserError for others."""
    file, found, rest = word.rpartition(f"{_SUFFIX}:")
    if not found or not file or not rest:
        raise UserError(
            f"{where} {word!r} does not say whom to ask for; give FILE.npz:LOW:HIGH or"
            " FILE.npz:LEVEL"
        )
    return Path(file + _SUFFIX), rest


@dataclass(frozen=True)
class _File:
    """A probe's arrays, and how errors name it."""

    where: str
    arrays: Mapping[str, AnyArray]

    def fail(self, fault: str) -> NoReturn:
        raise UserError(f"{self.where}: {fault}; {_REMEDY}")

    def array(self, name: str) -> AnyArray:
        if name not in self.arrays:
            self.fail(f"it has no array {name}")
        return self.arrays[name]

    def text(self, name: str) -> str:
        array = self.array(name)
        if array.shape != () or array.dtype.kind != "U":
            self.fail(f"{name} is no text")
        return str(array)

    def floats(self, name: str, shape: tuple[int, ...]) -> FloatArray:
        array = self.array(name)
        if array.shape != shape or array.dtype.kind not in "fiu":
            self.fail(
                f"{name} is of shape {array.shape} and type {array.dtype}, not {shape} floats"
            )
        return array.astype(np.float64)

    def levels(self) -> dict[str, Range]:
        if "levels" not in self.arrays:
            return {}
        names = self.array("levels")
        if names.ndim != 1 or names.dtype.kind != "U" or len(set(names)) != len(names):
            self.fail("levels are no list of texts, each once")
        bounds = self.floats("level_bounds", (len(names) + 1,))
        if (np.diff(bounds) <= 0).any():
            self.fail("level_bounds do not rise")
        return {
            str(name): (float(low), float(high))
            for name, low, high in zip(names, bounds[:-1], bounds[1:], strict=True)
        }
