# SPDX-License-Identifier: GPL-3.0-or-later
"""Correlations of sliders: matrices, their distance, pairs by strength with intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegen_addon.heads.correlations import (
    agreement,
    correlation_matrix,
    pair_correlation,
    strongest_pairs,
)


def coupled(rng: np.random.Generator, count: int, strength: float = 0.6) -> np.ndarray:
    """Four columns of which 1 and 3 are correlated by `strength`."""
    z = rng.standard_normal((count, 4))
    z[:, 3] = strength * z[:, 1] + np.sqrt(1 - strength**2) * z[:, 3]
    return z


@given(st.integers(0, 2**32 - 1), st.integers(3, 40))
@settings(max_examples=40, deadline=None)
def test_the_matrix_is_numpys(seed: int, count: int) -> None:
    z = np.random.default_rng(seed).standard_normal((count, 5))
    matrix = correlation_matrix(z)
    np.testing.assert_allclose(matrix, np.corrcoef(z.T), atol=1e-12)
    # Neither scale nor place of a slider matters.
    np.testing.assert_allclose(correlation_matrix(3 * z - 2), matrix, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.3, 1e6])
def test_a_slider_that_stands_still_goes_with_none(rng: np.random.Generator, value: float) -> None:
    z = rng.standard_normal((50, 3))
    z[:, 1] = value
    matrix = correlation_matrix(z)
    assert np.isfinite(matrix).all()
    assert matrix[1].tolist() == [0.0, 1.0, 0.0]


def test_two_heads_have_no_correlations() -> None:
    with pytest.raises(ValueError, match="2 heads"):
        correlation_matrix(np.eye(2))


def test_agreement_of_a_matrix_with_itself_and_with_none(rng: np.random.Generator) -> None:
    matrix = correlation_matrix(coupled(rng, 500))
    same, none = agreement(matrix, matrix), agreement(np.eye(4), matrix)
    assert same.difference == 0 and same.likeness == pytest.approx(1)
    assert none.strength == 0 and np.isnan(none.likeness)
    assert none.difference == pytest.approx(same.strength)


def test_the_strongest_pair_has_its_name_whatever_its_sign(rng: np.random.Generator) -> None:
    for sign in (1, -1):
        z = coupled(rng, 400)
        z[:, 3] *= sign
        assert strongest_pairs(correlation_matrix(z), 1) == [(1, 3)]
    assert len(strongest_pairs(np.eye(4), 99)) == 6


def test_the_interval_holds_the_truth_and_shrinks_with_more_heads(
    rng: np.random.Generator,
) -> None:
    few, many = (pair_correlation(coupled(rng, n), (1, 3), rng) for n in (60, 2000))
    for found in (few, many):
        assert found.low < 0.6 < found.high and found.low < found.value < found.high
    assert many.high - many.low < 0.4 * (few.high - few.low)


def test_an_independent_pairs_interval_holds_zero(rng: np.random.Generator) -> None:
    found = pair_correlation(coupled(rng, 400), (0, 2), rng)
    assert found.low < 0 < found.high
