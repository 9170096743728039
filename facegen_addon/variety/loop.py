# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop of Generate Variety: render candidates until enough of them are apart."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from ..arrays import Float32Array, FloatArray, IntArray
from ..encoders.crop_jitter import random_jitters
from ..encoders.encoder import find_encoder
from ..errors import NotReached, RejectedSample
from ..latent.selection import EFFORT
from ..random_streams import random_stream
from .apart import ApartSelector
from .candidates import Candidate, Candidates
from .hands import ONE_RENDER, Hands
from .holding import CROPS, Holding, holding
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

_SEARCH_EVERY = 8  # heads between two searches for a larger set
_SHORT_SEARCH = 300

OpenForward = Callable[[], AbstractContextManager[Forward]]
"""F, open no longer than heads are rendered."""


@dataclass
class _Kept:
    """A candidate with the render of its first parameters, the one that is kept, and renders of
    these in other hands."""

    candidate: Candidate
    first: Rendered
    best: Rendered
    looks: list[Rendered]


class _Budget:
    """F, as often as it is allowed; remembers the latents of all heads and counts looks."""

    def __init__(self, forward: Forward, allowed: int) -> None:
        self._forward, self.left = forward, allowed
        self.latents: list[Float32Array] = []
        self.looks = 0

    def render(self, parameters: FloatArray) -> Rendered:
        """F of a head (P,); RejectedSample, which costs a render too, where it shows no face."""
        self.left -= 1
        seen = self._forward(parameters)
        self.latents.append(seen.latent)
        return seen

    def look(self, parameters: FloatArray, hands: Hands) -> Rendered:
        """The same head in other hands."""
        self.left -= 1
        self.looks += 1
        return self._forward(parameters, hands)


def make_variety(
    request: VarietyRequest, source: Candidates, open_forward: OpenForward, watch: Stopwatch
) -> Generator[VarietyEvent, None, None]:
    """Generate; yields progress and at last the result.

    Candidates of `source` are rendered until ``count`` of them are mutually apart, measured
    between the latents of the renders, and, where close pairs have to be apart in other hands, of
    further renders of these; one that shows no face is passed over. F is opened once
    there is something to render, and closed before the result is made. Raises NotReached, with the
    largest distance that was, if the budget is spent before.
    """
    yield from source.think()
    with open_forward() as forward:
        search = _Search(request, source, forward)
        yield from search.run()
        chosen = search.chosen[: request.count]
        held = search.holding(chosen)
    latents = np.array(search.budget.latents, np.float32)
    heads = [_generated(index, request, search.kept[index]) for index in chosen]
    key = find_encoder(request.encoder).key
    seconds, looks = dict(watch.seconds), search.budget.looks
    result = VarietyResult(request.model, key, heads, latents, seconds, looks, held)
    yield VarietyEvent("render", request.count, request.count, result)


class _Search:
    """Renders heads until enough of them are apart.

    Attributes:
        kept: all heads that show a face. chosen: numbers among them of the best set so far.
    """

    def __init__(self, request: VarietyRequest, source: Candidates, forward: Forward) -> None:
        self._request, self._source, self._forward = request, source, forward
        self.budget = _Budget(forward, request.renders)
        self.kept: list[_Kept] = []
        self.chosen = np.zeros(0, int)
        self._hands = request.hands
        self._selector = ApartSelector(request.demands, len(self._hands))
        self._told = 0

    def run(self) -> Iterator[VarietyEvent]:
        """Until as many as demanded are surely apart; NotReached if the budget is spent before."""
        count = self._request.count
        while self.budget.left > 0:
            yield from self._source.think()
            if not self._take_next():
                continue
            yield self._progress()
            if (yield from self._settle()):
                return
        sure = self._selector.surely_apart(count, EFFORT)
        if len(sure) > len(self.chosen) or not self._is_sure():
            self.chosen = sure
        if len(self.chosen) < count:
            raise self._not_reached()

    def holding(self, chosen: IntArray) -> tuple[Holding, ...]:
        """How apart these heads are in what they were seen in, by crops that chose none of them."""
        demands = self._request.demands
        if self._request.apart_in == ONE_RENDER:
            return ()
        rng = random_stream(self._request.seed, "crops")
        seen = [
            [
                self._forward.crops(render, random_jitters(rng, CROPS))
                for render in (self.kept[index].best, *self.kept[index].looks)
            ]
            for index in chosen
        ]
        found = (
            holding(demand, [[crops[number] for crops in head] for head in seen])
            for number, demand in enumerate(demands)
        )
        return tuple(one for one in found if one is not None)

    def _take_next(self) -> bool:
        """Render the next candidate and offer it; False if it shows no face."""
        candidate = self._source.take()
        try:
            first = self.budget.render(candidate.parameters)
        except RejectedSample:
            return False
        renders = min(self._request.corrections, self.budget.left)
        best = self._source.corrected(candidate, first, self.budget.render, renders)
        self.kept.append(_Kept(candidate, first, best, []))
        self._selector.offer(self._forward.crops(best, self._request.jitters))
        self._choose()
        return True

    def _choose(self) -> None:
        """The best set so far, searched anew now and then."""
        count, selector = self._request.count, self._selector
        taken = selector.best(count)
        if len(taken) > len(self.chosen):
            self.chosen = taken
        if len(self.chosen) < count and len(selector) % _SEARCH_EVERY == 0:
            self.chosen = max(self.chosen, selector.best(count, _SHORT_SEARCH), key=len)

    def _settle(self) -> Generator[VarietyEvent, None, bool]:
        """Look at close pairs of a set that is large enough, until it is sure or falls apart.

        Returns whether there is one that is sure.
        """
        count, selector = self._request.count, self._selector
        while len(self.chosen) >= count:
            self.chosen = self.chosen[:count]
            index = selector.open_head(self.chosen)
            if index is None:
                return True
            if self.budget.left <= 0:
                return False
            self._look(index)
            if not selector.are_apart(self.chosen):
                self.chosen = selector.best(count, _SHORT_SEARCH)
            yield self._progress()
        return False

    def _is_sure(self) -> bool:
        """Whether no pair of the best set is open."""
        return self._selector.open_head(self.chosen) is None

    def _look(self, index: int) -> None:
        kept = self.kept[index]
        hands = self._hands[len(kept.looks)]
        try:
            seen = self.budget.look(kept.best.parameters, hands)
        except RejectedSample:
            self._selector.look(index, None)
            return
        kept.looks.append(seen)
        self._selector.look(index, self._forward.crops(seen, self._request.jitters))

    def _progress(self) -> VarietyEvent:
        """Heads found: never fewer than were told, and all only when they are sure."""
        count = self._request.count
        sure = len(self.chosen) >= count and self._is_sure()
        self._told = max(self._told, min(len(self.chosen), count if sure else count - 1))
        return VarietyEvent("render", self._told, count)

    def _not_reached(self) -> NotReached:
        request, found = self._request, len(self.chosen)
        message = f"{found} of {request.count} heads at distance {request.distance:g}"
        if request.second_encoder:
            second = request.demands[1]
            message += f" and {second.distance:g} by {second.encoder}"
        remedy = "ask for fewer, a smaller distance or a larger budget"
        if request.apart_in != ONE_RENDER:
            message += f" in {request.apart_in.replace('-', ' ')}"
            remedy += f", or for less than {request.apart_in}"
        message += f" after {len(self.budget.latents) + self.budget.looks} renders"
        if len(self._selector) >= request.count:
            message += f"; {request.count} heads reach {self._selector.reached(request.count):.3f}"
        return NotReached(f"{message}; {remedy}")


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
