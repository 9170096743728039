# SPDX-License-Identifier: GPL-3.0-or-later
"""Adds a head to the scene where it can be seen: at the 3D cursor, or beside what stands there."""

from __future__ import annotations

from typing import Annotated

import bpy

from ...arrays import FloatArray
from ...heads.head_model import HeadModel
from ...mapping.sampling import Sampled
from ..head import history
from ..head.head_object import HeadObject
from ..head.latents import Latents, store, store_seed
from ..head.placement import stand, taken_room


def add_head(
    model: HeadModel,
    context: bpy.types.Context,
    subdivision: int = 1,
    parameters: Annotated[FloatArray, "P"] | None = None,
) -> HeadObject:
    """A head of a model, in the context's collection; the rest as of ``HeadObject.create``."""
    taken = taken_room(context.view_layer)
    head = HeadObject.create(model, context.collection, subdivision, parameters)
    stand([head.mesh_object], context.scene.cursor.location, taken)
    return head


def add_drawn_head(
    model: HeadModel, sampled: Sampled, context: bpy.types.Context, label: str, seed: int
) -> HeadObject:
    """A head that was drawn with a seed, with the latent that it was asked for.

    ``label``: what its history calls it. UserError as of ``add_head``.
    """
    head = add_head(model, context, parameters=sampled.parameters)
    store_seed(head.mesh_object, seed)
    store(head.mesh_object, Latents(requested=sampled.requested))
    history.record(head, label)
    return head
