# SPDX-License-Identifier: GPL-3.0-or-later
"""A variety without renders: heads that are apart by what surrogates predict, with a margin.

For whoever has no encoder's file yet. The surrogates know FaceNet's answers to renders; how far the
distance of two rendered heads falls short of theirs is known, and demanded on top.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache, partial
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, Float32Array, FloatArray
from ..encoders.encoder import DEFAULT_ENCODER
from ..errors import NotReached, UserError
from ..generators import retold
from ..heads.head_model import HeadModel
from ..latent.selection import greedy_selection, largest_distance, largest_selection
from ..latent.sphere import cosine_distance_matrix
from ..latent.who import Who, sex_range
from ..mapping.backward import Progress
from ..mapping.screening import VarietyProposal, propose_variety
from ..random_streams import random_stream
from .background_thread import think
from .candidates import Guide, load_guide
from .hands import ONE_RENDER, OTHER_CROPS, OTHER_HANDS
from .held import Held
from .request import VarietyRequest
from .result import VarietyEvent

SHARE = 0.95
"""Of pairs: so many are apart in renders if they are predicted to be so with the margin."""

_MARGINS: dict[str, dict[str, float]] = {
    ONE_RENDER: {"person": 0.09},
    OTHER_CROPS: {"person": 0.22},
}
"""Where pairs have to be apart -> by head model, how far they fall short of the prediction, but for
1 - SHARE of those near the demand (tools/predicted_margin.py: 514 such pairs of 48 heads)."""

_PER_HEAD, _AT_LEAST = 5, 32  # heads proposed together
_TRIES = 8
"""Proposals at most, seconds each: three were too few for six women of 60 to 69."""


@dataclass(frozen=True)
class PredictedHead:
    """parameters (P,) of a head; requested (512,), the latent asked of B, and predicted (512,),
    where surrogates expect its render."""

    parameters: Annotated[FloatArray, "P"]
    requested: Annotated[Float32Array, "512"]
    predicted: Annotated[Float32Array, "512"]


@dataclass(frozen=True)
class PredictedVariety:
    """heads: as many as demanded, of which SHARE of the pairs are at ``distance`` if rendered."""

    model: str
    seed: int
    distance: float
    heads: list[PredictedHead]

    @property
    def summary(self) -> str:
        """What was made, in a line that fits into a sidebar."""
        count = len(self.heads)
        return f"{count} heads, {self.distance:.2f} apart as predicted" if count > 1 else "1 head"


def margin(model: str, apart_in: str = ONE_RENDER) -> float:
    """How far pairs of a head model's heads fall short, but for 1 - SHARE of them; of a model for
    which that was not measured, the largest known."""
    known = _MARGINS[apart_in]
    return known.get(model, max(known.values()))


def guarantee(distance: float, translated: Callable[[str], str] = str) -> tuple[str, ...]:
    """What holds of a variety by prediction, in lines for a narrow sidebar."""
    lines = (
        "Predicted, not seen: {share} of pairs",
        "will be {distance} apart in renders.",
        "With FaceNet: every pair, measured.",
    )
    figures = {"share": f"{SHARE:.0%}", "distance": f"{distance:.2f}"}
    return tuple(translated(line).format(**figures) for line in lines)


def predict_variety(
    request: VarietyRequest,
    model: HeadModel,
    load: Callable[[HeadModel, Who], Guide] = load_guide,
    held: Held | None = None,
) -> Generator[VarietyEvent, None, PredictedVariety]:
    """Propose heads and choose as many as demanded that are predicted to be apart.

    The same for the same request. `held`: what all heads keep of one that is there. UserError for
    what only renders can tell; NotReached, with what was reached, where there are too few after
    some tries.
    """
    _check(request)
    demanded = request.distance + margin(request.model, request.apart_in)
    count = request.count
    parameters: list[FloatArray] = []
    latents: list[Float32Array] = []
    predicted: list[Float32Array] = []
    guide = cache(partial(_guide, model, request.who, load, held))
    yield VarietyEvent("sample", 0, count)
    for number in range(_TRIES):
        proposal = yield from _thought(request, guide, number, demanded)
        fits = _of_sex(model, request.sex, proposal.parameters, held)
        made = proposal.parameters if held is None else held.kept(proposal.parameters)
        parameters.extend(made[fits])
        latents.extend(proposal.requested[fits])
        predicted.extend(proposal.predicted[fits])
        if len(predicted) < count:
            continue
        distances = cosine_distance_matrix(np.array(predicted))
        chosen = greedy_selection(distances, demanded)
        if len(chosen) < count:
            chosen = largest_selection(distances, demanded, start=chosen, target=count)
        if len(chosen) >= count:
            heads = [
                PredictedHead(parameters[index], latents[index], predicted[index])
                for index in chosen[:count]
            ]
            return PredictedVariety(request.model, request.seed, request.distance, heads)
    if len(predicted) < count:
        raise NotReached(
            f"{len(predicted)} of {count} heads are of the sex that was asked for by their own"
            " sliders, too; ask for fewer, or build FaceNet, which sees them"
        )
    reached = largest_distance(distances, count).distance - (demanded - request.distance)
    raise NotReached(
        f"{len(chosen)} of {count} heads are predicted to be {request.distance:g} apart; {count}"
        f" reach {max(reached, 0.0):.2f}; ask for fewer or a smaller distance, or build FaceNet,"
        " which needs no margin"
    )


def _of_sex(
    model: HeadModel, sex: str, parameters: Annotated[FloatArray, "N P"], held: Held | None
) -> Annotated[BoolArray, "N"]:
    """Which heads (N, P) are of the sex that is asked for by themselves, too: where nobody looks at
    them, one between the sexes may pass for either. All, where some of them is locked."""
    attributes = model.attributes(parameters) if held is None else None
    if attributes is None:
        return np.ones(len(parameters), bool)
    low, high = sex_range(sex)
    return (attributes[:, 0] >= low) & (attributes[:, 0] < high)


def _guide(
    model: HeadModel, who: Who, load: Callable[[HeadModel, Who], Guide], held: Held | None
) -> Guide:
    backward, faces = load(model, who)
    return (backward if held is None else held.backward(backward, model.table)), faces


def _check(request: VarietyRequest) -> None:
    """UserError for what cannot be told without renders."""
    refused = (
        ("encoder", request.encoder, request.encoder != DEFAULT_ENCODER),
        ("second_encoder", request.second_encoder, bool(request.second_encoder)),
        ("corrections", request.corrections, bool(request.corrections)),
        ("fill_gaps", "of runs", bool(request.fill_gaps)),
        ("distribution", request.distribution, request.distribution != "latent"),
        ("apart_in", request.apart_in, request.apart_in == OTHER_HANDS),
    )
    for name, value, is_refused in refused:
        if is_refused:
            raise UserError(f"{name} {value} needs renders that FaceNet sees: build its file")


def _thought(
    request: VarietyRequest, load: Callable[[], Guide], number: int, demanded: float
) -> Generator[VarietyEvent, None, VarietyProposal]:
    """The proposal of one number, thought out in a thread."""

    def propose(tell: Progress) -> VarietyProposal:
        rng = random_stream(request.seed, number)
        count = max(_PER_HEAD * request.count, _AT_LEAST)
        return propose_variety(*load(), rng, count, demanded, request.grade, tell)

    def told(step: tuple[int, int]) -> VarietyEvent:
        done, total = step
        share = done / total if total else 0.0
        return VarietyEvent("sample", int(share * request.count), request.count)

    proposal = yield from retold(think(propose), told)
    return proposal
