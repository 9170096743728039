# SPDX-License-Identifier: GPL-3.0-or-later
"""A head model's arrays as Blender objects, updated in place."""

from __future__ import annotations

import uuid

import bpy
import numpy as np
from numpy.typing import NDArray

from ..heads.appearance import Appearance
from ..heads.catalogue import load_head_model
from ..heads.head_model import HeadModel
from ..heads.parameters import FloatArray
from ..heads.strands import BROW, POINTS, grow
from . import look

ID_KEY = "facegen_id"
MODEL_KEY = "facegen_model"
PARAMETERS_KEY = "facegen_parameters"
HAIR_KEY = "facegen_hair_of"


class HeadObject:
    """One head in the scene: a mesh object and the hair object parented to it.

    Hold it no longer than one operator runs; afterwards find the object again by its id.
    """

    def __init__(self, mesh_object: bpy.types.Object, hair_object: bpy.types.Object) -> None:
        self.mesh_object = mesh_object
        self.hair_object = hair_object
        self.model = load_head_model(mesh_object[MODEL_KEY])

    @classmethod
    def create(
        cls, model: HeadModel, collection: bpy.types.Collection, subdivision: int = 1
    ) -> HeadObject:
        """Add the mean head of ``model`` to ``collection``; ``subdivision`` levels, 0 for none."""
        mesh_object = bpy.data.objects.new("Head", _new_mesh(model))
        mesh_object[ID_KEY] = uuid.uuid4().hex
        mesh_object[MODEL_KEY] = model.name
        collection.objects.link(mesh_object)
        if subdivision:
            modifier = mesh_object.modifiers.new("Subdivision", "SUBSURF")
            modifier.levels = modifier.render_levels = subdivision
        hair_object = bpy.data.objects.new("Hair", _new_hair(model))
        hair_object[HAIR_KEY] = mesh_object[ID_KEY]
        hair_object.parent = mesh_object
        collection.objects.link(hair_object)
        head = cls(mesh_object, hair_object)
        head.set_parameters(model.table.default())
        return head

    @classmethod
    def find(cls, head_id: str) -> HeadObject:
        """The head with this id; KeyError if it is gone."""
        mesh_object = _find(ID_KEY, head_id)
        return cls(mesh_object, _find(HAIR_KEY, head_id))

    @property
    def head_id(self) -> str:
        """The id that survives undo, copies of the file and renaming."""
        return str(self.mesh_object[ID_KEY])

    def set_parameters(self, parameters: FloatArray) -> NDArray[np.float32]:
        """Give the head these parameters (P,) and return its vertices (V, 3), metres.

        UserError, before anything changes, if one is not finite or out of its range.
        """
        (parameters,) = self.model.table.validate(parameters)
        vertices = self.model.forward(parameters)[0]
        appearance = self.model.appearance(parameters)
        mesh = self.mesh_object.data
        mesh.attributes["position"].data.foreach_set("vector", vertices.ravel())
        _write_colours(mesh, appearance)
        mesh.update()
        self._set_hair(parameters, vertices, appearance)
        self.mesh_object[PARAMETERS_KEY] = parameters.tolist()
        return vertices

    def _set_hair(
        self, parameters: FloatArray, vertices: NDArray[np.float32], appearance: Appearance
    ) -> None:
        model = self.model
        strands = grow(model.strands, model.hair_style(parameters), vertices, model.surface.faces)
        hair = self.hair_object.data
        hair.attributes["position"].data.foreach_set("vector", strands.points.ravel())
        hair.attributes["radius"].data.foreach_set("value", strands.radius.ravel())
        shade = 1.0 + 0.25 * model.strands.jitter[:, 1:2]
        colour = np.where(
            (model.strands.region == BROW)[:, None], appearance.brow, appearance.hair
        ) * np.clip(shade, 0.5, 1.6)
        rgba = np.concatenate([colour, np.ones((len(colour), 1))], axis=1).astype(np.float32)
        hair.attributes[look.COLOUR].data.foreach_set("color", rgba.ravel())
        hair.update_tag()
        # What the viewport and Workbench show of strands.
        self.hair_object.color = (*appearance.hair, 1.0)


def _find(key: str, head_id: str) -> bpy.types.Object:
    for candidate in bpy.data.objects:
        if candidate.get(key) == head_id:
            return candidate
    raise KeyError(f"no object has {key} = {head_id}")


def _write_colours(mesh: bpy.types.Mesh, appearance: Appearance) -> None:
    alpha = np.ones((len(appearance.vertex_colour), 1), np.float32)
    rgba = np.concatenate([appearance.vertex_colour, alpha], axis=1)
    mesh.attributes[look.COLOUR].data.foreach_set("color", rgba.ravel())
    # The same all over, but kept on the mesh, so that heads can share their materials.
    iris = mesh.attributes[look.IRIS].data
    iris.foreach_set("vector", np.tile(appearance.iris, len(iris)).astype(np.float32))
    gloss = mesh.attributes[look.ROUGHNESS].data
    gloss.foreach_set("value", np.full(len(gloss), appearance.roughness, np.float32))


def _new_mesh(model: HeadModel) -> bpy.types.Mesh:
    surface = model.surface
    mesh = bpy.data.meshes.new("Head")
    mesh.from_pydata(surface.rest_position.tolist(), [], surface.faces.tolist())
    layer = mesh.uv_layers.new(name="UVMap")
    layer.uv.foreach_set("vector", surface.uv.ravel())
    mesh.attributes.new(look.COLOUR, "FLOAT_COLOR", "POINT")
    mesh.attributes.new(look.IRIS, "FLOAT_VECTOR", "POINT")
    mesh.attributes.new(look.ROUGHNESS, "FLOAT", "POINT")
    for name, vectors in ((look.REST, surface.rest_position), (look.GAZE, surface.gaze)):
        attribute = mesh.attributes.new(name, "FLOAT_VECTOR", "POINT")
        attribute.data.foreach_set("vector", vectors.astype(np.float32).ravel())
    mesh.materials.append(look.skin_material())
    mesh.materials.append(look.eye_material())
    is_eye = np.char.startswith(surface.part_names, "eye")[surface.part[surface.faces[:, 0]]]
    mesh.polygons.foreach_set("material_index", is_eye.astype(np.int32))
    mesh.shade_smooth()
    mesh.update()
    return mesh


def _new_hair(model: HeadModel) -> bpy.types.ID:
    hair = bpy.data.hair_curves.new("Hair")
    hair.add_curves([POINTS] * len(model.strands))
    if "radius" not in hair.attributes:
        hair.attributes.new("radius", "FLOAT", "POINT")
    hair.attributes.new(look.COLOUR, "FLOAT_COLOR", "CURVE")
    hair.materials.append(look.hair_material())
    return hair
