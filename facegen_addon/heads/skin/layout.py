# SPDX-License-Identifier: GPL-3.0-or-later
"""Layouts of texels: from MakeHuman's, in which skins are known, into any other.

Images have their first row at the top, where v is 1; a texel's centre is half a texel from its
edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import BoolArray, Float32Array, FloatArray, Int32Array, IntArray, RealArray

_REACH = 60  # texels: so far beyond what is known the nearest skin goes on, as on a longer neck
_GUTTER = 6  # texels painted around islands, so that filters and mipmaps find skin there


def rasterised(
    corners: Annotated[RealArray, "T 3 2"], values: Annotated[RealArray, "T 3 K"], size: int
) -> Annotated[Float32Array, "S S K"]:
    """Values (T, 3, K) at the corners of triangles (T, 3, 2) in [0, 1] -> (S, S, K) float32.

    Interpolated linearly at the centres of texels; NaN where no triangle lies.
    """
    image = np.full((size, size, values.shape[2]), np.nan, np.float32)
    pixels = corners * [size, -size] + [-0.5, size - 0.5]
    first = np.clip(np.ceil(pixels.min(1) - 1e-6), 0, size).astype(int)
    last = np.clip(np.floor(pixels.max(1) + 1e-6), -1, size - 1).astype(int)
    edges = pixels[:, 1:] - pixels[:, :1]
    area = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    for number in np.flatnonzero((np.abs(area) > 1e-12) & (first <= last).all(1)):
        (left, top), (right, bottom) = first[number], last[number]
        x = np.arange(left, right + 1) - pixels[number, 0, 0]
        y = np.arange(top, bottom + 1)[:, None] - pixels[number, 0, 1]
        (ax, ay), (bx, by) = edges[number]
        second, third = (x * by - y * bx) / area[number], (y * ax - x * ay) / area[number]
        share = np.stack([1.0 - second - third, second, third], axis=-1)
        within = (share > -1e-6).all(-1)
        part = image[top : bottom + 1, left : right + 1]
        part[within] = share[within] @ values[number]
    return image


def with_gutter(
    image: Annotated[Float32Array, "H W K"], texels: int = _GUTTER
) -> Annotated[Float32Array, "H W K"]:
    """An image (H, W, K) whose NaN take their neighbours' values, some ``texels`` far."""
    values = image.reshape(-1, image.shape[-1]).copy()
    empty = np.isnan(values[:, 0])
    number = np.arange(len(values)).reshape(image.shape[:2])
    ways = [np.roll(number, -step, axis).ravel() for axis in (0, 1) for step in (1, -1)]
    # What each way has not passed on yet: all else would meet texels that are filled already.
    waiting = [[np.flatnonzero(np.isfinite(values[:, 0]))] for _ in ways]
    for _ in range(texels):
        for beyond, news in zip(ways, waiting, strict=True):
            given = np.concatenate(news)
            news.clear()
            taking = beyond[given]
            still = empty[taking]
            given, taking = given[still], taking[still]
            values[taking] = values[given]
            empty[taking] = False
            for each in waiting:
                each.append(taking)
    return values.reshape(image.shape)


def numbered(kept: Annotated[BoolArray, "S S"]) -> Annotated[Int32Array, "S S"]:
    """For each texel (S, S) the number of the nearest that is ``kept``; far from all of them 0."""
    count = np.cumsum(kept).reshape(*kept.shape, 1) - 1
    number = np.where(kept[..., None], count, np.nan).astype(np.float32)
    return np.nan_to_num(with_gutter(number, _REACH)[..., 0]).astype(np.int32)


@dataclass(frozen=True)
class Resampling:
    """How M texels of a layout are made of N texels of MakeHuman's: rows and shares (M, 16)."""

    rows: Annotated[Int32Array, "M 16"]
    shares: Annotated[Float32Array, "M 16"]

    @classmethod
    def between(
        cls, number: Annotated[Int32Array, "S S"], uv: Annotated[RealArray, "M 2"]
    ) -> Resampling:
        """Cubic interpolation at texture coordinates (M, 2); number (S, S) as ``numbered``."""
        size = len(number)
        x, y = uv[:, 0] * size - 0.5, (1.0 - uv[:, 1]) * size - 0.5
        column, across = _taps(x, size)
        row, down = _taps(y, size)
        rows = number[row[:, :, None], column[:, None, :]].reshape(len(uv), 16)
        shares = (down[:, :, None] * across[:, None, :]).reshape(len(uv), 16)
        return cls(rows, shares.astype(np.float32))

    def __call__(self, maps: Annotated[Float32Array, "N C"]) -> Annotated[Float32Array, "M C"]:
        """Maps (N, C) in MakeHuman's layout -> (M, C) in this one."""
        result = np.zeros((len(self.rows), maps.shape[1]), np.float32)
        for rows, shares in zip(self.rows.T, self.shares.T, strict=True):
            result += maps[rows] * shares[:, None]
        return result


def _taps(at: FloatArray, size: int) -> tuple[IntArray, FloatArray]:
    """The four texels (M, 4) around places (M,) and their shares by Catmull and Rom's cubic."""
    first = np.floor(at).astype(np.intp)
    t = at - first
    shares = np.stack(
        [
            ((-0.5 * t + 1.0) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1.0,
            ((-1.5 * t + 2.0) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        ],
        axis=1,
    )
    return np.clip(first[:, None] + np.arange(-1, 3), 0, size - 1), shares
