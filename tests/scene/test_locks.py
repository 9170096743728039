# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks are kept on a head's object, by name."""

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.head.locks import LOCKED_KEY, locked, set_locked

TABLE = load_head_model("anny").table


def names(mesh_object: bpy.types.Object) -> set[str]:
    return {TABLE.names[column] for column in np.flatnonzero(locked(mesh_object, TABLE))}


@pytest.fixture
def head() -> bpy.types.Object:
    return HeadObject.create(load_head_model("anny"), bpy.context.collection).mesh_object


def test_nothing_is_locked_at_first(head: bpy.types.Object) -> None:
    mask = locked(head, TABLE)
    assert mask.shape == (len(TABLE),) and mask.dtype == bool and not mask.any()


def test_locks_add_up_and_open_one_by_one(head: bpy.types.Object) -> None:
    set_locked(head, ["age", "weight"], True)
    set_locked(head, ["jawOpen", "age"], True)
    assert names(head) == {"age", "weight", "jawOpen"}
    set_locked(head, ["weight", "gender"], False)
    assert names(head) == {"age", "jawOpen"}
    set_locked(head, ["age", "jawOpen"], False)
    assert not names(head)
    assert LOCKED_KEY not in head


def test_locks_live_in_copies_but_not_in_other_heads(head: bpy.types.Object) -> None:
    set_locked(head, ["age"], True)
    other = HeadObject.create(load_head_model("anny"), bpy.context.collection).mesh_object
    copy = head.copy()
    set_locked(head, ["age"], False)
    assert names(copy) == {"age"}
    assert not names(other)


@pytest.mark.parametrize("stored", ["", "\n\n", "of_another_model", 7, [1, 2]])
def test_what_is_no_slider_locks_nothing(head: bpy.types.Object, stored: object) -> None:
    head[LOCKED_KEY] = stored
    assert not names(head)
    set_locked(head, ["age"], True)
    assert names(head) == {"age"}
