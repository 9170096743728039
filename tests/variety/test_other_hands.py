# SPDX-License-Identifier: GPL-3.0-or-later
"""Varieties that have to hold in other hands, by an F known exactly."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from facegen_addon.encoders.crop_jitter import AS_OURS, CropJitter
from facegen_addon.errors import NotReached, RejectedSample
from facegen_addon.latent.sphere import cosine_distance_matrix, normalise
from facegen_addon.latent.views import lower_bounds
from facegen_addon.variety.apart import Views
from facegen_addon.variety.hands import Hands, other_hands
from facegen_addon.variety.request import VarietyRequest
from facegen_addon.variety.result import Rendered, VarietyResult
from tests.training.synthetic import SyntheticForward
from tests.variety.stand_ins import HEAD, TABLE, Seeing, made, rendered, result_of

WANTED: dict[str, Any] = {"distribution": "prior", "count": 5, "distance": 0.3}
LONG = {**WANTED, "budget": 200}
COMMON = normalise(np.random.default_rng(7).standard_normal(512))
AXES = normalise(np.random.default_rng(8).standard_normal((5, 512)))


class Moved(Seeing):
    """F whose crops move latents by their jitter, and whose other hands draw all heads together."""

    def __init__(
        self,
        jittered: float = 1.0,
        together: float = 0.5,
        blind: Callable[[Hands | None], bool] = lambda hands: False,
    ) -> None:
        super().__init__(SyntheticForward(TABLE))
        self._jittered, self._together, self._blind_in = jittered, together, blind
        self.hands: list[Hands] = []

    def __call__(self, parameters: np.ndarray, hands: Hands | None = None) -> Rendered:
        seen = super().__call__(parameters, hands)
        if self._blind_in(hands):
            raise RejectedSample("turned away")
        if hands is None:
            return seen
        self.hands.append(hands)
        moved = normalise(seen.latent + self._together * COMMON).astype(np.float32)
        return rendered(parameters, moved, len(self.heads))

    def crops(self, seen: Rendered, jitters: Sequence[CropJitter]) -> Views:
        moves = np.array([list(vars(jitter).values()) for jitter in jitters])
        moved = normalise(seen.latent + self._jittered * moves @ AXES).astype(np.float32)
        return (moved,)


def bounds_of(result: VarietyResult, forward: Moved, request: VarietyRequest) -> np.ndarray:
    views = [
        np.concatenate(
            [forward.crops(forward(head.parameters, hands), request.jitters)[0]
             for hands in (None, *request.hands)]
        )
        for head in result.heads
    ]  # fmt: skip
    stacked = np.stack(views)
    return np.stack([lower_bounds(each, stacked) for each in stacked])


def test_crops_cost_no_render_and_hold() -> None:
    request = VarietyRequest(**WANTED, apart_in="other-crops")
    forward = Moved(jittered=2.0)
    result = result_of(request, forward)
    assert not forward.looks and result.looks == 0
    assert len(result.rendered) == len(forward.heads)
    pairs = np.triu_indices(5, 1)
    assert bounds_of(result, forward, request)[pairs].min() >= 0.3
    (held,) = result.holding
    assert held.kept >= 0.3 and held.below < 0.001


def test_one_render_says_nothing_of_other_hands() -> None:
    result = result_of(VarietyRequest(**WANTED, apart_in="one-render"), Moved(jittered=5.0))
    assert result.holding == () and result.looks == 0


def test_close_pairs_are_rendered_again_and_hold_there() -> None:
    request = VarietyRequest(**LONG, apart_in="other-hands")
    forward = Moved()
    result = result_of(request, forward)
    assert 0 < len(forward.looks) == result.looks < 3 * len(forward.heads)
    assert set(forward.hands) <= set(request.hands)
    assert len(result.rendered) + result.looks <= request.renders
    pairs = np.triu_indices(5, 1)
    assert bounds_of(result, Moved(), request)[pairs].min() >= 0.3 - 1e-6
    (held,) = result.holding
    assert held.demanded == 0.3 and held.kept >= 0.28


def test_far_pairs_cost_no_further_render() -> None:
    request = VarietyRequest(**WANTED | {"distance": 0.01, "count": 2}, apart_in="other-hands")
    forward = Moved(jittered=0.1, together=0.0)
    result_of(request, forward)
    first = cosine_distance_matrix(np.stack([forward(h).latent for h in forward.heads[:2]]))
    assert first[0, 1] > 0.3 and not forward.looks


def test_looks_count_in_the_budget() -> None:
    request = VarietyRequest(**WANTED | {"count": 4}, apart_in="other-hands", budget=9)
    forward = Moved(together=5.0)
    with pytest.raises(NotReached, match=r"of 4 heads at distance 0\.3 in other hands after 9 ren"):
        made(request, forward)
    assert len(forward.heads) + len(forward.looks) == 9


def test_heads_whose_face_is_lost_elsewhere_are_left_out() -> None:
    request = VarietyRequest(**WANTED, apart_in="other-hands", budget=60)
    forward = Moved(blind=lambda hands: hands is not None)
    with pytest.raises(NotReached):
        made(request, forward)
    lost = [tuple(parameters) for parameters in forward.looks]
    assert len(lost) == len(set(lost)) > 0  # none is looked at again


def test_a_seed_makes_the_same_heads_in_other_hands() -> None:
    request = VarietyRequest(**LONG, apart_in="other-hands", seed=3)
    first, again = (result_of(request, Moved()) for _ in range(2))
    assert [head.index for head in first.heads] == [head.index for head in again.heads]
    assert first.holding == again.holding and first.seconds.keys() == again.seconds.keys()


def test_progress_is_whole_only_when_pairs_are_sure() -> None:
    events = made(VarietyRequest(**LONG, apart_in="other-hands"), Moved())
    counted = [event.done for event in events if event.stage == "render"]
    assert counted == sorted(counted) and counted[-1] == 5


class SeenByTwo(Moved):
    """The same, and a second encoder that sees but the first numbers of a latent."""

    def crops(self, seen: Rendered, jitters: Sequence[CropJitter]) -> Views:
        (first,) = super().crops(seen, jitters)
        return first, normalise(first[:, :128]).astype(np.float32)


def test_two_encoders_have_to_agree() -> None:
    request = VarietyRequest(
        **WANTED, apart_in="other-crops", second_encoder="sface", second_distance=0.45
    )
    forward = SeenByTwo()
    result = result_of(request, forward)
    second = np.stack([forward.crops(forward(h.parameters), [AS_OURS])[1][0] for h in result.heads])
    pairs = np.triu_indices(5, 1)
    assert cosine_distance_matrix(second)[pairs].min() >= 0.45
    assert [held.encoder for held in result.holding] == ["facenet", "sface"]
    assert min(held.kept for held in result.holding) >= 0.3


def test_an_unmet_demand_names_both_encoders_and_where() -> None:
    request = VarietyRequest(
        **WANTED, second_encoder="sface", second_distance=1.9, apart_in="other-crops", budget=6
    )
    with pytest.raises(NotReached) as unmet:
        made(request, SeenByTwo())
    assert "at distance 0.3 and 1.9 by sface in other crops after 6 renders" in str(unmet.value)
    assert str(unmet.value).endswith("a larger budget, or for less than other-crops")


@pytest.mark.parametrize("light", ["studio", "flash", "interior"])
def test_other_hands_have_other_light_noise_and_pose(light: str) -> None:
    hands = other_hands(light)
    assert len(hands) == 2 and len({one.light for one in hands} - {light}) == 2
    assert all(one.seed and one.yaw and one.pitch for one in hands)
    assert hands[0].yaw == -hands[1].yaw and HEAD is not None
