# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the latents of the scene's heads by F, and corrects their shift."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Annotated

import bpy
import numpy as np

from ...arrays import BoolArray, Float32Array, FloatArray
from ...choices import MEASURING_SAMPLES, MEASURING_SIZE
from ...encoders.encoder import Encoder, same_face_threshold
from ...errors import RejectedSample
from ...heads.head_model import HeadModel
from ...heads.parameters import ParameterTable
from ...latent.sphere import cosine_distance
from ...mapping.approach import Answer, Approach, answer_from_heads, nearest_render
from ...mapping.backward import BackwardMapping
from ...render_settings import RenderSettings
from ..head import history, latents
from ..head.head_object import MODEL_KEY, HeadObject
from ..head.latents import Latents
from ..head.locks import locked
from ..render.forward import ForwardMapping
from ..render.head_renderer import HeadRenderer

Forward = Callable[[Annotated[FloatArray, "P"]], Annotated[Float32Array, "512"]]
"""F of one head: parameters (P,) -> latent (512,); RejectedSample if it does not show its face."""
OpenForward = Callable[[HeadModel], AbstractContextManager[Forward]]
Backward = Callable[[Annotated[BoolArray, "G"], Annotated[FloatArray, "G"]], Answer]
"""B of one model near a head: which guided parameters stay (G,), and the head's z (G,)."""
LoadBackward = Callable[[HeadModel], Backward]


@dataclass(frozen=True)
class Outcome:
    """The outcome for one head.

    name: of its object; before, after: cosine distance from requested to achieved, None where
    either is not known; problem: why the head was left as it was, empty if it was not.
    """

    name: str
    before: float | None
    after: float | None
    problem: str = ""

    @property
    def improved(self) -> bool:
        """Whether a correction brought the head nearer to what was asked for."""
        return self.before is not None and self.after is not None and self.after < self.before


Work = Generator[int, None, list[Outcome]]
"""Yields the number of heads done. The scene changes after the last one only, and then all at
once; closed before, nothing has changed. Returns the outcome for each."""


@dataclass(frozen=True)
class _Found:
    """A head's parameters (P,) as they were, its latents before and after, and the parameters
    that it should move to, if any."""

    head_id: str
    parameters: FloatArray
    before: Latents
    after: Latents
    moved_to: FloatArray | None = None
    problem: str = ""


@dataclass(frozen=True)
class Neighbour:
    """Another head: the name of its object and the cosine distance to it."""

    name: str
    distance: float
    same_face: bool


def rendered_forward(device: str = "auto") -> OpenForward:
    """F by Cycles and FaceNet; ``device`` is "auto" or "CPU"."""

    @contextmanager
    def open_forward(model: HeadModel) -> Iterator[Forward]:
        encoder = Encoder.load()
        settings = RenderSettings(
            samples=MEASURING_SAMPLES.default, size=MEASURING_SIZE, device=device, face_only=True
        )
        with HeadRenderer(model, settings) as renderer:
            forward = ForwardMapping(renderer, encoder)
            yield lambda parameters: forward.embed_heads(parameters[None])[0]

    return open_forward


def loaded_backward(model: HeadModel) -> Backward:
    """B of a model as registered, refined: the free parameters make up for those that stay."""
    mapping = BackwardMapping.load(model.name, model.table)

    def backward(held: BoolArray, z: FloatArray) -> Answer:
        return answer_from_heads(replace(mapping, region=mapping.region.holding(held, z)))

    return backward


def measure(head_ids: Sequence[str], open_forward: OpenForward) -> Work:
    """Render and embed heads as they are, expression and pose included.

    A head that does not show its face is left unmeasured, and its outcome says so.
    """
    found: list[_Found] = []
    for head, forward in _each(head_ids, open_forward):
        found.append(_measured(head, forward))
        yield len(found)
    return [_apply(one) for one in found]


def correct(
    head_ids: Sequence[str], open_forward: OpenForward, load_backward: LoadBackward
) -> Work:
    """Bring heads nearer to their requested latents by a half step.

    Each takes half the step that would compensate for its shift: B, starting from the head as it
    is, is asked for more in the direction in which it fell short. The result is rendered, and the
    head moves only if that is nearer, so no shift grows. Expression, pose and locked sliders stay
    as they are.
    """
    mappings: dict[str, Backward] = {}
    found: list[_Found] = []
    for head, forward in _each(head_ids, open_forward):
        one = _measured(head, forward, again=False)
        if one.before.requested is None:
            one = replace(one, problem="no latent was asked for: sample or generate it")
        if not one.problem:
            if head.model.name not in mappings:
                mappings[head.model.name] = load_backward(head.model)
            one = _corrected(head, one, forward, mappings[head.model.name])
        found.append(one)
        yield len(found)
    return [_apply(one) for one in found]


def neighbours(
    mesh_object: bpy.types.Object, others: Iterable[bpy.types.Object]
) -> tuple[Neighbour, Neighbour] | None:
    """The nearest and the farthest of the other measured heads; None where there is none."""
    own = latents.read(mesh_object).achieved
    if own is None:
        return None
    threshold = same_face_threshold()
    found = []
    for other in others:
        achieved = latents.read(other).achieved if MODEL_KEY in other else None
        if other != mesh_object and achieved is not None:
            distance = float(cosine_distance(own, achieved))
            found.append(Neighbour(other.name, distance, distance < threshold))
    if not found:
        return None
    found.sort(key=lambda neighbour: neighbour.distance)
    return found[0], found[-1]


def at_rest(table: ParameterTable, parameters: Annotated[FloatArray, "P"]) -> bool:
    """Whether expression and pose are neutral, as those of the heads that B was fitted to."""
    moving = table.moving
    return bool(np.allclose(parameters[moving], table.mean[moving], atol=1e-6))


def _each(
    head_ids: Sequence[str], open_forward: OpenForward
) -> Iterator[tuple[HeadObject, Forward]]:
    """The heads with the F of their model, which is open no longer than it is needed."""
    found = sorted((HeadObject.find(head_id).model.name, head_id) for head_id in head_ids)
    for _, group in groupby(found, key=lambda pair: pair[0]):
        members = [head_id for _, head_id in group]
        with open_forward(HeadObject.find(members[0]).model) as forward:
            for head_id in members:
                yield HeadObject.find(head_id), forward


def _measured(head: HeadObject, forward: Forward, *, again: bool = True) -> _Found:
    """A head with what F says of it; if not ``again``, what is known of it already."""
    known = latents.read(head.mesh_object)
    found = _Found(head.head_id, head.parameters, known, known)
    if known.achieved is not None and not again:
        return found
    try:
        return replace(found, after=replace(known, achieved=forward(found.parameters)))
    except RejectedSample as rejected:
        return replace(found, problem=str(rejected))


def _corrected(head: HeadObject, found: _Found, forward: Forward, backward: Backward) -> _Found:
    """The head moved by a half step, if that is nearer to the requested latent."""
    now = found.after
    assert now.requested is not None and now.achieved is not None, "measured by the caller"
    table = head.model.table
    kept = locked(head.mesh_object, table)
    kept[np.setdiff1d(np.arange(len(table)), table.guided)] = True
    found = replace(found, before=now)
    start = table.standardise(found.parameters)
    answer = backward(kept[table.guided], start[0])
    way = Approach(answer, now.requested[None], start, now.achieved[None])

    def see(z: Float32Array) -> tuple[tuple[FloatArray, Float32Array], Float32Array]:
        proposed = np.where(kept, found.parameters, table.from_standardised(z)[0])
        achieved = forward(proposed)
        return (proposed, achieved), achieved

    nearer = nearest_render(way, see, None, 1)
    if nearer is None:
        return found
    moved_to, achieved = nearer
    after = replace(now, achieved=achieved, before=_first(now.before, now.achieved))
    return replace(found, after=after, moved_to=moved_to)


def _first(before: Float32Array | None, achieved: Float32Array) -> Float32Array:
    """The achieved latent before the first of several corrections."""
    return achieved if before is None else before


def _apply(found: _Found) -> Outcome:
    """Store in the scene what was found of a head."""
    head = HeadObject.find(found.head_id)
    name, problem = str(head.mesh_object.name), found.problem
    if not problem and not np.array_equal(head.parameters, found.parameters):
        problem = "it moved meanwhile: stop the animation and measure again"
    if problem:
        return Outcome(name, found.before.shift, found.before.shift, problem)
    if found.moved_to is None:
        latents.store(head.mesh_object, found.after)
    else:
        history.before_change(head)
        head.set_parameters(found.moved_to)
        latents.store(head.mesh_object, found.after)
        history.record(head, "Correct")
    return Outcome(name, found.before.shift, found.after.shift)
