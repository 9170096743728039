# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters -> images, with Cycles, EEVEE or Workbench."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ..choices import ENGINES
from ..errors import RejectedSample, check_values
from ..heads.head_model import HeadModel
from ..heads.parameters import FloatArray
from ..heads.surface import neck_edge
from ..mapping.encoder import Encoder
from ..mapping.face_crop import face_box
from . import bust, look
from .head_object import HeadObject, remove_with_data

CAMERA_DISTANCE = 1.6
"""Metres from the face, as for a portrait."""
FRAME = 0.31
"""Metres that the image spans at the face."""
Extent = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Landmarks (5, 2) -> the part of the image (4,) that someone looks at, pixels."""
_SMALLEST_FACE = 8  # pixels; Blender refuses to render less than four


@dataclass(frozen=True)
class RenderSettings:
    """How heads are rendered; the same settings and parameters give the same image.

    size in pixels (images are square); light is a name from look.LIGHTS; device is "auto" or
    "CPU"; face_only renders no more than the face crop, for F alone.
    """

    engine: str = "CYCLES"
    samples: int = 16
    size: int = 256
    seed: int = 0
    light: str = "studio"
    device: str = "auto"
    face_only: bool = False

    def __post_init__(self) -> None:
        checks = (
            (self.engine in ENGINES, "engine", self.engine, f"one of {', '.join(ENGINES)}"),
            (1 <= self.samples <= 4096, "samples", self.samples, "1 to 4096"),
            (64 <= self.size <= 4096, "size", self.size, "64 to 4096 pixels"),
            (0 <= self.seed < 2**31, "seed", self.seed, "0 to 2147483647"),
            (self.light in look.LIGHTS, "light", self.light, f"one of {', '.join(look.LIGHTS)}"),
            (self.device in ("auto", "CPU"), "device", self.device, "auto or CPU"),
        )
        check_values(checks)


@dataclass(frozen=True)
class RenderedHead:
    """image (S, S, 3) uint8 RGB; points (5, 2) pixels, x right and y down; box (x0, y0, x1, y1)
    of the face crop, pixels; vertices (V, 3) metres."""

    image: NDArray[np.uint8]
    points: NDArray[np.float64]
    box: tuple[float, float, float, float]
    vertices: NDArray[np.float32]

    def crop_for(self, encoder: Encoder) -> NDArray[np.uint8]:
        """The face as ``encoder`` wants it, (S, S, 3) uint8."""
        return encoder.cut(self.image, self.points)


class HeadRenderer:
    """A scene of its own with one head, camera, light and collar; close it when done."""

    def __init__(self, model: HeadModel, settings: RenderSettings) -> None:
        self.model, self.settings = model, settings
        self.extents: tuple[Extent, ...] = (face_box,)  # what face_only renders, together
        self.mesh_seconds = 0.0  # spent on meshes rather than on rendering them
        self._scene = bpy.data.scenes.new("FaceGen Studio")
        self._folder = tempfile.TemporaryDirectory(prefix="facegen-")
        self._file = Path(self._folder.name) / "head.png"
        self._image: bpy.types.Image | None = None
        collection = self._scene.collection
        self._head = HeadObject.create(model, collection)
        self._bust = bust.create(collection)
        vertices = model.forward(model.table.default())
        self._neck_edge = neck_edge(model.surface.faces, vertices[0, :, 2])
        points = model.five_points(vertices)[0]
        self._camera = _new_camera(self._scene)
        look.apply_light(
            look.LIGHTS[settings.light], self._scene, collection, Vector(points.mean(0).tolist())
        )
        _configure(self._scene, settings)
        self._scene.render.filepath = str(self._file)

    def __enter__(self) -> HeadRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def scene_name(self) -> str:
        """The name of the scene that it renders."""
        return str(self._scene.name)

    def close(self) -> None:
        """Remove the scene with all that is in it, and the temporary files."""
        for owned in list(self._scene.collection.all_objects):
            remove_with_data(owned)
        world = self._scene.world
        bpy.data.scenes.remove(self._scene)
        bpy.data.worlds.remove(world)
        if self._image is not None:
            bpy.data.images.remove(self._image)
        self._folder.cleanup()

    def reseed(self, seed: int, *, face_only: bool) -> None:
        """Render with other noise, all of the image or the face alone, from now on.

        A second renderer would do, too, but Cycles takes seconds to change from scene to scene.
        """
        self.settings = replace(self.settings, seed=seed, face_only=face_only)
        _configure_variant(self._scene, self.settings)

    def render(self, parameters: FloatArray) -> RenderedHead:
        """The image of the head with these parameters (P,).

        RejectedSample where no more than the face is wanted and the head does not show it.
        """
        start = time.perf_counter()
        vertices = self._head.set_parameters(parameters)
        bust.fit(self._bust, vertices[self._neck_edge])
        self.mesh_seconds += time.perf_counter() - start
        landmarks = self.model.five_points(vertices)
        self._aim(landmarks)
        points = self._project(landmarks)
        x0, y0, x1, y1 = (float(edge) for edge in face_box(points))
        box = (x0, y0, x1, y1)
        if self.settings.face_only:
            _require_face(points, box, self.settings.size)
            _set_border(self._scene.render, _union([extent(points) for extent in self.extents]))
        bpy.ops.render.render(write_still=True, scene=self._scene.name)
        return RenderedHead(self._pixels(), points, box, vertices)

    def _aim(self, points: NDArray[np.float32]) -> None:
        """Look at the face straight from the front, its box a little above the middle."""
        middle = points[:2].mean(0) * 0.62 + points[3:].mean(0) * 0.38
        self._camera.location = (
            float(middle[0]),
            float(middle[1]) - CAMERA_DISTANCE,
            float(middle[2]) + 0.006,
        )

    def _project(self, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """Points (..., 3) metres -> pixels (..., 2): a pinhole camera that looks along +Y."""
        offset = points - np.array(self._camera.location)
        scale = self.settings.size * CAMERA_DISTANCE / FRAME
        along = offset[..., 1]
        pixels = np.stack([offset[..., 0] / along, -offset[..., 2] / along], axis=-1) * scale
        return pixels + 0.5 * self.settings.size

    def _pixels(self) -> NDArray[np.uint8]:
        if self._image is None:
            self._image = bpy.data.images.load(str(self._file))
        else:
            self._image.reload()
        size = self.settings.size
        values = np.empty(size * size * 4, np.float32)
        self._image.pixels.foreach_get(values)
        rgb = values.reshape(size, size, 4)[::-1, :, :3]
        return np.ascontiguousarray(np.round(rgb * 255.0).astype(np.uint8))


def _new_camera(scene: bpy.types.Scene) -> bpy.types.Object:
    camera = bpy.data.cameras.new("FaceGen Camera")
    camera.sensor_width = 36.0
    camera.lens = 36.0 * CAMERA_DISTANCE / FRAME
    camera_object = bpy.data.objects.new("FaceGen Camera", camera)
    camera_object.rotation_euler = (np.pi / 2, 0.0, 0.0)
    scene.collection.objects.link(camera_object)
    scene.camera = camera_object
    return camera_object


def _require_face(
    points: NDArray[np.float64], box: tuple[float, float, float, float], size: int
) -> None:
    """RejectedSample for a head turned away, or a face of which hardly a pixel is in the image."""
    x0, y0, x1, y1 = np.clip(box, 0.0, size)
    if points[0, 0] >= points[1, 0] or min(x1 - x0, y1 - y0) < _SMALLEST_FACE:
        raise RejectedSample("the head does not show its face")


def _union(boxes: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The smallest box (4,) around boxes (4,)."""
    corners = np.stack(boxes)
    return np.concatenate([corners[:, :2].min(0), corners[:, 2:].max(0)])


def _set_border(render: bpy.types.RenderSettings, box: NDArray[np.float64]) -> None:
    """Have the pixels of ``box`` rendered only; the rest stays black."""
    size = render.resolution_x
    x0, y0, x1, y1 = (float(np.clip(edge / size, 0.0, 1.0)) for edge in box)
    render.border_min_x, render.border_max_x = x0, x1
    render.border_min_y, render.border_max_y = 1.0 - y1, 1.0 - y0


def engine_id(engine: str) -> str:
    """Blender's own id of an engine of ENGINES; EEVEE has had two."""
    if engine == "EEVEE":
        return "BLENDER_EEVEE_NEXT" if bpy.app.version < (5, 0, 0) else "BLENDER_EEVEE"
    return {"CYCLES": "CYCLES", "WORKBENCH": "BLENDER_WORKBENCH"}[engine]


def _configure(scene: bpy.types.Scene, settings: RenderSettings) -> None:
    render = scene.render
    render.engine = engine_id(settings.engine)
    render.resolution_x = render.resolution_y = settings.size
    render.resolution_percentage = 100
    render.use_persistent_data = True
    render.use_crop_to_border = False
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode = "RGB"
    render.image_settings.compression = 0
    scene.view_settings.view_transform = "Standard"
    _configure_variant(scene, settings)
    if settings.engine == "CYCLES":
        cycles = scene.cycles
        cycles.samples = settings.samples
        cycles.use_denoising = False  # not every build of Blender has a denoiser
        cycles.use_adaptive_sampling = False
        cycles.use_light_tree = False  # a few lamps: trying each costs less than choosing
        scene.cycles_curves.shape = "RIBBONS"
        cycles.max_bounces = 3
        cycles.diffuse_bounces = 2
        cycles.glossy_bounces = 1
        cycles.caustics_reflective = cycles.caustics_refractive = False
        cycles.device = "GPU" if settings.device == "auto" and compute_device() != "CPU" else "CPU"
    elif settings.engine == "EEVEE":
        scene.eevee.taa_render_samples = settings.samples
    else:
        scene.display.shading.light = "STUDIO"
        scene.display.shading.color_type = "VERTEX"


def _configure_variant(scene: bpy.types.Scene, settings: RenderSettings) -> None:
    """What may change between renders without Cycles building its scene anew."""
    scene.render.use_border = settings.face_only
    if settings.engine == "CYCLES":
        scene.cycles.seed = settings.seed


def compute_device() -> str:
    """Switch on the fastest device that Cycles finds and name it; "CPU" if there is no other."""
    addon = bpy.context.preferences.addons.get("cycles")
    if addon is None:
        return "CPU"
    preferences = addon.preferences
    for kind in ("OPTIX", "CUDA", "HIP", "ONEAPI", "METAL"):
        try:
            preferences.compute_device_type = kind
        except TypeError:  # this build of Blender does not know the kind
            continue
        preferences.refresh_devices()
        devices = [device for device in preferences.devices if device.type == kind]
        if devices:
            for device in preferences.devices:
                device.use = device.type == kind
            return f"{kind}: {', '.join(device.name for device in devices)}"
    preferences.compute_device_type = "NONE"
    return "CPU"
