# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders that an artist has locked, which sampling and resetting leave as they are, and
characteristics that are pinned, which others leave as they are when they are moved.

The names are kept on the head's object, so that undo, copies and saved files carry them along.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import bpy
import numpy as np

from ...arrays import BoolArray
from ...heads.parameters import ParameterTable

LOCKED_KEY = "facegen_locked"
PINNED_KEY = "facegen_pinned"


def locked(mesh_object: bpy.types.Object, table: ParameterTable) -> Annotated[BoolArray, "P"]:
    """Mask (P,) of the table's parameters that are locked; names that it lacks are skipped."""
    names = _names(mesh_object, LOCKED_KEY)
    return np.array([name in names for name in table.names], np.bool_)


def count_locked(mesh_object: bpy.types.Object) -> int:
    """How many sliders of a head are locked."""
    return len(_names(mesh_object, LOCKED_KEY))


def set_locked(mesh_object: bpy.types.Object, names: Iterable[str], on: bool) -> None:
    """Lock the sliders of these names, or unlock them; those of other names stay as they are."""
    _change(mesh_object, LOCKED_KEY, set(names), on)


def pinned(mesh_object: bpy.types.Object) -> frozenset[str]:
    """Names of the characteristics that are pinned, whether or not the head's model has them."""
    return frozenset(_names(mesh_object, PINNED_KEY))


def set_pinned(mesh_object: bpy.types.Object, name: str, on: bool) -> None:
    """Pin the characteristic of this name, or take its pin out."""
    _change(mesh_object, PINNED_KEY, {name}, on)


def _change(mesh_object: bpy.types.Object, key: str, names: set[str], on: bool) -> None:
    before = _names(mesh_object, key)
    after = before | names if on else before - names
    if after:
        mesh_object[key] = "\n".join(sorted(after))
    elif key in mesh_object:
        del mesh_object[key]


def _names(mesh_object: bpy.types.Object, key: str) -> set[str]:
    stored = mesh_object.get(key, "")
    return set(stored.split("\n")) - {""} if isinstance(stored, str) else set()
