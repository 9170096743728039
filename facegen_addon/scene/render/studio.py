# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene of its own with one head before a camera, and the pixels that Blender renders of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Self

import bpy
import numpy as np
from mathutils import Matrix

from ...arrays import ByteArray, Float32Array, FloatArray, IntArray
from ...errors import UserError
from ...heads.head_model import HeadModel
from ...heads.wear.outfit import Outfit
from ...labels.camera import Camera
from ...labels.shot import SENSOR_WIDTH
from ..head.head_object import HeadObject
from ..head.objects import remove_with_data
from .collar import Collar
from .devices import render_scene
from .surroundings import Surroundings
from .wardrobe import Wardrobe

_FROM_OPENCV = np.diag([1.0, -1.0, -1.0])  # Blender's cameras look along -Z, Y up
_SMALLEST_FACE = 8  # pixels, chosen by eye: Blender refuses to render less than four


Posed = tuple[
    Annotated[Float32Array, "V 3"],
    tuple[Annotated[Float32Array, "B 3"], Annotated[IntArray, "Q 4"]],
]
"""Vertices (V, 3) of a head, metres, and vertices (B, 3) and quads (Q, 4) of what it wears."""


class Studio:
    """The head, updated in place, its collar, a camera and what surrounds them; close it when done.

    scene: Blender's scene; folder: for temporary files.
    """

    def __init__(self, model: HeadModel) -> None:
        self.scene = bpy.data.scenes.new("FaceGen Studio")
        self._temporary = tempfile.TemporaryDirectory(prefix="facegen-")
        self.folder = Path(self._temporary.name)
        collection = self.scene.collection
        self.head = HeadObject.create(model, collection)
        self.worn: Wardrobe | Collar = (
            Wardrobe(self.head, collection) if model.dressed else Collar(model, collection)
        )
        self.camera = _new_camera(self.scene)
        vertices = model.forward(model.table.default())
        self.surroundings = Surroundings(
            self.scene, model.five_points(vertices)[0].mean(0), model.studio_light
        )
        self._files: dict[Path, bpy.types.Image] = {}
        self._shown: tuple[tuple[bytes, Outfit], Posed] | None = None

    def close(self) -> None:
        """Remove the scene with all that is in it, and the temporary files."""
        # Blender keeps the engine of a scene of persistent data when that scene is removed: it
        # would point to what is freed here, and the next change of the file may crash.
        self.scene.render.use_persistent_data = False
        for owned in list(self.scene.collection.all_objects):
            remove_with_data(owned)
        bpy.data.scenes.remove(self.scene)
        self.surroundings.close()
        for image in self._files.values():
            bpy.data.images.remove(image)
        self._temporary.cleanup()

    def pose(self, parameters: Annotated[FloatArray, "P"], outfit: Outfit | None = None) -> Posed:
        """Show the head with these parameters (P,), in an outfit, or the plain one: its vertices
        (V, 3), metres, and vertices (B, 3) and quads (Q, 4) of what it wears.

        The head that is there, dressed so already, stays as it is: Cycles builds nothing anew for
        another view of it. UserError, before anything changes, if a parameter is not finite or out
        of its range."""
        wanted = (parameters.tobytes(), outfit or Outfit())
        if self._shown is None or self._shown[0] != wanted:
            self._shown = None  # should any of it fail
            vertices = self.head.set_parameters(parameters)
            self._shown = wanted, (vertices, self.worn.fit(vertices, parameters, wanted[1]))
        return self._shown[1]

    def see_by(self, camera: Camera) -> None:
        """Have Blender's camera be this one."""
        self.camera.data.lens = SENSOR_WIDTH * camera.intrinsics[0, 0] / camera.width
        self.camera.location = camera.position
        turned = Matrix((camera.rotation.T @ _FROM_OPENCV).tolist())
        self.camera.rotation_euler = turned.to_euler()

    def render(self, device: str) -> None:
        """Have Blender render the scene, into an image of its own; see `render_scene`."""
        render_scene(self.scene, device)

    def save(self, path: Path) -> None:
        """Write what was last rendered, in the format that the scene's settings say."""
        result = next(image for image in bpy.data.images if image.type == "RENDER_RESULT")
        result.save_render(str(path), scene=self.scene)

    def read(self, path: Path) -> Annotated[ByteArray, "H W 3"]:
        """The pixels (H, W, 3) uint8 RGB of an image file, which may have changed since.

        UserError if it is not whole: Blender says nothing when a disk is full.
        """
        try:
            if path not in self._files:
                self._files[path] = bpy.data.images.load(str(path))
            else:
                self._files[path].reload()
            image = self._files[path]
            if not min(image.size) or not len(image.pixels):
                raise RuntimeError("it is not whole")
        except RuntimeError:
            raise UserError(
                f"a render could not be kept in {path.parent.parent}, the folder of temporary"
                " files: make room there, or name another by TMPDIR"
            ) from None
        return pixels(image)


def use_single_layer(settings: bpy.types.ImageFormatSettings, file_format: str) -> None:
    """Have files hold the image alone, 8 bits a channel."""
    if hasattr(settings, "media_type"):  # Blender 5.0
        settings.media_type = "IMAGE"
    settings.file_format = file_format
    settings.color_mode, settings.color_depth = "RGB", "8"


def pixels(image: bpy.types.Image) -> Annotated[ByteArray, "H W 3"]:
    """The pixels (H, W, 3) uint8 RGB of an image of 8 bits a channel."""
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    rgb = values.reshape(height, width, 4)[::-1, :, :3]
    return np.ascontiguousarray(np.rint(rgb * 255.0).astype(np.uint8))


def shows_face(
    points: Annotated[FloatArray, "5 2"],
    box: tuple[float, float, float, float],
    width: int,
    height: int,
) -> bool:
    """Whether a head is not turned away and more than a trace of its face is in the image.

    points (5, 2) and box of the face crop, pixels.
    """
    x0, y0, x1, y1 = np.clip(box, 0.0, [width, height, width, height])
    return bool(points[0, 0] < points[1, 0] and min(x1 - x0, y1 - y0) >= _SMALLEST_FACE)


class StudioRenderer:
    """Base of renderers, with a studio of their own (a context manager); close it when done."""

    def __init__(self, model: HeadModel) -> None:
        self.model = model
        self._studio = Studio(model)
        self._scene = self._studio.scene

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def scene_name(self) -> str:
        """The name of the scene that it renders."""
        return str(self._scene.name)

    def close(self) -> None:
        """Remove the scene with all that is in it, and the temporary files."""
        self._studio.close()


def _new_camera(scene: bpy.types.Scene) -> bpy.types.Object:
    camera = bpy.data.cameras.new("FaceGen Camera")
    camera.sensor_fit = "HORIZONTAL"
    camera.sensor_width = SENSOR_WIDTH
    camera_object = bpy.data.objects.new("FaceGen Camera", camera)
    scene.collection.objects.link(camera_object)
    scene.camera = camera_object
    return camera_object
