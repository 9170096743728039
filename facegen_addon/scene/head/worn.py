# SPDX-License-Identifier: GPL-3.0-or-later
"""What a head of the scene wears: text on the head's object, and objects parented to it.

So undo, copies and saved files carry it along. Heads without that text wear nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated

import bpy

from ...arrays import Float32Array, FloatArray
from ...errors import UserError
from ...heads.head_model import HeadModel
from ...heads.wear.fitting import Fitting
from ...heads.wear.garments import BARE_WAYS
from ...heads.wear.neck import neck_rings
from ...heads.wear.outfit import NONE, Outfit, check_dressed
from ...heads.wear.outfit_text import outfit_text, read_outfit
from ...heads.wear.torso import Torso
from . import worn_parts
from .objects import remove_with_data

WEAR_KEY = "facegen_wear"
"""Property of a head's object: its outfit as text."""
WORN_KEY = "facegen_worn_by"
"""Property of a part: the id of the head that wears it."""
PART_KEY = "facegen_worn"
"""Property of a part: which of PARTS it is."""

_Make = Callable[[HeadModel, bpy.types.Collection], bpy.types.Object]
PARTS: dict[str, _Make] = {
    "bust": worn_parts.new_bust,
    "clothes": lambda _, collection: worn_parts.new_clothes(collection),
    "glasses": lambda _, collection: worn_parts.new_glasses(collection),
    "headwear": lambda _, collection: worn_parts.new_headwear(collection),
}
"""Parts by name -> what makes them."""

_logger = logging.getLogger(__name__)


def outfit_of(mesh_object: bpy.types.Object) -> Outfit:
    """The outfit of a head; BARE where it has none, or one that this version cannot read."""
    text = mesh_object.get(WEAR_KEY, "")
    try:
        return read_outfit(text if isinstance(text, str) else "")
    except UserError as error:
        _logger.warning("head %r: %s", mesh_object.name, error)
        return read_outfit("")


def parts_of(mesh_object: bpy.types.Object, head_id: str) -> dict[str, bpy.types.Object]:
    """The parts that a head wears, by name."""
    if WEAR_KEY not in mesh_object:
        return {}
    worn = (o for o in mesh_object.children if o.get(WORN_KEY) == head_id and o.data is not None)
    return {part[PART_KEY]: part for part in worn if part.get(PART_KEY) in PARTS}


def choose(
    mesh_object: bpy.types.Object, head_id: str, model: HeadModel, outfit: Outfit
) -> dict[str, bpy.types.Object]:
    """Keep an outfit on a head; its parts, of which those new to it have no shape yet.

    UserError, before anything changes, if heads of the model wear nothing.
    """
    check_dressed(model)
    mesh_object[WEAR_KEY] = outfit_text(outfit)
    parts = parts_of(mesh_object, head_id)
    for name in PARTS:
        if name in parts and not _is_worn(name, outfit):
            remove_with_data(parts.pop(name))
        elif name not in parts and _is_worn(name, outfit):
            parts[name] = _new_part(name, mesh_object, head_id, model)
    if not mesh_object[WEAR_KEY]:
        del mesh_object[WEAR_KEY]
    return parts


def fit(
    parts: dict[str, bpy.types.Object],
    mesh_object: bpy.types.Object,
    model: HeadModel,
    parameters: Annotated[FloatArray, "P"],
    vertices: Annotated[Float32Array, "V 3"],
    hair: bpy.types.ID | None,
) -> None:
    """Have the parts of a head follow its vertices (V, 3), metres, and parameters (P,).

    hair: strands that have just grown, of which those under headwear are laid flat, and those in
    clothes on them. A part that is being edited stays as it is.
    """
    outfit = outfit_of(mesh_object)
    if outfit.is_bare:
        return
    free = {name: part for name, part in parts.items() if _can_follow(name, part, model)}
    if not {"bust", "clothes"}.isdisjoint(free):
        torso = Torso.of(model, vertices)
        if "bust" in free:
            worn_parts.fit_bust(free["bust"], torso)
        if "clothes" in free:
            cloth = worn_parts.fit_clothes(free["clothes"], torso, outfit)
            if hair is not None:
                worn_parts.lay_hair(hair, torso, cloth)
            free["clothes"].color = (*outfit.colour, 1.0)
    fitting = Fitting.of(model, vertices, parameters)
    if "glasses" in free:
        worn_parts.fit_glasses(free["glasses"], fitting, outfit)
        free["glasses"].color = (*outfit.frame, 1.0)
    if "headwear" in free:
        worn_parts.fit_headwear(free["headwear"], fitting, outfit)
        free["headwear"].color = (*outfit.hat, 1.0)
    if hair is not None and "headwear" in parts:
        worn_parts.flatten_hair(hair, fitting, outfit.headwear)


def colour(
    parts: dict[str, bpy.types.Object], mesh_object: bpy.types.Object, model: HeadModel
) -> None:
    """Give the chest the skin's colours."""
    bust = parts.get("bust")
    if bust is not None and _can_follow("bust", bust, model):
        worn_parts.colour_bust(bust.data, mesh_object.data, model)
        bust.color = mesh_object.color


def _is_worn(name: str, outfit: Outfit) -> bool:
    choice = {"glasses": outfit.glasses, "headwear": outfit.headwear}.get(name, outfit.neckline)
    return choice != NONE


def _new_part(
    name: str, mesh_object: bpy.types.Object, head_id: str, model: HeadModel
) -> bpy.types.Object:
    collections = mesh_object.users_collection or (bpy.context.scene.collection,)
    part = PARTS[name](model, collections[0])
    part[WORN_KEY], part[PART_KEY] = head_id, name
    part.parent = mesh_object
    return part


def _can_follow(name: str, part: bpy.types.Object, model: HeadModel) -> bool:
    """Whether a part's shape can be written: not while it is edited, nor a bust that was."""
    if part.type != "MESH" or part.data.is_editmode:
        return False
    columns = neck_rings(model).vertices.shape[1]
    return name != "bust" or len(part.data.vertices) == len(BARE_WAYS) * columns
