# SPDX-License-Identifier: GPL-3.0-or-later
"""What is given again: the same bits as anew, and nothing else."""

import numpy as np
import pytest

from facegen_addon.arrays import FloatArray
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.hair.parameters import hair_values
from facegen_addon.heads.person.head import PersonHead
from facegen_addon.heads.remembered import LastResult, same_bits


def test_bits_decide() -> None:
    zero = np.zeros(3)
    assert same_bits((zero, zero), (zero.copy(), zero.copy()))
    assert not same_bits((zero,), (-zero,)), "equal numbers, other bits"
    assert not same_bits((zero,), (zero.astype(np.float32),))
    assert not same_bits((zero,), (np.zeros((1, 3)),))
    assert same_bits((np.array(np.nan),), (np.array(np.nan),))


def test_the_last_result_is_given_again() -> None:
    last: LastResult[int] = LastResult()
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    given = np.zeros(3)
    assert [last.of((given,), make) for _ in range(3)] == [0, 0, 0]
    given[1] = 1.0
    assert last.of((given,), make) == 1, "written into, it is another"
    given[1] = 0.0
    assert last.of((given,), make) == 2, "only the last is known"
    assert last.of((given,), make, lambda result: result == 2) == 2, "it still holds"
    assert last.of((given,), make, lambda result: result < 2) == 3, "it holds no longer"


@pytest.fixture(scope="module")
def person() -> PersonHead:
    model = load_head_model("person")
    assert isinstance(model, PersonHead)
    return model


def _grown(model: PersonHead, parameters: FloatArray) -> tuple[bytes, bytes]:
    strands = model.grow(parameters, model.forward(parameters)[0])
    return strands.points.tobytes(), strands.radius.tobytes()


def _forget(model: PersonHead) -> None:
    model.groom._last, model.groom._last_cut = LastResult(), LastResult()
    model.face_hair._last_brows, model.face_hair._last_beard = LastResult(), LastResult()


@pytest.mark.parametrize("tied", [0.0, 1.0])
def test_after_any_slider_strands_are_those_that_grow_anew(person: PersonHead, tied: float) -> None:
    table = person.table
    (start,) = person.sample_prior(np.random.default_rng(1), 1)
    start[table.index("hair_tied")] = tied
    start[table.index("beard_density")] = 1.0
    start[table.index("gender")] = 0.1
    for group in table.groups:
        column = table.columns(group)[-1]
        moved = start.copy()
        low, high = table.minimum[column], table.maximum[column]
        moved[column] = low if moved[column] > (low + high) / 2 else high
        _grown(person, start)
        again = _grown(person, moved)
        _forget(person)
        assert again == _grown(person, moved), table.names[column]


def test_hair_does_not_grow_anew_where_skin_moves_that_it_does_not_touch(
    person: PersonHead,
) -> None:
    table = person.table
    start = table.default()
    values = hair_values(table, start)
    before = person.groom.grow(values, person.forward(start)[0])
    moved = {}
    for group in ("nose", "mouth", "skull"):
        row = start.copy()
        row[table.columns(group)] = table.maximum[table.columns(group)]
        moved[group] = person.groom.grow(values, person.forward(row)[0])
        person.groom.grow(values, person.forward(start)[0])
    assert moved["nose"][0] is before[0]
    assert moved["mouth"][0] is before[0]
    assert not np.array_equal(moved["skull"][0], before[0])
    with pytest.raises(ValueError, match="read-only"):
        before[0][0] = 0.0
