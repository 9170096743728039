# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the FLAME parameters in a table of arrays, under the names of one program."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np

from ....arrays import FloatArray
from ....errors import UserError
from .containers import REMEDY
from .foreign import describe_table, describe_unknown_table, joined_expression
from .layouts import (
    CODES,
    COMPONENTS,
    EYES,
    FOREIGN_EXPRESSION,
    FRAME_RATE,
    HEAD_AND_JAW,
    LAYOUTS,
    TRACKER,
    TRACKER_NEEDS,
    TRACKER_SIX,
    Layout,
    names_for,
)
from .rows import as_array, code_rows, pose_rows, six_rows, vector_rows

_CAP4D_EXPRESSION = 65
_POSE_LIKE = re.compile(r"pose|(?:^|_)rot|orient|jaw|neck|gaze|^eyes?$|^eye_|eyecode", re.I)
_NO_POSE = re.compile(r"cam|extr|world|light|landmark|lmk|posedirs", re.I)
_AMBIGUOUS = {"pose", "rotation", "translation", "rot", "tra"}  # cameras' as well as heads'
_TRACKER_COPIES = {"R_rotation_matrix"}  # what another key of the frame says, too


@dataclass(frozen=True)
class Table:
    """The parameters of one table: rows (N or 1, K) by FLAME's name, and the file's key of each.

    frames: whether the rows are known to follow each other in time.
    """

    convention: str
    values: dict[str, Annotated[FloatArray, "_ _"]]
    keys: dict[str, str]
    ignored: Set[str]
    warnings: list[str] = field(default_factory=list)
    fps: float | None = None
    frames: bool = False


def parameter_keys() -> Set[str]:
    """Every key that some program has for a FLAME parameter."""
    return {"flame"}.union(*LAYOUTS.values())


def read_table(content: Mapping[Any, Any], source: str) -> Table:
    """Read the parameters in a table of a known convention; UserError that describes another."""
    table = {str(key): value for key, value in content.items()}
    described = describe_table(table)
    if described:
        raise UserError(f"{source} holds {with_remedy(described)}")
    if isinstance(table.get("flame"), Mapping):
        return _read_tracker(table, source)
    convention = _recognised(table, source)
    return read_layout(convention, LAYOUTS[convention], table, source)


def with_remedy(description: str) -> str:
    """A description with what to do about it, which those with a semicolon say already."""
    return description if ";" in description else f"{description}: {REMEDY}"


def read_layout(convention: str, layout: Layout, table: Mapping[str, Any], source: str) -> Table:
    """Read the parameters under the keys of a layout; other keys are ignored or warned of."""
    values: dict[str, FloatArray] = {}
    keys: dict[str, str] = {}
    for key in (key for key in layout if key in table):
        names, rows = _parameters(convention, key, layout[key], table[key], source)
        for name, part in zip(names, np.split(rows, len(names), axis=1), strict=True):
            if name in values:
                raise UserError(f"{source}: {keys[name]} and {key} both say {name}; remove one")
            values[name], keys[name] = part, key
    left = table.keys() - layout.keys()
    foreign = FOREIGN_EXPRESSION.get(convention, {})
    warnings = [f"{key} is left out: {foreign[key]}" for key in sorted(left & foreign.keys())]
    left -= foreign.keys() | _TRACKER_COPIES
    poses = sorted(key for key in left if _POSE_LIKE.search(key) and not _NO_POSE.search(key))
    warnings += [
        f"{key} is left out, though its name is a pose's: {convention} has no such key"
        for key in poses
    ]
    if not values:
        raise UserError(f"{source}: {'; '.join(warnings)}, and there is nothing else of FLAME's")
    fps = _frame_rate(table)
    ignored = left - set(poses) - (set(FRAME_RATE) if fps else set())
    return Table(convention, values, keys, ignored, warnings, fps)


def _parameters(
    convention: str, key: str, names: tuple[str, ...], value: Any, source: str
) -> tuple[tuple[str, ...], FloatArray]:
    """The names of the parameters under a key, and their numbers side by side."""
    if names[0] in CODES:
        rows = code_rows(value, key, source)
        joined = joined_expression(rows.shape[1]) if names[0] == "expression" else None
        if joined and convention != "plain":
            raise UserError(f"{source}: {key} has {rows.shape[1]} values a head: {joined}")
        width = COMPONENTS["mica"]["betas"] if convention == "mica" else rows.shape[1]
    else:
        rows = _vectors(convention, key, names, value, source)
        names = names_for(names, rows.shape[1])
        if convention == "cap4d" and names == EYES and rows.shape[1] == 3:
            rows = np.tile(rows, 2)  # one gaze for both
        width = 3 * len(names)
    if rows.shape[1] != width:
        hint = ", the head's and the jaw's, or 15, all joints'" if names == HEAD_AND_JAW else ""
        raise UserError(
            f"{source}: {key} has {rows.shape[1]} values a head; {convention} has {width}{hint}"
        )
    return names, rows


def _vectors(
    convention: str, key: str, names: tuple[str, ...], value: Any, source: str
) -> FloatArray:
    """Rotations or translations side by side."""
    if names == ("transl",):
        return vector_rows(value, key, source)
    if convention in ("tracker", "pixel3dmm") and key in TRACKER_SIX:
        return six_rows(value, key, len(names), source)
    return pose_rows(value, key, len(names), source)


def _read_tracker(content: Mapping[str, Any], source: str) -> Table:
    """A frame of metrical-tracker or Pixel3DMM, whose joints turn by six numbers, not three."""
    flame = {str(key): value for key, value in content["flame"].items()}
    missing = TRACKER_NEEDS - flame.keys()
    if missing:
        raise UserError(
            f"{source}: flame has {listed(flame.keys())} but lacks {listed(missing)}, which"
            f" a frame of metrical-tracker has; {REMEDY}"
        )
    convention = "pixel3dmm" if {"neck", "R"} & flame.keys() else "tracker"
    others = {key: value for key, value in content.items() if key != "flame"}
    return read_layout(convention, TRACKER, {**flame, **others}, source)


def _recognised(table: Mapping[str, Any], source: str) -> str:
    """The convention that knows most of the keys; no key of another one may be left over."""
    known = {}
    for name, layout in LAYOUTS.items():
        known[name] = table.keys() & {*layout, *FOREIGN_EXPRESSION.get(name, ())}
    best = max(known, key=lambda name: len(known[name]))
    if known[best] <= _AMBIGUOUS:
        described = describe_unknown_table(table)
        if described:
            raise UserError(
                f"{source} holds {with_remedy(described)} (keys {listed(table.keys())})"
            )
        conventions = "; ".join(f"{name}: {', '.join(keys)}" for name, keys in LAYOUTS.items())
        raise UserError(
            f"{source} has the keys {listed(table.keys())}, none of which is a FLAME parameter's;"
            f" known are {conventions}"
        )
    left_over = set().union(*known.values()) - known[best]
    if left_over:
        raise UserError(
            f"{source} mixes conventions: {listed(known[best])} is {best}'s,"
            f" {listed(left_over)} is not; rename or remove"
        )
    if best == "vhap" and as_array(table.get("expr")).shape[-1:] == (_CAP4D_EXPRESSION,):
        return "cap4d"
    return best


def _frame_rate(table: Mapping[str, Any]) -> float | None:
    """Frames a second, if a key says so."""
    for key in FRAME_RATE:
        value = as_array(table[key]) if key in table else np.empty(0)
        if value.size == 1 and value.dtype.kind in "iuf":
            rate = float(value.reshape(()))
            if np.isfinite(rate) and rate > 0:
                return rate
    return None


def listed(keys: Set[str]) -> str:
    """Names in a sentence, in the alphabet's order; the first dozen of many."""
    names = sorted(keys)
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ", ".join(names[:12]) + more if names else "nothing"
