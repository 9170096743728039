# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders that an artist has locked: sampling and resetting leave them as they are.

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


def locked(mesh_object: bpy.types.Object, table: ParameterTable) -> Annotated[BoolArray, "P"]:
    """Mask (P,) of the table's parameters that are locked; names that it lacks are skipped."""
    names = _names(mesh_object)
    return np.array([name in names for name in table.names], np.bool_)


def set_locked(mesh_object: bpy.types.Object, names: Iterable[str], on: bool) -> None:
    """Lock the sliders of these names, or unlock them; those of other names stay as they are."""
    before = _names(mesh_object)
    after = before | set(names) if on else before - set(names)
    if after:
        mesh_object[LOCKED_KEY] = "\n".join(sorted(after))
    elif LOCKED_KEY in mesh_object:
        del mesh_object[LOCKED_KEY]


def _names(mesh_object: bpy.types.Object) -> set[str]:
    stored = mesh_object.get(LOCKED_KEY, "")
    return set(stored.split("\n")) - {""} if isinstance(stored, str) else set()
