# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a rendered face before the landmark network sees it: crops that are off, mirror
images, and all that cameras, files and bystanders do to photos.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Annotated

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from facegen_addon.arrays import BoolArray, ByteArray, Float32Array, FloatArray, IntArray
from facegen_addon.photo.face_square import FaceSquare
from facegen_addon.photo.landmark_network import SIDE
from models.training.landmarks.learning_set import LearningSet

_TURN, _ZOOM, _SHIFT = np.radians(10.0), 0.10, 0.05
"""Standard deviations of what a square is off by: radians, logarithm of its side, halves of it."""
_LATENT_NOISE, _LATENT_UNKNOWN = 0.02, 0.25
_FLIP = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Batch:
    """What a network is asked (images (N, 3, SIDE, SIDE), 0 to 1; latents) and should answer.

    points (N, K, 2) in the square; rotations (N, 6); parameters (N, P) in standard deviations;
    known (N, P): 0 where the mirrored image says nothing of a parameter.
    """

    images: torch.Tensor
    latents: torch.Tensor
    points: torch.Tensor
    rotations: torch.Tensor
    parameters: torch.Tensor
    known: torch.Tensor


@dataclass(frozen=True)
class Standard:
    """How parameters become standard deviations: columns (Q,) of those that are learnt, their mean
    and spread (Q,), and which of them (Q,) stands for each in a mirror image, -1 for none."""

    columns: Annotated[IntArray, "Q"]
    mean: Annotated[FloatArray, "Q"]
    spread: Annotated[FloatArray, "Q"]
    partner: Annotated[IntArray, "Q"]

    @classmethod
    def of(
        cls, mean: Annotated[FloatArray, "P"], spread: Annotated[FloatArray, "P"],
        partner: Annotated[IntArray, "P"],
    ) -> Standard:  # fmt: skip
        """Of all parameters' mean (P,), spread (P,) and partner (P,), leaving out what is fixed."""
        columns = np.flatnonzero(spread)
        place = {int(column): k for k, column in enumerate(columns)}
        return cls(
            columns, mean[columns], spread[columns],
            np.array([place.get(int(partner[column]), -1) for column in columns], np.intp),
        )  # fmt: skip

    def scaled(self, parameters: Annotated[Float32Array, "N P"]) -> Annotated[FloatArray, "N Q"]:
        """Parameters (N, P) as the network says them (N, Q)."""
        return (parameters[:, self.columns] - self.mean) / self.spread


def plain_batch(data: LearningSet, standard: Standard) -> Batch:
    """All images as they are, each in the square of its five points."""
    count = len(data)
    squares = [FaceSquare.around(five) for five in data.five]
    return _batch(data, standard, squares, np.zeros(count, bool), data.latents)


def augmented(data: LearningSet, standard: Standard, rng: np.random.Generator) -> Batch:
    """All images, each changed at random."""
    count = len(data)
    flipped = rng.random(count) < 0.5
    latents = data.latents + rng.normal(0, _LATENT_NOISE, data.latents.shape)
    latents *= rng.random((count, 1)) > _LATENT_UNKNOWN
    batch = _batch(data, standard, [_off(five, rng) for five in data.five], flipped, latents)
    images = np.stack([_as_photographed(image, rng) for image in _levels(batch.images)])
    return Batch(
        torch.from_numpy(images.transpose(0, 3, 1, 2)), batch.latents, batch.points,
        batch.rotations, batch.parameters, batch.known,
    )  # fmt: skip


def _off(five: Float32Array, rng: np.random.Generator) -> FaceSquare:
    square = FaceSquare.around(five)
    across = square.across * np.exp(complex(rng.normal(0, _ZOOM), rng.normal(0, _TURN)))
    shift = complex(*rng.normal(0, _SHIFT, 2)) * square.across
    return FaceSquare(square.middle + shift, across)


def _batch(
    data: LearningSet,
    standard: Standard,
    squares: list[FaceSquare],
    flipped: BoolArray,
    latents: FloatArray | Float32Array,
) -> Batch:
    points = np.stack(
        [
            square.to_square(data.mirrored[i] if flipped[i] else data.points[i])
            for i, square in enumerate(squares)
        ]
    )
    points[flipped, :, 0] *= -1
    rotations = np.stack([_seen(r, s) for r, s in zip(data.rotations, squares, strict=True)])
    rotations[flipped] = _FLIP @ rotations[flipped] @ _FLIP
    values = standard.scaled(data.parameters)
    known = np.ones(values.shape)
    known[np.ix_(flipped, standard.partner < 0)] = 0
    values[flipped] = values[flipped][:, standard.partner]
    images = _cut(data.images, squares)
    images[flipped] = images[flipped].flip(3)
    columns = rotations[:, :, :2].transpose(0, 2, 1).reshape(-1, 6)
    as_torch = (
        torch.from_numpy(np.asarray(x, np.float32))
        for x in (latents, points, columns, values, known)
    )
    return Batch(images, *as_torch)


def _seen(rotation: Float32Array, square: FaceSquare) -> FloatArray:
    """A head's rotation (3, 3) as a camera has it that is turned with the square."""
    turn = square.across / abs(square.across)
    back = np.array([[turn.real, turn.imag, 0], [-turn.imag, turn.real, 0], [0, 0, 1]])
    return np.asarray(back @ rotation)


def _cut(images: ByteArray, squares: list[FaceSquare]) -> torch.Tensor:
    """What squares show of images (N, S, S, 3): (N, 3, SIDE, SIDE), 0 to 1."""
    half = images.shape[1] / 2
    middle = np.array([square.middle for square in squares]) / half - (1 + 1j)
    across = np.array([square.across for square in squares]) / half
    theta = np.stack(
        [
            np.stack([across.real, -across.imag, middle.real], axis=1),
            np.stack([across.imag, across.real, middle.imag], axis=1),
        ],
        axis=1,
    )
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    grid = functional.affine_grid(
        torch.from_numpy(theta).float(), [len(images), 3, SIDE, SIDE], align_corners=False
    )
    return functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _levels(images: torch.Tensor) -> Float32Array:
    return np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())


def _as_photographed(image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """An image (S, S, 3), 0 to 1, as another camera, file and moment would have it."""
    for share, change in (
        (0.8, _coloured), (0.3, _covered), (0.25, _coarse), (0.3, _blurred), (0.5, _noisy),
        (0.15, _grey), (0.3, _compressed),
    ):  # fmt: skip
        if rng.random() < share:
            image = change(image, rng)
    return np.asarray(np.clip(image, 0, 1), np.float32)


def _coloured(image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Another white balance, exposure, contrast, saturation and curve."""
    grey = image.mean(axis=2, keepdims=True)
    image = grey + (image - grey) * rng.uniform(0.5, 1.4)
    image = np.clip(image * rng.uniform(0.7, 1.4) * rng.uniform(0.88, 1.12, 3), 0, 1)
    image = image ** np.exp(rng.normal(0, 0.3))
    return np.asarray((image - 0.5) * rng.uniform(0.7, 1.3) + 0.5 + rng.normal(0, 0.05))


def _covered(image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """A rectangle before it: of one colour, or of noise."""
    size = len(image)
    height, width = rng.integers(size // 8, size // 3, 2)
    top, left = (
        rng.integers(-height // 2, size - height // 2),
        rng.integers(-width // 2, size - width // 2),
    )
    image = image.copy()
    part = image[max(top, 0) : top + height, max(left, 0) : left + width]
    part[:] = rng.random(3) + rng.normal(0, rng.choice([0.0, 0.2]), part.shape)
    return image


def _resized(image: Float32Array, size: int) -> Float32Array:
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), np.float32))[None]
    small = functional.interpolate(
        pixels, (size, size), mode="bilinear", antialias=True, align_corners=False
    )
    return small[0].permute(1, 2, 0).numpy()


def _coarse(image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """As from a small picture."""
    return _resized(_resized(image, int(rng.uniform(24, 64))), len(image))


def _blurred(image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Moved, or out of focus: averaged along a line one way, or both."""
    ways = ((0,), (1,), (0, 1))[int(rng.integers(3))]
    length = int(rng.integers(2, 5))
    for axis in ways:
        image = np.mean([np.roll(image, k - length // 2, axis) for k in range(length)], axis=0)
    return np.asarray(image)


def _noisy(image: Float32Array, rng: np.random.Generator) -> Float32Array:
    return np.asarray(image + rng.normal(0, rng.uniform(0.005, 0.06), image.shape))


def _grey(image: Float32Array, _: np.random.Generator) -> Float32Array:
    return np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)


def _compressed(image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """As a JPEG leaves it."""
    file = BytesIO()
    levels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    Image.fromarray(levels).save(file, "JPEG", quality=int(rng.integers(25, 90)))
    return np.asarray(Image.open(file), np.float32) / 255
