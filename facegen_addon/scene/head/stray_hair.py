# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes the hair of heads that are deleted, and what they wore.

Blender deletes what is selected and leaves its children behind. Objects must not be removed while
Blender tells of a change, so that happens in the next moment; after an undo step that brings the
hair back with its head, there is nothing stray to remove.
"""

from __future__ import annotations

import bpy

from .head_object import HAIR_KEY, ID_KEY
from .objects import remove_with_data
from .worn import WORN_KEY


def stray_hair() -> list[bpy.types.Object]:
    """Objects of hair, and of what is worn, whose heads are no longer in the file."""
    loose = [o for o in bpy.data.objects if o.parent is None and _head_of(o)]
    if not loose:
        return []
    heads = {o[ID_KEY] for o in bpy.data.objects if ID_KEY in o}
    return [part for part in loose if _head_of(part) not in heads and part.is_editable]


def _head_of(part: bpy.types.Object) -> str:
    """The id of the head that a part belongs to; empty for other objects."""
    return str(part.get(HAIR_KEY) or part.get(WORN_KEY) or "")


def remove_stray_hair() -> None:
    """Remove the hair of deleted heads, with its strands, and what they wore."""
    for hair in stray_hair():
        remove_with_data(hair)


@bpy.app.handlers.persistent
def _after_change(*_: object) -> None:
    if bpy.app.background or bpy.app.timers.is_registered(remove_stray_hair):
        return
    if stray_hair():
        bpy.app.timers.register(remove_stray_hair, first_interval=0.0)


def register() -> None:
    """Watch for heads that are deleted."""
    bpy.app.handlers.depsgraph_update_post.append(_after_change)


def unregister() -> None:
    """Undo register."""
    if bpy.app.timers.is_registered(remove_stray_hair):
        bpy.app.timers.unregister(remove_stray_hair)
    bpy.app.handlers.depsgraph_update_post.remove(_after_change)
