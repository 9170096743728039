# SPDX-License-Identifier: GPL-3.0-or-later
"""Bust, clothes, glasses and headwear as objects, which are given new shapes in place."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import bpy
import numpy as np

from ...arrays import FloatArray, IntArray
from ...heads.head_model import HeadModel
from ...heads.wear.fitting import Fitting
from ...heads.wear.garments import BARE_WAYS, bare, garment
from ...heads.wear.glasses import glasses
from ...heads.wear.headwear import flattened, headwear
from ...heads.wear.neck import neck_rings
from ...heads.wear.outfit import Outfit, Rgb
from ...heads.wear.over_clothes import over_clothes
from ...heads.wear.pieces import Piece, grid
from ...heads.wear.torso import Torso
from . import fabric, materials
from .objects import add_subdivision
from .slots import slots_of

_RIBBON = 0.25
"""A hat's ribbon has this share of its colour."""
_EVEN = 0.05
"""Metres below the neck's edge from where on the chest has the mean colour of the edge."""


def bust_quads(model: HeadModel) -> Annotated[IntArray, "Q 4"]:
    """The faces of a bust, which begins with the neck's edge."""
    return grid(len(BARE_WAYS), neck_rings(model).vertices.shape[1], closed=True)


def new_bust(model: HeadModel, collection: bpy.types.Collection) -> bpy.types.Object:
    """The chest, in the skin of the head: what the neck looks like, mirrored at its edge."""
    quads = bust_quads(model)
    mesh = bpy.data.meshes.new("Bust")
    mesh.from_pydata([(0.0, 0.0, 0.0)] * (int(quads.max()) + 1), [], quads.tolist())
    mesh.uv_layers.new(name="UVMap").uv.foreach_set(
        "vector", bust_uv(model).astype(np.float32).ravel()
    )
    bust = bpy.data.objects.new("Bust", mesh)
    collection.objects.link(bust)
    mesh.materials.append(slots_of(model.surface)[0].material(model))
    mesh.shade_smooth()
    add_subdivision(bust, 1)
    return bust


def new_clothes(collection: bpy.types.Collection) -> bpy.types.Object:
    """A garment without a shape: materials of plain and of patterned cloth."""
    return _new_object("Clothes", collection, *fabric.garment_materials())


def new_glasses(collection: bpy.types.Collection) -> bpy.types.Object:
    """Glasses without a shape: materials of frames, of clear and of dark lenses."""
    lenses = [fabric.lens_material(dark=dark) for dark in (False, True)]
    return _new_object("Glasses", collection, fabric.frame_material(), *lenses)


def new_headwear(collection: bpy.types.Collection) -> bpy.types.Object:
    """Headwear without a shape."""
    return _new_object("Headwear", collection, fabric.garment_materials()[0])


def fit_bust(bust: bpy.types.Object, torso: Torso) -> Annotated[FloatArray, "B 3"]:
    """Shape the chest below a head: its vertices (B, 3), metres."""
    chest = bare(torso).reshape(-1, 3)
    _write_vector(bust.data, "position", chest)
    bust.data.update()
    return chest


def colour_bust(bust: bpy.types.Mesh, head: bpy.types.Mesh, model: HeadModel) -> None:
    """Give the chest what the neck's edge has of colour, gloss and all else, evened out."""
    edge = neck_rings(model).vertices[0]
    for name in _skin_attributes(head):
        rows = evened(_read(head.attributes[name])[edge])
        if name not in bust.attributes:
            bust.attributes.new(name, head.attributes[name].data_type, "POINT")
        _write_all(bust.attributes[name], rows)


def evened(values: Annotated[FloatArray, "K C"]) -> Annotated[FloatArray, "B C"]:
    """Values of a neck's edge (K, C) -> those of the bust below it, evened out downwards."""
    share = np.clip(BARE_WAYS / _EVEN, 0.0, 1.0)[:, None, None]
    rows = values + share * (values.mean(0) - values)
    return rows.reshape(-1, values.shape[1])


def garment_of(torso: Torso, outfit: Outfit) -> Piece:
    """The garment of an outfit: plain cloth in slot 0, patterned cloth in slot 1."""
    cloth = garment(torso, outfit.neckline)
    return replace(cloth, slot=cloth.slot + (outfit.pattern != "plain"))


def ribbon_colour(outfit: Outfit) -> Rgb:
    """The colour of what is sewn on headwear."""
    red, green, blue = (_RIBBON * c for c in outfit.hat)
    return red, green, blue


def fit_clothes(clothes: bpy.types.Object, torso: Torso, outfit: Outfit) -> Piece:
    """Shape and colour a garment."""
    cloth = garment_of(torso, outfit)
    _show(clothes, cloth)
    fabric.write(clothes.data, cloth, outfit.colour, None, outfit.second, outfit.pattern)
    return cloth


def fit_glasses(owner: bpy.types.Object, fitting: Fitting, outfit: Outfit) -> Piece:
    """Shape and colour glasses."""
    worn = glasses(fitting, outfit.glasses)
    _show(owner, worn)
    fabric.write(owner.data, worn, outfit.frame)
    return worn


def fit_headwear(owner: bpy.types.Object, fitting: Fitting, outfit: Outfit) -> Piece:
    """Shape and colour headwear."""
    worn = headwear(fitting, outfit.headwear)
    _show(owner, worn)
    fabric.write(owner.data, worn, outfit.hat, ribbon_colour(outfit))
    return worn


def lay_hair(hair: bpy.types.ID, model: HeadModel, torso: Torso, cloth: Piece) -> None:
    """Lay the strands that hang into a garment on it, those of curves as they have just grown."""
    points = _read(hair.attributes["position"])
    laid = over_clothes(model, torso, cloth, points)
    if laid is not points:
        _write_all(hair.attributes["position"], laid)
        hair.update_tag()


def flatten_hair(hair: bpy.types.ID, fitting: Fitting, name: str) -> None:
    """Lay the strands under headwear of this name flat, those of curves as they have just grown."""
    points = _read(hair.attributes["position"])
    _write_all(hair.attributes["position"], flattened(fitting, name, points))
    hair.update_tag()


_FIELDS = {"FLOAT": ("value", 1), "FLOAT_VECTOR": ("vector", 3), "FLOAT_COLOR": ("color", 4)}
"""Types of attributes: the name of their values, and how many numbers one has."""


def _skin_attributes(mesh: bpy.types.Mesh) -> list[str]:
    """What the head's skin is drawn from, bar places."""
    own = (materials.REST, materials.GAZE)
    return [
        a.name
        for a in mesh.attributes
        if a.name.startswith("facegen_")
        and a.name not in own
        and a.domain == "POINT"
        and a.data_type in _FIELDS
    ]


def _read(attribute: bpy.types.Attribute) -> FloatArray:
    field, size = _FIELDS[attribute.data_type]
    values = np.empty(len(attribute.data) * size, np.float32)
    attribute.data.foreach_get(field, values)
    return values.reshape(-1, size).astype(float)


def _write_all(attribute: bpy.types.Attribute, rows: FloatArray) -> None:
    field = _FIELDS[attribute.data_type][0]
    attribute.data.foreach_set(field, rows.astype(np.float32).ravel())


def _write_vector(mesh: bpy.types.Mesh, name: str, rows: FloatArray) -> None:
    mesh.attributes[name].data.foreach_set("vector", rows.astype(np.float32).ravel())


def bust_uv(model: HeadModel) -> Annotated[FloatArray, "Q 4 2"]:
    """Texture coordinates (Q, 4, 2) of the chest: down it as up the neck, to and fro."""
    rings, quads = neck_rings(model), bust_quads(model)
    uv, columns = rings.uv, rings.vertices.shape[1]
    row, column = quads // columns, quads % columns
    own = np.arange(len(quads))[:, None] % columns
    side = np.where(column == own, 1, 0)  # the corner after the column, or before the next one
    steps = len(uv) - 1
    fold = np.abs((BARE_WAYS / 0.0128 + steps) % (2.0 * steps) - steps)
    low = np.minimum(np.floor(fold).astype(int), steps - 1)
    share = (fold - low)[row][..., None]
    found: FloatArray = (
        uv[low[row], column, side] * (1.0 - share) + uv[low[row] + 1, column, side] * share
    )
    return found


def _new_object(
    name: str, collection: bpy.types.Collection, *slots: bpy.types.Material
) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    for material in slots:
        mesh.materials.append(material)
    created = bpy.data.objects.new(name, mesh)
    collection.objects.link(created)
    return created


def _show(owner: bpy.types.Object, worn: Piece) -> None:
    """Give an object the shape of a piece, anew where it was another one's."""
    mesh = owner.data
    if len(mesh.vertices) != len(worn.vertices) or len(mesh.polygons) != len(worn.quads):
        mesh.clear_geometry()
        mesh.from_pydata(worn.vertices.tolist(), [], worn.quads.tolist())
        mesh.shade_smooth()
    mesh.polygons.foreach_set("material_index", worn.slot.astype(np.int32))
    _write_vector(mesh, "position", worn.vertices)
    mesh.update()
