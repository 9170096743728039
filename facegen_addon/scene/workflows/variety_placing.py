# SPDX-License-Identifier: GPL-3.0-or-later
"""Places the heads of a generated variety in the scene."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import bpy
from mathutils import Vector

from ...arrays import FloatArray
from ...encoders.encoder import DEFAULT_ENCODER
from ...heads.catalogue import load_head_model
from ...heads.wear.outfit import BARE, Outfit
from ...variety.predicted import PredictedVariety
from ...variety.result import VarietyResult
from ..head import history
from ..head.head_object import HeadObject
from ..head.latents import Latents, store, store_seed
from ..head.objects import remove_with_data, require_own
from ..head.placement import HEAD_ROOM, free_origin, grid_places, stand, taken_room

COLLECTION = "FaceGen Variety"
"""Name of the collection that a variety's heads are put into, which hides or deletes them all."""


@dataclass(frozen=True)
class _Known:
    """All that is known of a head that was accepted: parameters (P,), its seed and latents."""

    parameters: Annotated[FloatArray, "P"]
    seed: int
    latents: Latents


def place_heads(
    result: VarietyResult | PredictedVariety,
    collection: bpy.types.Collection,
    origin: Vector,
    outfit: Outfit = BARE,
) -> Generator[HeadObject, None, None]:
    """Stand the heads, in an outfit, in a grid from ``origin`` (metres), or beside what
    stands there, in a collection of their own.

    Each has its seed, latents and history, and its number in its name. Closed before its end, it
    removes what it has placed. UserError if ``collection`` is another file's.
    """
    require_own(collection)
    model = load_head_model(result.model)
    own = bpy.data.collections.new(COLLECTION)
    collection.children.link(own)
    name = str(own.name)
    placed: list[str] = []
    known = _known(result)
    taken, rooms = taken_room(bpy.context.view_layer), [HEAD_ROOM] * len(known)
    places = grid_places(rooms, free_origin(rooms, origin, taken))  # until their hair is known
    try:
        for number, (place, head) in enumerate(zip(places, known, strict=True), start=1):
            added = HeadObject.create(model, bpy.data.collections[name], parameters=head.parameters)
            placed.append(added.head_id)
            _furnish(added, head, number)
            if outfit != BARE:
                added.wear(outfit)
            added.mesh_object.location = place
            if number == len(known):
                stand([HeadObject.find(one).mesh_object for one in placed], origin, taken)
            yield added
    except BaseException:
        _remove_heads(placed)
        bpy.data.collections.remove(bpy.data.collections[name])
        raise


def _known(result: VarietyResult | PredictedVariety) -> Sequence[_Known]:
    """The panel speaks of FaceNet's latents of renders, so only those are kept as achieved."""
    if isinstance(result, PredictedVariety):
        return [_Known(h.parameters, result.seed, Latents(h.requested)) for h in result.heads]
    facenet = result.encoder == DEFAULT_ENCODER
    return [
        _Known(h.parameters, h.seed, Latents(h.requested, h.achieved if facenet else None))
        for h in result.heads
    ]


def _furnish(added: HeadObject, head: _Known, number: int) -> None:
    """Give a new head all that is known of the one that was accepted."""
    added.mesh_object.name = f"Head {number:02}"
    store_seed(added.mesh_object, head.seed)
    store(added.mesh_object, head.latents)
    history.record(added, f"Variety {number:02}")


def _remove_heads(head_ids: Iterable[str]) -> None:
    """Remove these heads with all that is theirs alone."""
    for head_id in head_ids:
        head = HeadObject.find(head_id)
        for owned in (*head.worn, head.hair_object, head.mesh_object):
            if owned is not None:
                remove_with_data(owned)
