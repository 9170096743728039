# SPDX-License-Identifier: GPL-3.0-or-later
"""B agrees with what a latent says of a person: probes, the prior given them, the trust region."""

from dataclasses import replace

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.sphere import normalise
from facegen_addon.mapping import hair_colours
from facegen_addon.mapping.attributes import AttributePrior, polynomials, soft_clip
from facegen_addon.mapping.hair_colours import HairColours
from facegen_addon.mapping.inversion import InversionSettings, TrustRegion, inversion_cost, invert
from models.training import attribute_prior, train_backward
from models.training.pairs import Pairs
from tests.mapping.test_backward import small_ensemble
from tests.training.synthetic import SyntheticHead, synthetic_table

TABLE = synthetic_table(16)
SETTINGS = InversionSettings.of(TABLE)
SEX, GREY, FREE = 0, 1, 2
"""Columns of the people below: their sex, what age alone turns grey, what follows nothing."""


def probes() -> AttributeProbes:
    """The first number of a latent is a woman's odds, the next are age and lightness."""
    weights = np.zeros((512, 3))
    weights[[0, 1, 2], [0, 1, 2]] = [400, 300, 200]
    return AttributeProbes(weights, np.array([0.0, 50.0, 60.0]))


class People(SyntheticHead):
    """Heads whose first columns follow sex and age."""

    def sample_prior(self, rng: np.random.Generator, n: int) -> np.ndarray:
        z = rng.normal(0, 0.7, (n, len(self.table.guided)))
        z[:, SEX] = np.sign(rng.normal(size=n)) * (0.8 + 0.2 * rng.random(n))
        z[:, GREY] = np.maximum(z[:, 3], 0)
        return self.table.from_standardised(z)

    def attributes(self, parameters: np.ndarray) -> np.ndarray:
        z = self.table.standardise(parameters)
        return np.stack([0.5 + 0.5 * z[:, SEX], 50 + 20 * z[:, 3], 60 + 10 * z[:, 4]], axis=1)


@pytest.fixture(scope="module")
def prior() -> AttributePrior:
    return fitted_to(People(TABLE))


def fitted_to(
    model: People, younger: float = 0.0, free: np.ndarray | None = None
) -> AttributePrior:
    draws = attribute_prior.draws_of(model)  # type: ignore[arg-type]
    assert draws is not None
    data = pairs_of(model, 400, younger)
    return attribute_prior.fit_attribute_prior(model, probes(), data, draws, free)[0]  # type: ignore[arg-type]


def pairs_of(model: People, n: int, younger: float = 0.0) -> Pairs:
    """Pairs whose latents say what the heads are, bar that all read `younger` years younger."""
    parameters = model.sample_prior(np.random.default_rng(3), n)
    says = model.attributes(parameters) - [0.5, 50 + younger, 60]
    latents = np.zeros((n, 512), np.float32)
    latents[:, :3] = says / [4, 300, 200]
    return Pairs(TABLE.standardise(parameters).astype(np.float32), latents)


def latents_of(*said: tuple[float, float, float]) -> np.ndarray:
    """Unit latents of which the probes say this: odds, age and lightness."""
    latents = np.zeros((len(said), 512))
    latents[:, :3] = (np.array(said) - [0, 50, 60]) / [400, 300, 200]
    latents[:, 3] = np.sqrt(1 - np.sum(latents**2, axis=1))
    return latents.astype(np.float32)


def test_polynomials_are_all_products_of_three_at_most() -> None:
    found = polynomials(np.array([[2.0, 3.0, 5.0]]))
    assert found.shape == (1, 20)
    assert found[0, 0] == 1
    assert {2.0 * 3 * 5, 2.0**3, 3.0 * 25, 5.0} <= set(found[0])


def test_the_prior_given_attributes_knows_what_follows_from_them(prior: AttributePrior) -> None:
    old_man, young_woman = [0.05, 70.0, 60.0], [0.95, 35.0, 60.0]
    centre, spread = prior.of(np.array([old_man, young_woman]))
    np.testing.assert_allclose(centre[:, SEX], [-0.9, 0.9], atol=0.1)
    np.testing.assert_allclose(centre[:, GREY], [1.0, 0.0], atol=0.15)
    np.testing.assert_allclose(centre[:, FREE], 0, atol=0.1)
    np.testing.assert_allclose(spread[:, SEX], attribute_prior.LEAST_SPREAD)
    np.testing.assert_allclose(spread[:, FREE], 0.7, atol=0.05)


def test_what_all_read_too_young_is_half_made_up_for() -> None:
    own = fitted_to(People(TABLE), younger=8.0).asked(latents_of((0, 50, 60), (0, 55, 60)))[:, 1]
    np.testing.assert_allclose(own, [54, 59], atol=1)


def test_whoever_may_be_either_is_no_half_of_each(prior: AttributePrior) -> None:
    sexes = prior.asked(latents_of((0.6, 50, 60), (-0.6, 50, 60), (9, 50, 60), (0, 50, 60)))[:, 0]
    assert sexes[0] > 0.85 and sexes[1] < 0.15 and sexes[2] > sexes[0]
    np.testing.assert_allclose(sexes[3], 0.5, atol=1e-6)


def test_signs_of_age_are_less_free_than_people_vary(
    prior: AttributePrior, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = TABLE.names[TABLE.guided[GREY]]
    monkeypatch.setattr(attribute_prior, "FREEDOM", {name: 0.4})
    latents = latents_of((9, 60, 60), (-9, 40, 55))
    firm, free = (
        TrustRegion.of(TABLE, SETTINGS, np.eye(16), one).around(latents).spread
        for one in (fitted_to(People(TABLE)), prior)
    )
    np.testing.assert_allclose(firm[:, GREY], 0.4 * free[:, GREY], rtol=1e-5)
    others = np.arange(16) != GREY
    np.testing.assert_allclose(firm[:, others], free[:, others], rtol=1e-5)


def test_a_prior_of_some_columns_is_that_part_of_the_prior_of_all(prior: AttributePrior) -> None:
    free = np.arange(16) % 3 != 0  # sex is not
    part = fitted_to(People(TABLE), free=free)
    asked = np.array([[0.05, 70.0, 60.0], [0.95, 35.0, 55.0]])
    for some, all_ in zip(part.of(asked), prior.of(asked), strict=True):
        np.testing.assert_allclose(some, all_[:, free], atol=1e-5)


def test_how_heads_read_never_falls_with_age_and_needs_enough_heads() -> None:
    own = np.linspace(30, 70, 200)
    read = 35 + np.where(own < 50, 0.0, 0.5 * (own - 50))
    assert (np.diff(attribute_prior.reading(own, read), axis=1) > 0).all()
    np.testing.assert_allclose(*attribute_prior.reading(own[:9], read[:9]))


def test_soft_clip_keeps_order_inside_the_range() -> None:
    x = np.linspace(-3, 4, 50)[:, None]
    clipped = soft_clip(x, np.zeros(1), np.ones(1))
    assert (np.diff(clipped[:, 0]) > 0).all()
    assert clipped.min() >= 0
    assert clipped.max() <= 1
    assert soft_clip(np.array([[0.5]]), np.zeros(1), np.ones(1)) == 0.5


def test_arrays_are_read_as_they_were_written(prior: AttributePrior) -> None:
    again = AttributePrior.from_arrays(prior.arrays())
    assert again is not None
    for one, other in zip(again.of(np.ones((1, 3))), prior.of(np.ones((1, 3))), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3)
    assert AttributePrior.from_arrays({"weight_0": np.ones(3)}) is None
    with pytest.raises(UserError, match="lack 'given_means'"):
        AttributePrior.from_arrays({k: v for k, v in prior.arrays().items() if "means" not in k})


def test_cost_gradient_around_people_agrees_with_finite_differences(prior: AttributePrior) -> None:
    ensemble, rng = small_ensemble(), np.random.default_rng(2)
    latents = normalise(latents_of((9, 60, 60), (-9, 40, 55)) + 0.01 * rng.normal(size=(2, 512)))
    region = TrustRegion.of(TABLE, SETTINGS, np.eye(16), prior).around(latents)
    z = region.centre + 2.5 * region.spread * rng.normal(size=(2, 16))
    settings = replace(SETTINGS, agreement_weight=0.05)
    gradient, step = inversion_cost(ensemble, z, latents, region, settings)[1], 1e-3
    for column in range(16):
        moved = np.zeros(16)
        moved[column] = step
        up, down = (
            inversion_cost(ensemble, z + sign * moved, latents, region, settings)[0].astype(float)
            for sign in (1, -1)
        )
        np.testing.assert_allclose((up - down) / 2 / step, gradient[:, column], rtol=0.02, atol=0.2)


def test_heads_are_of_the_people_that_latents_speak_of(prior: AttributePrior) -> None:
    region = TrustRegion.of(TABLE, SETTINGS, np.eye(16), prior)
    latents = latents_of(*[(9.0, 70.0, 60.0)] * 70, *[(-9.0, 35.0, 60.0)] * 70)
    z = invert(small_ensemble(), latents, np.zeros((140, 16)), region, replace(SETTINGS, steps=20))
    assert (z[:70, SEX] > 0.5).all()
    assert (z[70:, SEX] < -0.5).all()
    assert z[:70, GREY].mean() > z[70:, GREY].mean() + 0.5
    around = region.around(latents)
    np.testing.assert_allclose(around.project(z), z, atol=1e-5)
    assert np.abs(around.deviations(z)).max() <= around.reach + 1e-4
    low, high = TABLE.guided_bounds()
    assert ((z >= low - 1e-5) & (z <= high + 1e-5)).all()


def test_held_columns_stay_and_a_region_is_put_around_people_once(prior: AttributePrior) -> None:
    held = np.arange(16) == SEX
    region = TrustRegion.of(TABLE, SETTINGS, np.eye(16), prior).holding(held, np.full(16, -0.5))
    around = region.around(latents_of((9, 60, 60)))
    assert around.around(latents_of((-9, 30, 60))) is around
    assert around.project(np.ones((1, 16)))[0, SEX] == -0.5


def test_heads_that_misread_cost(prior: AttributePrior) -> None:
    agreement = prior.agreement(latents_of((9, 60, 60), (-9, 40, 55), (1, 60, 60)))
    right = latents_of((10, 60, 60), (-10, 40, 55), (10, 60, 60))
    clearer = latents_of((30, 60, 60), (-30, 40, 55), (30, 60, 60))
    for latents in (right, clearer, 3 * clearer):
        np.testing.assert_allclose(agreement.price(latents)[0], 0, atol=1e-6)
    wrong = latents_of((-9, 60, 60), (-12, 52, 55), (1, 60, 60))
    off = [(19 / 6) ** 2, 1.0, (9 / 6) ** 2]
    np.testing.assert_allclose(agreement.price(wrong)[0], off, rtol=1e-5)
    np.testing.assert_allclose(agreement.rows(slice(1, 2)).price(wrong[1:2])[0], 1, rtol=1e-5)


def test_agreement_brings_heads_to_read_as_asked(prior: AttributePrior) -> None:
    ensemble = small_ensemble()
    latents = latents_of(*[(9.0, 70.0, 60.0)] * 8, *[(-9.0, 35.0, 60.0)] * 8)
    region = TrustRegion.of(TABLE, SETTINGS, np.eye(16), prior).around(latents)
    assert region.agreement is not None

    def misread(weight: float) -> float:
        settings = replace(SETTINGS, steps=30, agreement_weight=weight)
        z = invert(ensemble, latents, np.zeros((16, 16)), region, settings)
        return float(region.agreement.price(ensemble.predict(z)[0])[0].mean())  # type: ignore[union-attr]

    assert misread(0.05) < 0.9 * misread(0.0)


def colours_of_four() -> HairColours:
    """Two old and two young people with grey and brown hair, of which the latent's fourth tells."""
    values = np.array([[1.0], [-1.0], [0.9], [-0.9]])
    people = np.array([[0.5, 70.0, 60]] * 2 + [[0.5, 30, 60]] * 2)
    effects = np.zeros((4, 512))
    effects[:, 3] = values[:, 0]
    common = np.zeros(512, np.float32)
    return HairColours(
        np.array([FREE]), values.astype(np.float32), people, effects.astype(np.float32), common
    )


def test_hair_has_the_colour_of_one_of_the_kind_that_suits(
    prior: AttributePrior, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hair_colours, "_AMONG", 2)
    latents = latents_of((0, 70, 60), (0, 30, 60), (0, 70, 60))
    latents[2, 3] *= -1
    found = colours_of_four().chosen(latents, prior.asked(latents))
    np.testing.assert_allclose(found[:, 0], [1.0, 0.9, -1.0], rtol=1e-5)
    plain = TrustRegion.of(TABLE, SETTINGS, np.eye(16), prior).around(latents)
    region = TrustRegion.of(TABLE, SETTINGS, np.eye(16), prior, None, colours_of_four()).around(
        latents
    )
    np.testing.assert_allclose(region.centre[:, FREE], found[:, 0], rtol=1e-5)
    others = np.arange(16) != FREE
    np.testing.assert_array_equal(region.centre[:, others], plain.centre[:, others])


def test_colours_beside_the_surrogates_weights() -> None:
    arrays = colours_of_four().arrays()
    again = HairColours.from_arrays(arrays)
    assert again is not None
    np.testing.assert_allclose(again.values, colours_of_four().values, rtol=1e-3)
    assert HairColours.from_arrays({"weight_0": np.ones(3)}) is None
    with pytest.raises(UserError, match="lack 'colours_effects'"):
        HairColours.from_arrays({k: v for k, v in arrays.items() if "effects" not in k})


def test_models_that_say_nothing_of_people_keep_their_prior() -> None:
    assert attribute_prior.draws_of(SyntheticHead(TABLE)) is None  # type: ignore[arg-type]
    region = TrustRegion.of(TABLE, SETTINGS, np.eye(16))
    assert region.around(latents_of((9, 60, 60))) is region
    for name in ("anny", "open_flame"):
        real = load_head_model(name)
        assert real.attributes(real.table.default()[None]) is None


def test_what_attributes_determine_is_free_of_correlations() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(5000, 3))
    z[:, 1], z[:, 2] = 0.02 * z[:, 0], 0.8 * z[:, 0] + 0.6 * z[:, 2]
    precision = train_backward.given_precision(z)
    assert abs(precision[0, 1]) < 0.15
    assert precision[0, 2] < -1


def test_person_says_sex_years_and_lightness() -> None:
    model = load_head_model("person")
    heads = np.tile(model.table.default(), (2, 1))
    heads[:, model.table.index("gender")] = [0.1, 0.9]
    heads[:, model.table.index("age")] = [0.6, 1.0]
    heads[:, model.table.index("skin_melanin")] = [0.1, 0.9]
    attributes = model.attributes(heads)
    assert attributes is not None
    np.testing.assert_allclose(attributes[:, :2], [[0.1, 18], [0.9, 80]])
    assert attributes[0, 2] > 65
    assert attributes[1, 2] < 40
