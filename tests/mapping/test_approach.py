# SPDX-License-Identifier: GPL-3.0-or-later
"""Half steps from the nearest head so far, on B and F known exactly."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegen_addon.latent.sphere import angle, cosine_distance, normalise
from facegen_addon.mapping.approach import STEP, Approach, answer_from_heads
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.inversion import InversionSettings, TrustRegion, invert
from tests.mapping.test_backward import LinearNetwork, small_ensemble
from tests.training.synthetic import synthetic_table

seeds = st.integers(0, 2**32 - 1)
OFFSET = 0.4 * normalise(np.random.default_rng(99).standard_normal(512))


def latents(rng: np.random.Generator, count: int) -> np.ndarray:
    return normalise(rng.standard_normal((count, 512))).astype(np.float32)


def just_so(asked: np.ndarray, z: np.ndarray) -> np.ndarray:
    """A B whose heads are the latents themselves."""
    return asked


def missing(heads: np.ndarray) -> np.ndarray:
    """An F that misses by the same vector everywhere."""
    return normalise(heads + OFFSET).astype(np.float32)


def begun(requested: np.ndarray, usable: np.ndarray | None = None) -> Approach:
    return Approach(just_so, requested, requested, missing(requested), usable)


def test_the_first_step_goes_half_the_way_to_what_compensates(rng: np.random.Generator) -> None:
    s = latents(rng, 3)
    whole = normalise(2 * s - missing(s).astype(np.float64))
    asked = begun(s).proposed()
    assert STEP == 0.5 and asked.dtype == np.float32
    np.testing.assert_allclose(angle(s, asked), angle(s, whole) / 2, atol=1e-4)
    np.testing.assert_allclose(angle(asked, whole), angle(s, whole) / 2, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_a_miss_that_is_the_same_everywhere_shrinks_each_time(seed: int) -> None:
    s = latents(np.random.default_rng(seed), 4)
    way = begun(s)
    before = angle(s, way.achieved)
    for _ in range(4):
        z = way.proposed()
        assert way.rendered(z, missing(z)).all()
        now = angle(s, way.achieved)
        assert (now < 0.65 * before).all()
        before = now
    np.testing.assert_allclose(way.distances, cosine_distance(s, way.achieved))
    np.testing.assert_array_equal(way.z, way.asked)


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 6))
def test_whatever_renders_show_heads_are_never_farther_than_before(seed: int, steps: int) -> None:
    """F is random, and now and then shows no face."""
    rng = np.random.default_rng(seed)
    s, count = latents(rng, 5), 5
    rendered = [(np.arange(count)[:, None] + 0.0, latents(rng, count))]
    way = Approach(lambda asked, z: z + count, s, *rendered[0])
    for _ in range(steps):
        former = way.distances.copy()
        z, seen = way.proposed(), latents(rng, count)
        seen[rng.random(count) < 0.3] = np.nan
        nearer = way.rendered(z, seen)
        np.testing.assert_array_equal(nearer, way.distances < former)
        assert (way.distances <= former).all()
        rendered.append((z, seen))
    distances = np.stack([cosine_distance(s, seen) for _, seen in rendered])
    best, rows = np.nanargmin(distances, axis=0), np.arange(count)
    np.testing.assert_allclose(way.distances, distances[best, rows])
    np.testing.assert_array_equal(way.z, np.stack([z for z, _ in rendered])[best, rows])
    np.testing.assert_array_equal(way.achieved, np.stack([f for _, f in rendered])[best, rows])


def test_a_step_that_does_not_help_is_taken_back_and_halved(rng: np.random.Generator) -> None:
    s = latents(rng, 1)
    way = begun(s)
    for expected in (0.5, 0.25, 0.125):
        asked = way.proposed()
        whole = normalise(2 * s - way.achieved.astype(np.float64))
        np.testing.assert_allclose(angle(s, asked), expected * angle(s, whole), atol=1e-4)
        assert not way.rendered(asked, -s).any()
        np.testing.assert_array_equal(way.z, s)
        np.testing.assert_array_equal(way.asked, s)
    asked = way.proposed()
    assert way.rendered(asked, missing(asked)).all()
    # A short step helps, and the next starts there.
    np.testing.assert_array_equal(way.asked, asked)
    assert 0 < angle(asked, way.proposed()) < angle(s, begun(s).proposed())


@pytest.mark.parametrize("said", [True, False])
def test_a_head_without_a_face_is_infinitely_far_and_any_face_replaces_it(
    said: bool, rng: np.random.Generator
) -> None:
    """Whether it is said which they are, or seen by what is not finite."""
    s, usable = latents(rng, 3), np.array([True, False, False])
    seen = missing(s)
    seen[~usable] = 0.0 if said else np.nan
    way = Approach(just_so, s, s, seen, usable if said else None)
    assert np.isinf(way.distances).tolist() == [False, True, True]
    z = way.proposed()
    np.testing.assert_allclose(z[1:], s[1:], atol=1e-6)  # it is asked for as it was
    faces = np.stack([np.full(512, np.nan), -s[1], np.full(512, np.nan)]).astype(np.float32)
    assert way.rendered(z, faces).tolist() == [False, True, False]
    np.testing.assert_allclose(way.distances[1], 2.0, atol=1e-6)
    assert np.isinf(way.distances[2]) and np.isfinite(way.achieved).all()
    # What went nowhere was not too long; what went astray is halved.
    z = way.proposed()
    assert way.rendered(z, missing(z)).all()
    asked = way.proposed()
    first = begun(s[[2]])
    first.rendered(s[[2]], s[[2]] * np.nan)
    assert angle(s[2], asked[2]) > 1.5 * angle(s[2], first.proposed()[0])


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_many_are_as_many_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    s, usable = latents(rng, 4), rng.random(4) < 0.8
    together = begun(s, usable)
    alone = [begun(s[[i]], usable[[i]]) for i in range(4)]
    for _ in range(3):
        z = together.proposed()
        seen = normalise(z + rng.choice([0.3, 3.0], (4, 1)) * OFFSET).astype(np.float32)
        faces = rng.random(4) < 0.8
        together.rendered(z, seen, faces)
        for i, way in enumerate(alone):
            np.testing.assert_allclose(way.proposed()[0], z[i], atol=1e-6)
            way.rendered(z[[i]], seen[[i]], faces[[i]])
    for name in ("z", "achieved", "distances", "asked"):
        expected = np.concatenate([getattr(way, name) for way in alone])
        np.testing.assert_allclose(getattr(together, name), expected, atol=1e-6)


def test_what_it_is_given_is_left_as_it_was(rng: np.random.Generator) -> None:
    s = latents(rng, 2)
    z, seen = s.copy(), missing(s)
    seen[1] = np.nan
    kept = [array.copy() for array in (s, z, seen)]
    way = Approach(just_so, s, z, seen)
    way.rendered(way.proposed(), s)
    for array, before in zip((s, z, seen), kept, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.fixture(scope="module")
def backward() -> BackwardMapping:
    table = synthetic_table(16)
    ensemble, options = small_ensemble(), InversionSettings.of(table)
    region = TrustRegion.of(table, options, np.eye(16))
    network: Any = LinearNetwork(ensemble)
    return BackwardMapping.assemble(table, ensemble, region, options, network)


def test_b_starts_from_the_heads_or_directly(
    backward: BackwardMapping, rng: np.random.Generator
) -> None:
    z = backward.region.project(rng.normal(size=(3, 16)))
    asked = backward.predicted(backward.region.project(z + rng.normal(0, 0.1, z.shape)))
    refined = answer_from_heads(backward)(asked, z)
    expected = invert(backward.ensemble, asked, z, backward.region, backward.settings)
    np.testing.assert_array_equal(refined, expected)
    assert np.abs(refined - backward.standardised(asked)).max() > 1e-3
    direct = answer_from_heads(backward, "direct")(asked, z)
    np.testing.assert_array_equal(direct, backward.standardised(asked, "direct"))


@pytest.mark.parametrize("grade", ["refined", "direct"])
def test_it_brings_heads_of_a_b_nearer_than_b_alone(
    backward: BackwardMapping, grade: Any, rng: np.random.Generator
) -> None:
    """F is what the surrogates say, shifted by what they do not know of."""

    def seen(z: np.ndarray) -> np.ndarray:
        return normalise(backward.predicted(z) + OFFSET).astype(np.float32)

    truth = backward.region.project(rng.normal(0, 0.6, (8, 16)))
    requested = seen(truth)  # so it can be reached
    z = backward.standardised(requested, grade)
    way = Approach(answer_from_heads(backward, grade), requested, z, seen(z))
    first = way.distances.copy()
    for _ in range(4):
        z = way.proposed()
        way.rendered(z, seen(z))
    assert way.distances.mean() < 0.8 * first.mean()


def test_the_stand_in_has_the_interface_of_an_answer(backward: BackwardMapping) -> None:
    from inspect import signature

    answer = answer_from_heads(SimpleNamespace())  # type: ignore[arg-type]
    assert list(signature(answer).parameters) == list(signature(just_so).parameters)
