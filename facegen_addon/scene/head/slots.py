# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts of a head have which material."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bpy
import numpy as np

from ...arrays import Int32Array
from ...heads.head_model import HeadModel
from ...heads.surface import PART_NAMES, Surface
from . import materials, part_materials, skin_material
from .cornea_material import cornea_material


@dataclass(frozen=True)
class Slot:
    """A material slot of a head's mesh: its parts, its material, and of what kind it is, which
    says what labels read there: "skin", "eye" or "cards"."""

    name: str
    parts: tuple[str, ...]
    material: Callable[[HeadModel], bpy.types.Material]
    kind: str = "skin"


def _skin_material(model: HeadModel) -> bpy.types.Material:
    skin = model.skin
    if skin is None:
        return materials.skin_material()
    return skin_material.mapped_skin_material(f"FaceGen Skin of {model.name}", lambda: skin.maps)


_FEW = (
    Slot("Skin", ("skin", "tongue"), _skin_material),
    Slot("Eyes", ("eye_left", "eye_right"), lambda _: materials.eye_material(), "eye"),
)
_MANY = (
    Slot("Skin", ("skin",), _skin_material),
    Slot("Left Eye", ("eye_left",), lambda _: materials.eye_material(), "eye"),
    Slot("Right Eye", ("eye_right",), lambda _: materials.eye_material(), "eye"),
    Slot(
        "Corneas",
        ("cornea_left", "cornea_right"),
        lambda _: cornea_material(),
        "eye",
    ),
    Slot("Teeth", ("teeth",), lambda _: part_materials.teeth_material()),
    Slot("Gums", ("gums",), lambda _: part_materials.gums_material()),
    Slot("Tongue", ("tongue",), lambda _: part_materials.gums_material()),
    Slot("Lashes", ("lashes",), lambda model: part_materials.lash_material(model.surface), "cards"),
)


def slots_of(surface: Surface) -> tuple[Slot, ...]:
    """The slots of a head's mesh: two, or one for each part of models that have more parts."""
    return _FEW if surface.part_names == PART_NAMES else _MANY


def slot_of_polygons(surface: Surface) -> Int32Array:
    """The slot (F,) of each polygon."""
    slot_of_part = np.zeros(len(surface.part_names), np.int32)
    for number, slot in enumerate(slots_of(surface)):
        for part in slot.parts:
            slot_of_part[surface.part_names.index(part)] = number
    return slot_of_part[surface.part[surface.polygons[:, 0]]]
