# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads that are worth a render: drawn, pushed apart, and brought nearer to their requests."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np

from ..arrays import Float32Array, FloatArray
from ..encoders.encoder import find_encoder
from ..generators import retold
from ..heads.drawing import draw_heads
from ..heads.head_model import HeadModel
from ..latent.people import Faces
from ..latent.who import Who
from ..mapping.approach import Approach, answer_from_heads, nearest_render
from ..mapping.backward import BackwardMapping
from ..mapping.correction import load_sampler
from ..mapping.inversion import Progress
from ..mapping.sampling import HeadSampler
from ..mapping.screening import VarietyProposal, propose_variety
from ..random_streams import random_stream
from .background_thread import think
from .earlier_runs import read_achieved
from .gaps import propose_gap_fillers
from .held import Held
from .request import VarietyRequest
from .result import Rendered, See, VarietyEvent
from .stopwatch import Stopwatch

_PROPOSED_PER_HEAD = 5  # heads proposed together, for each head demanded
_PROPOSED_FOR_GAPS = 128  # at most together: they are weighed against thousands of others

Guide = tuple[BackwardMapping, Faces]
"""B, and where the faces asked for lie: what heads that are asked for by latents need."""


def load_guide(model: HeadModel, who: Who) -> Guide:
    """That of a head model; UserError where it has no B."""
    return load_sampler(model.name, model.table), who.faces()


@dataclass(frozen=True)
class Candidate:
    """parameters (P,) of a head; requested (512,), the latent asked of B, None where none was."""

    parameters: Annotated[FloatArray, "P"]
    requested: Annotated[Float32Array, "512"] | None


class Candidates:
    """Candidates without end; the same for the same seed, however many are taken."""

    def __init__(
        self,
        request: VarietyRequest,
        model: HeadModel,
        watch: Stopwatch,
        load: Callable[[HeadModel, Who], Guide] = load_guide,
        held: Held | None = None,
    ) -> None:
        """`load` is called once, in a thread, where the first latent is asked for; `held` is what
        all of them keep.

        UserError, naming it, for an earlier run that is missing, damaged or of another kind.
        """
        self._request, self._model, self._watch, self._load = request, model, watch, load
        self._held = held
        self._ready: deque[Candidate] = deque()
        self._numbers = itertools.count()
        self._guide: Guide | None = None
        # Heads that are there, or soon will be: gaps lie elsewhere.
        encoder = find_encoder(request.encoder).key
        self._there = [read_achieved(Path(run), model.name, encoder) for run in request.fill_gaps]

    def think(self) -> Iterator[VarietyEvent]:
        """Have at least one candidate ready."""
        if self._ready:
            return
        yield VarietyEvent("sample", 0, self._request.count)
        steps = think(partial(self._batch, next(self._numbers)))
        batch = yield from retold(
            steps, lambda step: VarietyEvent("sample", step[0], step[1] or self._request.count)
        )
        self._ready.extend(batch)

    def take(self) -> Candidate:
        """The next candidate, after ``think``."""
        return self._ready.popleft()

    def corrected(
        self, candidate: Candidate, first: Rendered, forward: See, renders: int
    ) -> Rendered:
        """The nearest to its request among `first` and up to `renders` half steps, see Approach."""
        requested, table = candidate.requested, self._model.table
        if requested is None or not renders:
            return first
        assert self._guide is not None, "a head with a request was guided"
        nearby = answer_from_heads(self._guide[0], self._request.grade)

        def answer(asked: Float32Array, z: Float32Array) -> Float32Array:
            with self._watch.stage("sample"):
                return nearby(asked, z)

        def see(z: Float32Array) -> tuple[Rendered, Float32Array]:
            seen = forward(self._kept(table.from_standardised(z)[0]))
            return seen, seen.latent

        start = table.standardise(first.parameters)
        way = Approach(answer, requested[None], start, first.latent[None])
        return nearest_render(way, see, first, renders)

    def _batch(self, number: int, tell: Progress) -> list[Candidate]:
        """The candidates of one number."""
        request = self._request
        rng = random_stream(request.seed, number)
        with self._watch.stage("sample"):
            if request.distribution == "latent":
                return self._guided(rng, tell)
            return [Candidate(self._drawn(rng), None)]

    def _kept(self, parameters: FloatArray) -> FloatArray:
        return parameters if self._held is None else self._held.kept(parameters)

    def _drawn(self, rng: np.random.Generator) -> FloatArray:
        """A head (P,) that no latent guides."""
        distribution, held = self._request.distribution, self._held
        if held is None:
            return draw_heads(self._model, distribution, rng, 1)[0]
        sampler = HeadSampler.load(self._model)
        return sampler.sample(distribution, held.parameters, held.locked, rng).parameters

    def _guided(self, rng: np.random.Generator, tell: Progress) -> list[Candidate]:
        request = self._request
        if self._guide is None:
            backward, faces = self._load(self._model, request.who)
            held = self._held
            kept = backward if held is None else held.backward(backward, self._model.table)
            self._guide = kept, faces
        batch = min(request.renders, max(_PROPOSED_PER_HEAD * request.count, 32))
        proposal = self._proposal(self._guide, batch, rng, tell)
        return [
            Candidate(self._kept(parameters), requested)
            for requested, parameters in zip(proposal.requested, proposal.parameters, strict=True)
        ]

    def _proposal(
        self, guide: Guide, batch: int, rng: np.random.Generator, tell: Progress
    ) -> VarietyProposal:
        request = self._request
        if not self._there:
            return propose_variety(*guide, rng, batch, request.aimed_distance, request.grade, tell)
        proposal = propose_gap_fillers(
            *guide,
            rng,
            min(batch, _PROPOSED_FOR_GAPS),
            np.concatenate(self._there),
            request.aimed_distance,
            request.grade,
            tell,
        )
        self._there.append(proposal.predicted)
        return proposal
