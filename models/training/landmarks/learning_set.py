# SPDX-License-Identifier: GPL-3.0-or-later
"""The rendered images as arrays, with the landmarks that follow from parameters and cameras."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from PIL import Image

from facegen_addon.arrays import (
    BoolArray,
    ByteArray,
    Float32Array,
    FloatArray,
    IndexArray,
    IntArray,
)
from facegen_addon.choices import DISTRIBUTIONS
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.labels.camera import Camera
from facegen_addon.labels.label_points import LabelPoints
from models.training.data_set_folder import achieved_of, held_out_of, samples_of

MODEL = "person"
_SYMMETRIC = 1e-3
"""Metres by which a vertex of the mean head may miss its partner's mirror image, but in the few
places where the mesh itself is not symmetric."""
_ONE_SIDED = ("asymmetry", "hair_part", "hair_tuck")
"""What names of parameters hold that say nothing of the mirrored head."""


@dataclass(frozen=True)
class LearningSet:
    """N images.

    images (N, S, S, 3) uint8; points, mirrored (N, K, 2) float32: the labelled points in pixels,
    and where they would lie if left and right were exchanged; five (N, 5, 2): FIVE_POINT_NAMES;
    rotations (N, 3, 3): of the head before the camera; parameters (N, P); latents (N, 512): of the
    images, 0 where no face was seen; head (N,): whose heads are the same within a distribution;
    distribution (N,): its place in DISTRIBUTIONS.
    """

    images: Annotated[ByteArray, "N S S 3"]
    points: Annotated[Float32Array, "N K 2"]
    mirrored: Annotated[Float32Array, "N K 2"]
    five: Annotated[Float32Array, "N 5 2"]
    rotations: Annotated[Float32Array, "N 3 3"]
    parameters: Annotated[Float32Array, "N P"]
    latents: Annotated[Float32Array, "N 512"]
    head: Annotated[IntArray, "N"]
    distribution: Annotated[IntArray, "N"]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: BoolArray | IndexArray) -> Self:
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def held_out(self) -> Annotated[BoolArray, "N"]:
        """Which images show heads that nothing learns from."""
        return held_out_of(self.head)

    def of(self, distribution: str) -> Self:
        """The images of one distribution."""
        return self[self.distribution == DISTRIBUTIONS.index(distribution)]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """All closed shards below `folder`, as make_set leaves them; UserError if there is none."""
        model = load_head_model(MODEL)
        mirror = mirror_of(model)
        rows = [
            _row(model, mirror, members, place)
            for place, distribution in enumerate(DISTRIBUTIONS)
            for members in samples_of(folder / distribution)
        ]
        if not rows:
            raise UserError(
                f"{folder} holds no shards: make them by models.training.landmarks.make_set"
            )
        return cls(*(np.stack(column) for column in zip(*rows, strict=True)))


def _row(
    model: HeadModel, mirror: IntArray, members: Mapping[str, bytes], distribution: int
) -> tuple[Any, ...]:
    """A sample in the order of the set's fields."""
    record = json.loads(members["json"])
    values = np.array([record["parameters"][name] for name in model.table.names])
    vertices = model.forward(values[None])[0]
    pose = record["camera"]
    image = np.asarray(Image.open(io.BytesIO(members["jpg"])).convert("RGB"))
    camera = Camera(
        np.array(pose["intrinsics"]), np.array(pose["extrinsics"]), image.shape[1], image.shape[0]
    )
    points = LabelPoints.of(model)
    return (
        image,
        camera.project(points.read(vertices)).astype(np.float32),
        camera.project(points.read(vertices[mirror])).astype(np.float32),
        np.array(record["five_points"], np.float32),
        camera.rotation.astype(np.float32),
        values.astype(np.float32),
        achieved_of(members).astype(np.float32),
        np.intp(record["identity"]),
        np.intp(distribution),
    )


def mirror_of(model: HeadModel) -> Annotated[IntArray, "V"]:
    """Each vertex's partner on the other side of the head (V,), by the mean head."""
    from scipy.spatial import cKDTree

    vertices = model.forward(model.table.default())[0].astype(np.float64)
    missed, partner = cKDTree(vertices).query(vertices * (-1.0, 1.0, 1.0))
    if np.quantile(missed, 0.99) > _SYMMETRIC:
        raise UserError(f"the mesh of {model.name} is not symmetric: name another model")
    return np.asarray(partner, np.intp)


def partners(names: tuple[str, ...]) -> Annotated[IntArray, "P"]:
    """The parameter (P,) that says of a mirrored head what each says of the head itself; -1 where
    none does."""
    place = {name: column for column, name in enumerate(names)}

    def partner(name: str) -> int:
        if any(word in name for word in _ONE_SIDED):
            return -1
        if (
            name.startswith(("eye_left", "eye_right", "neck_", "head_", "jaw_"))
            and name[-1] in "yz"
        ):
            return -1
        for one, other in (("Left", "Right"), ("_left", "_right")):
            if one in name:
                return place[name.replace(one, other)]
            if other in name:
                return place[name.replace(other, one)]
        return place[name]

    return np.array([partner(name) for name in names], np.intp)


def spread_of(parameters: Annotated[FloatArray, "N P"]) -> tuple[FloatArray, FloatArray]:
    """Mean (P,) and standard deviation (P,) of parameters (N, P), 0 where one is the same."""
    spread = parameters.std(axis=0)
    return parameters.mean(axis=0), np.where(spread > 1e-5, spread, 0.0)
