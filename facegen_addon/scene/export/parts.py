# SPDX-License-Identifier: GPL-3.0-or-later
"""The arrays that an exported head consists of: skin, eyes and hair, their keys and weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, Int32Array, RealArray
from ...errors import UserError
from ...heads.appearance import SCLERA, Appearance
from ...heads.head_model import HeadModel
from ...heads.ribbons import ribbons
from ...heads.rig import Rig, at_rest, strongest
from ...heads.surface import Surface
from ..head.slots import Slot, slot_of_polygons, slots_of

HAIR = ("ribbons", "none")
CORRECTIVES = "pose_correctives"
"""Name of the shape key for the offsets that a model adds to a posed head before skinning."""
MAXIMUM_SUBDIVISION = 3
_SEEN = 1e-3  # metres; hair that an expression moves nowhere as far has no key for it
_STILL = 2e-4  # metres; hair that a key moves less keeps still, which glTF stores for nothing
_MOIST = 0.3  # roughness of teeth, gums and tongue
_NO_LASHES = "lashes are left out: their cards need a texture, and none is written"
_EXACT = 1e-4  # metres; correctives of a pose below it are left out
_EYE_ROUGHNESS, _HAIR_ROUGHNESS = 0.1, 0.55
"""Of the exported materials, in [0, 1] without unit, chosen by eye."""


@dataclass(frozen=True)
class ExportSettings:
    """The parts of an export besides the mesh.

    shape_keys: one per expression, at its slider's maximum; armature: the model's joints; hair:
    one of HAIR; subdivision: levels, 0 to 3; shape keys would not survive any and exclude them.
    """

    shape_keys: bool = False
    armature: bool = False
    hair: str = "ribbons"
    subdivision: int = 0

    def __post_init__(self) -> None:
        if self.hair not in HAIR:
            raise UserError(f"hair is {self.hair!r}; choose from {', '.join(HAIR)}")
        if not 0 <= self.subdivision <= MAXIMUM_SUBDIVISION:
            raise UserError(f"subdivision is {self.subdivision}; give 0 to {MAXIMUM_SUBDIVISION}")
        if self.shape_keys and self.subdivision:
            raise UserError("a subdivided mesh keeps no shape keys; give subdivision 0")


@dataclass(frozen=True)
class ShapeKeys:
    """K shape keys: offsets (K, V, 3) metres at value 1; values and lowest values (K,)."""

    names: tuple[str, ...]
    offsets: Annotated[Float32Array, "K V 3"]
    values: Annotated[FloatArray, "K"]
    lowest: Annotated[FloatArray, "K"]


@dataclass(frozen=True)
class Look:
    """A material: roughness, and a colour, linear RGB, for readers without vertex colours."""

    name: str
    colour: tuple[float, ...]
    roughness: float


@dataclass(frozen=True)
class Part:
    """One object: vertices (V, 3) metres, faces (F, C) of C corners, uv (F, C, 2), colour (V, 4)
    linear, looks and which of them each face has (F,), weights (V, J)."""

    name: str
    vertices: Annotated[Float32Array, "V 3"]
    faces: Annotated[Int32Array, "F C"]
    uv: Annotated[Float32Array, "F C 2"]
    colour: Annotated[Float32Array, "V 4"]
    looks: tuple[Look, ...]
    look_of_face: Annotated[Int32Array, "F"]
    keys: ShapeKeys | None
    weights: Annotated[FloatArray, "V J"]


@dataclass(frozen=True)
class HeadParts:
    """The head's mesh, its hair if there is to be any, its rig, and lines on what is lost."""

    head: Part
    hair: Part | None
    rig: Rig
    notes: tuple[str, ...]


def head_parts(
    model: HeadModel, parameters: Annotated[FloatArray, "P"], settings: ExportSettings
) -> HeadParts:
    """The parts of a head with these parameters (P,).

    It is at rest if an armature is to pose it, else in its pose.
    """
    full = model.rig(parameters)
    rig = replace(full, weights=strongest(full.weights))
    shown = at_rest(model.table, parameters) if settings.armature else parameters
    basis = _without_expression(model, shown) if settings.shape_keys else shown
    vertices = model.forward(basis)[0]
    keys = _expression_keys(model, basis, parameters) if settings.shape_keys else None
    appearance = model.appearance(parameters)
    hair = None
    if settings.hair == "ribbons":
        hair = _hair_part(model, parameters, vertices, keys, rig.weights, appearance)
    notes: tuple[str, ...] = ()
    if settings.armature:
        keys, notes = _with_correctives(model, parameters, rig, keys)
    if model.surface.lashes is not None:
        notes = (*notes, _NO_LASHES)
    return HeadParts(_head_part(model, vertices, keys, rig.weights, appearance), hair, rig, notes)


def _without_expression(model: HeadModel, parameters: FloatArray) -> FloatArray:
    neutral = parameters.copy()
    neutral[model.table.columns("expression")] = 0.0
    return neutral


def _expression_keys(model: HeadModel, basis: FloatArray, parameters: FloatArray) -> ShapeKeys:
    """A key for each expression, at its slider's maximum; its value is the head's own."""
    table = model.table
    columns = table.columns("expression")
    highest = table.maximum[columns]
    rows = np.tile(basis, (len(columns) + 1, 1))
    rows[np.arange(len(columns)), columns] = highest
    vertices = model.forward(rows)
    return ShapeKeys(
        names=tuple(table.names[column] for column in columns),
        offsets=vertices[:-1] - vertices[-1],
        values=parameters[columns] / highest,
        lowest=table.minimum[columns] / highest,
    )


def _with_correctives(
    model: HeadModel, parameters: FloatArray, rig: Rig, keys: ShapeKeys | None
) -> tuple[ShapeKeys | None, tuple[str, ...]]:
    """The keys and one more for the part of the pose that skinning leaves out.

    A head without keys has no place for it: None, and a line on how much is lost.
    """
    rest = model.forward(at_rest(model.table, parameters))[0]
    offsets = rig.unposed(model.forward(parameters)[0]) - rest
    largest = float(np.linalg.norm(offsets, axis=1).max())
    if largest < _EXACT:
        return keys, ()
    if keys is None:
        lost = f"the pose's own shape, up to {1000 * largest:.1f} mm: add shape keys to keep it"
        return None, (f"an armature leaves out {lost}",)
    return ShapeKeys(
        (*keys.names, CORRECTIVES),
        np.concatenate([keys.offsets, offsets[None].astype(np.float32)]),
        np.append(keys.values, 1.0),
        np.append(keys.lowest, 0.0),
    ), ()


def _head_part(
    model: HeadModel,
    vertices: Float32Array,
    keys: ShapeKeys | None,
    weights: FloatArray,
    appearance: Appearance,
) -> Part:
    surface = model.surface
    kept = ~surface.vertices_of("lashes")
    faces = kept[surface.polygons].all(1)
    looks = [_look(surface, slot, appearance) for slot in slots_of(surface)]
    return Part(
        name="Head",
        vertices=vertices[kept],
        faces=(np.cumsum(kept) - 1).astype(np.int32)[surface.polygons[faces]],
        uv=surface.polygon_uv[faces],
        colour=np.insert(appearance.vertex_colour, 3, 1.0, axis=1)[kept],
        looks=tuple(looks),
        look_of_face=slot_of_polygons(surface)[faces],
        keys=None if keys is None else replace(keys, offsets=keys.offsets[:, kept]),
        weights=weights[kept],
    )


def _look(surface: Surface, slot: Slot, look: Appearance) -> Look:
    """The material of a slot: of the skin's colour on the whole, or the white of eyes."""
    if slot.kind == "eye":
        return Look(slot.name, SCLERA, _EYE_ROUGHNESS)
    colour = look.vertex_colour[surface.vertices_of(slot.parts[0])].mean(0)
    roughness = look.roughness if slot.parts[0] == "skin" else _MOIST
    return Look(slot.name, tuple(colour.tolist()), roughness)


def _hair_part(
    model: HeadModel,
    parameters: FloatArray,
    vertices: Float32Array,
    keys: ShapeKeys | None,
    weights: FloatArray,
    appearance: Appearance,
) -> Part | None:
    """Strands as ribbons, each moving as its root does; None for a head without any."""
    strands, faces = model.strands, model.surface.faces
    grown = ribbons(model.grow(model.hair_style(parameters), vertices))
    if not len(grown.strand):
        return None
    corners = faces[strands.triangle]
    bary = strands.bary.astype(np.float64)

    def at_roots(values: RealArray) -> FloatArray:
        """Values of vertices (V, C) -> those of the ribbons (12 R, C)."""
        return grown.of_vertices((values[corners] * bary[:, :, None]).sum(1))

    return Part(
        name="Hair",
        vertices=grown.vertices,
        faces=grown.faces,
        uv=grown.uv,
        colour=grown.of_vertices(model.strand_colours(appearance)),
        looks=(Look("Hair", tuple(appearance.hair.tolist()), _HAIR_ROUGHNESS),),
        look_of_face=np.zeros(len(grown.faces), np.int32),
        keys=None if keys is None else _moved_keys(keys, at_roots),
        weights=strongest(at_roots(weights)),
    )


def _moved_keys(keys: ShapeKeys, at_roots: Callable[[RealArray], FloatArray]) -> ShapeKeys | None:
    """The keys of the hair: the head's, as they move its roots; None if none does."""
    offsets = np.stack([at_roots(offset).astype(np.float32) for offset in keys.offsets])
    distance = np.linalg.norm(offsets, axis=2)
    offsets[distance < _STILL] = 0.0
    moving = np.flatnonzero(distance.max(1) >= _SEEN)
    if not len(moving):
        return None
    names = tuple(keys.names[key] for key in moving)
    return ShapeKeys(names, offsets[moving], keys.values[moving], keys.lowest[moving])
