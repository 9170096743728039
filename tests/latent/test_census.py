# SPDX-License-Identifier: GPL-3.0-or-later
"""A census counts everybody once, where the probes put them."""

import numpy as np

from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.census import AGES, census
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.people import SEXES, SKINS, Group
from facegen_addon.latent.who import Who


def test_everybody_is_counted_once() -> None:
    latents = NaturalFaces.load().sample(np.random.default_rng(0), 500)
    counts = census(latents, AttributeProbes.load())
    assert counts.shape == (2, 3, 4)
    assert counts.sum() == 500


def test_groups_are_counted_where_they_belong() -> None:
    probes = AttributeProbes.load()
    for i, sex in enumerate(SEXES):
        for j, skin in enumerate(SKINS):
            who = Who(sex, "45:60", skin)
            counts = census(who.faces().sample(np.random.default_rng(1), 5), probes)
            assert counts[i, j, 2] == 5, (sex, skin)


def test_ages_beyond_the_ranges_are_of_the_outer_ones() -> None:
    probes = AttributeProbes(np.diag([100.0, 1.0, 0.0]), np.array([0.0, 0.0, 60.0]))
    latents = np.array([[1.0, 5.0, 0.0], [1.0, 95.0, 0.0]])
    counts = census(latents, probes)
    assert counts[0, 1].tolist() == [1, 0, 0, 1]
    assert Group(female=SEXES["woman"]).holds(probes.read(latents)).all()
    assert len(AGES) == 4
