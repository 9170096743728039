# SPDX-License-Identifier: GPL-3.0-or-later
"""What an encoder says of a fitted head that nothing was fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import ByteArray, FloatArray
from ..encoders.encoder import Encoder
from ..latent.sphere import cosine_distance
from .fitting import FittedHead


@dataclass(frozen=True)
class SecondOpinion:
    """Cosine distances from the photo to the head and to B's own, by encoder `name`, and the
    distance below which that reads two faces as one."""

    name: str
    distance: float
    alone: float
    threshold: float

    @property
    def words(self) -> str:
        """In plain words."""
        same = "the same person" if self.distance < self.threshold else "somebody else"
        return (
            f"{self.name}, which nothing is fitted to: {self.distance:.2f}, B alone"
            f" {self.alone:.2f}, one person: below {self.threshold:.2f}; reads as {same}"
        )

    def as_mapping(self) -> dict[str, Any]:
        """As plain data, ready for JSON."""
        return {
            "encoder": self.name,
            "distance": round(self.distance, 4),
            "distance_of_b_alone": round(self.alone, 4),
            "threshold": self.threshold,
        }


def second_opinion(head: FittedHead, encoder: Encoder) -> SecondOpinion:
    """What `encoder` says of a head, in the camera of the photo that it is compared with."""

    def embedded(image: ByteArray, points: FloatArray) -> FloatArray:
        return encoder.embed(encoder.cut(image, points)[None])[0].astype(np.float64)

    photo = embedded(head.faces[0].square, head.faces[0].points)
    distance, alone = (
        float(cosine_distance(photo, embedded(seen.image, seen.points)))
        for seen in (head.seen, head.seen_alone)
    )
    return SecondOpinion(encoder.name, distance, alone, encoder.threshold)
