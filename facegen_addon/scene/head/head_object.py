# SPDX-License-Identifier: GPL-3.0-or-later
"""A head model's arrays as Blender objects, updated in place."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import bpy
import numpy as np

from ...arrays import Float32Array, FloatArray
from ...errors import UserError
from ...heads.appearance import Appearance
from ...heads.catalogue import load_head_model
from ...heads.head_model import HeadModel
from ...heads.incremental import IncrementalHead
from ...heads.skin.parameters import skin_values
from ...heads.strands import HairStyle
from ...heads.surface import welded_uv
from ...heads.wear.outfit import Outfit
from . import materials, sculpted, skin_material, worn
from .hair_object import light_hair, new_hair
from .objects import add_subdivision, require_own
from .slots import slot_of_polygons, slots_of

ID_KEY = "facegen_id"
MODEL_KEY = "facegen_model"
PARAMETERS_KEY = "facegen_parameters"
HAIR_KEY = "facegen_hair_of"
COMPLETE_KEY = "facegen_complete_for"
"""On the data of skin and hair: the parameters that they are complete for."""

_UV_WELD = 1e-4
"""Corners at a vertex that are nearer in u and v are one to Blender's subdivision
(STD_UV_CONNECT_LIMIT): its threads write to one place, and what the last to come wrote remains."""

_UNDER_HAIR = 1.0
"""Roughness of the scalp."""

Listener = Callable[["HeadObject"], None]
_listeners: list[Listener] = []


def add_listener(listener: Listener) -> None:
    """Have ``listener`` called with each head whose parameters were set."""
    _listeners.append(listener)


def remove_listener(listener: Listener) -> None:
    """Undo add_listener."""
    _listeners.remove(listener)


@dataclass
class _Live:
    """The last state computed of a head whose sliders move.

    It holds arrays only: undo, which replaces Blender's objects, leaves it valid for its
    parameters (P,).
    """

    parameters: FloatArray
    shape: IncrementalHead
    style: HairStyle


_live: OrderedDict[str, _Live] = OrderedDict()
_MAXIMUM_LIVE = 8  # heads; a FLAME head's state is some 100 kB


class HeadObject:
    """One head in the scene: a mesh object, and parented to it the hair object, if it is there, and
    what the head wears.

    Hold it no longer than one operator runs; afterwards find the object again by its id.
    """

    def __init__(self, mesh_object: bpy.types.Object, hair_object: bpy.types.Object | None) -> None:
        self.mesh_object = mesh_object
        self.hair_object = hair_object
        self.model = load_head_model(mesh_object[MODEL_KEY])
        self._worn = worn.parts_of(mesh_object, self.head_id)

    @classmethod
    def create(
        cls,
        model: HeadModel,
        collection: bpy.types.Collection,
        subdivision: int = 1,
        parameters: Annotated[FloatArray, "P"] | None = None,
    ) -> HeadObject:
        """Add a head of ``model`` to ``collection``; ``subdivision`` levels, 0 for none.

        parameters (P,): of the head; None for the mean head. UserError, before anything is added,
        if one is not finite or out of its range, or if the collection is another file's.
        """
        require_own(collection)
        (shown,) = model.table.validate(model.table.default() if parameters is None else parameters)
        mesh_object = bpy.data.objects.new("Head", new_mesh(model))
        mesh_object[ID_KEY] = uuid.uuid4().hex
        mesh_object[MODEL_KEY] = model.name
        collection.objects.link(mesh_object)
        if subdivision:
            add_subdivision(mesh_object, subdivision)
        hair_object = bpy.data.objects.new("Hair", new_hair(model))
        light_hair(hair_object, model)
        hair_object[HAIR_KEY] = mesh_object[ID_KEY]
        hair_object.parent = mesh_object
        collection.objects.link(hair_object)
        head = cls(mesh_object, hair_object)
        head.set_parameters(shown)
        return head

    @classmethod
    def find(cls, head_id: str) -> HeadObject:
        """The head with this id; KeyError if it is gone."""
        return cls.of(_find(ID_KEY, head_id))

    @classmethod
    def of(cls, mesh_object: bpy.types.Object) -> HeadObject:
        """The head that this mesh object is; a copy of a head becomes a head of its own.

        UserError if its model cannot be loaded.
        """
        if _find(ID_KEY, mesh_object[ID_KEY]) != mesh_object:
            renew_id(mesh_object)
        return cls(mesh_object, hair_of(mesh_object))

    @property
    def _owners(self) -> list[bpy.types.Object]:
        """The objects of skin, of hair, if it is there, and of what is worn."""
        found = (self.mesh_object, self.hair_object, *self._worn.values())
        return [o for o in found if o is not None]

    @property
    def head_id(self) -> str:
        """The id that survives undo, copies of the file and renaming."""
        return str(self.mesh_object[ID_KEY])

    @property
    def parameters(self) -> Annotated[FloatArray, "P"]:
        """The parameters (P,) that the head has; UserError if they are not its model's."""
        stored = np.array(self.mesh_object[PARAMETERS_KEY], np.float64)
        if stored.shape != (len(self.model.table),):
            raise UserError(
                f"head {self.mesh_object.name!r} has {stored.size} parameters, model"
                f" {self.model.name!r} has {len(self.model.table)}: it was made with another"
                " version of the model; add a new head"
            )
        return stored

    @property
    def outfit(self) -> Outfit:
        """What the head wears; BARE where that is nothing."""
        return worn.outfit_of(self.mesh_object)

    @property
    def worn(self) -> list[bpy.types.Object]:
        """The objects of what the head wears, as far as they are there."""
        return list(self._worn.values())

    def sculpted(self) -> Annotated[Float32Array, "V 3"] | None:
        """What was sculpted on the head: an offset of its vertices, metres; None for nothing."""
        self._keep_sculpted()
        return sculpted.offset_of(self.mesh_object.data)

    def remove_sculpted(self) -> None:
        """Have the head be what its parameters make of it."""
        sculpted.forget(self.mesh_object.data)
        self._write_shape(self.model.forward(self.parameters)[0])
        self.set_parameters(self.parameters)  # hair and clothes follow

    def wear(self, outfit: Outfit) -> None:
        """Have the head wear this and nothing else; parts that were removed by hand come back.

        UserError, before anything changes, if heads of its model wear nothing.
        """
        parameters, before = self.parameters, self.outfit
        vertices = self._vertices(parameters)
        self._worn = worn.choose(self.mesh_object, self.head_id, self.model, outfit)
        self._own_data()
        lies_anew = (outfit.headwear, outfit.neckline) != (before.headwear, before.neckline)
        if lies_anew:
            self._write_strands(parameters, vertices)
        worn.colour(self._worn, self.mesh_object, self.model)
        self._dress(parameters, vertices, with_hair=lies_anew)
        for part in self._worn.values():
            part.data[COMPLETE_KEY] = parameters

    def set_parameters(
        self, parameters: Annotated[FloatArray, "P"]
    ) -> Annotated[Float32Array, "V 3"]:
        """Give the head these parameters (P,) and return its vertices (V, 3), metres.

        What was sculpted stays. UserError, before anything changes, if one is not finite or out of
        its range.
        """
        (parameters,) = self.model.table.validate(parameters)
        appearance = self.model.appearance(parameters)
        self._own_data()
        self._keep_sculpted()
        vertices = self._vertices(parameters)
        self._write_shape(vertices)
        self._write_colours(appearance, parameters)
        self._write_strands(parameters, vertices)
        self._write_hair_colours(appearance, parameters)
        self._dress(parameters, vertices, with_hair=True)
        for owner in self._owners:
            owner.data[COMPLETE_KEY] = parameters
        self._finish(parameters)
        return vertices

    def move_to(self, parameters: Annotated[FloatArray, "P"], *, complete: bool = True) -> None:
        """Give the head these parameters (P,), reusing what the last call has computed.

        The head becomes what ``set_parameters`` makes of it. Not ``complete``: vertices to 1e-6 m
        only, and strands stay behind until ``complete``.
        """
        (parameters,) = self.model.table.validate(parameters)
        live = _live.get(self.head_id)
        if live is None or not np.array_equal(live.parameters, self.parameters):
            self._begin_moving(parameters)
            return
        self._own_data()
        self._keep_sculpted()
        style = self.model.hair_style(parameters)
        reshaped, restyled = live.shape.move(parameters), style != live.style
        for owner in self._owners:
            stays = not reshaped and not (restyled and owner == self.hair_object)
            if stays and _is_complete(owner, live.parameters):
                owner.data[COMPLETE_KEY] = parameters
        if live.shape.recolours(parameters != live.parameters):
            appearance = self.model.appearance(parameters)
            self._write_colours(appearance, parameters)
            self._write_hair_colours(appearance, parameters)
        if complete:
            self._complete(parameters)
        elif reshaped:
            mesh = self.mesh_object.data
            self._write_shape(sculpted.with_offset(mesh, live.shape.vertices))
        live.parameters, live.style = parameters, style
        self._finish(parameters)

    def complete(self) -> None:
        """Bring the head to what ``set_parameters`` makes of its parameters, to the last bit."""
        stored = self.mesh_object[PARAMETERS_KEY]
        if not all(_is_complete(owner, stored) for owner in self._owners):
            self._complete(self.parameters)
            self.mesh_object.data.update()

    def _complete(self, parameters: FloatArray) -> None:
        stale = [owner for owner in self._owners if not _is_complete(owner, parameters)]
        if not stale:
            return
        self._keep_sculpted()
        vertices, mesh = self._vertices(parameters), self.mesh_object.data
        fits = len(mesh.vertices) == len(vertices) and not mesh.is_editmode
        if self.mesh_object in stale and fits:
            self._write_shape(vertices)
        if self.hair_object in stale:
            self._write_strands(parameters, vertices)
        self._dress(parameters, vertices, with_hair=self.hair_object in stale)
        for owner in stale:
            owner.data[COMPLETE_KEY] = parameters

    def _begin_moving(self, parameters: FloatArray) -> None:
        model = self.model
        self.set_parameters(parameters)
        _live[self.head_id] = _Live(
            parameters,
            IncrementalHead(model, parameters),
            model.hair_style(parameters),
        )
        while len(_live) > _MAXIMUM_LIVE:
            _live.popitem(last=False)

    def _own_data(self) -> None:
        """Part from a linked duplicate's mesh and hair: each head has parameters of its own."""
        for owner in self._owners:
            if owner.data.users - owner.data.use_fake_user > 1:
                owner.data = owner.data.copy()

    def _finish(self, parameters: FloatArray) -> None:
        self.mesh_object.data.update()
        self.mesh_object[PARAMETERS_KEY] = parameters
        for listener in tuple(_listeners):
            listener(self)

    def _dress(self, parameters: FloatArray, vertices: Float32Array, *, with_hair: bool) -> None:
        """Have what is worn follow; with_hair: strands have grown anew."""
        hair = self.hair_object.data if with_hair and self.hair_object is not None else None
        worn.fit(self._worn, self.mesh_object, self.model, parameters, vertices, hair)

    def _vertices(self, parameters: FloatArray) -> Float32Array:
        return sculpted.with_offset(self.mesh_object.data, self.model.forward(parameters)[0])

    def _keep_sculpted(self) -> None:
        """Keep what was sculpted, where the mesh is one that parameters have shaped."""
        mesh = self.mesh_object.data
        shaped = COMPLETE_KEY in mesh and PARAMETERS_KEY in self.mesh_object
        if shaped and not mesh.is_editmode and mesh.shape_keys is None:
            sculpted.keep(mesh, self.head_id, lambda: self.model.forward(self.parameters)[0])

    def _write_shape(self, vertices: Float32Array) -> None:
        sculpted.write(self.mesh_object.data, self.head_id, vertices)

    def _write_colours(self, appearance: Appearance, parameters: FloatArray) -> None:
        write_look(self.mesh_object.data, self.model, appearance, parameters)
        # What the viewport shows by object, as of hair.
        skin = appearance.vertex_colour[self.model.surface.vertices_of("skin")]
        self.mesh_object.color = (*skin.mean(0).tolist(), 1.0)
        worn.colour(self._worn, self.mesh_object, self.model)

    def _write_strands(self, parameters: FloatArray, vertices: Float32Array) -> None:
        if self.hair_object is None:
            return
        strands = self.model.grow(parameters, vertices)
        hair = self.hair_object.data
        hair.attributes["position"].data.foreach_set("vector", strands.points.ravel())
        hair.attributes["radius"].data.foreach_set("value", strands.radius.ravel())
        hair.update_tag()

    def _write_hair_colours(self, appearance: Appearance, parameters: FloatArray) -> None:
        if self.hair_object is None:
            return
        hair = self.hair_object.data
        rgba = self.model.strand_colours(parameters, appearance)
        hair.attributes[materials.COLOUR].data.foreach_set("color", rgba.ravel())
        hair.update_tag()
        # What the viewport and Workbench show of strands.
        self.hair_object.color = (*appearance.hair, 1.0)


def hair_of(mesh_object: bpy.types.Object) -> bpy.types.Object | None:
    """The hair object of a head's mesh object; None where it has been removed."""
    head_id = mesh_object[ID_KEY]
    return next((o for o in mesh_object.children if o.get(HAIR_KEY) == head_id), None)


def renew_id(mesh_object: bpy.types.Object) -> None:
    """Give a head a new id, under which nothing is known of it yet."""
    hair, parts = hair_of(mesh_object), worn.parts_of(mesh_object, mesh_object[ID_KEY])
    mesh_object[ID_KEY] = uuid.uuid4().hex
    if hair is not None:
        hair[HAIR_KEY] = mesh_object[ID_KEY]
    for part in parts.values():
        part[worn.WORN_KEY] = mesh_object[ID_KEY]


def edited_part(mesh_object: bpy.types.Object, model: HeadModel) -> str:
    """The part, "mesh" or "hair", that was edited and no longer fits the model; empty if none."""
    attributes = {materials.COLOUR, materials.IRIS, materials.ROUGHNESS}
    if model.skin is not None:
        attributes.update(skin_material.FINE_ATTRIBUTES)
    mesh, hair = mesh_object.data, hair_of(mesh_object)
    if (
        mesh_object.type != "MESH"
        or len(mesh.vertices) != len(model.surface.rest_position)
        or not attributes <= set(mesh.attributes.keys())
    ):
        return "mesh"
    if hair is not None and (
        hair.type != "CURVES"
        or len(hair.data.points) != model.strand_sizes.sum()
        or not {"radius", materials.COLOUR} <= set(hair.data.attributes.keys())
    ):
        return "hair"
    return ""


def _is_complete(owner: bpy.types.Object, parameters: FloatArray) -> bool:
    """Whether skin or hair is complete for these parameters (P,), or from before that was noted.

    There is nothing to complete where undo has lost the data and it could not be made anew.
    """
    note = owner.data.get(COMPLETE_KEY) if owner.data else None
    return note is None or np.array_equal(note, parameters)


def _find(key: str, head_id: str) -> bpy.types.Object:
    for candidate in bpy.data.objects:
        if candidate.get(key) == head_id:
            return candidate
    raise KeyError(f"no object has {key} = {head_id}")


def _write_colours(mesh: bpy.types.Mesh, appearance: Appearance) -> None:
    alpha = np.ones((len(appearance.vertex_colour), 1), np.float32)
    rgba = np.concatenate([appearance.vertex_colour, alpha], axis=1)
    mesh.attributes[materials.COLOUR].data.foreach_set("color", rgba.ravel())
    # The same all over, but kept on the mesh, so that heads can share their materials.
    iris = mesh.attributes[materials.IRIS].data
    iris.foreach_set("vector", np.tile(appearance.iris, len(iris)).astype(np.float32))
    gloss = mesh.attributes[materials.ROUGHNESS].data
    gloss.foreach_set("value", np.full(len(gloss), appearance.roughness, np.float32))


def write_look(
    mesh: bpy.types.Mesh,
    model: HeadModel,
    appearance: Appearance,
    parameters: Annotated[FloatArray, "P"],
) -> None:
    """Give a mesh of ``new_mesh`` the colours, gloss and fine detail of one head (P,)."""
    _write_colours(mesh, appearance)
    skin = model.skin
    if skin is not None:
        values = skin_values(model.table, parameters)
        gloss = skin.vertices.roughness(values)
        if appearance.covered is not None:  # no shine between hairs
            gloss = gloss + appearance.covered * (_UNDER_HAIR - gloss)
        gloss = gloss.astype(np.float32)
        mesh.attributes[materials.ROUGHNESS].data.foreach_set("value", gloss)
        skin_material.write_fine(mesh, skin.vertices, values)


def new_mesh(model: HeadModel) -> bpy.types.Mesh:
    """The mesh of a model's mean head, with its materials."""
    surface = model.surface
    mesh = bpy.data.meshes.new("Head")
    polygons = surface.polygons
    mesh.from_pydata(surface.rest_position.tolist(), [], polygons.tolist())
    layer = mesh.uv_layers.new(name="UVMap")
    uv = welded_uv(polygons, surface.polygon_uv, _UV_WELD)
    layer.uv.foreach_set("vector", uv.ravel())
    mesh.attributes.new(materials.COLOUR, "FLOAT_COLOR", "POINT")
    mesh.attributes.new(materials.IRIS, "FLOAT_VECTOR", "POINT")
    mesh.attributes.new(materials.ROUGHNESS, "FLOAT", "POINT")
    for name, vectors in ((materials.REST, surface.rest_position), (materials.GAZE, surface.gaze)):
        attribute = mesh.attributes.new(name, "FLOAT_VECTOR", "POINT")
        attribute.data.foreach_set("vector", vectors.astype(np.float32).ravel())
    if model.skin is not None:
        skin_material.add_fine_attributes(mesh)
    for slot in slots_of(surface):
        mesh.materials.append(slot.material(model))
    mesh.polygons.foreach_set("material_index", slot_of_polygons(surface))
    mesh.shade_smooth()
    mesh.update()
    return mesh
