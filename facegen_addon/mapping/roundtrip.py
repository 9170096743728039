# SPDX-License-Identifier: GPL-3.0-or-later
"""s -> B -> render -> F: what comes back when latents are turned into heads, and its figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..heads.parameters import ParameterTable
from ..latent.metrics import own_identity_rate, pairwise_distances, plausibility, roundtrip_summary
from ..latent.sphere import cosine_distance
from .backward import BackwardMapping, Grade, checked_latents
from .surrogate import FloatArray

RenderAndEmbed = Callable[[NDArray[np.float64]], FloatArray]
"""F: parameters (N, P) -> latents (N, 512). Handed in, since rendering is another room's."""

GALLERY = 119
"""Other identities among which a head has to be nearest to its own."""


@dataclass(frozen=True)
class Roundtrip:
    """Row by row: latents asked for (N, 512), latents of the heads (N, 512), parameters (N, P)."""

    requested: FloatArray
    achieved: FloatArray
    parameters: NDArray[np.float64]

    @property
    def shift(self) -> NDArray[np.float64]:
        """Cosine distance (N,) from what was asked for to what came back."""
        return np.asarray(cosine_distance(self.requested, self.achieved), np.float64)

    def figures(self, table: ParameterTable, gallery: np.ndarray | None = None) -> dict[str, Any]:
        """Figures of these heads, ready for JSON.

        `gallery` (M, 512) adds real latents to those among which own identities are looked for.
        """
        own = {
            name: own_identity_rate(
                self.requested, self.achieved, gallery, others=GALLERY, centred=name == "centred"
            )
            for name in ("raw", "centred")
        }
        return {
            "count": len(self.requested),
            "roundtrip": asdict(roundtrip_summary(self.requested, self.achieved)),
            "own_identity_nearest": own,
            "pairwise": asdict(pairwise_distances(self.achieved)),
            "plausibility": asdict(
                plausibility(table.standardise(self.parameters), table.guided_groups())
            ),
        }


def make_roundtrip(
    latents: ArrayLike,
    backward: BackwardMapping,
    render_and_embed: RenderAndEmbed,
    grade: Grade = "refined",
) -> Roundtrip:
    """Turn latents (N, 512) into heads and embed these again."""
    requested = checked_latents(latents)
    parameters = backward.parameters(requested, grade)
    return Roundtrip(requested, render_and_embed(parameters), parameters)
