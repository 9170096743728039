# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of a recipe from plain data, checked: UserError names file, table, key and remedy."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, NoReturn

from batch.dataset import recipe_keys as keys
from batch.dataset.distribution import Distribution
from batch.dataset.recipe_keys import Key, Place, nearest
from batch.dataset.recipe_tables import (
    ALTERNATIVES,
    NEEDS,
    PARAMETERS,
    TABLES,
    means_something,
    written,
)
from facegen_addon.errors import UserError


def check_tables(content: Mapping[str, Any], origin: str) -> None:
    """UserError for a table that there is not, or a key outside of any."""
    names = (*TABLES, PARAMETERS)
    for name, values in content.items():
        if name in names:
            if not isinstance(values, Mapping):
                raise UserError(f"{origin}: {name} is {values!r}; give a table of keys, [{name}]")
            continue
        owners = [table for table, kind in TABLES.items() if name in _keys(kind)]
        if owners:
            raise UserError(
                f"{origin}: {name} stands outside of its table; put it below [{owners[0]}]"
            )
        known = ", ".join(f"[{other}]" for other in names)
        raise UserError(
            f"{origin}: there is no table [{name}]{nearest(name, names)}; there are {known}"
        )


def _keys(kind: type) -> dict[str, Key]:
    return {f.name: f.metadata["key"] for f in fields(kind)}


def read_table(kind: type, values: Mapping[str, Any], place: Place) -> Any:
    """A table from plain data; None stands for a key that is not given."""
    known, table = _keys(kind), place.table
    given = {name: value for name, value in values.items() if value is not None}
    for name in given:
        if name not in known:
            _fail_unknown(name, known, place)
    first, second = ALTERNATIVES.get(table, ("", ""))
    if first in given and second in given:
        raise UserError(f"{place}{first} and {second} are both given; leave one out")
    read = {
        name: known[name].read(value, replace(place, key=name)) for name, value in given.items()
    }
    if first in given:
        read[second] = None
    made = kind(**read)
    _check_together(made, place)
    return made


def _check_together(table: Any, place: Place) -> None:
    """UserError for keys that contradict each other, or that mean nothing without another."""
    if place.table == "expression":
        for name in set(table.only) & set(table.avoid):
            replace(place, key="avoid").fail(name, "other names than only has")
    if place.table == "people" and table.probe is not None:
        if not table.probed:
            replace(place, key="probed").fail([], "what the probe has to read, such as a level")
        table.drawn_from()  # refuses whom it cannot draw
    for (owner, name), needed in NEEDS.items():
        if owner != place.table or means_something(owner, name, table):
            continue
        value = getattr(table, name)
        if value != getattr(type(table)(), name):
            replace(place, key=name).fail(written(value), f"{needed}, too: without, it is nothing")


def read_sliders(values: Mapping[str, Any], place: Place) -> dict[str, Distribution]:
    """The sliders of the table of parameters, whose names the head model will know."""
    read = keys.distribution()
    return {name: read(value, replace(place, key=name)) for name, value in sorted(values.items())}


def _fail_unknown(name: str, known: Iterable[str], place: Place) -> NoReturn:
    owners = [table for table, kind in TABLES.items() if name in _keys(kind)]
    hint = f", but [{owners[0]}] has" if owners else nearest(name, known)
    raise UserError(
        f"{place.file}: [{place.table}] has no key {name!r}{hint}; its keys are {', '.join(known)}"
    )
