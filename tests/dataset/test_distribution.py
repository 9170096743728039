# SPDX-License-Identifier: GPL-3.0-or-later
"""Distributions of numbers and of colours: moments, bounds, and what is refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from batch.dataset.colours import read_colours
from batch.dataset.distribution import (
    DistributionError,
    Fixed,
    finite,
    read_distribution,
    weighted,
)

NUMBERS = st.floats(-1e6, 1e6)
RANGES = st.tuples(NUMBERS, NUMBERS).map(sorted)
DISTRIBUTIONS = st.one_of(
    NUMBERS,
    RANGES.map(lambda ends: {"uniform": ends}),
    st.tuples(NUMBERS, st.floats(1e-3, 1e6)).map(lambda pair: {"normal": list(pair)}),
    st.lists(st.tuples(NUMBERS, st.floats(0.1, 1e6)), min_size=1, max_size=5).map(
        lambda pairs: {"choice": [v for v, _ in pairs], "weights": [w for _, w in pairs]}
    ),
)


def many(value: Any, rng: np.random.Generator, count: int = 20_000) -> np.ndarray:
    distribution = read_distribution(value)
    return np.array([distribution.draw(rng) for _ in range(count)])


def test_a_number_is_itself_and_draws_nothing() -> None:
    rng = np.random.default_rng(0)
    assert read_distribution(3).draw(rng) == 3.0
    assert rng.random() == np.random.default_rng(0).random()


def test_uniform_has_the_moments_of_its_range(rng: np.random.Generator) -> None:
    drawn = many({"uniform": [-2, 4]}, rng)
    assert drawn.mean() == pytest.approx(1.0, abs=0.05)
    assert drawn.std() == pytest.approx(6 / np.sqrt(12), abs=0.03)
    assert drawn.min() < -1.99 and drawn.max() > 3.99


@pytest.mark.parametrize(("low", "high"), [(-45.0, 45.0), (-10.0, 30.0), (40.0, 60.0)])
def test_a_truncated_normal_is_one(rng: np.random.Generator, low: float, high: float) -> None:
    drawn = many({"normal": [5, 20], "within": [low, high]}, rng)
    expected = stats.truncnorm((low - 5) / 20, (high - 5) / 20, loc=5, scale=20)
    assert stats.kstest(drawn, expected.cdf).pvalue > 0.001
    assert drawn.mean() == pytest.approx(expected.mean(), abs=0.5)
    assert drawn.std() == pytest.approx(expected.std(), abs=0.5)


def test_a_normal_reaches_three_standard_deviations_unless_told_otherwise() -> None:
    assert read_distribution({"normal": [10, 2]}).bounds == (4.0, 16.0)


def test_a_choice_follows_its_weights_and_never_draws_what_has_none(
    rng: np.random.Generator,
) -> None:
    drawn = many({"choice": [1, 2, 3], "weights": [3, 1, 0]}, rng)
    assert np.isin(drawn, [1, 2]).all()
    assert (drawn == 1).mean() == pytest.approx(0.75, abs=0.02)
    assert read_distribution({"choice": [1, 2, 3], "weights": [3, 1, 0]}).bounds == (1, 2)


def test_large_weights_do_not_overflow(rng: np.random.Generator) -> None:
    assert {weighted(rng, [1e308, 1e308, 0.0]) for _ in range(50)} == {0, 1}


@given(DISTRIBUTIONS, st.integers(0, 2**32))
def test_every_draw_lies_in_the_bounds_and_takes_at_most_one_number(value: Any, seed: int) -> None:
    distribution = read_distribution(value)
    rng, other = np.random.default_rng(seed), np.random.default_rng(seed)
    low, high = distribution.bounds
    assert low <= distribution.draw(rng) <= high
    if not isinstance(distribution, Fixed):
        other.random()
    assert rng.random() == other.random()


@given(DISTRIBUTIONS)
def test_plain_data_reads_back(value: Any) -> None:
    distribution = read_distribution(value)
    assert read_distribution(distribution.plain()) == distribution


def test_no_negative_zero() -> None:
    assert str(finite(-0.0)) == "0.0"


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (True, "a number, "),
        ("5", "a number, "),
        (None, "a number, "),
        ([0, 1], "a number, "),
        ({}, "a number, "),
        ({"unifrom": [0, 1]}, "a number, "),
        ({"uniform": [0, 1], "normal": [0, 1]}, "a number, "),
        (float("nan"), "a finite number"),
        (float("inf"), "a finite number"),
        (10**400, "a finite number"),
        ({"uniform": [0]}, r"uniform = \[low, high\]"),
        ({"uniform": 5}, r"uniform = \[low, high\]"),
        ({"uniform": "ab"}, r"uniform = \[low, high\]"),
        ({"uniform": [1, 0]}, "the lower end first"),
        ({"uniform": [0, "x"]}, "a number, "),
        ({"uniform": [-1.7e308, 1.7e308]}, "nearer to each other"),
        ({"uniform": [0, 1], "within": [0, 1]}, "no other key than uniform"),
        ({"normal": [0, 0]}, "sd above 0"),
        ({"normal": [0, -1]}, "sd above 0"),
        ({"normal": [0, 1, 2]}, "standard deviation"),
        ({"normal": [0, 1], "within": [9, 10]}, "at least 1% of the normal"),
        ({"normal": [0, 1], "within": [1, -1]}, "the lower end first"),
        ({"normal": [0, 1], "weights": [1]}, "no other key than normal and within"),
        ({"normal": [1e308, 1e308]}, "a finite number"),
        ({"choice": []}, "1 to 1000 numbers"),
        ({"choice": [0] * 1001}, "1 to 1000 numbers"),
        ({"choice": [1, 2], "weights": [1]}, "weights = 2 numbers"),
        ({"choice": [1, 2], "weights": [0, 0]}, "not all 0"),
        ({"choice": [1, 2], "weights": [1, -1]}, "none below 0"),
    ],
)
def test_wrong_distributions_say_what_to_give(value: Any, remedy: str) -> None:
    with pytest.raises(DistributionError, match=remedy):
        read_distribution(value)


def test_colours_of_every_kind(rng: np.random.Generator) -> None:
    assert read_colours("preset").draw(rng) is None
    grey = read_colours({"uniform": [0.2, 0.4]}).draw(rng)
    assert grey is not None and len(set(grey)) == 1 and 0.2 <= grey[0] <= 0.4
    channels = read_colours([0.1, {"uniform": [0.2, 0.3]}, 0.9]).draw(rng)
    assert channels is not None and channels[::2] == (0.1, 0.9) and 0.2 <= channels[1] <= 0.3
    palette = read_colours({"choice": [[0, 0, 1], [0, 1, 0], [1, 0, 0]], "weights": [1, 1, 0]})
    assert {palette.draw(rng) for _ in range(50)} == {(0, 0, 1), (0, 1, 0)}


@pytest.mark.parametrize(
    "value",
    [
        "preset",
        0.25,
        {"choice": [0.1, 0.2], "weights": [1.0, 2.0]},
        [0.0, {"normal": [0.5, 0.1], "within": [0.2, 0.8]}, 1.0],
        {"choice": [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], "weights": [1.0, 3.0]},
    ],
)
def test_colours_read_back(value: Any) -> None:
    colours = read_colours(value)
    assert colours.plain() == value
    assert read_colours(colours.plain()) == colours


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("grey", '"preset" or colours'),
        (1.5, "numbers from 0 to 1"),
        ({"uniform": [-0.1, 0.5]}, "numbers from 0 to 1"),
        ([0.1, 0.2], r"\[red, green, blue\]"),
        ([0.1, 0.2, 2], "numbers from 0 to 1"),
        ([0.1, 0.2, "x"], "a number, "),
        ({"choice": [[0.1, 0.2]]}, r"\[red, green, blue\]"),
        ({"choice": [[0.1, 0.2, 0.3], 0.5]}, r"\[red, green, blue\]"),
        ({"choice": [[0.1, 0.2, {"uniform": [0, 1]}]]}, "numbers for the colours"),
        ({"choice": [[0.1, 0.2, 0.3]], "weights": [1, 2]}, "weights = 1 numbers"),
        ({"choice": [[0.1, 0.2, 0.3]], "within": [0, 1]}, "no other key than choice"),
    ],
)
def test_wrong_colours_say_what_to_give(value: Any, remedy: str) -> None:
    with pytest.raises(DistributionError, match=remedy):
        read_colours(value)
