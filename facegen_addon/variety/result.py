# SPDX-License-Identifier: GPL-3.0-or-later
"""What a variety is made of: heads as F sees them, those that were accepted, and progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np

from ..arrays import ByteArray, Float32Array, FloatArray
from ..encoders.crop_jitter import CropJitter
from ..latent.sphere import cosine_distance_matrix
from .apart import Views
from .hands import Hands
from .holding import Holding


@dataclass(frozen=True)
class Rendered:
    """A head as F saw it.

    parameters (P,); latent (D,), D being 512 for FaceNet; image (S, S, 3) uint8; points (5, 2) and
    box (4,) of the face, pixels.
    """

    parameters: Annotated[FloatArray, "P"]
    latent: Annotated[Float32Array, "D"]
    image: Annotated[ByteArray, "S S 3"]
    points: Annotated[FloatArray, "5 2"]
    box: tuple[float, float, float, float]


See = Callable[[FloatArray], Rendered]
"""A render of one head (P,); RejectedSample where it shows no face."""


class Forward(Protocol):
    """F of one head."""

    def __call__(
        self, parameters: Annotated[FloatArray, "P"], hands: Hands | None = None
    ) -> Rendered:
        """A render of the head, in other hands where they are given; RejectedSample where it shows
        no face."""
        ...

    def crops(self, seen: Rendered, jitters: Sequence[CropJitter]) -> Views:
        """Latents of one render as other detectors would crop it, by each encoder."""
        ...


@dataclass(frozen=True)
class GeneratedHead:
    """One accepted head.

    ``index``: its number among all candidates of ``seed``; parameters (P,); requested (512,), the
    latent that was asked for, None where heads were drawn without one; achieved (D,), the render's
    latent, D being 512 for FaceNet; image (S, S, 3) uint8; points (5, 2) and box (4,) of the face,
    pixels; uncorrected: the head as it was before corrections, None where none was asked for.
    """

    index: int
    seed: int
    parameters: Annotated[FloatArray, "P"]
    requested: Annotated[Float32Array, "512"] | None
    achieved: Annotated[Float32Array, "D"]
    image: Annotated[ByteArray, "S S 3"]
    points: Annotated[FloatArray, "5 2"]
    box: tuple[float, float, float, float]
    uncorrected: Uncorrected | None = None


@dataclass(frozen=True)
class Uncorrected:
    """A head as B gave it at first: parameters (P,) and the render's latent (D,)."""

    parameters: Annotated[FloatArray, "P"]
    achieved: Annotated[Float32Array, "D"]


@dataclass(frozen=True)
class VarietyResult:
    """heads: as many as demanded; rendered (M, D): latents of all that was rendered; time
    spent in each stage (sample, mesh, render, embed); encoder: EncoderSource.key of the one that
    read them; looks: renders in other hands; holding: how apart the heads are there, by each
    encoder, empty where one render was all that was asked for."""

    model: str
    encoder: str
    heads: list[GeneratedHead]
    rendered: Annotated[Float32Array, "M D"]
    seconds: dict[str, float]
    looks: int = 0
    holding: tuple[Holding, ...] = ()

    @property
    def smallest_distance(self) -> float | None:
        """Cosine distance of the nearest pair as rendered; None for a single head."""
        if len(self.heads) < 2:
            return None
        distances = cosine_distance_matrix(np.stack([head.achieved for head in self.heads]))
        return float(distances[np.triu_indices(len(distances), 1)].min())

    @property
    def summary(self) -> str:
        """What was made, in a line that fits into a sidebar."""
        count, nearest = len(self.heads), self.smallest_distance
        heads = f"{count} head{'s' if count > 1 else ''}"
        return heads if nearest is None else f"{heads}, smallest pair {nearest:.2f}"


@dataclass(frozen=True)
class VarietyEvent:
    """Progress of a stage; the last event of a run carries the result."""

    stage: str
    done: int
    total: int
    result: VarietyResult | None = None
