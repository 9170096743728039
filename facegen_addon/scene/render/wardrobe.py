# SPDX-License-Identifier: GPL-3.0-or-later
"""The bust below a head and what it wears, as objects beside it that follow it in place."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import bpy
import numpy as np

from ...arrays import Float32Array, FloatArray, IntArray
from ...heads.head_model import HeadModel
from ...heads.wear.fitting import Fitting
from ...heads.wear.garments import BARE_WAYS, bare, garment
from ...heads.wear.glasses import LENS, glasses
from ...heads.wear.headwear import flattened, headwear
from ...heads.wear.neck import neck_rings
from ...heads.wear.outfit import NONE, Outfit
from ...heads.wear.pieces import Piece, grid
from ...heads.wear.torso import Torso
from ..head import materials
from ..head.head_object import HeadObject, add_subdivision
from ..head.slots import slots_of
from . import fabric

_RIBBON = 0.25
"""A hat's ribbon has this share of its colour."""
_EVEN = 0.05
"""Metres below the neck's edge from where on the chest has the mean colour of the edge."""


class Wardrobe:
    """The objects of one head's bust and outfit; things that are not worn are hidden."""

    def __init__(self, head: HeadObject, collection: bpy.types.Collection) -> None:
        self._model, self._head = head.model, head
        self._rings = neck_rings(head.model)
        self.bust = _new_bust(head.model, collection)
        plain, patterned = fabric.garment_materials()
        self.clothes = _new_object("Clothes", collection, plain, patterned)
        lenses = [fabric.lens_material(dark=dark) for dark in (False, True)]
        self.glasses = _new_object("Glasses", collection, fabric.frame_material(), *lenses)
        self.headwear = _new_object("Headwear", collection, plain)

    @property
    def classes(self) -> list[tuple[bpy.types.Mesh, tuple[str, ...]]]:
        """Meshes, and of which class of labels each of their materials is; "" for clear ones."""
        return [
            (self.bust.data, ("neck",)),
            (self.clothes.data, ("clothes", "clothes")),
            (self.glasses.data, ("glasses", "", "glasses")),
            (self.headwear.data, ("headwear",)),
        ]

    def fit(
        self,
        vertices: Annotated[Float32Array, "V 3"],
        parameters: Annotated[FloatArray, "P"],
        outfit: Outfit,
    ) -> tuple[Annotated[Float32Array, "B 3"], Annotated[IntArray, "Q 4"]]:
        """Dress the head, which has these vertices (V, 3) and parameters (P,): vertices (B, 3) and
        quads (Q, 4) of all that hides what is behind it."""
        torso = Torso.of(self._model, vertices)
        chest = bare(torso).reshape(-1, 3)
        _write_vector(self.bust.data, "position", chest)
        self._colour_bust()
        self.bust.data.update()
        clothes = garment(torso, outfit.neckline)
        is_plain = outfit.pattern == "plain"
        _show(self.clothes, replace(clothes, slot=clothes.slot + (not is_plain)))
        fabric.write(self.clothes.data, clothes, outfit.colour, None, outfit.second, outfit.pattern)
        solid = [(chest, _bust_quads(self._rings.vertices.shape[1]))]
        solid += [
            (clothes.vertices, clothes.quads),
            *self._fit_to_head(vertices, parameters, outfit),
        ]
        first = np.cumsum([0, *(len(shape) for shape, _ in solid)])
        return (
            np.concatenate([shape for shape, _ in solid]).astype(np.float32),
            np.concatenate([q + start for (_, q), start in zip(solid, first, strict=False)]),
        )

    def _fit_to_head(
        self, vertices: Float32Array, parameters: FloatArray, outfit: Outfit
    ) -> list[tuple[FloatArray, IntArray]]:
        """Put on glasses and hat, or take them off: vertices and quads of what is not clear."""
        self.glasses.hide_render = outfit.glasses == NONE
        self.headwear.hide_render = outfit.headwear == NONE
        fitting, solid = Fitting.of(self._model, vertices, parameters), []
        if outfit.glasses != NONE:
            worn = glasses(fitting, outfit.glasses)
            _show(self.glasses, worn)
            fabric.write(self.glasses.data, worn, outfit.frame)
            solid.append((worn.vertices, worn.quads[worn.slot != LENS]))
        if outfit.headwear != NONE:
            worn = headwear(fitting, outfit.headwear)
            _show(self.headwear, worn)
            red, green, blue = (_RIBBON * c for c in outfit.hat)
            fabric.write(self.headwear.data, worn, outfit.hat, (red, green, blue))
            self._flatten_hair(fitting, outfit.headwear)
            solid.append((worn.vertices, worn.quads))
        return solid

    def _flatten_hair(self, fitting: Fitting, name: str) -> None:
        if self._head.hair_object is None:
            return
        hair = self._head.hair_object.data
        points = _read(hair.attributes["position"])
        _write_all(hair.attributes["position"], flattened(fitting, name, points))
        hair.update_tag()

    def _colour_bust(self) -> None:
        """Give the chest what the neck's edge has of colour, gloss and all else, evened out."""
        edge = self._rings.vertices[0]
        head, bust = self._head.mesh_object.data, self.bust.data
        share = np.clip(BARE_WAYS / _EVEN, 0.0, 1.0)[:, None, None]
        for name in _skin_attributes(head):
            values = _read(head.attributes[name])[edge]
            rows = values + share * (values.mean(0) - values)
            if name not in bust.attributes:
                bust.attributes.new(name, head.attributes[name].data_type, "POINT")
            _write_all(bust.attributes[name], rows.reshape(-1, values.shape[1]))


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


def _bust_quads(columns: int) -> IntArray:
    return grid(len(BARE_WAYS), columns, closed=True)


def _new_bust(model: HeadModel, collection: bpy.types.Collection) -> bpy.types.Object:
    """The chest, in the skin of the head: what the neck looks like, mirrored at its edge."""
    rings = neck_rings(model)
    columns = rings.vertices.shape[1]
    quads = _bust_quads(columns)
    mesh = bpy.data.meshes.new("Bust")
    mesh.from_pydata([(0.0, 0.0, 0.0)] * (len(BARE_WAYS) * columns), [], quads.tolist())
    mesh.uv_layers.new(name="UVMap").uv.foreach_set(
        "vector", _mirrored_uv(rings.uv, quads, columns).astype(np.float32).ravel()
    )
    bust = bpy.data.objects.new("Bust", mesh)
    collection.objects.link(bust)
    mesh.materials.append(slots_of(model.surface)[0].material(model))
    mesh.shade_smooth()
    add_subdivision(bust, 1)
    return bust


def _mirrored_uv(uv: Annotated[FloatArray, "R K 2 2"], quads: IntArray, columns: int) -> FloatArray:
    """Texture coordinates (Q, 4, 2) of the chest: down it as up the neck, to and fro."""
    row, column = quads // columns, quads % columns
    own = np.arange(len(quads))[:, None] % columns
    side = np.where(column == own, 1, 0)  # the corner after the column, or before the next one
    steps = len(uv) - 1
    fold = np.abs((BARE_WAYS / 0.0128 + steps) % (2.0 * steps) - steps)
    low = np.minimum(np.floor(fold).astype(int), steps - 1)
    share = (fold - low)[row][..., None]
    return uv[low[row], column, side] * (1.0 - share) + uv[low[row] + 1, column, side] * share


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
