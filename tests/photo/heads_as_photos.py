# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for Blender and the encoder: what a head looks like follows from its parameters."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.labels.camera import Camera, middle_of_face
from facegen_addon.labels.shot import View
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.sphere import normalise
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.photo.fitting import FRONT, FittingTools, Seen
from facegen_addon.photo.photo_face import SQUARE, PhotoFace

MODEL = load_head_model("person")
BACKWARD = BackwardMapping.load(MODEL.name, MODEL.table)


@dataclass
class Studio:
    """Renders nothing: the image's first pixels hold a number, by which `embed` knows the head.

    spoil: added to the latent of every head but the first, at random but the same."""

    spoil: float = 0.0

    def __post_init__(self) -> None:
        self.heads: list[np.ndarray] = []

    def see(self, parameters: np.ndarray, view: View, light: float, backdrop: Any) -> Seen:
        """A grey square with the head's number."""
        vertices = MODEL.forward(parameters[None])[0]
        points = MODEL.five_points(vertices)
        camera = Camera.of(view, middle_of_face(points), SQUARE, SQUARE)
        image = np.full((SQUARE, SQUARE, 3), 128, np.uint8)
        image[0, 0, 0] = len(self.heads)
        self.heads.append(parameters)
        return Seen(image, camera, camera.project(points), vertices)

    def latent(self, number: int) -> np.ndarray:
        """What the surrogates say of the head, off by `spoil` for all but the first."""
        found = BACKWARD.predicted(MODEL.table.standardise(self.heads[number]))[0]
        away = np.random.default_rng(number).standard_normal(512)
        away *= self.spoil * (number > 0) / np.linalg.norm(away)
        return normalise((found + away)[None])[0].astype(np.float32)

    def tools(self) -> FittingTools:
        """Tools whose encoder reads numbers."""
        encoder = SimpleNamespace(
            threshold=0.51,
            cut=lambda image, points, jitter=None: image,
            embed=lambda crops: np.stack([self.latent(int(crop[0, 0, 0])) for crop in crops]),
        )
        detector = SimpleNamespace(detect=lambda image: [])
        return FittingTools(
            MODEL,
            BACKWARD,
            encoder,
            detector,
            AttributeProbes.load(),
            self.see,  # type: ignore[arg-type]
        )


def photo_of(parameters: np.ndarray, name: str = "photo.png", size: float = 120.0) -> PhotoFace:
    """The face of a head as if photographed from the front."""
    points = MODEL.five_points(MODEL.forward(parameters[None]))[0]
    camera = Camera.of(FRONT, middle_of_face(points), SQUARE, SQUARE)
    latent = BACKWARD.predicted(MODEL.table.standardise(parameters))[0]
    square = np.full((SQUARE, SQUARE, 3), 128, np.uint8)
    return PhotoFace(name, square, camera.project(points), np.zeros(2), 1.0, latent, 0.999, size)
