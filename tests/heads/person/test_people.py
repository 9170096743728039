# SPDX-License-Identifier: GPL-3.0-or-later
"""Random heads are people: their sex, age and ancestry, and the shapes that go with them."""

from collections.abc import Callable

import numpy as np
import pytest

from facegen_addon.heads.face_hair.parameters import FACE_HAIR_NAMES
from facegen_addon.heads.hair.parameters import HAIR_NAMES
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.heads.person.head import PersonHead, person_head
from facegen_addon.heads.skin.colour import tone
from facegen_addon.heads.skin.parameters import skin_values

COUNT = 3000
ANCESTRIES = ("african", "asian", "caucasian")
Column = Callable[[str], np.ndarray]


@pytest.fixture(scope="module")
def person() -> PersonHead:
    return person_head()


@pytest.fixture(scope="module")
def drawn(person: PersonHead) -> np.ndarray:
    return person.sample_prior(np.random.default_rng(8), COUNT)


@pytest.fixture(scope="module")
def column(person: PersonHead, drawn: np.ndarray) -> Column:
    return lambda name: drawn[:, person.table.index(name)]


def test_people_are_women_or_men_and_few_are_between(column: Column) -> None:
    gender = column("gender")
    assert 0.46 < (gender > 0.5).mean() < 0.54
    between = (gender > 0.3) & (gender < 0.7)
    assert 0.0 < between.mean() < 0.1


def test_ages_are_those_of_adults_evenly(column: Column) -> None:
    age = column("age")
    assert 0.6 <= age.min() < 0.61
    assert 0.99 < age.max() <= 1.0
    shares = np.histogram(age, 8, (0.6, 1.0))[0] / COUNT
    assert shares.min() > 0.09


def test_most_people_have_one_ancestry_for_the_most_part(column: Column) -> None:
    shares = np.stack([column(name) for name in ANCESTRIES])
    np.testing.assert_allclose(shares.sum(0), 1.0, atol=1e-9)
    assert (shares.max(0) > 0.8).mean() > 0.55
    assert (shares.max(0) < 0.6).mean() > 0.05
    assert np.ptp(np.bincount(shares.argmax(0)) / COUNT) < 0.06


@pytest.mark.parametrize(
    ("name", "of_men"),
    [
        ("chin_bones_incr", 1),
        ("eyebrows_trans_forward", 1),
        ("measure_neck_circ_incr", 1),
        ("eye_scale_incr", -1),
        ("mouth_upperlip_volume_incr", -1),
        ("lip_colour", -1),
        ("beard_shadow", 1),
    ],
)
def test_faces_of_men_and_women_differ(column: Column, name: str, of_men: int) -> None:
    man, value = column("gender") < 0.5, column(name)
    difference = value[man].mean() - value[~man].mean()
    assert of_men * difference > 0.8 * value[~man].std()


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("head_age_incr", 1),
        ("eye_bag_incr", 1),
        ("chin_jaw_drop_incr", 1),
        ("cheek_trans_up", -1),
        ("eye_eyefold_up", -1),
        ("mouth_upperlip_volume_incr", -1),
        ("ear_lobe_incr", 1),
        ("skin_lines", 1),
        ("hair_grey", 1),
    ],
)
def test_faces_age(column: Column, name: str, sign: int) -> None:
    assert sign * np.corrcoef(column("age"), column(name))[0, 1] > 0.3


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("eyebrows_trans_up", 1),
        ("mouth_upperlip_height_incr", 1),
        ("brow_grey", -1),
        ("skin_age", -1),
    ],
)
def test_women_age_otherwise_than_men(column: Column, name: str, sign: int) -> None:
    woman, old, value = column("gender") > 0.5, column("age") > 0.9, column(name)
    young = column("age") < 0.68
    changes = [value[old & sex].mean() - value[young & sex].mean() for sex in (woman, ~woman)]
    assert sign * (changes[0] - changes[1]) > 0.3 * value.std()


def test_nothing_is_out_of_range_and_little_at_an_end(
    person: PersonHead, drawn: np.ndarray
) -> None:
    table = person.table
    person.table.validate(drawn)
    sliders = [i for i, row in enumerate(table.parameters) if row.minimum == -1.0]
    assert (np.abs(drawn[:, sliders]) == 1.0).mean(0).max() < 0.3
    assert (np.abs(drawn[:, sliders]) == 1.0).mean() < 0.005


def test_the_table_has_the_mean_and_spread_that_are_drawn(
    person: PersonHead, drawn: np.ndarray
) -> None:
    for number in _shapes(person.table):
        row = person.table.parameters[number]
        assert abs(drawn[:, number].mean() - row.mean) < 0.2 * row.std, row.name
        assert 0.75 < drawn[:, number].std() / row.std < 1.25, row.name


def _shapes(table: ParameterTable) -> list[int]:
    return [
        number
        for number, row in enumerate(table.parameters)
        if row.std > 0.0
        and row.name not in (HAIR_NAMES | set(FACE_HAIR_NAMES))
        and (row.group == "phenotype" or row.minimum in (-1.0, -0.5))
    ]


def test_the_same_stream_draws_the_same_people(person: PersonHead) -> None:
    first, second = (person.sample_prior(np.random.default_rng(3), 5) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert len(np.unique(first[:, person.table.index("age")])) == 5


def test_cheeks_have_the_tone_that_the_skin_says(person: PersonHead) -> None:
    """Whatever else is African, old or a man's about a skin is how its colour is spread."""
    surface, skin = person.surface, person.skin.vertices
    bare = surface.vertices_of("skin") & (skin.regions["cheeks"] > 0.5)
    values = skin_values(person.table, person.table.default())
    plain = skin.log_colours(values)[bare].mean(0)
    np.testing.assert_allclose(plain, tone(values["skin_melanin"]), atol=0.25)
    for name in ("skin_african", "skin_asian", "skin_age", "skin_femininity", "skin_variation_1"):
        other = skin.log_colours(values | {name: values[name] + 0.5})[bare].mean(0)
        np.testing.assert_allclose(other, plain, atol=0.06, err_msg=name)
