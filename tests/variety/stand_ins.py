# SPDX-License-Identifier: GPL-3.0-or-later
"""F, B and nature in closed form, so that varieties are made without Blender and in no time."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache
from typing import Any

import numpy as np

from facegen_addon.encoders.crop_jitter import CropJitter
from facegen_addon.errors import RejectedSample
from facegen_addon.latent.sphere import normalise
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.variety.apart import Views
from facegen_addon.variety.candidates import Candidates, Guide
from facegen_addon.variety.hands import Hands
from facegen_addon.variety.loop import make_variety
from facegen_addon.variety.request import VarietyRequest
from facegen_addon.variety.result import Rendered, VarietyEvent, VarietyResult
from facegen_addon.variety.stopwatch import Stopwatch
from tests.mapping.test_backward import REGION, SETTINGS, TABLE, LinearNetwork, small_ensemble
from tests.training.synthetic import SyntheticForward, SyntheticHead
from tests.variety.test_gaps import Nature

HEAD: Any = SyntheticHead(TABLE)
MISS = 0.3 * normalise(np.random.default_rng(99).standard_normal(512))
"""By which F of the surrogates' heads differs from what the surrogates predict."""


def rendered(parameters: np.ndarray, latent: np.ndarray, number: int = 0) -> Rendered:
    """What F makes of a head, its image being as grey as its number."""
    image = np.full((2, 2, 3), number, np.uint8)
    return Rendered(parameters, latent, image, np.zeros((5, 2)), (0.0, 0.0, 1.0, 1.0))


class Seeing:
    """F that remembers what it was asked to render, and sees no face where `blind` says so."""

    def __init__(
        self,
        latents: Callable[[np.ndarray], np.ndarray] | None = None,
        blind: Callable[[np.ndarray], bool] = lambda parameters: False,
    ) -> None:
        self._latents, self._blind = latents or SyntheticForward(TABLE), blind
        self.heads: list[np.ndarray] = []
        self.looks: list[np.ndarray] = []

    def __call__(self, parameters: np.ndarray, hands: Hands | None = None) -> Rendered:
        (self.heads if hands is None else self.looks).append(parameters)
        if self._blind(parameters):
            raise RejectedSample("turned away")
        return rendered(parameters, self._latents(parameters[None])[0], len(self.heads))

    def crops(self, seen: Rendered, jitters: Sequence[CropJitter]) -> Views:
        return (np.stack([seen.latent] * len(jitters)),)


@cache
def guide() -> Guide:
    """A B of small networks, and faces in three groups that its heads can reach."""
    ensemble = small_ensemble()
    backward = BackwardMapping.assemble(TABLE, ensemble, REGION, SETTINGS, LinearNetwork(ensemble))  # type: ignore[arg-type]
    return backward, Nature(backward)  # type: ignore[return-value]


def missing(parameters: np.ndarray) -> np.ndarray:
    """F near what the guide's surrogates predict: every head misses by the same vector."""
    predicted = guide()[0].predicted(TABLE.standardise(parameters))
    return normalise(predicted + MISS).astype(np.float32)


def made(request: VarietyRequest, forward: Seeing, head: Any = HEAD) -> list[VarietyEvent]:
    """All events of a run."""
    watch = Stopwatch()
    source = Candidates(request, head, watch, lambda model, who: guide())
    return list(make_variety(request, source, lambda: nullcontext(forward), watch))


def result_of(request: VarietyRequest, forward: Seeing, head: Any = HEAD) -> VarietyResult:
    """What a run made."""
    result = made(request, forward, head)[-1].result
    assert result is not None
    return result
