# SPDX-License-Identifier: GPL-3.0-or-later
"""The arrays that an exported head consists of: skin, eyes and hair, their keys and weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, Int32Array, IntArray
from ...errors import UserError
from ...heads.appearance import SCLERA, Appearance
from ...heads.expressions import SPEECH_SHAPES, has_units
from ...heads.head_model import HeadModel
from ...heads.levels_of_detail import level_of_detail
from ...heads.rig import Rig, at_rest, strongest
from ...heads.surface import Surface
from ...heads.wear.neck import same_edge_share, with_same_edge
from ...heads.wear.outfit import BARE, Outfit
from ..head.slots import Slot, slot_of_polygons, slots_of
from .bake import BakedLook, kind_of_texture, texture_uv
from .closed_neck import with_closed_neck
from .hair import HairOnHead
from .part import Look, Part, ShapeKeys, compact
from .targets import TARGETS
from .worn import Dressed

HAIR = ("cards", "ribbons", "none")
NECKS = ("open", "closed", "same-edge")
CORRECTIVES = "pose_correctives"
"""Name of the shape key for the offsets that a model adds to a posed head before skinning."""
MAXIMUM_SUBDIVISION = 3
_MOIST = 0.3  # roughness of teeth, gums and tongue
_NO_LASHES = "lashes are left out: their cards need a texture; give textures a size"
_EXACT = 1e-4  # metres; correctives of a pose below it are left out
_EYE_ROUGHNESS, _LASH_ROUGHNESS = 0.1, 0.6
_SKIN_SPECULAR, _LASH_SPECULAR = 0.42, 0.1
"""Of the exported materials, in [0, 1] without unit, chosen by eye."""
TEXTURE_SIZES = (256, 4096)
HAIR_TRIANGLES = (500, 200_000)
MAXIMUM_LOD = 3
_HAIR_OF_LOD = (1.0, 0.5, 0.2, 0.08)
"""Share of the hair's triangles that levels of detail have."""


@dataclass(frozen=True)
class ExportSettings:
    """The parts of an export besides the mesh.

    shape_keys: one per expression, at its slider's maximum, and per viseme; armature: the model's
    joints; hair: one of HAIR; subdivision: levels, 0 to 3; shape keys would not survive any and
    exclude them;
    textures: texels each way of what the look is baked to, 0: colours of vertices instead;
    hair_triangles: of cards, at most, of the finest level; lod: level of detail, 0 the finest;
    neck: one of NECKS: open as it is cut off, closed towards the inside, or open, and ending in the
    same edge on every head, so that all fit one body; target: one of TARGETS, whose scale and axes
    the file has.
    """

    shape_keys: bool = False
    armature: bool = False
    hair: str = HAIR[0]
    subdivision: int = 0
    textures: int = 1024
    hair_triangles: int = 20_000
    lod: int = 0
    neck: str = NECKS[0]
    target: str = next(iter(TARGETS))

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise UserError(f"target is {self.target!r}; choose from {', '.join(TARGETS)}")
        if self.hair not in HAIR:
            raise UserError(f"hair is {self.hair!r}; choose from {', '.join(HAIR)}")
        if self.neck not in NECKS:
            raise UserError(f"neck is {self.neck!r}; choose from {', '.join(NECKS)}")
        if not 0 <= self.subdivision <= MAXIMUM_SUBDIVISION:
            raise UserError(f"subdivision is {self.subdivision}; give 0 to {MAXIMUM_SUBDIVISION}")
        if self.shape_keys and self.subdivision:
            raise UserError("a subdivided mesh keeps no shape keys; give subdivision 0")
        low, high = TEXTURE_SIZES
        if self.textures and not low <= self.textures <= high:
            raise UserError(f"textures is {self.textures}; give {low} to {high}, or 0 for none")
        low, high = HAIR_TRIANGLES
        if not low <= self.hair_triangles <= high:
            raise UserError(f"hair_triangles is {self.hair_triangles}; give {low} to {high}")
        if not 0 <= self.lod <= MAXIMUM_LOD:
            raise UserError(f"lod is {self.lod}; give 0 to {MAXIMUM_LOD}")
        if self.lod and self.subdivision:
            raise UserError("levels of detail have fewer triangles, subdivision more; give one")


@dataclass(frozen=True)
class HeadParts:
    """The head's mesh, its hair if there is to be any, its rig, lines on what is lost, what its
    textures are to be baked from, its outfit, and the objects of that."""

    head: Part
    hair: Part | None
    rig: Rig
    notes: tuple[str, ...]
    look: BakedLook
    outfit: Outfit = BARE
    worn: tuple[Part, ...] = ()


def head_parts(
    model: HeadModel,
    parameters: Annotated[FloatArray, "P"],
    settings: ExportSettings,
    outfit: Outfit = BARE,
    sculpted: Annotated[Float32Array, "V 3"] | None = None,
) -> HeadParts:
    """The parts of a head with these parameters (P,) in an outfit.

    It is at rest if an armature is to pose it, else in its pose. sculpted: offset of its vertices.
    """
    full = model.rig(parameters)
    rig = replace(full, weights=strongest(full.weights))
    shown = at_rest(model.table, parameters) if settings.armature else parameters
    basis = _without_expression(model, shown) if settings.shape_keys else shown
    vertices = model.forward(basis)[0]
    if sculpted is not None:
        vertices = vertices + sculpted
    keys = _expression_keys(model, basis, parameters) if settings.shape_keys else None
    notes: tuple[str, ...] = ()
    if settings.armature:
        keys, notes = _with_correctives(model, parameters, rig, keys)
    if settings.neck == "same-edge":
        vertices = with_same_edge(model, vertices)
        keys, rig = _with_still_edge(model, keys, full)
    appearance = model.appearance(parameters)
    dressed = Dressed(model, basis, vertices, outfit, rig, appearance)
    strands = HairOnHead(model, parameters, vertices, keys, rig.weights, appearance, dressed.lying)
    hair = None
    if settings.hair == "ribbons":
        hair = strands.ribbons()
    elif settings.hair == "cards":
        share = _HAIR_OF_LOD[settings.lod]
        hair = strands.cards(int(share * settings.hair_triangles), bool(settings.textures))
    if model.surface.lashes is not None and not settings.textures:
        notes = (*notes, _NO_LASHES)
    head = _head_part(model, vertices, keys, rig.weights, appearance, settings)
    look = BakedLook(model, parameters, vertices, appearance)
    worn = dressed.parts(bool(settings.textures))
    return HeadParts(head, hair, rig, notes, look, outfit, worn)


def _without_expression(model: HeadModel, parameters: FloatArray) -> FloatArray:
    neutral = parameters.copy()
    neutral[model.table.columns("expression")] = 0.0
    return neutral


def _expression_keys(model: HeadModel, basis: FloatArray, parameters: FloatArray) -> ShapeKeys:
    """A key for each expression, at its slider's maximum; its value is the head's own.

    Where these are ARKit's units, a key for each viseme follows, whose value is 0.
    """
    table = model.table
    columns = table.columns("expression")
    highest = table.maximum[columns]
    visemes = SPEECH_SHAPES if has_units(table) else {}
    rows = np.tile(basis, (len(columns) + len(visemes) + 1, 1))
    rows[np.arange(len(columns)), columns] = highest
    for row, units in zip(rows[len(columns) :], visemes.values(), strict=False):
        for unit, value in units.items():
            row[table.index(unit)] = value
    vertices = model.forward(rows)
    still = np.zeros(len(visemes))
    return ShapeKeys(
        names=(*(table.names[column] for column in columns), *visemes),
        offsets=vertices[:-1] - vertices[-1],
        values=np.append(parameters[columns] / highest, still),
        lowest=np.append(table.minimum[columns] / highest, still),
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


def _with_still_edge(
    model: HeadModel, keys: ShapeKeys | None, rig: Rig
) -> tuple[ShapeKeys | None, Rig]:
    """Keys and a rig (its weights unlimited) that leave the neck's edge where it is."""
    share = same_edge_share(model)[:, None]
    at_root = np.array(rig.parents) < 0
    weights = strongest((1.0 - share) * rig.weights + share * at_root)
    if keys is not None:
        keys = replace(keys, offsets=keys.offsets * (1.0 - share).astype(np.float32))
    return keys, replace(rig, weights=weights)


def _head_part(
    model: HeadModel,
    vertices: Float32Array,
    keys: ShapeKeys | None,
    weights: FloatArray,
    appearance: Appearance,
    settings: ExportSettings,
) -> Part:
    surface, textured = model.surface, bool(settings.textures)
    faces, uv, slots = _polygons(model, settings)
    looks = [_look(surface, slot, appearance, textured) for slot in slots_of(surface)]
    used, look_of_face = np.unique(slots, return_inverse=True)
    colour = np.insert(appearance.vertex_colour, 3, 1.0, axis=1)
    whole = Part(
        name="Head",
        vertices=vertices,
        faces=faces,
        uv=uv,
        colour=colour,
        looks=tuple(looks[slot] for slot in used),
        look_of_face=look_of_face.astype(np.int32),
        keys=keys,
        weights=weights,
    )
    return compact(with_closed_neck(model, whole) if settings.neck == "closed" else whole)


def _polygons(
    model: HeadModel, settings: ExportSettings
) -> tuple[Int32Array, Float32Array, Int32Array]:
    """Corners (F, C) of the polygons that are exported, their u and v (F, C, 2) and slots (F,)."""
    surface, textured = model.surface, bool(settings.textures)
    faces, uv, slots = surface.polygons, surface.polygon_uv, slot_of_polygons(surface)
    if textured:
        uv = texture_uv(surface)
    if settings.lod:
        level = level_of_detail(model, settings.lod)
        faces, slots = level.of_corners(surface.polygons), slots[level.face]
        uv = level.of_corners(uv)
    # Lashes are nothing without a texture, and eyes are painted on the corneas before them.
    left_out = [number for number, slot in enumerate(slots_of(surface)) if _hides(slot, textured)]
    shown = ~np.isin(slots, left_out)
    return faces[shown], uv[shown], slots[shown]


def triangles_of(faces: Annotated[IntArray, "F C"], subdivision: int) -> int:
    """How many triangles polygons (F, C) come to after so many levels of subdivision."""
    count, corners = faces.shape
    if not subdivision:
        return count * (corners - 2)
    # A polygon becomes a quad a corner, and each of these four.
    return count * 2 * corners * 4 ** (subdivision - 1)  # type: ignore[no-any-return]


def expected_triangles(model: HeadModel, settings: ExportSettings) -> tuple[int, int]:
    """Triangles of a head, a closed neck's few aside, and at most of its hair; clothes not counted.

    Hair is 0 where it is left out, and for ribbons two a segment of every strand.
    """
    faces, _, _ = _polygons(model, settings)
    head = triangles_of(faces, settings.subdivision)
    if settings.hair == "cards":
        return head, int(_HAIR_OF_LOD[settings.lod] * settings.hair_triangles)
    if settings.hair == "ribbons":
        return head, int(2 * (model.strand_sizes - 1).sum())
    return head, 0


def _hides(slot: Slot, textured: bool) -> bool:
    """Whether a slot is left out: with textures what corneas hide, without them the lashes."""
    kind = kind_of_texture(slot)
    return kind == ("" if textured else "lashes")


def _look(surface: Surface, slot: Slot, look: Appearance, textured: bool) -> Look:
    """The material of a slot: of the skin's colour on the whole, or the white of eyes."""
    texture = kind_of_texture(slot) if textured else ""
    if slot.kind == "eye":
        return Look(slot.name, SCLERA, _EYE_ROUGHNESS, texture)
    colour = look.vertex_colour[surface.vertices_of(slot.parts[0])].mean(0)
    roughness = look.roughness if slot.parts[0] == "skin" else _MOIST
    specular = _SKIN_SPECULAR
    if slot.kind == "cards":
        roughness, specular = _LASH_ROUGHNESS, _LASH_SPECULAR
    return Look(slot.name, tuple(colour.tolist()), roughness, texture, specular)
