# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads wear whole hairstyles of people of their kind, not the mean of many."""

from dataclasses import replace

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.mapping.attributes import AttributePrior
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.inversion import TrustRegion, dressed, invert
from facegen_addon.mapping.wardrobe import Wardrobe
from tests.mapping.test_attributes import SETTINGS, TABLE, People, fitted_to, latents_of
from tests.mapping.test_backward import small_ensemble

WORN = np.array([8, 9, 10])
STYLES = np.array([[-1, -1, 1], [1, 1, -1], [1, -1, 1]], np.float32)
"""The first two are women's, the last is men's."""
WOMAN, MAN = (9.0, 50.0, 60.0), (-9.0, 50.0, 60.0)


@pytest.fixture(scope="module")
def region() -> TrustRegion:
    prior = fitted_to(People(TABLE))
    sexes = np.array([[1.0, 50, 60]] * 100 + [[0.0, 50, 60]] * 100)
    worn = np.concatenate([np.resize(STYLES[:2], (100, 3)), np.resize(STYLES[2], (100, 3))])
    effects, common = np.zeros((200, 512), np.float32), np.zeros(512, np.float32)
    effects[:100, 9], common[9] = np.resize([-1, 1], 100), 0.3
    wardrobe = Wardrobe(WORN, worn, sexes, effects, common)
    return TrustRegion.of(TABLE, SETTINGS, np.eye(16), prior, wardrobe)


def test_everybody_wears_what_people_of_the_kind_wear(region: TrustRegion) -> None:
    latents, z = latents_of(WOMAN, WOMAN, MAN), np.zeros((3, 16), np.float32)
    worn = dressed(latents, z, region)
    assert {tuple(row) for row in worn[:2, WORN].tolist()} <= {tuple(row) for row in STYLES[:2]}
    np.testing.assert_array_equal(worn[2, WORN], STYLES[2])
    others = np.setdiff1d(np.arange(16), WORN)
    np.testing.assert_array_equal(worn[:, others], z[:, others])


def test_of_all_the_style_that_suits_what_a_latent_has_of_its_own(region: TrustRegion) -> None:
    latents = latents_of(WOMAN, WOMAN)
    latents[:, 9] = 0.4, 0.2  # the mean has 0.3, which suits the second style, too
    worn = dressed(latents, np.zeros((2, 16)), region)
    np.testing.assert_array_equal(worn[:, WORN], STYLES[[1, 0]])
    worn = dressed(latents, np.zeros((2, 16)), region, wanted=latents[::-1])
    np.testing.assert_array_equal(worn[:, WORN], STYLES[[0, 1]])


def test_a_style_that_changes_more_has_to_suit_better() -> None:
    """Two styles in the latent's direction: that which goes as far, not ten times as far."""
    effects = np.zeros((2, 512), np.float32)
    effects[:, 9] = 0.3, 3.0
    worn, people = STYLES[:2], np.array([[1.0, 50, 60]] * 2)
    wardrobe = Wardrobe(WORN, worn, people, effects, np.zeros(512, np.float32))
    goal = np.zeros((1, 512), np.float32)
    goal[0, 9] = 0.6
    np.testing.assert_array_equal(wardrobe.chosen(goal, people[:1])[0], STYLES[0])


def test_descent_keeps_the_hairstyle(region: TrustRegion) -> None:
    latents, ensemble = latents_of(*[WOMAN, MAN] * 10), small_ensemble()
    start = dressed(latents, np.zeros((20, 16)), region)
    found = invert(ensemble, latents, start, region, SETTINGS)
    allowed = SETTINGS.worn_spread * 3.0 * region.around(latents).spread[:, WORN]
    assert (np.abs(found - start)[:, WORN] <= allowed + 1e-5).all()
    free = invert(ensemble, latents, start, replace(region, wardrobe=None), SETTINGS)
    assert np.abs(free - start)[:, WORN].mean() > 2 * np.abs(found - start)[:, WORN].mean()


def test_what_is_held_is_not_dressed(region: TrustRegion) -> None:
    held = region.holding(np.isin(np.arange(16), WORN[:1]), np.full(16, 0.25))
    start = held.around(latents_of(MAN)).project(np.zeros((1, 16)))
    worn = dressed(latents_of(MAN), start, held)
    assert worn[0, WORN[0]] == 0.25
    np.testing.assert_array_equal(worn[0, WORN[1:]], STYLES[2][1:])


def test_no_wardrobe_changes_nothing(region: TrustRegion) -> None:
    bare = replace(region, wardrobe=None)
    z = np.random.default_rng(1).normal(size=(2, 16)).astype(np.float32)
    np.testing.assert_array_equal(dressed(latents_of(WOMAN, MAN), z, bare), z)
    assert bare.wearing(z) is bare


def test_arrays_are_read_as_they_were_written(region: TrustRegion) -> None:
    assert region.wardrobe is not None
    arrays = region.wardrobe.arrays()
    read = Wardrobe.from_arrays({**arrays, "weight_0": np.zeros(1)})
    assert read is not None
    np.testing.assert_array_equal(read.columns, WORN)
    np.testing.assert_array_equal(read.values, region.wardrobe.values)
    assert Wardrobe.from_arrays({"weight_0": np.zeros(1)}) is None
    del arrays["wardrobe_worn"]
    with pytest.raises(UserError, match="wardrobe_worn"):
        Wardrobe.from_arrays(arrays)


def test_heads_of_person_wear_a_style_of_the_wardrobe() -> None:
    """The shipped B: each head's hair is near one that somebody of the prior wears."""
    table = load_head_model("person").table
    backward = BackwardMapping.load("person", table)
    wardrobe, given = backward.region.wardrobe, backward.region.given
    assert wardrobe is not None and given is not None and isinstance(given, AttributePrior)
    rng = np.random.default_rng(5)
    latents = rng.normal(size=(4, 512))
    latents = (latents / np.linalg.norm(latents, axis=1, keepdims=True)).astype(np.float32)
    for grade in ("direct", "refined"):
        z = backward.standardised(latents, grade)[:, wardrobe.columns]
        away = np.abs(z[:, None] - wardrobe.values).mean(axis=2).min(axis=1)
        assert (away < (0.01 if grade == "direct" else 0.35)).all(), (grade, away)
        alone = backward.standardised(latents[2:3], grade)[:, wardrobe.columns]
        np.testing.assert_allclose(alone[0], z[2], atol=1e-4)
