# SPDX-License-Identifier: GPL-3.0-or-later
"""Nine heads that the active one could become, with their portraits."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

import numpy as np

from ...arrays import BoolArray, ByteArray, Float32Array, FloatArray
from ...choices import SEED
from ...errors import UserError, check_values
from ...heads.areas import AREAS
from ...heads.head_model import HeadModel
from ...latent.who import ANYBODY, Who
from ...mapping.sampling import HeadSampler, Sampled
from ...random_streams import random_stream
from ...variety.fields import DISTRIBUTION
from ..head import latents
from ..head.head_object import HeadObject
from ..head.locks import locked
from ..render.portrait import portraits
from . import drawn_heads

COUNT = 9
KINDS = ("sample", "nearby", *AREAS)
"""Ways to draw candidates: any head, one near this one, or one area of it anew."""

Portraits = Callable[
    [HeadModel, Annotated[FloatArray, "N P"]], Generator[Annotated[ByteArray, "S S 3"], None, None]
]


@dataclass(frozen=True)
class CandidatesRequest:
    """A request for candidates.

    kind: one of KINDS; angle: of "nearby", radians; distribution: of "sample", one of
    choices.DISTRIBUTIONS; who: is asked for by "sample" where latents guide. Raises UserError,
    naming value and remedy, for what cannot be.
    """

    kind: str = "nearby"
    angle: float = math.radians(20.0)
    distribution: str = DISTRIBUTION.declared
    seed: int = SEED.declared
    who: Who = ANYBODY

    def __post_init__(self) -> None:
        checks = (
            (self.kind in KINDS, "kind", self.kind, f"one of {', '.join(KINDS)}"),
            (0 <= self.angle <= math.pi, "angle", self.angle, "0 to pi radians"),
            (
                self.distribution in DISTRIBUTION,
                "distribution",
                self.distribution,
                f"one of {DISTRIBUTION.accepted}",
            ),
            (self.seed in SEED, "seed", self.seed, SEED.accepted),
        )
        check_values(checks)
        self.who.drawn_from()  # refuses whom it cannot draw

    @property
    def seeds(self) -> list[int]:
        """Each candidate's own, with which it can be drawn again alone."""
        return [int(seed) for seed in random_stream(self.seed).integers(SEED.high + 1, size=COUNT)]

    @property
    def label(self) -> str:
        """The name of the history's entry for a head that was taken."""
        return f"Candidate, {self.kind}"


@dataclass(frozen=True)
class Kept:
    """A candidate that stays where it is while others are drawn, with its portrait (S, S, 3)."""

    drawn: Sampled
    seed: int
    picture: Annotated[ByteArray, "S S 3"]


@dataclass(frozen=True)
class Candidates:
    """Nine candidates for the head of this id, one for each of the request's seeds, or kept.

    seeds: with which each was drawn; pictures (9, S, S, 3) uint8: their portraits.
    """

    head_id: str
    model: str
    request: CandidatesRequest
    drawn: tuple[Sampled, ...]
    seeds: tuple[int, ...]
    pictures: Annotated[ByteArray, "9 S S 3"]

    def kept(self, index: int) -> Kept:
        """One of them, to stay among others."""
        return Kept(self.drawn[index], self.seeds[index], self.pictures[index])

    @property
    def parameters(self) -> Annotated[FloatArray, "9 P"]:
        """The parameters of all candidates, (9, P)."""
        return np.stack([candidate.parameters for candidate in self.drawn])


@dataclass(frozen=True)
class CandidatesEvent:
    """Progress of a stage, "draw" or "render"; the last event carries the result."""

    stage: str
    done: int
    result: Candidates | None = None


def make_candidates(
    head: HeadObject,
    request: CandidatesRequest,
    render: Portraits = portraits,
    kept: Mapping[int, Kept] = MappingProxyType({}),
) -> Generator[CandidatesEvent, None, None]:
    """Draw candidates and render them; yields progress and at last the result.

    kept: candidates by their index that are neither drawn nor rendered anew. The head is not
    touched. UserError where the head's model cannot do what is asked.
    """
    head_id, model, current = head.head_id, head.model, head.parameters
    measured = latents.read(head.mesh_object).achieved
    locks = locked(head.mesh_object, model.table)
    del head  # may be another object by the time that this goes on
    yield CandidatesEvent("draw", 0)
    sampler = HeadSampler.load(model)
    seeds = [kept[i].seed if i in kept else seed for i, seed in enumerate(request.seeds)]
    drawn: list[Sampled] = []
    for index, seed in enumerate(seeds):
        if index in kept:
            drawn.append(kept[index].drawn)
        else:
            rng = random_stream(seed)
            drawn.append(_draw(sampler, request, current, measured, locks, rng))
        yield CandidatesEvent("draw", len(drawn))
    fresh = [index for index in range(COUNT) if index not in kept]
    pictures = {index: candidate.picture for index, candidate in kept.items()}
    if fresh:
        parameters = np.stack([drawn[index].parameters for index in fresh])
        with closing(render(model, parameters)) as images:
            for index, image in zip(fresh, images, strict=True):
                pictures[index] = image
                yield CandidatesEvent("render", len(pictures))
    portrayed = np.stack([pictures[index] for index in range(COUNT)])
    made = Candidates(head_id, model.name, request, tuple(drawn), tuple(seeds), portrayed)
    yield CandidatesEvent("render", COUNT, made)


def _draw(
    sampler: HeadSampler,
    request: CandidatesRequest,
    current: FloatArray,
    measured: Float32Array | None,
    locks: BoolArray,
    rng: np.random.Generator,
) -> Sampled:
    if request.kind == "sample":
        return sampler.sample(request.distribution, current, locks, rng, request.who)
    if request.kind == "nearby":
        return sampler.nearby(request.angle, current, measured, locks, rng)
    return sampler.reroll(request.kind, current, locks, rng)


def take_candidate(head: HeadObject, candidates: Candidates, index: int) -> None:
    """Make the head its candidate of this index, 0 to 8; UserError if there is none for it."""
    if not 0 <= index < COUNT:
        raise UserError(f"candidate {index}: give 0 to {COUNT - 1}")
    if (candidates.head_id, candidates.model) != (head.head_id, head.model.name):
        raise UserError(
            f"the candidates are not for head {head.mesh_object.name!r}: make some for it"
        )
    request = candidates.request
    drawn_heads.apply(head, candidates.drawn[index], request.label, candidates.seeds[index])
