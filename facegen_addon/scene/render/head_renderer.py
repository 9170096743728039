# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters -> images, with Cycles, EEVEE or Workbench."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Protocol

import bpy
import numpy as np

from ...arrays import ByteArray, Float32Array, FloatArray
from ...encoders.crop_jitter import AS_OURS, CropJitter
from ...encoders.encoder import Encoder
from ...encoders.face_crop import face_box
from ...errors import RejectedSample
from ...heads.head_model import HeadModel
from ...heads.wear.outfit import Outfit
from ...labels.camera import Camera, head_rotation, middle_of_face
from ...labels.shot import PORTRAIT_DISTANCE, PORTRAIT_FRAME, Background, Light, View
from ...render_settings import RenderSettings
from .denoising import denoise
from .devices import render_scene, use_device
from .studio import StudioRenderer, shows_face, use_single_layer

Extent = Callable[[Annotated[FloatArray, "5 2"]], Annotated[FloatArray, "4"]]
"""Landmarks (5, 2) -> the part of the image (4,) that someone looks at, pixels."""


@dataclass(frozen=True)
class RenderedHead:
    """image (S, S, 3) uint8 RGB; points (5, 2) pixels, x right and y down; box (x0, y0, x1, y1)
    of the face crop, pixels; vertices (V, 3) metres."""

    image: Annotated[ByteArray, "S S 3"]
    points: Annotated[FloatArray, "5 2"]
    box: tuple[float, float, float, float]
    vertices: Annotated[Float32Array, "V 3"]

    def crop_for(
        self, encoder: Encoder, jitter: CropJitter = AS_OURS
    ) -> Annotated[ByteArray, "S S 3"]:
        """The face as ``encoder`` wants it, (S, S, 3) uint8, or as another detector has it."""
        return encoder.cut(self.image, self.points, jitter)


class HeadRenderer(StudioRenderer):
    """A scene of its own with one head, camera, light and collar; close it when done.

    outfit: what its heads wear, None for the plain one. Renders of head models that say so are
    denoised where that can be done; else, and if the face alone is asked for, as F does, they have
    more samples.
    """

    def __init__(
        self, model: HeadModel, settings: RenderSettings, outfit: Outfit | None = None
    ) -> None:
        super().__init__(model)
        self.settings, self.outfit = settings, outfit
        self.extents: tuple[Extent, ...] = (face_box,)  # what face_only renders, together
        self.mesh_seconds = 0.0  # spent on meshes rather than on rendering them
        self._file = self._studio.folder / "head.png"
        configure(self._scene, settings, settings.size, settings.size)
        if model.denoised and settings.engine == "CYCLES":
            denoise(self._scene, for_latents=settings.face_only)
        self._see_as_set()
        self._scene.render.filepath = str(self._file)

    def reseed(self, seed: int, *, face_only: bool) -> None:
        """Render with other noise, all of the image or the face alone, from now on.

        A second renderer would do, too, but Cycles takes seconds to change from scene to scene.
        """
        self.settings = replace(self.settings, seed=seed, face_only=face_only)
        _configure_variant(self._scene, self.settings)

    def render(self, parameters: Annotated[FloatArray, "P"]) -> RenderedHead:
        """The image of the head with these parameters (P,).

        RejectedSample where the face alone is rendered and the head does not show it.
        """
        vertices, landmarks = self._posed(parameters)
        self._aim(landmarks)
        return self._rendered(vertices, self._project(landmarks), self.settings.face_only)

    def look(
        self,
        parameters: Annotated[FloatArray, "P"],
        *,
        light: str,
        seed: int,
        yaw: float,
        pitch: float,
        face_only: bool = True,
    ) -> RenderedHead:
        """The image of the same head as somebody else may see it; of the face alone, what lies
        around it is left from earlier renders.

        light: a preset; seed: of the noise; yaw, pitch: radians by which the head is turned, as in
        View. What is rendered afterwards is as ever. Errors as of `render`.
        """
        vertices, landmarks = self._posed(parameters)
        middle, view = middle_of_face(landmarks), View(yaw=yaw, pitch=pitch)
        camera = Camera.of(view, middle, self.settings.size, self.settings.size)
        try:
            self._studio.see_by(camera)
            self._studio.surroundings.show(
                Light(light), Background(), turn=head_rotation(view), middle=middle
            )
            _configure_variant(self._scene, replace(self.settings, seed=seed, face_only=face_only))
            return self._rendered(vertices, camera.project(landmarks), face_only)
        finally:
            self._see_as_set()

    def _see_as_set(self) -> None:
        """Camera straight from the front, light and noise of the settings."""
        self._studio.surroundings.show(Light(self.settings.light), Background())
        self._studio.camera.data.lens = View().focal_length
        self._studio.camera.rotation_euler = (np.pi / 2, 0.0, 0.0)
        _configure_variant(self._scene, self.settings)

    def _posed(self, parameters: FloatArray) -> tuple[Float32Array, Float32Array]:
        """The head's vertices (V, 3) and five landmarks (5, 3), metres, once it is in the scene."""
        start = time.perf_counter()
        vertices, _ = self._studio.pose(parameters, self.outfit)
        self.mesh_seconds += time.perf_counter() - start
        return vertices, self.model.five_points(vertices)

    def _rendered(
        self, vertices: Float32Array, points: FloatArray, face_only: bool
    ) -> RenderedHead:
        x0, y0, x1, y1 = (float(edge) for edge in face_box(points))
        box = (x0, y0, x1, y1)
        if face_only:
            if not shows_face(points, box, self.settings.size, self.settings.size):
                raise RejectedSample("the head does not show its face")
            _set_border(self._scene.render, _union([extent(points) for extent in self.extents]))
        render_scene(self._scene, self.settings.device, write_still=True)
        return RenderedHead(self._studio.read(self._file), points, box, vertices)

    def _aim(self, points: Float32Array) -> None:
        """Look at the face straight from the front, its box a little above the middle."""
        x, y, z = middle_of_face(points)
        self._studio.camera.location = (x, y - PORTRAIT_DISTANCE, z)

    def _project(self, points: Float32Array) -> FloatArray:
        """Points (..., 3) metres -> pixels (..., 2): a pinhole camera that looks along +Y."""
        offset = points - np.array(self._studio.camera.location)
        scale = self.settings.size * PORTRAIT_DISTANCE / PORTRAIT_FRAME
        along = offset[..., 1]
        pixels = np.stack([offset[..., 0] / along, -offset[..., 2] / along], axis=-1) * scale
        return pixels + 0.5 * self.settings.size


def _union(boxes: Sequence[FloatArray]) -> FloatArray:
    """The smallest box (4,) around boxes (4,)."""
    corners = np.stack(boxes)
    return np.concatenate([corners[:, :2].min(0), corners[:, 2:].max(0)])


def _set_border(render: bpy.types.RenderSettings, box: FloatArray) -> None:
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


class EngineSettings(Protocol):
    """The settings of a renderer that ``configure`` reads."""

    @property
    def engine(self) -> str:
        """One of ENGINES."""
        ...

    @property
    def samples(self) -> int:
        """Per pixel."""
        ...

    @property
    def device(self) -> str:
        """ "auto" or "CPU"."""
        ...


def configure(scene: bpy.types.Scene, settings: EngineSettings, width: int, height: int) -> None:
    """Have a scene rendered so, into an image of width x height pixels, a PNG without losses."""
    render = scene.render
    render.engine = engine_id(settings.engine)
    render.resolution_x, render.resolution_y = width, height
    render.resolution_percentage = 100
    render.use_persistent_data = True
    render.use_crop_to_border = False
    use_single_layer(render.image_settings, "PNG")
    render.image_settings.compression = 0
    scene.view_settings.view_transform = "Standard"
    if settings.engine == "CYCLES":
        _configure_cycles(scene, settings)
    elif settings.engine == "EEVEE":
        scene.eevee.taa_render_samples = settings.samples
    else:
        scene.display.shading.light = "STUDIO"
        scene.display.shading.color_type = "VERTEX"


def _configure_cycles(scene: bpy.types.Scene, settings: EngineSettings) -> None:
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
    cycles.device = "CPU" if use_device(settings.device) == "CPU" else "GPU"


def _configure_variant(scene: bpy.types.Scene, settings: RenderSettings) -> None:
    """Set what may change between renders without Cycles building its scene anew."""
    scene.render.use_border = settings.face_only
    if settings.engine == "CYCLES":
        scene.cycles.seed = settings.seed
