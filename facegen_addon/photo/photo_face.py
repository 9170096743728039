# SPDX-License-Identifier: GPL-3.0-or-later
"""The face in a photo: its square, its landmarks and latent there, and whether it can be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import ByteArray, Float32Array, FloatArray, RealArray
from ..encoders.crop_jitter import JITTERS
from ..encoders.encoder import Encoder
from ..encoders.face_detector import DetectedFace, FaceDetector
from ..errors import RejectedSample, UserError
from ..heads.skin.colour import linear_of_srgb
from ..latent.sphere import normalise
from .face_square import block_means

SQUARE = 256
"""Pixels of a side of the square in which photo and head are compared."""
_EYES_TO_MOUTH, _FRAME = 0.0702, 0.34
"""Metres: from between the eyes to the mouth of the mean head, as a camera ahead sees it, and what
the square spans."""
_SMALLEST = 40
"""Pixels of a detected face, below which it says too little of anybody."""
_PROFILE = 0.32
"""How far the nose may lie off the middle of eyes and mouth, of the distance from eyes to mouth:
about 50 degrees."""
_UNSURE = 0.95
_LENS, _COVERED = 0.22, 0.30
"""Where a lens of sunglasses is darker than skin below it: so far below each eye, of the distance
from eyes to mouth; and how bright it is at most, of the cheeks."""


@dataclass(frozen=True)
class PhotoFace:
    """A face as it is fitted.

    name: the photo's; square (S, S, 3) uint8 RGB, cut out around the face and scaled; points
    (5, 2): FIVE_POINT_NAMES there; corner (2,), scale: pixel p of the photo lies at
    (p - corner) * scale; latent (512,); score: the detector's; size: pixels of the face in the
    photo; covered: (S, S) whether the photo reaches so far.
    """

    name: str
    square: Annotated[ByteArray, "S S 3"]
    points: Annotated[FloatArray, "5 2"]
    corner: Annotated[FloatArray, "2"]
    scale: float
    latent: Annotated[Float32Array, "512"]
    score: float
    size: float

    @property
    def quality(self) -> float:
        """How much the face says, above 0 and up to 1: large, turned to the camera, surely one."""
        return (
            self.score
            * min(1.0, self.size / 160.0)
            * max(0.1, 1.0 - abs(off_middle(self.points)) / _PROFILE)
        )

    @property
    def doubts(self) -> list[str]:
        """Why the fit may be off, in words; empty where nothing speaks against it."""
        found = []
        if self.score < _UNSURE:
            found.append(f"the detector is only {self.score:.0%} sure that this is a face")
        if self.size < 2 * _SMALLEST:
            found.append(f"the face is only {self.size:.0f} pixels large")
        if abs(off_middle(self.points)) > 0.6 * _PROFILE:
            found.append("the face is turned far aside")
        return found


def find_faces(
    photo: Annotated[ByteArray, "H W 3"],
    name: str,
    detector: FaceDetector,
    encoder: Encoder,
    everybody: bool = False,
) -> list[PhotoFace]:
    """The largest face in a photo (H, W, 3) uint8 RGB, or all that can be fitted.

    UserError, one line that names the photo, if there is none, or none that can be used.
    """
    detected = detector.detect(photo)
    if not detected:
        raise UserError(
            f"{name} shows no face; give a photo of a face from the front, {_SMALLEST} pixels or"
            " larger"
        )
    faults = [_fault(photo, face) for face in detected]
    usable = [face for face, fault in zip(detected, faults, strict=True) if not fault]
    # The largest may be somebody who looks aside in front of whom the photo is of.
    chosen = usable if everybody else [face for face in usable if face is detected[0]]
    if not chosen:
        raise UserError(f"{name}: {faults[0]}")
    return [_photo_face(photo, name, face, encoder) for face in chosen]


def _photo_face(photo: ByteArray, name: str, face: DetectedFace, encoder: Encoder) -> PhotoFace:
    try:
        latent = seen_latent(photo, face.points, encoder)
    except RejectedSample as rejected:
        raise UserError(f"{name}: {rejected}; give a photo that shows all of it") from None
    scale = SQUARE / _FRAME * _EYES_TO_MOUTH / _length(face.points)
    middle = face.points[:2].mean(0) * 0.62 + face.points[3:].mean(0) * 0.38
    corner = middle - SQUARE / scale / 2
    return PhotoFace(
        name, cut_square(photo, corner, scale, SQUARE), (face.points - corner) * scale,
        corner, scale, latent, face.score, face.size,
    )  # fmt: skip


def seen_latent(
    image: Annotated[ByteArray, "H W 3"], points: Annotated[RealArray, "5 2"], encoder: Encoder
) -> Annotated[Float32Array, "512"]:
    """The latent of a face in a picture, the mean over nine crops: one alone is noisy.

    RejectedSample if hardly any of the face is in the picture.
    """
    crops = np.stack([encoder.cut(image, points, jitter) for jitter in JITTERS])
    return np.asarray(normalise(encoder.embed(crops).mean(axis=0)[None])[0], np.float32)


def cut_square(
    photo: Annotated[ByteArray, "H W 3"], corner: Annotated[RealArray, "2"], scale: float, side: int
) -> Annotated[ByteArray, "S S 3"]:
    """The part of a photo from `corner` on, pixels, scaled to (side, side, 3); beyond the photo's
    edges its outermost pixels go on."""
    step = max(1, int(1 / scale))
    if step > 1:  # or fine detail would turn into noise
        photo = block_means(photo, step)
        corner, scale = np.asarray(corner) / step, scale * step
    place = (np.arange(side) + 0.5) / scale - 0.5
    x = np.clip(place + corner[0], 0, photo.shape[1] - 1)
    y = np.clip(place + corner[1], 0, photo.shape[0] - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = (
        np.minimum(a + 1, n - 1) for a, n in ((left, photo.shape[1]), (top, len(photo)))
    )
    across, down = (x - left)[None, :, None], (y - top)[:, None, None]
    upper = photo[top][:, left] * (1 - across) + photo[top][:, right] * across
    lower = photo[bottom][:, left] * (1 - across) + photo[bottom][:, right] * across
    return np.rint(upper * (1 - down) + lower * down).astype(np.uint8)


def off_middle(points: Annotated[RealArray, "5 2"]) -> float:
    """How far the nose lies to the right of the middle of eyes and mouth, along the eyes, of the
    distance from eyes to mouth: 0 from the front, beyond 0.3 turned far aside."""
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    down = (mouth - eyes) / max(float(np.linalg.norm(mouth - eyes)), 1e-9)
    right = np.array([down[1], -down[0]])
    return float((points[2] - (eyes + mouth) / 2) @ right) / _length(points)


def _length(points: RealArray) -> float:
    return max(float(np.linalg.norm(points[3:].mean(0) - points[:2].mean(0))), 1e-9)


def _fault(photo: ByteArray, face: DetectedFace) -> str:
    """Why a face cannot be fitted; empty if it can."""
    if face.size < _SMALLEST:
        return f"the face is {face.size:.0f} pixels large; give one of {_SMALLEST} or more"
    eyes = face.points[1, 0] - face.points[0, 0]
    if abs(off_middle(face.points)) > _PROFILE or eyes < 0.35 * _length(face.points):
        return "the face is seen from the side; give a photo from the front"
    if _wears_sunglasses(photo, face):
        return "the eyes are hidden, as by sunglasses; give a photo that shows them"
    return ""


def _wears_sunglasses(photo: ByteArray, face: DetectedFace) -> bool:
    """Whether it is dark below both eyes and light further down."""
    length = _length(face.points)
    eyes, mouth = face.points[:2], face.points[3:]
    down = (mouth.mean(0) - eyes.mean(0)) / length
    lens = [_brightness(photo, eye + _LENS * length * down, 0.08 * length) for eye in eyes]
    iris = [_brightness(photo, eye, 0.10 * length) for eye in eyes]
    cheeks = [_brightness(photo, eye + 0.72 * length * down, 0.10 * length) for eye in eyes]
    limit = _COVERED * max(cheeks)
    return max(lens) < limit and max(iris) < limit


def _brightness(photo: ByteArray, middle: FloatArray, radius: float) -> float:
    """Median light (linear, 0 to 1) around a place, of green, which has most of it."""
    low = np.clip(np.floor(middle - radius), 0, None).astype(int)
    high = np.ceil(middle + radius).astype(int) + 1
    part = photo[low[1] : high[1], low[0] : high[0], 1]
    return float(np.median(linear_of_srgb(part / 255.0))) if part.size else 0.0
