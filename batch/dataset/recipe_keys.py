# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a recipe's tables: what each accepts, and errors that say where and what instead."""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from batch.dataset.colours import Colours, read_colours
from batch.dataset.distribution import Distribution, DistributionError, finite, read_distribution
from batch.dataset.recipe_files import NamedFiles, files_of_folder, one_file
from facegen_addon.encoders.encoder import encoder_names
from facegen_addon.errors import UserError
from facegen_addon.heads.exchange.slider_file import RUN_FILE
from facegen_addon.latent.own_probe import OwnProbe
from facegen_addon.latent.who import margin

_LONGEST = 60  # characters of a wrong value that are shown

Weights = tuple[tuple[str, float], ...]
"""Names with their weights against each other, none of them 0."""


@dataclass(frozen=True)
class Place:
    """Where in a recipe a value stands; folder: what its paths are relative to."""

    file: str
    folder: Path
    table: str
    key: str

    def __str__(self) -> str:
        return f"{self.file}: [{self.table}] {self.key}"

    def fail(self, value: object, remedy: str) -> NoReturn:
        """UserError that says what is wrong here."""
        text = repr(value)
        shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
        raise UserError(f"{self} is {shown}; give {remedy}")


Read = Callable[[Any, Place], Any]
"""Plain data -> the checked value of a key; UserError."""


@dataclass(frozen=True)
class Key:
    """read: of the key's value; unit: what its numbers are in, "" for none."""

    read: Read
    unit: str = ""


def key(read: Read, unit: str = "") -> dict[str, Key]:
    """The metadata of a dataclass field that is a key of a table."""
    return {"key": Key(read, unit)}


def nearest(name: str, known: Iterable[str]) -> str:
    """A remark on what may have been meant; empty if nothing is like it."""
    by_lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f", perhaps {by_lower[close[0]]!r} is meant" if close else ""


def one_of(*names: str) -> Read:
    """One of some words."""

    def read(value: Any, place: Place) -> str:
        if value not in names or not isinstance(value, str):
            place.fail(value, f"one of {', '.join(names)}{nearest(str(value), names)}")
        return value

    return read


def text(value: Any, place: Place) -> str:
    """A line of text that is not empty."""
    if not isinstance(value, str) or not value or not value.isprintable():
        place.fail(value, "a text in quotes")
    return value


def encoder(value: Any, place: Place) -> str:
    """The name of a registered encoder."""
    return str(one_of(*encoder_names())(value, place))


def switch(value: Any, place: Place) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        place.fail(value, "true or false")
    return value


def whole(low: int, high: int) -> Read:
    """A whole number in a range."""

    def read(value: Any, place: Place) -> int:
        if not _is_whole(value) or not low <= value <= high:
            place.fail(value, f"a whole number from {low} to {high}")
        return int(value)

    return read


def number(low: float, high: float) -> Read:
    """A number in a range."""

    def read(value: Any, place: Place) -> float:
        try:
            checked = finite(value)
        except DistributionError:
            checked = math.nan
        if not low <= checked <= high:
            place.fail(value, f"a number from {low:g} to {high:g}")
        return checked

    return read


def size(low: int, high: int) -> Read:
    """Width and height, whole numbers in a range; one number for both."""

    def read(value: Any, place: Place) -> tuple[int, int]:
        pair = value if isinstance(value, list) else [value, value]
        if len(pair) != 2 or not all(_is_whole(n) and low <= n <= high for n in pair):
            place.fail(value, f"pixels from {low} to {high}, one number or [width, height]")
        return int(pair[0]), int(pair[1])

    return read


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def distribution(low: float = -math.inf, high: float = math.inf) -> Read:
    """A distribution of numbers in a range."""

    def read(value: Any, place: Place) -> Distribution:
        try:
            found = read_distribution(value)
        except DistributionError as error:
            place.fail(value, str(error))
        if found.bounds[0] < low or found.bounds[1] > high:
            reach = f"; it reaches from {found.bounds[0]:g} to {found.bounds[1]:g}"
            place.fail(value, f"numbers from {low:g} to {high:g}{reach}")
        return found

    return read


def colours(value: Any, place: Place) -> Colours:
    """Colours of a background."""
    try:
        return read_colours(value)
    except DistributionError as error:
        place.fail(value, str(error))


def weights(names: Iterable[str]) -> Read:
    """Some of the names, alike or by weight: a list, or a table of numbers; in their own order."""
    known = tuple(names)

    def read(value: Any, place: Place) -> Weights:
        given = value if isinstance(value, Mapping) else dict.fromkeys(listed(value, place), 1.0)
        for name in given:
            if name not in known:
                place.fail(name, f"some of {', '.join(known)}{nearest(name, known)}")
        checked = {name: number(0.0, 1e6)(weight, place) for name, weight in given.items()}
        if not any(checked.values()):
            place.fail(value, "at least one name with a weight above 0")
        return tuple((name, checked[name]) for name in known if checked.get(name))

    return read


def people(attribute: str) -> Read:
    """Words of one of latent.who.READERS, by weight: one word, or a table of numbers."""

    def read(value: Any, place: Place) -> Weights:
        weighted = words(value, place)
        margin(dict(weighted), attribute, str(place))
        return weighted

    return read


def words(value: Any, place: Place) -> Weights:
    """Words by weight: one word, or a table of numbers."""
    if value == []:  # as `Recipe.as_mapping` says that nothing is asked for
        return ()
    given = {value: 1.0} if isinstance(value, str) else value
    if not isinstance(given, Mapping) or not given:
        place.fail(value, "a word in quotes, or a table of weights")
    checked = {name: number(0.0, 1e6)(weight, place) for name, weight in given.items()}
    if not any(checked.values()):
        place.fail(value, "at least one weight above 0")
    return tuple((name, weight) for name, weight in checked.items() if weight)


def probe(value: Any, place: Place) -> NamedFiles:
    """The file of a user's own probe."""
    written = text(value, place)
    path = place.folder / written
    OwnProbe.load(path, str(place))
    return one_file(written, path)


def listed(value: Any, place: Place) -> tuple[str, ...]:
    """Names in a list, each once."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        place.fail(value, "a list of names in quotes")
    if len(set(value)) != len(value):
        place.fail(value, "each name once")
    return tuple(value)


def folder(suffixes: Mapping[str, bytes]) -> Read:
    """A folder of pictures whose names end in one of the suffixes."""

    def read(value: Any, place: Place) -> NamedFiles:
        written = text(value, place)
        return files_of_folder(written, place.folder / written, suffixes, str(place))

    return read


def slider_file(value: Any, place: Place) -> NamedFiles:
    """A slider file, or the folder of a `generate` run."""
    written = text(value, place)
    path = place.folder / written
    try:
        return one_file(written, path / RUN_FILE if path.is_dir() else path)
    except UserError as error:
        raise error.within(str(place)) from None
