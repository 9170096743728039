# SPDX-License-Identifier: GPL-3.0-or-later
"""What an exported head consists of: objects with their looks, keys and weights, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

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
    linear, looks and which of them each face has (F,), weights (V, J)."""

    name: str
    vertices: Annotated[Float32Array, "V 3"]
    faces: Annotated[Int32Array, "F C"]
    uv: Annotated[Float32Array, "F C 2"]
    colour: Annotated[Float32Array, "V 4"]
    looks: tuple[Look, ...]
    look_of_face: Annotated[Int32Array, "F"]
    keys: ShapeKeys | None
    weights: Annotated[FloatArray, "V J"]
