# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders shots: each once, to an image with its labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import numpy as np

from ...arrays import ByteArray, Float32Array, FloatArray, IntArray
from ...choices import DEVICE, ENGINE, SAMPLES, SIZE
from ...encoders.face_crop import face_box
from ...errors import check_values
from ...heads.head_model import HeadModel
from ...labels.camera import Camera, head_rotation, middle_of_face
from ...labels.jpeg import without_notes
from ...labels.label_points import DENSE_POINTS, LabelPoints
from ...labels.maps import LabelMaps, LandmarkLabels
from ...labels.passes import Passes
from ...labels.shot import Shot
from ...labels.subdivision import Subdivision
from ...labels.visibility import hidden_points
from .head_renderer import configure
from .label_passes import LabelPasses
from .studio import StudioRenderer, shows_face, use_single_layer

IMAGE_FORMATS = ("PNG", "JPEG")
_HIDING_STRANDS = ("hair", "beard")
"""Brows hide nothing: the landmarks of brows are marked on them."""
_HIDING_SHARE = 0.5  # of a landmark's pixel
_LAST_SEED = 2**31 - 1


@dataclass(frozen=True)
class SampleSettings:
    """Settings by which samples are rendered; the same settings and shot give the same bytes.

    width, height: pixels; device: one of DEVICE; threads of the CPU: 0 for all;
    labels: whether landmarks and label images are made, too; quality of JPEGs: 1 to 100.
    """

    engine: str = ENGINE.declared
    samples: int = SAMPLES.declared
    width: int = SIZE.declared
    height: int = SIZE.declared
    device: str = DEVICE.declared
    threads: int = 0
    labels: bool = True
    image_format: str = "PNG"
    quality: int = 90

    def __post_init__(self) -> None:
        formats = f"one of {', '.join(IMAGE_FORMATS)}"
        checks = (
            (self.engine in ENGINE, "engine", self.engine, f"one of {ENGINE.accepted}"),
            (self.samples in SAMPLES, "samples", self.samples, SAMPLES.accepted),
            (self.width in SIZE, "width", self.width, f"{SIZE.accepted} {SIZE.unit}"),
            (self.height in SIZE, "height", self.height, f"{SIZE.accepted} {SIZE.unit}"),
            (self.device in DEVICE, "device", self.device, DEVICE.accepted),
            (0 <= self.threads <= 1024, "threads", self.threads, "1 to 1024, or 0 for all"),
            (
                not self.labels or self.engine != "WORKBENCH",
                "engine",
                self.engine,
                "CYCLES or EEVEE, or no labels: Workbench renders no passes to make them of",
            ),
            (self.image_format in IMAGE_FORMATS, "image_format", self.image_format, formats),
            (1 <= self.quality <= 100, "quality", self.quality, "1 to 100"),
        )
        check_values(checks)


@dataclass(frozen=True)
class Rendered:
    """One sample of H x W pixels.

    image (H, W, 3) uint8 RGB, as a reader of its file sees it; encoded: the JPEG file, empty for
    PNG, which loses nothing whoever encodes it; points (5, 2) pixels and box (x0, y0, x1, y1) of
    the face crop, pixels; shows_face: whether the face is turned to the camera and in the image;
    landmarks and maps: None without labels.
    """

    image: Annotated[ByteArray, "H W 3"]
    encoded: bytes
    camera: Camera
    points: Annotated[FloatArray, "5 2"]
    box: tuple[float, float, float, float]
    shows_face: bool
    landmarks: LandmarkLabels | None
    maps: LabelMaps | None


@dataclass(frozen=True)
class Exposed:
    """A sample whose image is there; its labels need no Blender any more, and no scene.

    rendered: without labels; world (N, 3): the labelled points, metres; surface (V, 3), metres, and
    triangles (T, 3) of all that may hide them; passes: None without labels.
    """

    rendered: Rendered
    world: Annotated[FloatArray, "N 3"]
    surface: Callable[[], tuple[Annotated[Float32Array, "V 3"], Annotated[IntArray, "T 3"]]]
    passes: Passes | None

    def labelled(self) -> Rendered:
        """The sample with its labels."""
        passes, camera = self.passes, self.rendered.camera
        if passes is None:
            return self.rendered
        landmarks = self._landmarks(camera, passes)
        return replace(self.rendered, landmarks=landmarks, maps=passes.maps(camera))

    def _landmarks(self, camera: Camera, passes: Passes) -> LandmarkLabels:
        world = self.world
        pixels, seen = camera.project(world), camera.seen(world)
        surface, triangles = self.surface()
        hidden = hidden_points(seen, camera.seen(surface), triangles)
        inside = ((pixels >= 0) & (pixels < (camera.width, camera.height))).all(1)
        inside &= seen[:, 2] > 0
        column, row = np.floor(pixels[inside]).astype(np.intp).T
        covered = passes.strands(_HIDING_STRANDS)[row, column] > _HIDING_SHARE
        hidden[inside] |= covered & (passes.strand_depth(camera)[row, column] < seen[inside, 2])
        visibility = np.where(inside, np.where(hidden, 1, 2), 0).astype(np.uint8)
        return LandmarkLabels(world, pixels, seen[:, 2], visibility)


class SampleRenderer(StudioRenderer):
    """A scene of its own, updated in place for each shot; close it when done.

    dense: how many points of the face are labelled beside the 68 landmarks; pictures: path ->
    sha256 of all files that shots may name, where other contents are not to be shown.
    """

    def __init__(
        self,
        model: HeadModel,
        settings: SampleSettings,
        *,
        dense: int = DENSE_POINTS,
        pictures: Mapping[str, str] | None = None,
    ) -> None:
        self._points = LabelPoints.of(model, dense)  # may refuse, before there is a scene
        super().__init__(model)
        self._studio.surroundings.pictures.expected = pictures
        self.settings = settings
        self._subdivision = Subdivision.of(model.surface.polygons, len(model.surface.part))
        self._file = self._studio.folder / f"sample.{settings.image_format.lower()}"
        self._passes = LabelPasses(self._studio, model) if settings.labels else None
        configure(self._scene, settings, settings.width, settings.height)
        render = self._scene.render
        if settings.threads:
            render.threads_mode, render.threads = "FIXED", settings.threads
        render.image_settings.quality = settings.quality
        if settings.engine == "EEVEE":
            self.render(Shot(model.table.default()))  # its first image of a scene is like no other

    def close(self) -> None:
        """Remove the scene with all that is in it, and the temporary files."""
        super().close()
        if self._passes is not None:
            self._passes.close()

    def render(self, shot: Shot) -> Rendered:
        """The sample of a shot.

        The noise is Cycles's; EEVEE has none that a seed changes.
        UserError, before anything is rendered, for parameters out of range and for a preset or a
        picture that is not there.
        """
        return self.expose(shot).labelled()

    def expose(self, shot: Shot) -> Exposed:
        """The same, of which another thread can make the labels while the next is rendered."""
        check_values(((0 <= shot.seed <= _LAST_SEED, "seed", shot.seed, f"0 to {_LAST_SEED}"),))
        vertices, worn = self._studio.pose(shot.parameters, shot.outfit)
        five = self.model.five_points(vertices)
        camera = self._arrange(shot, middle_of_face(five))
        self._studio.render(self.settings.device)
        image, encoded = self._saved()
        points = camera.project(five)
        x0, y0, x1, y1 = (float(edge) for edge in face_box(points))
        box = (x0, y0, x1, y1)
        shown = shows_face(points, box, camera.width, camera.height)
        rendered = Rendered(image, encoded, camera, points, box, shown, None, None)
        passes = None if self._passes is None else self._passes.read()
        hiding = partial(self._hiding, vertices, worn)
        return Exposed(rendered, self._points.read(vertices), hiding, passes)

    def _arrange(self, shot: Shot, middle: FloatArray) -> Camera:
        """Have the scene as the shot says; its camera."""
        width, height = self.settings.width, self.settings.height
        camera = Camera.of(shot.view, middle, width, height)
        self._studio.see_by(camera)
        self._studio.surroundings.show(
            shot.light,
            shot.background,
            turn=head_rotation(shot.view),
            middle=middle,
            aspect=width / height,
        )
        if self.settings.engine == "CYCLES":
            self._scene.cycles.seed = shot.seed
        return camera

    def _saved(self) -> tuple[ByteArray, bytes]:
        """The image as read again from its file, and the file where that is a JPEG."""
        use_single_layer(self._scene.render.image_settings, self.settings.image_format)
        self._studio.save(self._file)
        image = self._studio.read(self._file)
        if self.settings.image_format != "JPEG":
            return image, b""
        return image, without_notes(self._file.read_bytes())

    def _hiding(
        self, vertices: Float32Array, worn: tuple[Float32Array, IntArray]
    ) -> tuple[Float32Array, IntArray]:
        """Vertices and triangles of head and what it wears, as they are rendered."""
        surface = np.concatenate([self._subdivision.apply(vertices), worn[0]])
        return surface, _triangles(self._subdivision.quads, worn[1])


def _triangles(head: IntArray, worn: IntArray) -> IntArray:
    """Triangles (T, 3) of the quads of head (Q, 4) and what it wears, whose vertices come after."""
    quads = np.concatenate([head, worn + head.max() + 1])
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
