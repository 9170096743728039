# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes the hair of heads that are deleted.

Blender deletes what is selected and leaves its children behind. Objects must not be removed while
Blender tells of a change, so that happens in the next moment; after an undo step that brings the
hair back with its head, there is nothing stray to remove.
"""

from __future__ import annotations

import bpy

from .head_object import HAIR_KEY, ID_KEY, remove_with_data


def stray_hair() -> list[bpy.types.Object]:
    """Hair objects of heads that are no longer in the file."""
    loose = [o for o in bpy.data.objects if HAIR_KEY in o and o.parent is None]
    if not loose:
        return []
    heads = {o[ID_KEY] for o in bpy.data.objects if ID_KEY in o}
    return [hair for hair in loose if hair[HAIR_KEY] not in heads and hair.is_editable]


def remove_stray_hair() -> None:
    """Remove the hair of deleted heads, with its strands."""
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
