# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate Variety: heads of which every pair is at least a cosine distance apart, as rendered."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict, deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...choices import DISTRIBUTIONS, MAXIMUM_CORRECTIONS, RENDERS_PER_HEAD
from ...encoders.encoder import (
    DEFAULT_ENCODER,
    Encoder,
    check_encoder_fits,
    find_encoder,
    same_face_threshold,
)
from ...errors import NotReached, RejectedSample, UserError
from ...heads.catalogue import DEFAULT_MODEL, load_head_model
from ...heads.head_model import HeadModel
from ...heads.parameters import FloatArray
from ...latent.checked import LATENT_SIZE
from ...latent.natural import NaturalFaces
from ...latent.selection import VarietySelector, checked_count, checked_distance, largest_distance
from ...latent.sphere import cosine_distance_matrix
from ...mapping.approach import Approach, answer_from_heads
from ...mapping.backward import GRADES, BackwardMapping, Grade, Progress
from ...mapping.correction import load_sampler
from ...mapping.gaps import propose_gap_fillers, read_achieved
from ...mapping.screening import VarietyProposal, propose_variety
from ..render.head_renderer import HeadRenderer, RenderedHead, RenderSettings
from .background_thread import think

_PROPOSED_PER_HEAD = 5  # heads proposed together, for each head demanded
_PROPOSED_FOR_GAPS = 128  # at most together: they are weighed against thousands of others
_SEARCH_EVERY = 8  # renders between two searches for a larger set


@dataclass(frozen=True)
class VarietyRequest:
    """What is wanted. ``encoder``: the one that tells heads apart, its name or .onnx file;
    ``distance``: cosine distance, 0 for that encoder's same-face threshold, which it then becomes;
    ``budget``: renders at most, 0 for RENDERS_PER_HEAD a head and as many again for each of its
    ``corrections``: renders by which a head is brought nearer to the latent it was asked for, the
    nearest being kept. ``fill_gaps``: folders of earlier runs, whose heads the new ones complement.

    Raises UserError, naming value and remedy, for what cannot be.
    """

    model: str = DEFAULT_MODEL
    count: int = 16
    distance: float = 0.0
    distribution: str = "latent"
    engine: str = "CYCLES"
    samples: int = 16
    size: int = 256
    seed: int = 0
    budget: int = 0
    grade: Grade = "refined"
    light: str = "studio"
    device: str = "auto"
    fill_gaps: tuple[str, ...] = ()
    corrections: int = 0
    encoder: str = DEFAULT_ENCODER

    def __post_init__(self) -> None:
        checked_count(self.count)
        threshold = same_face_threshold(self.encoder)
        if not self.distance:
            object.__setattr__(self, "distance", threshold)  # frozen from here on
        checked_distance(self.distance)
        for name, value, choices in (
            ("distribution", self.distribution, DISTRIBUTIONS),
            ("grade", self.grade, GRADES),
        ):
            if value not in choices:
                raise UserError(f"unknown {name} {value!r}; choose from {', '.join(choices)}")
        if not 0 <= self.corrections <= MAXIMUM_CORRECTIONS:
            raise UserError(
                f"corrections {self.corrections} is out of range; give 0 to {MAXIMUM_CORRECTIONS}"
            )
        for name in ("fill_gaps", "corrections"):
            if getattr(self, name) and self.distribution != "latent":
                raise UserError(
                    f"{name} needs latents that heads are asked for; with distribution"
                    f" {self.distribution!r} there are none: choose latent"
                )
        if self.budget and self.budget < self.count:
            raise UserError(
                f"budget {self.budget} is below the {self.count} heads wanted; give at least that"
            )

    @property
    def renders(self) -> int:
        """How many renders are allowed."""
        return self.budget or RENDERS_PER_HEAD * self.count * (1 + self.corrections)

    def render_settings(self) -> RenderSettings:
        """How its heads are rendered."""
        return RenderSettings(
            self.engine, self.samples, self.size, light=self.light, device=self.device
        )


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
    parameters: FloatArray
    requested: NDArray[np.float32] | None
    achieved: NDArray[np.float32]
    image: NDArray[np.uint8]
    points: NDArray[np.float64]
    box: tuple[float, float, float, float]
    uncorrected: Uncorrected | None = None


@dataclass(frozen=True)
class Uncorrected:
    """A head as B gave it at first: parameters (P,) and the render's latent (D,)."""

    parameters: FloatArray
    achieved: NDArray[np.float32]


@dataclass(frozen=True)
class VarietyResult:
    """heads: as many as demanded; rendered (M, D): latents of all that was rendered; time
    spent in each stage (sample, mesh, render, embed); encoder: EncoderSource.key of the one that
    read them."""

    model: str
    encoder: str
    heads: list[GeneratedHead]
    rendered: NDArray[np.float32]
    seconds: dict[str, float]

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


@dataclass
class _Stopwatch:
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - start


@dataclass(frozen=True)
class _Candidate:
    parameters: FloatArray
    requested: NDArray[np.float32] | None


@dataclass(frozen=True)
class _Shot:
    """A rendered head: parameters (P,), what was seen, and its latent (D,)."""

    parameters: FloatArray
    seen: RenderedHead
    latent: NDArray[np.float32]


@dataclass(frozen=True)
class _Kept:
    """A candidate with the render of its first parameters and the one that is kept."""

    candidate: _Candidate
    first: _Shot
    best: _Shot


class _Camera:
    """Renders and embeds heads, as many as are allowed; remembers all latents."""

    def __init__(
        self, renderer: HeadRenderer, encoder: Encoder, watch: _Stopwatch, allowed: int
    ) -> None:
        self._renderer, self._encoder, self._watch = renderer, encoder, watch
        self.left = allowed
        self.latents: list[NDArray[np.float32]] = []

    def shoot(self, parameters: FloatArray) -> _Shot:
        """Render a head (P,); RejectedSample where no face is to be seen."""
        self.left -= 1
        with self._watch.stage("render"):
            seen = self._renderer.render(parameters)
        with self._watch.stage("embed"):
            latent = self._encoder.embed(seen.crop_for(self._encoder)[None])[0]
        self.latents.append(latent)
        return _Shot(parameters, seen, latent)


def _shot_if_face(camera: _Camera, parameters: FloatArray) -> _Shot | None:
    try:
        return camera.shoot(parameters)
    except RejectedSample:
        return None


def run_variety(request: VarietyRequest) -> Generator[VarietyEvent, None, None]:
    """Generate; yields progress and at last the result.

    Candidates are rendered until ``count`` of them are mutually apart, measured between the
    latents of the renders. Raises NotReached, with the largest distance that was, if the budget
    is spent before; UserError for what is missing or damaged, and for an encoder whose latents
    are not of B's size where heads are made by B.
    """
    model = load_head_model(request.model)
    encoder = Encoder.load(request.encoder)
    if request.distribution == "latent":
        check_encoder_fits(encoder, LATENT_SIZE)
    watch = _Stopwatch()
    selector = VarietySelector(request.distance)
    kept: list[_Kept] = []
    chosen = np.zeros(0, int)
    source = _Candidates(request, model, watch)
    yield from source.think()
    with HeadRenderer(model, request.render_settings()) as renderer:
        camera = _Camera(renderer, encoder, watch, request.renders)
        while camera.left > 0:
            yield from source.think()
            candidate = source.take()
            try:
                first = camera.shoot(candidate.parameters)
            except RejectedSample:
                continue
            best = source.corrected(candidate, first, camera)
            kept.append(_Kept(candidate, first, best))
            chosen = _offer(selector, best.latent, request, chosen)
            yield VarietyEvent("render", min(len(chosen), request.count), request.count)
            if len(chosen) >= request.count:
                break
        watch.seconds["mesh"] += renderer.mesh_seconds
        watch.seconds["render"] -= renderer.mesh_seconds
    latents = np.array(camera.latents, np.float32)
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
    latent: NDArray[np.float32],
    request: VarietyRequest,
    chosen: NDArray[np.int_],
) -> NDArray[np.int_]:
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
        best.seen.image,
        best.seen.points,
        best.seen.box,
        Uncorrected(first.parameters, first.latent) if request.corrections else None,
    )


def _not_reached(
    request: VarietyRequest, offered: NDArray[np.float64], renders: int, found: int
) -> NotReached:
    message = (
        f"{found} of {request.count} heads at distance {request.distance:g} after {renders} renders"
    )
    if len(offered) >= request.count:
        reached = largest_distance(offered, request.count).distance
        message += f"; {request.count} heads reach {reached:.3f}"
    return NotReached(f"{message}; ask for fewer, a smaller distance or a larger budget")


class _Candidates:
    """Candidates without end; the same for the same seed, however many are taken."""

    def __init__(self, request: VarietyRequest, model: HeadModel, watch: _Stopwatch) -> None:
        self._request, self._model, self._watch = request, model, watch
        self._ready: deque[_Candidate] = deque()
        self._numbers = itertools.count()
        self._mapping: tuple[BackwardMapping, NaturalFaces] | None = None
        # Heads that are there, or soon will be: gaps lie elsewhere.
        encoder = find_encoder(request.encoder).key
        self._there = [read_achieved(Path(run), model.name, encoder) for run in request.fill_gaps]

    def think(self) -> Iterator[VarietyEvent]:
        """Have at least one candidate ready."""
        if self._ready:
            return
        yield VarietyEvent("sample", 0, self._request.count)
        steps = think(partial(self._batch, next(self._numbers)))
        while True:
            try:
                done, total = next(steps)
            except StopIteration as finished:
                self._ready.extend(finished.value)
                return
            yield VarietyEvent("sample", done, total or self._request.count)

    def take(self) -> _Candidate:
        """The next candidate, after ``think``."""
        return self._ready.popleft()

    def _batch(self, number: int, tell: Progress) -> list[_Candidate]:
        """The candidates of one number."""
        request, table = self._request, self._model.table
        rng = np.random.default_rng([request.seed, number])
        with self._watch.stage("sample"):
            if request.distribution == "latent":
                return self._guided(rng, tell)
            draw = (
                self._model.sample_prior
                if request.distribution == "prior"
                else table.sample_uniform
            )
            return [_Candidate(draw(rng, 1)[0], None)]

    def corrected(self, candidate: _Candidate, first: _Shot, camera: _Camera) -> _Shot:
        """The nearest to its request among `first` and further renders, see Approach."""
        requested, renders = candidate.requested, min(self._request.corrections, camera.left)
        if requested is None or not renders:
            return first
        assert self._mapping is not None, "a head with a request was guided"
        backward, table = self._mapping[0], self._model.table
        way = Approach(
            answer_from_heads(backward, self._request.grade),
            requested[None],
            table.standardise(first.parameters),
            first.latent[None],
        )
        best = first
        for _ in range(renders):
            with self._watch.stage("sample"):
                z = way.proposed()
            shot = _shot_if_face(camera, table.from_standardised(z)[0])
            latent = np.full_like(requested, np.nan) if shot is None else shot.latent
            if way.rendered(z, latent[None])[0] and shot is not None:
                best = shot
        return best

    def _guided(self, rng: np.random.Generator, tell: Progress) -> list[_Candidate]:
        request, model = self._request, self._model
        if self._mapping is None:
            self._mapping = load_sampler(model.name, model.table), NaturalFaces.load()
        batch = min(request.renders, max(_PROPOSED_PER_HEAD * request.count, 32))
        proposal = self._proposal(batch, rng, tell)
        return [
            _Candidate(parameters, requested)
            for requested, parameters in zip(proposal.requested, proposal.parameters, strict=True)
        ]

    def _proposal(self, batch: int, rng: np.random.Generator, tell: Progress) -> VarietyProposal:
        request = self._request
        assert self._mapping is not None, "heads are proposed once it is loaded"
        if not self._there:
            return propose_variety(
                *self._mapping, rng, batch, request.distance, request.grade, tell
            )
        proposal = propose_gap_fillers(
            *self._mapping,
            rng,
            min(batch, _PROPOSED_FOR_GAPS),
            np.concatenate(self._there),
            request.distance,
            request.grade,
            tell,
        )
        self._there.append(proposal.predicted)
        return proposal
