# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is drawn: exactly the natural density within a group, shares as they were asked for."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegen_addon.errors import UserError
from facegen_addon.latent import people
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.people import (
    EIGHT_GROUPS,
    POPULATIONS,
    SEXES,
    SKINS,
    Group,
    Population,
    PopulationFaces,
    eight_groups_of,
)
from facegen_addon.latent.who import Who, faces_of, margin


@pytest.fixture(scope="module")
def natural() -> NaturalFaces:
    return NaturalFaces.load()


@pytest.fixture(scope="module")
def probes() -> AttributeProbes:
    return AttributeProbes.load()


def drawn(who: Who, n: int, seed: int = 1) -> np.ndarray:
    return who.faces().sample(np.random.default_rng(seed), n)


@pytest.mark.parametrize(
    "who",
    [
        Who(sex="woman"),
        Who(sex="man", age="18:30"),
        Who(age="60:75", skin="dark"),
        Who(skin="60:70", population="balanced"),
    ],
)
def test_those_drawn_are_those_asked_for(who: Who, probes: AttributeProbes) -> None:
    latents = drawn(who, 60)
    (asked,) = {
        Group(
            *(
                (min(bounds[0] for bounds in ranges), max(bounds[1] for bounds in ranges))
                for ranges in zip(
                    *((g.female, g.age, g.lightness) for g in who.drawn_from().groups), strict=True
                )
            )
        )
    }
    assert asked.holds(probes.read(latents)).all()
    assert np.allclose(np.linalg.norm(latents, axis=1), 1.0, atol=1e-6)
    assert len(np.unique(latents[:, 0])) == 60


def test_within_a_group_the_density_is_the_natural_one(
    natural: NaturalFaces, probes: AttributeProbes
) -> None:
    """What women's latents have together, they keep: moments as of women among all faces."""
    women = Group(female=SEXES["woman"])
    everybody = natural.sample(np.random.default_rng(3), 20_000)
    found = everybody[women.holds(probes.read(everybody))]
    asked = drawn(Who(sex="woman", population="as-found"), 4000, seed=4)
    assert np.abs(found.mean(0) - asked.mean(0)).max() < 4.5 * found.std(0).max() / np.sqrt(4000)
    axes = natural.basis[:, :20]
    spread, expected = (np.cov((x @ axes).T) for x in (asked, found))
    scale = np.sqrt(np.outer(np.diagonal(expected), np.diagonal(expected)))
    assert np.abs((spread - expected) / scale).max() < 0.1


def test_a_balanced_population_has_its_shares(probes: AttributeProbes) -> None:
    attributes = probes.read(drawn(Who(population="balanced"), 1200))
    population = Population.product(POPULATIONS["balanced"])
    found = np.array([group.holds(attributes).mean() for group in population.groups])
    assert np.isclose(found.sum(), 1.0)
    assert np.abs(found - population.shares).max() < 4 * np.sqrt(1 / 24 / 1200)


def test_of_every_group_as_many_are_drawn_as_its_share(probes: AttributeProbes) -> None:
    for seed in range(3):
        drawn = probes.read(Who().faces().sample(np.random.default_rng(seed), 96))
        women, old = drawn[:, 0] >= 0.5, drawn[:, 1] >= 60
        assert women.sum() == 48
        assert abs(int(old.sum()) - 24) <= 2
        assert abs(int((women & old).sum()) - 12) <= 1


def test_one_person_is_of_a_group_by_the_shares() -> None:
    shares, counts = np.array([0.1, 0.3, 0.6]), np.zeros(3)
    for seed in range(1000):
        counts[people._shared_out(np.random.default_rng(seed), shares, 1)] += 1
    np.testing.assert_allclose(counts / 1000, shares, atol=0.05)


def test_nobody_asked_for_is_the_natural_density_itself(natural: NaturalFaces) -> None:
    anybody = Who(population="as-found")
    assert isinstance(anybody.faces(), NaturalFaces)
    expected = natural.sample(np.random.default_rng(1), 5)
    assert np.array_equal(drawn(anybody, 5), expected)


def test_the_same_seed_draws_the_same_people() -> None:
    who = Who(sex="woman", population="balanced")
    assert np.array_equal(drawn(who, 7), drawn(who, 7))
    assert not np.array_equal(drawn(who, 7), drawn(who, 7, seed=2))


def test_who_is_next_to_never_found_is_said(
    natural: NaturalFaces, probes: AttributeProbes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facegen_addon.latent.people._HOPE", 1000)
    nobody = Population((Group(age=(150.0, 160.0)),), (1.0,))
    with pytest.raises(UserError, match=r"no 150 to 160 years among .* faces drawn: widen"):
        PopulationFaces(natural, probes, nobody).sample(np.random.default_rng(0), 2)


@given(st.data())
def test_balanced_groups_are_disjoint_and_all_there_is(data: st.DataObject) -> None:
    groups = Population.product(POPULATIONS["balanced"]).groups
    attributes = np.array([
        data.draw(st.floats(0, 1)), data.draw(st.floats(18, 79.9)), data.draw(st.floats(0, 100)),
    ])  # fmt: skip
    assert sum(group.holds(attributes[None])[0] for group in groups) == 1


def test_a_group_says_who_it_is() -> None:
    assert str(Group()) == "anybody"
    skin = {name: str(Group(lightness=bounds)) for name, bounds in SKINS.items()}
    assert skin == {name: f"{name} skin" for name in SKINS}
    (group,) = Who("woman", "60:75", "45:50", "as-found").drawn_from().groups
    assert str(group) == "women, 60 to 75 years, skin of 45 to 50"


WRONG = [
    ({"sex": "girl"}, "sex 'girl' is unknown; choose from any, woman, man"),
    ({"age": "old"}, "age 'old' is no range; give years such as 60:75"),
    ({"age": "60:"}, "is no range"),
    ({"age": "nan:70"}, "is no range"),
    ({"age": "75:60"}, "is empty; give the lower number first"),
    ({"age": "60:60"}, "is empty"),
    ({"age": "4:12"}, "leaves 18 to 80 years.*children"),
    ({"skin": "green"}, "dark, medium, fair or a range"),
    ({"skin": "10:20"}, "leaves the lightness of real faces"),
    ({"population": "everyone"}, "choose from as-found, balanced, or name a .toml file"),
    ({"population": "none.toml"}, "none.toml cannot be read"),
]


@pytest.mark.parametrize(("values", "says"), WRONG)
def test_who_there_cannot_be(values: dict[str, str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        Who(**values).drawn_from()


WRONG_FILES = [
    ("[sex]\nwoman = 0.5\nman = 0.4\n", r"\[sex\] sums to 0.9; give shares that sum to 1"),
    ("[sex]\nwomen = 1\n", r"\[sex\] 'women' is unknown"),
    ("[age]\n'20:40' = 0.5\n'30:60' = 0.5\n", "30:60 overlaps another range"),
    ("[skin]\ndark = -1\nfair = 2\n", "dark is -1; give a share from 0 to 1"),
    ("[skin]\ndark = true\n", "dark is True; give a share"),
    ("[height]\ntall = 1\n", r"unknown table \[height\]; give sex, age, skin"),
    ("sex = 1\n", r"\[sex\] is no table"),
    ("[sex\n", "is no TOML"),
]


@pytest.mark.parametrize(("text", "says"), WRONG_FILES)
def test_population_files_that_are_wrong(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "people.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=says):
        Who(population=str(path)).drawn_from()


def test_a_population_file(tmp_path: Path, probes: AttributeProbes) -> None:
    path = tmp_path / "people.toml"
    path.write_text("[sex]\nwoman = 0.8\nman = 0.2\n\n[age]\n'30:40' = 0.5\n'50:60' = 0.5\n")
    population = Who(population=str(path)).drawn_from()
    assert np.allclose(sorted(population.shares), [0.1, 0.1, 0.4, 0.4])
    attributes = probes.read(faces_of(population).sample(np.random.default_rng(0), 300))
    assert abs((attributes[:, 0] >= 0.5).mean() - 0.8) < 0.1
    assert not np.any((attributes[:, 1] >= 40) & (attributes[:, 1] < 50))


def test_a_population_within_a_group_keeps_its_other_shares() -> None:
    population = Who(sex="woman", population="balanced").drawn_from()
    assert len(population.groups) == 12
    assert np.allclose(population.shares, 1 / 12)
    with pytest.raises(UserError, match="nobody of the population is men"):
        population.within(Group(female=SEXES["man"]))


def test_margins_do_not_overlap() -> None:
    for words in itertools.combinations(SKINS, 2):
        assert len(margin(dict.fromkeys(words, 0.5), "skin", "here")) == 2
    with pytest.raises(UserError, match="here fair overlaps"):
        margin({"60:70": 0.5, "fair": 0.5}, "skin", "here")


def test_the_eight_groups_are_all_there_is(natural: NaturalFaces, probes: AttributeProbes) -> None:
    attributes = probes.read(natural.sample(np.random.default_rng(0), 300))
    held = np.stack([group.holds(attributes) for group in EIGHT_GROUPS.values()])
    assert (held.sum(axis=0) == 1).all()
    assert np.array_equal(np.argmax(held, axis=0), eight_groups_of(attributes))
    assert list(EIGHT_GROUPS)[:2] == ["darker younger women", "fairer younger women"]


@pytest.mark.parametrize(("who", "groups"), [(Who(), 8), (Who("woman", "50:70"), 2)])
def test_people_to_be_covered_are_as_many_of_each_group(who: Who, groups: int) -> None:
    faces = who.faces()
    found = faces.groups_of(faces.people(np.random.default_rng(0), 400))
    counts = np.bincount(found)[np.bincount(found) > 0]
    assert len(counts) == groups
    assert np.abs(counts - 400 / groups).max() < 5 * np.sqrt(400 / groups)


def test_nobody_is_to_be_covered_whom_a_population_leaves_out() -> None:
    young, old = Group(age=(20.0, 30.0)), Group(age=(60.0, 70.0))
    faces = faces_of(Population((young, old), (0.9, 0.1)))
    people = faces.people(np.random.default_rng(0), 200)
    attributes = AttributeProbes.load().read(people)
    assert (young.holds(attributes) | old.holds(attributes)).all()
    assert (faces.groups_of(people) >= 0).all()
    middle = Who(age="40:50", population="as-found").faces().sample(np.random.default_rng(0), 5)
    assert (faces.groups_of(middle) == -1).all()


def test_only_certain_people_are_not_pushed() -> None:
    assert Who().faces().pushed and Who(population="as-found").faces().pushed
    assert not Who("woman").faces().pushed and not Who(age="20:30").faces().pushed
    assert Who(population="as-found").faces().kept.shape == (512, 0)
    kept = Who().faces().kept
    assert np.allclose(kept.T @ kept, np.eye(3))
