# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own landmark network: what a face shows, read off a picture in a few milliseconds.

It has learnt from rendered heads alone (models/training/landmarks). It looks twice: first at the
square that the detector's five points say, then at the one that its own landmarks do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from ..arrays import ByteArray, Float32Array, FloatArray, RealArray
from ..artifacts import artifact, open_onnx
from ..labels.camera import angles_of
from .face_square import FaceSquare

if TYPE_CHECKING:
    from ..onnx_runtime import InferenceSession

NETWORK = "landmark_network"
"""The artifact."""
SIDE = 96
"""Pixels of a side of the square that the network sees."""
LANDMARKS = 68
_LOOKS = 2
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)
"""Of the subject; the right one lies left in the picture."""
_NOSE_TIP, _CORNERS = 30, (48, 54)


@dataclass(frozen=True)
class FaceReading:
    """What the network reads off a face.

    points (K, 2): the 68 landmarks and then the dense ones, pixels of the picture; spread (K,): how
    far each may be off, in pixels, as a standard deviation to either side; pose: yaw, pitch and
    roll of the head, degrees as in data sets; parameters and parameter_spread: parameter of the
    head model -> value, and by how much it may be off.
    """

    points: Annotated[FloatArray, "K 2"]
    spread: Annotated[FloatArray, "K"]
    pose: tuple[float, float, float]
    parameters: dict[str, float]
    parameter_spread: dict[str, float]

    @property
    def landmarks(self) -> Annotated[FloatArray, "68 2"]:
        """The 68 points of iBUG, pixels."""
        return self.points[:LANDMARKS]


@dataclass(frozen=True)
class LandmarkNetwork:
    """session: of ONNX Runtime; names (P,): the parameters that it reads."""

    session: InferenceSession
    names: tuple[str, ...]

    @classmethod
    def load(cls, threads: int = 0) -> LandmarkNetwork:
        """The shipped network; 0 threads: one a core.

        UserError if its file is missing or damaged."""
        entry = artifact(NETWORK)
        return cls.of(entry.read(), entry.path, threads)

    @classmethod
    def of(cls, data: bytes, path: Path, threads: int = 0) -> LandmarkNetwork:
        """The network of a file's bytes; `path` is named in errors."""
        session = open_onnx(data, path, threads=threads)
        return cls(session, tuple(session.get_modelmeta().custom_metadata_map["names"].split()))

    def read(
        self,
        picture: Annotated[ByteArray, "H W 3"],
        points: Annotated[RealArray, "5 2"],
        latent: Annotated[Float32Array, "512"] | None = None,
    ) -> FaceReading:
        """Read a face of a picture (H, W, 3) uint8 RGB.

        points (5, 2): where the detector sees FIVE_POINT_NAMES, pixels; latent (512,): FaceNet's of
        the face, where it is known; only parameters depend on it.
        RejectedSample if eyes and mouth lie at one place.
        """
        known = np.zeros(512) if latent is None else latent
        five = np.asarray(points, np.float64)
        for _ in range(_LOOKS):
            square = FaceSquare.around(five)
            answer = self._answer(square.cut(picture, SIDE), known)
            places = square.to_picture(answer["points"])
            five = five_of_landmarks(places)
        scale = abs(square.across)
        return FaceReading(
            points=places,
            spread=answer["spread"].astype(np.float64) * scale,
            pose=_pose(answer["rotation"], square),
            parameters=self._named(answer["parameters"]),
            parameter_spread=self._named(answer["parameter_spread"]),
        )

    def _answer(self, crop: ByteArray, latent: RealArray) -> dict[str, Float32Array]:
        outputs = [port.name for port in self.session.get_outputs()]
        feed = {
            "image": crop.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255),
            "latent": np.asarray(latent, np.float32)[None],
        }
        return {
            name: value[0]
            for name, value in zip(outputs, self.session.run(outputs, feed), strict=True)
        }

    def _named(self, values: Float32Array) -> dict[str, float]:
        return dict(zip(self.names, (float(value) for value in values), strict=True))


def five_of_landmarks(landmarks: Annotated[RealArray, "K 2"]) -> Annotated[FloatArray, "5 2"]:
    """FIVE_POINT_NAMES (5, 2) where 68 or more landmarks (K, 2) have them."""
    eyes = [landmarks[eye].mean(0) for eye in (_RIGHT_EYE, _LEFT_EYE)]
    return np.stack([*eyes, landmarks[_NOSE_TIP], *(landmarks[corner] for corner in _CORNERS)])


def between_the_eyes(landmarks: Annotated[RealArray, "... K 2"]) -> Annotated[FloatArray, "..."]:
    """The distance between the middles of both eyes (...), by which errors are told, of 68 or more
    landmarks (..., K, 2)."""
    right, left = (landmarks[..., eye, :].mean(-2) for eye in (_RIGHT_EYE, _LEFT_EYE))
    return np.asarray(np.linalg.norm(left - right, axis=-1), np.float64)


def whole_rotation(columns: Annotated[RealArray, "6"]) -> Annotated[FloatArray, "3 3"]:
    """The rotation (3, 3) that two columns (6,) one after the other come nearest to (Zhou et al.,
    "On the continuity of rotation representations in neural networks", 2019)."""
    first, second = np.asarray(columns, np.float64).reshape(2, 3)
    first = first / max(float(np.linalg.norm(first)), 1e-9)
    second = second - (second @ first) * first
    second = second / max(float(np.linalg.norm(second)), 1e-9)
    return np.stack([first, second, np.cross(first, second)], axis=1)


def _pose(columns: Float32Array, square: FaceSquare) -> tuple[float, float, float]:
    """Degrees of the head in the picture, from how it is turned in the square."""
    turn = square.across / abs(square.across)
    upright = np.array([[turn.real, -turn.imag, 0], [turn.imag, turn.real, 0], [0, 0, 1]])
    yaw, pitch, roll = np.degrees(angles_of(upright @ whole_rotation(columns)))
    return float(yaw), float(pitch), float(roll)
