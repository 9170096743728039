# SPDX-License-Identifier: GPL-3.0-or-later
"""Roundtrips that look at their own renders, and their figures, on F known exactly."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegen_addon.errors import RejectedSample, UserError
from facegen_addon.latent.sphere import normalise
from facegen_addon.mapping.approach import Approach
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.correction import FEEDBACK
from facegen_addon.mapping.inversion import InversionSettings, TrustRegion
from facegen_addon.mapping.roundtrip import (
    FEEDBACKS,
    HALF_STEPS,
    Roundtrip,
    improvement,
    iterate,
    make_roundtrip,
    mean_shift,
    nearest_identity,
    one_by_one,
    shift_figures,
)
from tests.mapping.test_backward import LinearNetwork, small_ensemble
from tests.training.synthetic import synthetic_table

seeds = st.integers(0, 2**32 - 1)
OFFSET = 0.3 * normalise(np.random.default_rng(99).standard_normal(512))


class IdentityBackward:
    """A B whose parameters are the latent itself; remembers the grades that it was asked for."""

    table = SimpleNamespace(standardise=np.array, from_standardised=np.array)

    def __init__(self) -> None:
        self.grades: list[str] = []

    def standardised(self, latents: np.ndarray, grade: str) -> np.ndarray:
        return self.parameters(latents, grade).astype(np.float32)

    def parameters(self, latents: np.ndarray, grade: str) -> np.ndarray:
        self.grades.append(grade)
        return latents.astype(np.float64)


def offset_forward(parameters: np.ndarray) -> np.ndarray:
    """Every head falls short by the same vector."""
    return normalise(parameters + OFFSET).astype(np.float32)


def natural(seed: int, count: int) -> np.ndarray:
    return normalise(np.random.default_rng(seed).standard_normal((count, 512))).astype(np.float32)


def run(
    latents: np.ndarray,
    forward: Any = offset_forward,
    feedback: str = "compensated",
    **options: Any,
) -> Any:
    """This B has a direct grade only: it starts from no head."""
    backward: Any = IdentityBackward()
    return iterate(latents, backward, forward, "direct", feedback=feedback, **options)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_each_compensated_render_brings_the_heads_nearer(seed: int) -> None:
    trip = run(natural(seed, 5), renders=3)
    shifts = np.stack([trip.step(k).shift for k in range(4)])
    # What comes back exactly stays: nothing is smaller than no shift, but for rounding.
    assert (shifts[1] <= 0.1 * shifts[0] + 1e-6).all()
    assert (shifts[3] <= 0.3 * shifts[1] + 1e-6).all()


def test_every_step_is_kept_and_consistent() -> None:
    s = natural(0, 4)
    trip = run(s, renders=2)
    assert trip.asked.shape == trip.achieved.shape == (3, 4, 512)
    assert trip.parameters.shape == (3, 4, 512) and trip.usable.all()
    np.testing.assert_array_equal(trip.asked[0], trip.requested)
    for k in range(3):
        np.testing.assert_allclose(trip.achieved[k], offset_forward(trip.parameters[k]), atol=1e-6)
    for k in range(2):
        expected = FEEDBACK["compensated"](s, trip.achieved[k], trip.asked[k])
        np.testing.assert_allclose(trip.asked[k + 1], expected, atol=1e-6)
    np.testing.assert_array_equal(trip.final.achieved, trip.achieved[2])


def test_the_talks_formula_as_written_asks_for_what_came_back() -> None:
    trip = run(natural(1, 4), feedback="as_written", renders=2)
    np.testing.assert_allclose(trip.asked[1], trip.achieved[0], atol=1e-6)
    np.testing.assert_allclose(trip.asked[2], trip.achieved[1], atol=1e-6)
    assert (trip.step(1).shift > trip.step(0).shift).all()


def test_the_nearest_of_all_steps_is_found_head_by_head() -> None:
    s, calls = natural(13, 4), []

    def forward(parameters: np.ndarray) -> np.ndarray:
        """Falls short at first for all, later only for every other head, and then by more."""
        calls.append(1)
        falls = [1.0] * 4 if len(calls) == 1 else [0.1, 3.0, 0.1, 3.0]
        return normalise(parameters + np.outer(falls, OFFSET)).astype(np.float32)

    trip = run(s, forward, renders=1, feedback="as_written")
    step = [trip.step(k).shift for k in range(2)]
    np.testing.assert_allclose(trip.nearest.shift, np.minimum(*step), atol=1e-6)
    for row, k in enumerate(np.argmin(step, axis=0)):
        np.testing.assert_array_equal(trip.nearest.parameters[row], trip.parameters[k, row])


def test_half_steps_are_those_of_an_approach() -> None:
    s = natural(14, 4)
    trip = run(s, feedback=HALF_STEPS, renders=3)
    way = Approach(lambda asked, z: asked, trip.requested, s, offset_forward(s))
    for k in range(1, 4):
        way.rendered(way.proposed(), offset_forward(way.proposed()))
        np.testing.assert_allclose(trip.asked[k], way.asked, atol=1e-6)
        np.testing.assert_allclose(trip.achieved[k], way.achieved, atol=1e-6)
        np.testing.assert_allclose(trip.parameters[k], trip.asked[k], atol=1e-6)
    assert (trip.step(3).shift < 0.1 * trip.step(0).shift).all()
    np.testing.assert_array_equal(trip.nearest.shift, trip.final.shift)


def test_half_steps_keep_what_no_further_render_betters() -> None:
    s, calls = natural(15, 3), []

    def forward(parameters: np.ndarray) -> np.ndarray:
        """The first render of the correction helps the first head only, and the second shows no
        face of the second one."""
        calls.append(parameters)
        falls = [1.0] * 3 if len(calls) == 1 else [0.1, 3.0, 3.0]
        seen = normalise(parameters + np.outer(falls, OFFSET)).astype(np.float32)
        if len(calls) == 3:
            seen[1] = np.nan
        return seen

    trip = run(s, forward, feedback=HALF_STEPS, renders=2)
    assert len(calls) == 3 and trip.usable.all()
    shifts = np.stack([trip.step(k).shift for k in range(3)])
    assert shifts[1, 0] < 0.5 * shifts[0, 0]
    np.testing.assert_array_equal(shifts[1:, 1:], shifts[[0, 0], 1:])
    np.testing.assert_array_equal(trip.parameters[2, 1:], calls[0][1:])
    np.testing.assert_array_equal(trip.asked[2, 1:], trip.asked[0, 1:])


def test_half_steps_of_a_network_are_asked_for_through_the_correction() -> None:
    """The refined B goes on from the heads instead, see test_approach."""

    def correct(latents: np.ndarray) -> np.ndarray:
        return normalise(latents - 0.5 * OFFSET).astype(np.float32)

    s = natural(16, 4)
    trip = run(s, feedback=HALF_STEPS, renders=2, correct=correct)
    plain = run(s, feedback=HALF_STEPS, renders=2)
    np.testing.assert_allclose(trip.asked[0], correct(s), atol=1e-6)
    assert (trip.final.shift < trip.step(0).shift).all()
    assert (trip.final.shift < plain.final.shift).all()
    np.testing.assert_allclose(trip.parameters, trip.asked, atol=1e-6)


def test_half_steps_of_a_refined_b_go_on_from_its_heads() -> None:
    table = synthetic_table(16)
    ensemble, options = small_ensemble(), InversionSettings.of(table)
    region = TrustRegion.of(table, options, np.eye(16))
    network: Any = LinearNetwork(ensemble)
    backward = BackwardMapping.assemble(table, ensemble, region, options, network)

    def forward(parameters: np.ndarray) -> np.ndarray:
        return offset_forward(backward.predicted(table.standardise(parameters)))

    truth = region.project(np.random.default_rng(17).normal(0, 0.6, (6, 16)))
    s = offset_forward(backward.predicted(truth))
    trip = iterate(s, backward, forward, renders=3)
    assert trip.step(3).shift.mean() < 0.8 * trip.step(0).shift.mean()
    for k in range(4):
        np.testing.assert_allclose(trip.achieved[k], forward(trip.parameters[k]), atol=1e-5)
    np.testing.assert_allclose(trip.parameters[0], backward.parameters(s), atol=1e-6)


def test_a_correction_says_what_to_ask_for_first() -> None:
    s = natural(2, 3)
    trip = run(s, correct=lambda latents: normalise(latents - OFFSET).astype(np.float32))
    np.testing.assert_allclose(trip.requested, s, atol=1e-6)
    assert trip.final.shift.max() < 0.02 < run(s).final.shift.min()


def test_the_grade_reaches_b() -> None:
    backward: Any = IdentityBackward()
    make_roundtrip(natural(3, 2), backward, offset_forward, "direct")
    assert backward.grades == ["direct"]


@pytest.mark.parametrize("feedback", FEEDBACKS)
def test_a_head_without_a_face_spoils_no_other(feedback: str) -> None:
    s, calls = natural(4, 3), []

    def forward(parameters: np.ndarray) -> np.ndarray:
        if np.allclose(parameters[0], s[1], atol=1e-3):
            raise RejectedSample("turned away")
        return offset_forward(parameters)

    trip = run(s, one_by_one(forward, lambda: calls.append(1)), feedback, renders=2)
    assert trip.usable.tolist() == [True, False, True] and len(calls) == 9
    assert not trip.achieved[:, 1].any()
    np.testing.assert_array_equal(trip.asked[:, 1], np.stack([trip.requested[1]] * 3))
    np.testing.assert_allclose(
        trip.achieved[:, 0], run(s[:1], feedback=feedback, renders=2).achieved[:, 0]
    )
    none_left = run(s[1:2], one_by_one(forward), feedback, renders=1)
    assert not none_left.usable.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"feedback": "louder"}, "unknown feedback 'louder'"), ({"renders": -1}, "-1 renders")],
)
def test_wrong_demands_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(natural(5, 2), **options)


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        (np.ones((2, 128)), r"\(2, 128\): give rows of 512"),
        (np.zeros((1, 512)), "norm 0"),
        (np.full((1, 512), np.nan), "norm nan"),
    ],
)
def test_latents_that_are_none_are_refused(latents: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(latents)


def test_a_shift_that_all_share_is_wholly_common() -> None:
    s = natural(6, 50)
    shift = mean_shift(s, s + OFFSET)
    np.testing.assert_allclose(shift.vector, OFFSET, atol=1e-6)
    assert shift.length == pytest.approx(0.3) and shift.common_share == pytest.approx(1.0)


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(2, 60))
def test_shifts_that_share_nothing_are_common_by_one_in_n(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    shift = mean_shift(natural(seed, count), natural(seed, count) + rng.normal(size=(count, 512)))
    assert shift.common_share == pytest.approx(1 / count, rel=0.4)


def test_no_shift_has_no_share_and_no_angle() -> None:
    s = natural(7, 5)
    shift = mean_shift(s, s)
    assert (shift.length, shift.common_share) == (0.0, 0.0) and shift.degrees < 1e-3
    with pytest.raises(ValueError, match="no latents"):
        mean_shift(s[:0], s[:0])


def turned(s: np.ndarray, degrees: float, seed: int = 0) -> Roundtrip:
    """A roundtrip that turns every latent by the same angle, each in its own direction."""
    across = natural(seed + 1000, len(s))
    across = normalise(across - np.sum(across * s, axis=1, keepdims=True) * s)
    radians = np.radians(degrees)
    achieved = (np.cos(radians) * s + np.sin(radians) * across).astype(np.float32)
    return Roundtrip(s, achieved, np.zeros((len(s), 1)))


def test_figures_of_a_known_angle() -> None:
    figures = shift_figures(turned(natural(8, 30), 40.0), np.random.default_rng(0))
    for name in ("mean", "median", "quantile90"):
        assert figures["degrees"][name]["value"] == pytest.approx(40.0, abs=1e-3)
        expected = 1 - np.cos(np.radians(40.0))
        assert figures["distance"][name]["value"] == pytest.approx(expected, abs=1e-5)
        assert figures["degrees"][name]["low"] == pytest.approx(40.0, abs=1e-3)


def test_intervals_hold_the_value_and_have_a_width() -> None:
    s = natural(9, 40)
    trips = [turned(s[i : i + 1], 30 + i, i) for i in range(40)]
    whole = Roundtrip(s, np.concatenate([t.achieved for t in trips]), np.zeros((40, 1)))
    for figure in shift_figures(whole, np.random.default_rng(1))["degrees"].values():
        assert figure["low"] < figure["value"] < figure["high"]


def test_improvement_is_judged_head_by_head() -> None:
    s = natural(10, 20)
    gain = improvement(turned(s, 60.0), turned(s, 40.0, 1), np.random.default_rng(0))
    assert gain["degrees"]["value"] == pytest.approx(-20.0, abs=1e-3)
    assert gain["degrees"]["high"] == pytest.approx(-20.0, abs=1e-3)
    expected = (1 - np.cos(np.radians(40))) / 0.5
    assert gain["distance_ratio"]["value"] == pytest.approx(expected, abs=1e-4)
    assert gain["nearer"]["value"] == 1.0


def test_rows_choose_all_that_belongs_together() -> None:
    trip = turned(natural(11, 6), 50.0)
    part = trip.rows(np.array([4, 1]))
    np.testing.assert_array_equal(part.requested, trip.requested[[4, 1]])
    np.testing.assert_array_equal(part.achieved, trip.achieved[[4, 1]])
    assert part.parameters.shape == (2, 1)


def test_the_nearest_identity_is_named_with_its_distance() -> None:
    gallery = natural(12, 9)
    index, distance = nearest_identity(gallery[[7, 2]], gallery)
    assert index.tolist() == [7, 2]
    np.testing.assert_allclose(distance, 0.0, atol=1e-6)


def test_stand_ins_have_the_interface_of_b() -> None:
    """The backward mapping's own method takes what the stand-in takes."""
    from inspect import signature

    for method in ("parameters", "standardised"):
        names = list(signature(getattr(BackwardMapping, method)).parameters)
        stand_in = list(signature(getattr(IdentityBackward, method)).parameters)
        assert names[1:3] == stand_in[1:]
