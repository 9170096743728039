# SPDX-License-Identifier: GPL-3.0-or-later
"""Places the heads of a generated variety in the scene."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import bpy
from mathutils import Vector

from ...encoders.encoder import DEFAULT_ENCODER
from ...heads.catalogue import load_head_model
from ...heads.wear.outfit import BARE, Outfit
from ...variety.result import GeneratedHead, VarietyResult
from ..head import history
from ..head.head_object import MODEL_KEY, HeadObject
from ..head.latents import Latents, store, store_seed
from ..head.objects import remove_with_data, require_own
from ..head.placement import free_origin, grid_places

COLLECTION = "FaceGen Variety"
"""Name of the collection that a variety's heads are put into, which hides or deletes them all."""


def place_heads(
    result: VarietyResult,
    collection: bpy.types.Collection,
    origin: Vector,
    outfit: Outfit = BARE,
) -> Generator[HeadObject, None, None]:
    """Stand the heads, in an outfit, in a grid from ``origin`` (metres), or beside the heads that
    are there, in a collection of their own.

    Each has its seed, latents and history, and its number in its name. Closed before its end, it
    removes what it has placed. UserError if ``collection`` is another file's.
    """
    require_own(collection)
    model = load_head_model(result.model)
    own = bpy.data.collections.new(COLLECTION)
    collection.children.link(own)
    name = str(own.name)
    placed: list[str] = []
    bpy.context.view_layer.update()  # heads of this very moment are where they are said to be
    taken = [o.matrix_world.translation for o in bpy.context.scene.objects if MODEL_KEY in o]
    count = len(result.heads)
    places = grid_places(count, free_origin(count, origin, taken))
    try:
        for number, (place, head) in enumerate(zip(places, result.heads, strict=True), start=1):
            added = HeadObject.create(model, bpy.data.collections[name])
            placed.append(added.head_id)
            _furnish(added, head, number, facenet=result.encoder == DEFAULT_ENCODER)
            if outfit != BARE:
                added.wear(outfit)
            added.mesh_object.location = place
            yield added
    except BaseException:
        _remove_heads(placed)
        bpy.data.collections.remove(bpy.data.collections[name])
        raise


def _furnish(added: HeadObject, head: GeneratedHead, number: int, *, facenet: bool) -> None:
    """Give a new head all that is known of the one that was accepted.

    The panel speaks of FaceNet's latents, so only those are kept.
    """
    added.set_parameters(head.parameters)
    added.mesh_object.name = f"Head {number:02}"
    store_seed(added.mesh_object, head.seed)
    store(added.mesh_object, Latents(head.requested, head.achieved if facenet else None))
    history.record(added, f"Variety {number:02}")


def _remove_heads(head_ids: Iterable[str]) -> None:
    """Remove these heads with all that is theirs alone."""
    for head_id in head_ids:
        head = HeadObject.find(head_id)
        for owned in (*head.worn, head.hair_object, head.mesh_object):
            if owned is not None:
                remove_with_data(owned)
