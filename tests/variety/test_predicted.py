# SPDX-License-Identifier: GPL-3.0-or-later
"""Varieties without renders: apart by prediction, with a margin."""

from typing import Any

import numpy as np
import pytest

from facegen_addon.errors import NotReached, UserError
from facegen_addon.latent.sphere import cosine_distance_matrix
from facegen_addon.variety import predicted as module
from facegen_addon.variety.hands import ONE_RENDER, OTHER_CROPS
from facegen_addon.variety.held import Held
from facegen_addon.variety.predicted import (
    PredictedVariety,
    guarantee,
    margin,
    predict_variety,
)
from facegen_addon.variety.request import VarietyRequest
from tests.mapping.test_backward import TABLE
from tests.variety.stand_ins import HEAD, guide

# The heads of the stand-ins are all much like one another.
DISTANCE = 0.01
MARGINS = {ONE_RENDER: {"person": 0.01}, OTHER_CROPS: {"person": 0.02}}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MARGINS", MARGINS)


def predicted(held: Held | None = None, **asked: Any) -> tuple[PredictedVariety, list[str]]:
    """The variety of a request, and the stages that were told."""
    request = VarietyRequest(**{"count": 3, "distance": DISTANCE, "grade": "direct"} | asked)
    steps = predict_variety(request, HEAD, held=held, load=lambda model, who: guide())
    stages = []
    while True:
        try:
            stages.append(next(steps).stage)
        except StopIteration as finished:
            return finished.value, stages


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("apart_in", [ONE_RENDER, OTHER_CROPS])
def test_every_pair_is_predicted_to_be_apart_with_the_margin(apart_in: str) -> None:
    made, stages = predicted(apart_in=apart_in, seed=5)
    assert len(made.heads) == 3 and set(stages) == {"sample"}
    backward, _ = guide()
    parameters = np.stack([head.parameters for head in made.heads])
    latents = backward.predicted(TABLE.standardise(parameters))
    np.testing.assert_allclose(latents, [head.predicted for head in made.heads], atol=1e-6)
    distances = cosine_distance_matrix(latents)[np.triu_indices(3, 1)]
    assert distances.min() >= DISTANCE + MARGINS[apart_in]["person"]
    assert (made.seed, made.distance) == (5, DISTANCE)
    assert made.summary == "3 heads, 0.01 apart as predicted"


@pytest.mark.usefixtures("small")
def test_the_same_request_makes_the_same_heads() -> None:
    first, second, other = (predicted(seed=seed)[0] for seed in (1, 1, 2))
    for one, same in zip(first.heads, second.heads, strict=True):
        np.testing.assert_array_equal(one.parameters, same.parameters)
    assert (first.heads[0].parameters != other.heads[0].parameters).any()


@pytest.mark.usefixtures("small")
def test_what_is_locked_is_the_same_on_all_heads() -> None:
    locked = np.arange(len(TABLE)) < 2
    values = TABLE.default() + 0.1 * TABLE.std
    made, _ = predicted(Held(values, locked))
    for head in made.heads:
        np.testing.assert_array_equal(head.parameters[locked], values[locked])
    assert (made.heads[0].parameters[~locked] != made.heads[1].parameters[~locked]).any()


@pytest.mark.usefixtures("small")
def test_all_are_of_the_sex_asked_for_by_their_own_sliders(monkeypatch: pytest.MonkeyPatch) -> None:
    def attributes(head: Any, parameters: np.ndarray) -> np.ndarray:
        sex = (parameters[:, 1] > TABLE.mean[1]).astype(float)
        return np.stack([sex, np.full(len(sex), 40.0), np.full(len(sex), 60.0)], axis=1)

    monkeypatch.setattr(type(HEAD), "attributes", attributes)
    for sex, is_woman in (("woman", True), ("man", False)):
        made, _ = predicted(sex=sex, count=2)
        assert [h.parameters[1] > TABLE.mean[1] for h in made.heads] == [is_woman] * 2
    made, _ = predicted(Held(TABLE.default(), np.arange(len(TABLE)) == 1), sex="woman")
    assert len(made.heads) == 3  # as locked


def test_a_demand_that_is_not_reached_says_what_is() -> None:
    with pytest.raises(NotReached, match=r"of 3 heads are predicted to be 1.5 apart; 3 reach 0\."):
        predicted(distance=1.5)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"encoder": "sface"}, "encoder sface"),
        ({"corrections": 1}, "corrections 1"),
        ({"distribution": "prior"}, "distribution prior"),
        ({"apart_in": "other-hands"}, "apart_in other-hands"),
        ({"second_encoder": "sface"}, "second_encoder sface"),
    ],
)
def test_what_only_renders_can_tell_is_refused(asked: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=f"{named} needs renders that FaceNet sees"):
        predicted(**asked)


def test_a_model_that_was_not_measured_has_the_largest_margin() -> None:
    assert margin("flame_0123456789ab") == max(margin(name) for name in ("person",))
    assert margin("person", OTHER_CROPS) > margin("person") > 0


def test_the_guarantee_fits_into_a_sidebar() -> None:
    lines = guarantee(0.51)
    assert "0.51" in " ".join(lines) and "95%" in " ".join(lines)
    assert max(map(len, lines)) <= 40
