# SPDX-License-Identifier: GPL-3.0-or-later
"""A census counts everybody once, where the probes put them."""

import numpy as np

from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.census import (
    AGES,
    census_of,
    census_rows,
    count_people,
    coverage_of_groups,
    coverage_ratio,
    coverage_rows,
)
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.people import EIGHT_GROUPS, SEXES, SKINS, Group
from facegen_addon.latent.who import Who


def test_everybody_is_counted_once() -> None:
    latents = NaturalFaces.load().sample(np.random.default_rng(0), 500)
    counts = count_people(AttributeProbes.load().read(latents))
    assert counts.shape == (2, 3, 4)
    assert counts.sum() == 500


def test_groups_are_counted_where_they_belong() -> None:
    probes = AttributeProbes.load()
    for i, sex in enumerate(SEXES):
        for j, skin in enumerate(SKINS):
            who = Who(sex, "45:60", skin)
            counts = count_people(probes.read(who.faces().sample(np.random.default_rng(1), 5)))
            assert counts[i, j, 2] == 5, (sex, skin)


def test_ages_beyond_the_ranges_are_of_the_outer_ones() -> None:
    probes = AttributeProbes(np.diag([100.0, 1.0, 0.0]), np.array([0.0, 0.0, 60.0]))
    latents = np.array([[1.0, 5.0, 0.0], [1.0, 95.0, 0.0]])
    counts = count_people(probes.read(latents))
    assert counts[0, 1].tolist() == [1, 0, 0, 1]
    assert Group(female=SEXES["woman"]).holds(probes.read(latents)).all()
    assert len(AGES) == 4


def test_a_census_says_what_was_asked_for_and_what_came_of_it() -> None:
    rng = np.random.default_rng(0)
    asked, rendered = (Who(sex=sex).faces().sample(rng, 6) for sex in ("woman", "man"))
    own = np.array([[1.0, 20.0, 50.0]] * 5 + [[0.0, 70.0, 70.0]])
    found = census_of(own, asked, rendered)
    assert np.sum(found["requested"][0]) == np.sum(found["achieved"][1]) == 6
    assert (found["parameters"][0][0][0], found["parameters"][1][2][3]) == (5, 1)
    head, *rows = census_rows(found)
    assert head[1] == "18 to 30 years" and len(rows) == 6
    assert rows[0][0] == "woman, dark skin" and rows[0][1].startswith("5 / 0 (")
    assert found["groups"]["darker younger women"]["parameters"] == 5
    nothing = census_of(own, None, None)
    assert nothing["achieved"] is None and census_rows(nothing)[1][1] == "5"
    assert coverage_ratio(nothing) is None and coverage_rows(nothing)[1][2] == "–"


def test_a_group_that_loses_its_heads_is_covered_worse() -> None:
    faces, rng = Who().faces(), np.random.default_rng(0)
    heads = faces.sample(rng, 800)
    names = list(EIGHT_GROUPS)
    without = heads[faces.groups_of(heads) != names.index("fairer older men")]
    before, after = (census_of(None, None, latents)["groups"] for latents in (heads, without))
    lost = {name: after[name]["coverage"] - before[name]["coverage"] for name in names}
    # Darker older men lose neighbours, too, women next to nothing.
    assert set(sorted(lost, key=lost.__getitem__)[-2:]) == {"fairer older men", "darker older men"}
    assert lost["fairer older men"] > 5 * max(lost[name] for name in names if "women" in name)
    distances = [group["coverage"] for group in after.values()]
    assert coverage_ratio({"groups": after}) == max(distances) / min(distances)
    assert np.allclose(coverage_of_groups(without), distances, atol=1e-4)
