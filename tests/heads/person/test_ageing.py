"""What age adds to the sliders of a face past forty."""

import numpy as np
import pytest

from facegen_addon.heads.person.ageing import Ageing
from facegen_addon.heads.person.head import PersonHead, age_of, person_head


@pytest.fixture(scope="module")
def person() -> PersonHead:
    return person_head()


def _aged(person: PersonHead, years: float) -> np.ndarray:
    row = person.table.default()
    row[person.table.index("age")] = age_of(years)
    return row[None]


def test_the_young_stay_as_they_are(person: PersonHead) -> None:
    for years in (18.0, 30.0, 39.0):
        row = _aged(person, years)
        np.testing.assert_array_equal(Ageing(person.table).aged(row), row)


def test_the_old_sag_the_more_the_older_they_are(person: PersonHead) -> None:
    ageing, rows = Ageing(person.table), [_aged(person, years) for years in (50.0, 60.0, 72.0)]
    column = person.table.index("cheek_trans_up")
    added = [(ageing.aged(row) - row)[0] for row in rows]
    assert added[2][column] < added[1][column] < added[0][column] < 0.0
    jaws = [person.landmarks(person.forward(row))[0, 6, 2] for row in rows]
    assert jaws[2] < jaws[1] < jaws[0]


def test_parameters_given_are_left_alone(person: PersonHead) -> None:
    row = _aged(person, 70.0)
    before = row.copy()
    Ageing(person.table).aged(row)
    np.testing.assert_array_equal(row, before)
