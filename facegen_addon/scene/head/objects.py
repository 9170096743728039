# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to objects of heads, whatever part they are."""

from __future__ import annotations

import bpy

from ...errors import UserError


def require_own(collection: bpy.types.Collection) -> None:
    """UserError if nothing can be added to a collection, as it is linked from another file."""
    if not collection.is_editable or collection.override_library is not None:
        raise UserError(
            f"collection {collection.name!r} is linked from another file: make another one active"
        )


def remove_with_data(owned: bpy.types.Object) -> None:
    """Remove an object, and its data where nothing else uses them."""
    data = owned.data
    bpy.data.objects.remove(owned)
    if data.users == 0:
        bpy.data.batch_remove([data])


def add_subdivision(mesh_object: bpy.types.Object, levels: int) -> None:
    """Have a mesh subdivided.

    Not on its limit surface, which is 0.1 mm away and takes 5 s at first and 0.2 s a move.
    """
    modifier = mesh_object.modifiers.new("Subdivision", "SUBSURF")
    modifier.levels = modifier.render_levels = levels
    modifier.use_limit_surface = False
