# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of faces, and what cameras and files do to them, which renders know nothing of.

Each change takes a picture and gives another one, its five landmarks moved along. Lengths are in
pixels of the picture that is changed.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Annotated

import numpy as np
from PIL import Image, ImageFilter

from facegen_addon.arrays import ByteArray, FloatArray, RealArray

_OVAL = (1.05, 1.15)
"""Half axes of the face's oval, across and down, of the distance from eyes to mouth."""
_GREY = 128


@dataclass(frozen=True)
class Picture:
    """image (H, W, 3) uint8 RGB; points (5, 2): FIVE_POINT_NAMES there, pixels."""

    image: Annotated[ByteArray, "H W 3"]
    points: Annotated[FloatArray, "5 2"]


Change = Callable[[Picture, Picture, np.random.Generator], Picture]
"""A render's picture, the photo that it stands beside, a random stream -> another picture."""


def in_turn(*changes: Change) -> Change:
    """Several changes, one after the other."""

    def change(picture: Picture, photo: Picture, rng: np.random.Generator) -> Picture:
        return reduce(lambda found, one: one(found, photo, rng), changes, picture)

    return change


def as_small(picture: Picture, photo: Picture, rng: np.random.Generator) -> Picture:
    """As many pixels to the face as the photo has; never more than there are."""
    return scaled(picture, min(1.0, face_size(photo) / face_size(picture)))


def blurred(picture: Picture, photo: Picture, rng: np.random.Generator) -> Picture:
    """A lens out of focus, by a Gaussian of 0.6 to 1.4 pixels."""
    image = Image.fromarray(picture.image).filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 1.4)))
    return replace(picture, image=np.asarray(image))


def noisy(picture: Picture, photo: Picture, rng: np.random.Generator) -> Picture:
    """A sensor's noise, of 2 to 8 of 255 levels."""
    noise = rng.normal(0.0, rng.uniform(2.0, 8.0), picture.image.shape)
    return replace(picture, image=_bytes(picture.image + noise))


def compressed(picture: Picture, photo: Picture, rng: np.random.Generator) -> Picture:
    """A JPEG of quality 50 to 90."""
    file = io.BytesIO()
    Image.fromarray(picture.image).save(file, "JPEG", quality=int(rng.integers(50, 91)))
    with Image.open(file) as read:
        return replace(picture, image=np.asarray(read.convert("RGB")))


def recoloured(picture: Picture, photo: Picture, rng: np.random.Generator) -> Picture:
    """Another exposure, contrast and white balance, at random."""
    light = (picture.image / 255.0) ** np.exp(rng.normal(0.0, 0.25))
    light = 0.5 + np.exp(rng.normal(0.0, 0.15)) * (light - 0.5)
    return replace(picture, image=_bytes(255.0 * light * np.exp(rng.normal(0.0, 0.08, 3))))


def in_photos_colours(picture: Picture, photo: Picture, rng: np.random.Generator) -> Picture:
    """Each channel with the photo's own mean and spread over the face's oval."""
    own, wanted = (part.image[oval(part)].astype(np.float64).T for part in (picture, photo))
    gain = wanted.std(axis=1) / np.maximum(own.std(axis=1), 1.0)
    changed = (picture.image - own.mean(axis=1)) * gain + wanted.mean(axis=1)
    return replace(picture, image=_bytes(changed))


def in_grey(picture: Picture) -> Picture:
    """Without its colours."""
    grey = Image.fromarray(picture.image).convert("L").convert("RGB")
    return replace(picture, image=np.asarray(grey))


def oval_alone(picture: Picture) -> Picture:
    """Without what lies around the face: hair, ears, neck, background."""
    image = np.where(oval(picture)[..., None], picture.image, _GREY).astype(np.uint8)
    return replace(picture, image=image)


def coarse(picture: Picture, size: float = 12.0) -> Picture:
    """Nothing finer than `size` pixels from eyes to mouth show."""
    small = scaled(picture, min(1.0, size / face_size(picture)))
    return scaled(small, face_size(picture) / face_size(small))


def face_size(picture: Picture) -> float:
    """Pixels from between the eyes to the middle of the mouth."""
    eyes, mouth = picture.points[:2].mean(axis=0), picture.points[3:].mean(axis=0)
    return max(float(np.linalg.norm(mouth - eyes)), 1e-6)


def scaled(picture: Picture, factor: float) -> Picture:
    """A picture of other size, averaged over what a pixel covers."""
    height, width = picture.image.shape[:2]
    size = max(1, round(width * factor)), max(1, round(height * factor))
    kind = Image.Resampling.BOX if factor < 1 else Image.Resampling.BILINEAR
    image = np.asarray(Image.fromarray(picture.image).resize(size, kind))
    return Picture(image, picture.points * (size[0] / width, size[1] / height))


def oval(picture: Picture) -> Annotated[RealArray, "H W"]:
    """Whether a pixel belongs to the face (H, W) bool, by its five landmarks."""
    eyes, mouth = picture.points[:2].mean(axis=0), picture.points[3:].mean(axis=0)
    length = face_size(picture)
    down = (mouth - eyes) / length
    rows, columns = np.indices(picture.image.shape[:2]) + 0.5
    off = np.stack([columns, rows], axis=-1) - (eyes + mouth) / 2
    across, along = off @ np.array([down[1], -down[0]]), off @ down
    found: RealArray = np.hypot(across / _OVAL[0], along / _OVAL[1]) < length
    return found


def _bytes(image: RealArray) -> ByteArray:
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)
