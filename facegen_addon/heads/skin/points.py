# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters -> colour and roughness of skin at points: a mesh's vertices, a layout's texels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, IndexArray, RealArray
from ..appearance import Shade, smooth_noise, smoothstep
from .colour import CAROTENE, PIGMENTS, tone
from .layout import Resampling
from .statistics import SkinStatistics, skin_statistics

Values = Mapping[str, float]
"""Name of a skin's parameter -> its value."""

MUCOSA = np.array([0.30, 0.09, 0.08])
"""The mouth's inside, linear RGB."""
_STUBBLE = np.array([0.15, -0.16, 0.30])  # pigments of a shaved beard: bluish, dark
_PALEST_LIPS, _BLOOD_OF_LIPS = 0.2, 0.4
"""Haemoglobin that lips have at least, and what their slider adds to it: components that follow
age and variation would else take more out of lips than out of cheeks. Chosen by eye."""
_DARKEST = 1e-3  # linear light
_BESIDE = 0.05  # in u and v: triangles at a vertex are nearer, islands farther apart
_RING = 4  # triangles around a vertex that its colour is taken from


def component_weights(values: Values) -> Annotated[FloatArray, "8"]:
    """The amounts (8,) of the components that a skin of these parameters has."""
    age = values["skin_age"]
    return np.array(
        [
            min(2.0 * age, 1.0),
            max(2.0 * age - 1.0, 0.0),
            values["skin_femininity"] - 0.5,
            values["skin_african"],
            values["skin_asian"],
            values["skin_variation_1"],
            values["skin_variation_2"],
            values["skin_variation_3"],
        ]
    )


def global_colour(values: Values) -> Annotated[FloatArray, "3"]:
    """Log of linear RGB (3,) of the tone with what blood and carotene make of it."""
    colour = tone(values["skin_melanin"])
    colour = colour + 0.28 * (values["skin_redness"] - 0.45) * PIGMENTS[1]
    return colour + 0.2 * (values["skin_carotene"] - 0.45) * CAROTENE


_WET_ROUGHNESS = np.float32(0.14)


class SkinPoints:
    """The skin at M points, all but what is finer than a few millimetres.

    What is the same for all heads is computed once, when it is first asked for: keep it.
    """

    def __init__(
        self, samples: Sequence[RealArray], statistics: SkinStatistics | None = None
    ) -> None:
        """Points at MakeHuman's texture coordinates (M, 2); of several ``samples`` the mean.

        ``wet``, which may be set, is how much of each is covered by tears, in [0, 1].
        """
        self.statistics = statistics or skin_statistics()
        self.wet: Annotated[Float32Array, "M"] | float = 0.0
        self._samples = [Resampling.between(self.statistics.texels, uv) for uv in samples]

    def sampled(self, maps: Annotated[RealArray, "N C"]) -> Annotated[Float32Array, "M C"]:
        """Maps (N, C) over the statistics' texels -> (M, C)."""
        single = np.asarray(maps, np.float32)
        total = sum(sample(single) for sample in self._samples)
        return np.asarray(total, np.float32) / np.float32(len(self._samples))

    @cached_property
    def position(self) -> Annotated[FloatArray, "M 3"]:
        """Places (M, 3) on Anny's template, metres."""
        return self.sampled(self.statistics.position).astype(np.float64)

    @cached_property
    def regions(self) -> dict[str, Float32Array]:
        """Name -> (M,) in [0, 1]: lips, orbit, scalp, ..."""
        stacked = self.sampled(np.stack([*self.statistics.regions.values()], axis=1))
        return dict(zip(self.statistics.regions, np.clip(stacked.T, 0.0, 1.0), strict=True))

    @cached_property
    def fields(self) -> dict[str, Float32Array]:
        """Name -> (M,) metres: hairline and beard."""
        stacked = self.sampled(np.stack([*self.statistics.fields.values()], axis=1))
        return dict(zip(self.statistics.fields, stacked.T, strict=True))

    @cached_property
    def mean(self) -> Annotated[Float32Array, "M 3"]:
        """Pigments of the mean skin, (M, 3); on average none on cheeks and forehead."""
        return self.sampled(self.statistics.mean - self.statistics.of_face(self.statistics.mean))

    @cached_property
    def components(self) -> Annotated[Float32Array, "8 M 3"]:
        """What one of each component adds to them, (8, M, 3); on average nothing on cheeks and
        forehead, which have the tone."""
        known = self.statistics
        parts = [component - known.of_face(component) for component in known.components]
        stacked = self.sampled(np.concatenate(parts, axis=1))
        return np.ascontiguousarray(stacked.reshape(len(stacked), -1, 3).transpose(1, 0, 2))

    @cached_property
    def _uneven(self) -> tuple[Float32Array, Float32Array]:
        """Unevenness of melanin and of haemoglobin, (M,) each."""
        place = self.position
        melanin = 0.10 * smooth_noise(place, 0.05, 0) + 0.10 * smooth_noise(place, 0.012, 1)
        blood = 0.12 * smooth_noise(place, 0.03, 2) + 0.10 * smooth_noise(place, 0.010, 3)
        return melanin.astype(np.float32), blood.astype(np.float32)

    @cached_property
    def _flush(self) -> Float32Array:
        r = self.regions
        return 0.8 * r["cheeks"] + 0.6 * r["nose"] + 0.3 * r["ears"]

    @cached_property
    def beard(self) -> Annotated[Float32Array, "M"]:
        """Where men shave, (M,) in [0, 1]."""
        edge = smoothstep(-0.012, 0.012, self.fields["beard"])
        return (self.regions["beard"] * edge).astype(np.float32)

    @cached_property
    def _oily(self) -> Float32Array:
        """How much glossier than the rest the skin is, (M,): forehead, nose, cheekbones, lips."""
        x, y, z = self.position.T
        front = smoothstep(-0.09, -0.12, y)
        middle = np.exp(-((x / 0.03) ** 2)) * front * smoothstep(0.67, 0.69, z)
        uneven = 0.25 * smooth_noise(self.position, 0.010, 6)
        return (middle + 1.5 * self.regions["lips"] + uneven).astype(np.float32)

    def pigments(self, values: Values) -> Annotated[Float32Array, "M 3"]:
        """Melanin, haemoglobin and the rest (M, 3) around the skin's tone."""
        weights = component_weights(values).astype(np.float32)
        local = self.mean + np.tensordot(weights, self.components, 1)
        orbit, lips = self.regions["orbit"], self.regions["lips"]
        melanin, blood = self._uneven
        blotchy, shadow = values["skin_blotchiness"], values["eye_shadow"] - 0.3
        darker, redder = values["lip_darkness"] - 0.35, values["lip_colour"] - 0.45
        blush = 0.9 * (values["cheek_blush"] - 0.2)
        local[:, 0] += blotchy * melanin + 0.6 * shadow * orbit + 0.8 * darker * lips
        local[:, 1] += blotchy * blood + 0.4 * shadow * orbit + 1.1 * redder * lips
        local[:, 1] += blush * self._flush
        palest = _PALEST_LIPS + _BLOOD_OF_LIPS * values["lip_colour"]
        local[:, 1] += lips * np.maximum(palest - local[:, 1], 0.0)
        shaved = values["beard_shadow"] * (1.0 - 0.5 * values["skin_melanin"])
        local += (shaved * self.beard)[:, None] * _STUBBLE.astype(np.float32)
        return local

    def log_colours(self, values: Values) -> Annotated[Float32Array, "M 3"]:
        """Log of linear RGB (M, 3)."""
        colour = global_colour(values).astype(np.float32)
        return self.pigments(values) @ PIGMENTS.astype(np.float32) + colour

    def painted(
        self, colours: Annotated[RealArray, "M 3"], shades: Sequence[Shade]
    ) -> Annotated[Float32Array, "M 3"]:
        """Linear RGB (M, 3) of the skin under hair too small to draw, and of the mouth's inside."""
        for shade in (*shades, Shade(self.regions["mouth"], MUCOSA)):
            colours = colours + shade.amount[:, None] * (shade.colour - colours)
        return np.clip(colours, _DARKEST, 1.0).astype(np.float32)

    def albedo(
        self, values: Values, shades: Sequence[Shade] = ()
    ) -> Annotated[Float32Array, "M 3"]:
        """Linear RGB (M, 3)."""
        return self.painted(np.exp(self.log_colours(values)), shades)

    def roughness(self, values: Values) -> Annotated[Float32Array, "M"]:
        """Roughness (M,): in [0.2, 0.8], below it where the skin is wet."""
        uneven = np.float32(0.62 - 0.27 * values["skin_gloss"]) - np.float32(0.09) * self._oily
        dry = np.clip(uneven, 0.2, 0.8)
        return np.asarray(dry + self.wet * (_WET_ROUGHNESS - dry), np.float32)


def vertex_points(
    faces: Annotated[IndexArray, "T 3"], makehuman: Annotated[RealArray, "T 3 2"], count: int
) -> SkinPoints:
    """The skin at ``count`` vertices, each the mean of its surroundings.

    faces (T, 3) and makehuman (T, 3, 2): triangles of skin and MakeHuman's texture coordinates of
    their corners. Vertices of none of them have the skin of anywhere.
    """
    at = np.zeros((count, 2))
    at[faces.ravel()] = makehuman.reshape(-1, 2)
    middles = makehuman.mean(1)
    # A vertex at a seam counts the triangles on the side that its coordinates are from.
    near = np.abs(middles[:, None] - at[faces]).max(-1) < _BESIDE
    vertex, triangle = faces[near], np.nonzero(near)[0]
    order = np.argsort(vertex, kind="stable")
    vertex, triangle = vertex[order], triangle[order]
    turn = np.arange(len(vertex)) - np.searchsorted(vertex, vertex)
    samples = [at]
    for number in range(_RING):
        middle = at.copy()
        middle[vertex[turn == number]] = middles[triangle[turn == number]]
        samples.append(middle)
    return SkinPoints(samples)
