# SPDX-License-Identifier: GPL-3.0-or-later
"""MTCNN (Zhang et al. 2016) in NumPy: the faces of a picture, each with five landmarks.

Three small networks one after another: the first looks at the whole picture in many sizes, the
others at what it proposes. Inside this file arrays are (N, columns, rows, channels), the picture
on its side, as the weights were learned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import AnyArray, ByteArray, Float32Array, FloatArray, IntArray, RealArray
from ..artifacts import load_npz
from .mtcnn_file import DETECTOR

_CELL, _STRIDE = 12, 2
"""Pixels that the first network sees at once, and from one place to the next."""
_SHRINK = 0.709
"""From one size of the picture to the next: half of its area."""
_PROPOSE, _REFINE, _ACCEPT = 0.6, 0.7, 0.7
"""Least scores of the three networks."""
_WITHIN, _ACROSS, _LAST = 0.5, 0.7, 0.7
"""Overlaps above which the lower score goes: of one size, of all, and, of the smaller box, at the
end."""
_FIRST, _POINTS_OFF = 1.0, 0.6
"""Pixels: the networks count from 1, and landmarks lie further right by this, as photos and their
mirror images show (medians of 20 photos in two sizes)."""
_MOST_PROPOSED = 512
_LONGEST = 800
"""Pixels: larger pictures are looked at smaller."""
_SMALLEST_SHARE, _SMALLEST = 0.04, 20.0
"""The least side of a face: a share of the picture's longer side, and pixels."""


@dataclass(frozen=True)
class DetectedFace:
    """A face in a picture.

    box (4,): x0, y0, x1, y1; points (5, 2): FIVE_POINT_NAMES; both in pixels, the picture's left
    upper corner is (0, 0). score: how sure the detector is, 0 to 1.
    """

    box: Annotated[FloatArray, "4"]
    points: Annotated[FloatArray, "5 2"]
    score: float

    @property
    def size(self) -> float:
        """The box's longer side, pixels."""
        return float(max(self.box[2:] - self.box[:2]))


@dataclass(frozen=True)
class FaceDetector:
    """The detector with its weights, by network, layer and role: `pnet_conv1_weight`, ..."""

    weights: dict[str, AnyArray]

    @classmethod
    def load(cls) -> FaceDetector:
        """The detector of the registered file; UserError if that is missing or damaged."""
        return cls(load_npz(DETECTOR))

    def detect(self, image: Annotated[ByteArray, "H W 3"]) -> list[DetectedFace]:
        """The faces in a picture (H, W, 3) uint8 RGB, the largest first.

        Found are faces from 4 % of the picture's longer side, and 20 pixels, on.
        """
        small = _shrunk(image, _LONGEST)
        turned = np.ascontiguousarray(small.swapaxes(0, 1))
        least = max(_SMALLEST, _SMALLEST_SHARE * max(turned.shape[:2]))
        boxes, scores, points = self._all(turned, least)
        # What the picture was shrunk by, across and down.
        back = np.array([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]])
        faces = [
            DetectedFace(box * np.tile(back, 2), face * back, float(score))
            for box, face, score in zip(boxes, points, scores, strict=True)
        ]
        return sorted(faces, key=lambda face: -face.size)

    def _all(self, image: Float32Array, least: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        boxes, scores = self._proposed(image, least)
        if len(boxes):
            score, moves, _ = self._look("rnet", image, boxes, 24)
            kept = score > _REFINE
            boxes, scores, moves = boxes[kept], score[kept], moves[kept]
            kept_rows = _suppressed(boxes, scores, _ACROSS)
            boxes = _square(_moved(boxes[kept_rows], moves[kept_rows]))
        if not len(boxes):
            return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))
        score, moves, shares = self._look("onet", image, boxes, 48)
        kept = score > _ACCEPT
        boxes, scores, moves, shares = boxes[kept], score[kept], moves[kept], shares[kept]
        sides = (boxes[:, 2:] - boxes[:, :2] + 1)[:, None]
        points = boxes[:, None, :2] + sides * shares.reshape(-1, 2, 5).swapaxes(1, 2)
        boxes = _moved(boxes, moves)
        last = _suppressed(boxes, scores, _LAST, _of_smaller)
        return boxes[last] - _FIRST, scores[last], points[last] - _FIRST - _POINTS_OFF

    def _proposed(self, image: Float32Array, least: float) -> tuple[FloatArray, FloatArray]:
        """Square boxes (N, 4) where the first network sees a face, with scores (N,)."""
        found: list[tuple[FloatArray, FloatArray]] = []
        scale = _CELL / least
        while min(image.shape[:2]) * scale >= _CELL:
            width, height = (int(side * scale) + 1 for side in image.shape[:2])
            boxes, scores = self._of_size(resized(image, width, height), scale)
            kept = _suppressed(boxes, scores, _WITHIN)
            found.append((boxes[kept], scores[kept]))
            scale *= _SHRINK
        if not found:
            return np.zeros((0, 4)), np.zeros(0)
        boxes, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
        kept = _suppressed(boxes, scores, _ACROSS)[:_MOST_PROPOSED]
        return _square(boxes[kept]), scores[kept]

    def _of_size(self, image: Float32Array, scale: float) -> tuple[FloatArray, FloatArray]:
        x = self._convolved("pnet_conv1", _levels(image)[None])
        x = self._convolved("pnet_conv2", _pooled(x, 2))
        x = self._convolved("pnet_conv3", x)
        score = _probability(self._convolved("pnet_score", x)[0])
        columns, rows = np.nonzero(score >= _PROPOSE)
        corner = np.stack([columns, rows], axis=1) * float(_STRIDE)
        # In the networks' own counting, from 1.
        boxes = np.floor(np.concatenate([corner + 1, corner + _CELL], axis=1) / scale)
        moves = self._convolved("pnet_box", x)[0][columns, rows]
        return _moved(boxes, moves, 0.0), score[columns, rows].astype(np.float64)

    def _look(
        self, net: str, image: Float32Array, boxes: FloatArray, size: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Scores (N,), moves of the corners (N, 4) and landmarks (N, 10) as shares of the boxes."""
        x = _levels(np.stack([_cut(image, box, size) for box in boxes]))
        x = _pooled(self._convolved(f"{net}_conv1", x), 3)
        x = _pooled(self._convolved(f"{net}_conv2", x), 3)
        x = self._convolved(f"{net}_conv3", x)
        if net == "onet":
            x = self._convolved("onet_conv4", _pooled(x, 2))
        x = self._dense(f"{net}_dense", x.reshape(len(x), -1))
        score = _probability(self._dense(f"{net}_score", x)).astype(np.float64)
        moves = self._dense(f"{net}_box", x).astype(np.float64)
        points = self._dense("onet_points", x) if net == "onet" else np.zeros((len(x), 10))
        return score, moves, points.astype(np.float64)

    def _convolved(self, layer: str, x: Float32Array) -> Float32Array:
        kernel = self.weights[f"{layer}_weight"]
        columns, rows = kernel.shape[:2]
        windows = _windows(x, columns, rows)
        seen = np.moveaxis(windows, 3, 5)  # (N, columns, rows, kernel, kernel, channels)
        flat = seen.reshape(*seen.shape[:3], -1) @ kernel.reshape(-1, kernel.shape[-1])
        return self._finished(layer, flat)

    def _dense(self, layer: str, x: Float32Array) -> Float32Array:
        return self._finished(layer, x @ self.weights[f"{layer}_weight"])

    def _finished(self, layer: str, x: Float32Array) -> Float32Array:
        """With its bias, and bent where the layer has slopes."""
        x = x + self.weights[f"{layer}_bias"]
        slope = self.weights.get(f"{layer}_slope")
        bent: Float32Array = x if slope is None else np.where(x > 0, x, x * slope)
        return bent


def resized(
    image: Annotated[RealArray, "A B 3"], first: int, second: int
) -> Annotated[Float32Array, "first second 3"]:
    """An image (A, B, 3) as (first, second, 3) float32: means over what each new pixel covers."""
    rows = _means(image.shape[0], first) @ image.reshape(len(image), -1).astype(np.float32)
    columns = rows.reshape(first, image.shape[1], 3).swapaxes(0, 1).reshape(image.shape[1], -1)
    turned = _means(image.shape[1], second) @ columns
    return np.ascontiguousarray(turned.reshape(second, first, 3).swapaxes(0, 1))


def _means(length: int, size: int) -> Float32Array:
    """Weights (size, length) of each old pixel in each new one, as Torch's `area` has them."""
    edges = np.arange(size + 1) * length / size
    low, high = np.floor(edges[:-1])[:, None], np.ceil(edges[1:])[:, None]
    place = np.arange(length)
    covered = (place >= low) & (place < high)
    return np.asarray(covered / (high - low), np.float32)


def _shrunk(image: ByteArray, longest: int) -> Float32Array:
    """A picture (H, W, 3) whose longer side has so many pixels at most."""
    # First by a whole number: large pictures would need large matrices.
    step = max(1, max(image.shape[:2]) // longest)
    height, width = (side // step for side in image.shape[:2])
    blocks = image[: height * step, : width * step].reshape(height, step, width, step, 3)
    small = blocks.mean(axis=(1, 3), dtype=np.float32)
    scale = min(1.0, longest / max(height, width))
    return resized(small, *(max(1, round(side * scale)) for side in (height, width)))


def _windows(x: Float32Array, columns: int, rows: int) -> Float32Array:
    """All parts of x (N, A, B, C) of so many columns and rows: (N, A', B', C, columns, rows)."""
    view: Float32Array = np.lib.stride_tricks.sliding_window_view(
        x,
        (columns, rows),
        axis=(1, 2),  # type: ignore[call-overload]
    )
    return view


def _levels(image: Float32Array) -> Float32Array:
    return (image - np.float32(127.5)) * np.float32(1 / 128)


def _probability(x: Float32Array) -> Float32Array:
    """The second of two classes' probability, of their scores (..., 2)."""
    return np.asarray(1 / (1 + np.exp(np.clip(x[..., 0] - x[..., 1], -60, 60))), np.float32)


def _pooled(x: Float32Array, size: int) -> Float32Array:
    """Maxima of size x size, every second one; what is left over at the ends counts, too."""
    padded = [(0, 0), *((0, (-(n - size)) % 2 if n >= size else size - n) for n in x.shape[1:3])]
    x = np.pad(x, [*padded, (0, 0)], constant_values=-np.inf)
    windows = _windows(x, size, size)
    return np.asarray(windows[:, ::2, ::2].max(axis=(-2, -1)))


def _cut(image: Float32Array, box: FloatArray, size: int) -> Float32Array:
    """What a box shows, (size, size, 3), cut off at the picture's edges as it was for training."""
    low = np.maximum(np.trunc(box[:2]).astype(int) - 1, 0)
    high = np.minimum(np.trunc(box[2:]).astype(int), image.shape[:2])
    if (high - low < 1).any():
        return np.zeros((size, size, 3), np.float32)
    return resized(image[low[0] : high[0], low[1] : high[1]], size, size)


def _moved(boxes: FloatArray, moves: AnyArray, last: float = 1.0) -> FloatArray:
    """Boxes (N, 4) with corners moved by shares (N, 4) of the sides, which count `last` pixel."""
    sides = boxes[:, 2:] - boxes[:, :2] + last
    return np.asarray(boxes + moves * np.tile(sides, 2))


def _square(boxes: FloatArray) -> FloatArray:
    """Squares with the boxes' (N, 4) middles and longer sides."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def _of_union(common: FloatArray, area: FloatArray, areas: FloatArray) -> FloatArray:
    return np.asarray(common / (area + areas - common))


def _of_smaller(common: FloatArray, area: FloatArray, areas: FloatArray) -> FloatArray:
    return np.asarray(common / np.minimum(area, areas))


def _suppressed(
    boxes: FloatArray,
    scores: FloatArray,
    most: float,
    overlap: Callable[[FloatArray, FloatArray, FloatArray], FloatArray] = _of_union,
) -> IntArray:
    """Rows of the boxes (N, 4) that stay, the surest first: each overlaps none surer by more."""
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    left, kept = np.argsort(-scores, kind="stable"), []
    while len(left):
        first, left = left[0], left[1:]
        kept.append(first)
        low = np.maximum(boxes[first, :2], boxes[left, :2])
        high = np.minimum(boxes[first, 2:], boxes[left, 2:])
        common = np.clip(high - low, 0, None).prod(axis=1)
        left = left[overlap(common, areas[first], areas[left]) <= most]
    return np.array(kept, np.intp)
