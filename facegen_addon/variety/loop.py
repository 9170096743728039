# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop of Generate Variety: render candidates until enough of them are apart."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from ..arrays import Float32Array, FloatArray, IntArray
from ..encoders.encoder import find_encoder
from ..errors import NotReached, RejectedSample
from ..latent.selection import VarietySelector, largest_distance
from .candidates import Candidate, Candidates
from .request import VarietyRequest
from .result import (
    Forward,
    GeneratedHead,
    Rendered,
    Uncorrected,
    VarietyEvent,
    VarietyResult,
)
from .stopwatch import Stopwatch

_SEARCH_EVERY = 8  # renders between two searches for a larger set

OpenForward = Callable[[], AbstractContextManager[Forward]]
"""F, open no longer than heads are rendered."""


@dataclass(frozen=True)
class _Kept:
    """A candidate with the render of its first parameters and the one that is kept."""

    candidate: Candidate
    first: Rendered
    best: Rendered


class _Budget:
    """F, as often as it is allowed; remembers all latents."""

    def __init__(self, forward: Forward, allowed: int) -> None:
        self._forward, self.left = forward, allowed
        self.latents: list[Float32Array] = []

    def render(self, parameters: FloatArray) -> Rendered:
        """F of a head (P,); RejectedSample, which costs a render too, where it shows no face."""
        self.left -= 1
        seen = self._forward(parameters)
        self.latents.append(seen.latent)
        return seen


def make_variety(
    request: VarietyRequest, source: Candidates, open_forward: OpenForward, watch: Stopwatch
) -> Generator[VarietyEvent, None, None]:
    """Generate; yields progress and at last the result.

    Candidates of `source` are rendered until ``count`` of them are mutually apart, measured
    between the latents of the renders; one that shows no face is passed over. F is opened once
    there is something to render, and closed before the result is made. Raises NotReached, with the
    largest distance that was, if the budget is spent before.
    """
    selector = VarietySelector(request.distance)
    kept: list[_Kept] = []
    chosen = np.zeros(0, int)
    yield from source.think()
    with open_forward() as forward:
        budget = _Budget(forward, request.renders)
        while budget.left > 0:
            yield from source.think()
            candidate = source.take()
            try:
                first = budget.render(candidate.parameters)
            except RejectedSample:
                continue
            renders = min(request.corrections, budget.left)
            best = source.corrected(candidate, first, budget.render, renders)
            kept.append(_Kept(candidate, first, best))
            chosen = _offer(selector, best.latent, request, chosen)
            yield VarietyEvent("render", min(len(chosen), request.count), request.count)
            if len(chosen) >= request.count:
                break
    latents = np.array(budget.latents, np.float32)
    if len(chosen) < request.count:
        chosen = max(chosen, selector.improved(request.count), key=len)
    if len(chosen) < request.count:
        raise _not_reached(request, selector.offered, len(latents), len(chosen))
    heads = [_generated(index, request, kept[index]) for index in chosen[: request.count]]
    key = find_encoder(request.encoder).key
    result = VarietyResult(request.model, key, heads, latents, dict(watch.seconds))
    yield VarietyEvent("render", request.count, request.count, result)


def _offer(
    selector: VarietySelector,
    latent: Float32Array,
    request: VarietyRequest,
    chosen: IntArray,
) -> IntArray:
    """Offer one more latent; indices of the best set so far, searched anew now and then."""
    selector.offer(latent)
    best = selector.selected if len(selector) > len(chosen) else chosen
    if len(best) < request.count and len(selector.offered) % _SEARCH_EVERY == 0:
        best = max(best, selector.improved(request.count, effort=300), key=len)
    return best


def _generated(index: int, request: VarietyRequest, kept: _Kept) -> GeneratedHead:
    first, best = kept.first, kept.best
    return GeneratedHead(
        int(index),
        request.seed,
        best.parameters,
        kept.candidate.requested,
        best.latent,
        best.image,
        best.points,
        best.box,
        Uncorrected(first.parameters, first.latent) if request.corrections else None,
    )


def _not_reached(
    request: VarietyRequest, offered: FloatArray, renders: int, found: int
) -> NotReached:
    message = (
        f"{found} of {request.count} heads at distance {request.distance:g} after {renders} renders"
    )
    if len(offered) >= request.count:
        reached = largest_distance(offered, request.count).distance
        message += f"; {request.count} heads reach {reached:.3f}"
    return NotReached(f"{message}; ask for fewer, a smaller distance or a larger budget")
