# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameter table: standard units, ranges, errors that name the value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facegen_addon.errors import UserError
from facegen_addon.heads.parameters import Parameter, ParameterTable


def _parameter(name: str, **changes: object) -> Parameter:
    values = {
        "name": name, "label": name, "group": "skin", "minimum": 0.0, "maximum": 1.0,
        "mean": 0.4, "std": 0.2, "unit": "", "guided": True,
    } | changes  # fmt: skip
    return Parameter.from_mapping(values)


TABLE = ParameterTable(
    [
        _parameter("a"),
        _parameter("b", group="pose", mean=0.0, std=0.0, guided=False, unit="rad"),
        _parameter("c", minimum=-1.0, mean=0.0, std=0.3, group="nose"),
    ]
)


def test_a_parameter_survives_plain_data() -> None:
    assert [Parameter.from_mapping(p.as_mapping()) for p in TABLE.parameters] == list(
        TABLE.parameters
    )


def test_groups_and_columns() -> None:
    assert TABLE.groups == ("skin", "pose", "nose")
    assert TABLE.columns("nose").tolist() == [2]
    assert {k: v.tolist() for k, v in TABLE.guided_groups().items()} == {"skin": [0], "nose": [1]}


def test_names_must_differ() -> None:
    with pytest.raises(ValueError, match="differ"):
        ParameterTable([_parameter("a"), _parameter("a")])


def test_unknown_name_is_named() -> None:
    with pytest.raises(UserError, match="'nostril'"):
        TABLE.index("nostril")


@given(arrays(np.float64, (4, 2), elements=st.floats(-9, 9)))
def test_standard_units_there_and_back(z: np.ndarray) -> None:
    low, high = TABLE.guided_bounds()
    values = TABLE.from_standardised(z)
    assert np.array_equal(TABLE.validate(values), values)
    np.testing.assert_allclose(TABLE.standardise(values), np.clip(z, low, high), atol=1e-9)
    assert (values[:, 1] == 0.0).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.5, 0.0], "expected rows of 3"),
        ([[0.5, 0.0, np.nan]], "'c' of head 0 is nan"),
        ([[0.5, 0.0, 0.0], [1.5, 0.0, 0.0]], "'a' of head 1 is 1.5; give a number from 0 to 1"),
        (np.zeros((2, 3, 3)), "expected rows"),
    ],
)
def test_bad_values_are_refused(values: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        TABLE.validate(values)


def test_uniform_heads_fill_the_ranges_and_leave_the_rest(rng: np.random.Generator) -> None:
    values = TABLE.sample_uniform(rng, 2000)
    assert (values[:, 1] == 0.0).all()
    assert values[:, 2].min() < -0.98
    assert values[:, 2].max() > 0.98
    assert np.array_equal(values, TABLE.sample_uniform(np.random.default_rng(20261122), 2000))
