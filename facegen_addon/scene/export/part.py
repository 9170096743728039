# SPDX-License-Identifier: GPL-3.0-or-later
"""What an exported head consists of: objects with their looks, keys and weights, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, Int32Array


@dataclass(frozen=True)
class ShapeKeys:
    """K shape keys: offsets (K, V, 3) metres at value 1; values and lowest values (K,)."""

    names: tuple[str, ...]
    offsets: Annotated[Float32Array, "K V 3"]
    values: Annotated[FloatArray, "K"]
    lowest: Annotated[FloatArray, "K"]


@dataclass(frozen=True)
class Look:
    """A material: a colour, linear RGB, for readers without vertex colours; roughness; how much
    light it mirrors, 0.5 is glass; the kind of texture that it has, or none; how much it covers of
    what lies behind. What lets light through has its colour alone, none of vertices."""

    name: str
    colour: tuple[float, ...]
    roughness: float
    texture: str = ""
    specular: float = 0.5
    alpha: float = 1.0


@dataclass(frozen=True)
class Part:
    """One object: vertices (V, 3) metres, faces (F, C) of C corners, uv (F, C, 2), colour (V, 4)
    linear, looks and which of them each face has (F,), weights (V, J), and edges (E, 2) that are
    to look sharp."""

    name: str
    vertices: Annotated[Float32Array, "V 3"]
    faces: Annotated[Int32Array, "F C"]
    uv: Annotated[Float32Array, "F C 2"]
    colour: Annotated[Float32Array, "V 4"]
    looks: tuple[Look, ...]
    look_of_face: Annotated[Int32Array, "F"]
    keys: ShapeKeys | None
    weights: Annotated[FloatArray, "V J"]
    sharp: Annotated[Int32Array, "E 2"] = field(default_factory=lambda: np.zeros((0, 2), np.int32))


def compact(part: Part) -> Part:
    """The same without the vertices that no face has."""
    kept, corners = np.unique(part.faces, return_inverse=True)
    keys = part.keys
    sharp = part.sharp[np.isin(part.sharp, kept).all(1)]
    return replace(
        part,
        vertices=part.vertices[kept],
        faces=corners.reshape(part.faces.shape).astype(np.int32),
        colour=part.colour[kept],
        keys=None if keys is None else replace(keys, offsets=keys.offsets[:, kept]),
        weights=part.weights[kept],
        sharp=np.searchsorted(kept, sharp).astype(np.int32),
    )
