# SPDX-License-Identifier: GPL-3.0-or-later
"""Bootstrap intervals: of known width, of whole rows, the same for the same draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegen_addon.confidence import bootstrap_interval

seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_bootstrap_interval_of_a_mean_is_the_normal_theorys(seed):
    values = np.random.default_rng(seed).normal(3.0, 2.0, 400)
    low, high = bootstrap_interval(values, np.mean, np.random.default_rng(seed), 400)
    reach = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - reach, abs=0.35 * reach)
    assert high == pytest.approx(values.mean() + reach, abs=0.35 * reach)


def test_bootstrap_draws_whole_rows():
    """A paired figure: the two columns differ by 1 in every row, so the interval has no width."""
    first = np.random.default_rng(0).normal(size=50)
    rows = np.stack([first, first + 1.0], axis=1)
    interval = bootstrap_interval(
        rows, lambda drawn: np.mean(drawn[:, 1] - drawn[:, 0]), np.random.default_rng(1)
    )
    assert interval == pytest.approx((1.0, 1.0))


def test_the_same_generator_state_gives_the_same_interval():
    values = np.arange(30.0)
    first, second = (
        bootstrap_interval(values, np.median, np.random.default_rng(5)) for _ in range(2)
    )
    assert first == second and first.low < 14.5 < first.high


def test_no_values_have_no_interval():
    with pytest.raises(ValueError, match="no values"):
        bootstrap_interval(np.empty(0), np.mean, np.random.default_rng(0))
