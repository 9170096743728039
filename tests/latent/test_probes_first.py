# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing what probes say first is drawing all and rejecting most."""

import numpy as np
import pytest

from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.people import SEXES, Group, Population, PopulationFaces
from facegen_addon.latent.probes_first import ProbesFirst, distance_bounds

NATURAL = NaturalFaces.load()
PROBES = AttributeProbes.load().on_axes(NATURAL.basis)


def first() -> ProbesFirst:
    return ProbesFirst(NATURAL, PROBES.weights)


def test_completed_candidates_are_drawn_as_ever() -> None:
    """Whatever is not rejected: mean, spread, lengths and what probes say."""
    rng = np.random.default_rng(0)
    drawing = first()
    points = drawing.complete(rng, drawing.draw(rng, 40_000))
    ordinary = NATURAL.draw(rng, 40_000)
    for one, other in ((points, ordinary), (points @ PROBES.weights, ordinary @ PROBES.weights)):
        error = np.sqrt((one.var(axis=0) + other.var(axis=0)) / 40_000)
        assert np.abs((one.mean(axis=0) - other.mean(axis=0)) / error).max() < 5
        assert np.allclose(one.std(axis=0), other.std(axis=0), rtol=0.04)
    lengths, expected = (np.sort(np.linalg.norm(x, axis=1)) for x in (points, ordinary))
    assert np.abs(lengths - expected)[400:-400].max() < 0.02


def test_completed_candidates_say_what_they_were_drawn_to_say() -> None:
    rng = np.random.default_rng(1)
    candidates = first().draw(rng, 500)
    points = first().complete(rng, candidates)
    assert np.allclose(points @ PROBES.weights, candidates.said, atol=1e-8)


@pytest.mark.parametrize(
    "group",
    [
        Group(SEXES["woman"], (55.0, 75.0), (-np.inf, 60.0)),
        Group(age=(50.0, 60.0), lightness=(66.0, 75.0)),
    ],
    ids=str,
)
def test_a_rare_group_is_as_by_rejection(group: Group) -> None:
    rng = np.random.default_rng(2)
    points = NATURAL.draw(rng, 100_000)
    everybody = points / np.linalg.norm(points, axis=1, keepdims=True)
    expected = everybody[group.holds(PROBES.read(everybody))]
    assert 200 < len(expected) < 10_000
    faces = PopulationFaces(NATURAL, AttributeProbes.load(), Population((group,), (1.0,)))
    found = faces.sample(rng, 3000) @ NATURAL.basis
    error = np.sqrt(found.var(axis=0) / len(found) + expected.var(axis=0) / len(expected))
    assert np.abs((found.mean(axis=0) - expected.mean(axis=0)) / error).max() < 5
    ratio = found[:, :40].var(axis=0) / expected[:, :40].var(axis=0)
    assert np.abs(np.log(ratio)).max() < 6 * np.sqrt(2 / len(expected))
    limit = 2.2 * np.sqrt(1 / len(found) + 1 / len(expected))
    for one, other in zip(PROBES.read(found).T, PROBES.read(expected).T, strict=True):
        assert largest_gap(one, other) < limit


def largest_gap(one: np.ndarray, other: np.ndarray) -> float:
    """Kolmogorov and Smirnov's: between two samples' shares below any number."""
    at = np.sort(np.concatenate([one, other]))
    below = [np.searchsorted(np.sort(x), at, side="right") / len(x) for x in (one, other)]
    return float(np.abs(below[0] - below[1]).max())


def test_nobody_who_may_belong_is_passed_over() -> None:
    """Candidates that are turned away at once belong to the group on no completion."""
    group = Group(SEXES["woman"], (50.0, 60.0))
    rng, drawing = np.random.default_rng(3), first()
    candidates = drawing.draw(rng, 40_000)
    may = drawing.may_read(candidates, *group.linear_bounds(PROBES.biases))
    points = drawing.complete(rng, candidates)
    directions = points / np.linalg.norm(points, axis=1, keepdims=True)
    belongs = group.holds(PROBES.read(directions))
    assert belongs.sum() > 200
    assert not (belongs & ~may).any()
    assert may.mean() < 0.5


def test_points_lie_within_their_bounds() -> None:
    rng = np.random.default_rng(4)
    factor = 0.1 * rng.standard_normal((20, 20))
    mean = rng.standard_normal(20)
    variances, axes = np.linalg.eigh(factor @ factor.T)
    low, high = distance_bounds(variances, (mean @ axes) ** 2)
    lengths = np.linalg.norm(mean + rng.standard_normal((200_000, 20)) @ factor.T, axis=1)
    assert low < lengths.min() and lengths.max() < high
    assert low > 0.2 * lengths.min() and high < 2 * lengths.max()


def test_probes_that_say_the_same_do_no_harm() -> None:
    rng = np.random.default_rng(5)
    drawing = ProbesFirst(NATURAL, np.column_stack([PROBES.weights, 3 * PROBES.weights[:, 1]]))
    candidates = drawing.draw(rng, 300)
    assert np.allclose(candidates.said[:, 3], 3 * candidates.said[:, 1])
    points = drawing.complete(rng, candidates)
    assert np.allclose(points @ PROBES.weights, candidates.said[:, :3], atol=1e-6)
