# SPDX-License-Identifier: GPL-3.0-or-later
"""The prior of a head model given sex, age and lightness, from draws of its prior and from pairs.

It knows parameters by what the head model says of its heads alone (HeadModel.attributes).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from facegen_addon.arrays import BoolArray, Float32Array, FloatArray, IntArray, RealArray
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.mapping.attributes import AttributePrior
from facegen_addon.mapping.hair_colours import HairColours
from facegen_addon.mapping.surrogate import SurrogateEnsemble
from facegen_addon.random_streams import random_stream
from models.training.pairs import Pairs

DRAWS = 20_000
LEAST_SPREAD = 0.15
"""What follows from the attributes alone is free by this much, in deviations of the prior."""

FREEDOM = {
    **dict.fromkeys(("hair_grey", "brow_grey", "beard_grey", "hair_melanin"), 0.45),
    "hair_fringe": 0.4,
    **dict.fromkeys(("age", "skin_age", "skin_lines", "skin_spots", "gender"), 0.7),
}
"""How far B may go from what people of an age and a sex have, as a share of how far these do.

FaceNet likes grey or bleached hair on anybody, strings of it on foreheads and folds of fifty on
faces of thirty; people do not.
"""

_RANGE = (0.01, 0.99)  # quantiles of the prior's attributes
_RIDGE = 1e-3
_AGE_KNOTS = 8
_COLOURED = 1200
"""People whose colours of hair B chooses from."""
_NATURAL = 2.0
"""Mean square of a head's deviations up to which it counts as one of people."""


@dataclass(frozen=True)
class Draws:
    """Heads of a head model's prior: z (N, G) in standard units, and their attributes (N, 3)."""

    z: Annotated[RealArray, "N G"]
    attributes: Annotated[FloatArray, "N 3"]


def draws_of(model: HeadModel, count: int = DRAWS) -> Draws | None:
    """`count` of them; None for a head model that says nothing of attributes."""
    if model.attributes(model.table.default()[None]) is None:
        return None
    drawn = model.sample_prior(random_stream(0), count)
    attributes = model.attributes(drawn)
    assert attributes is not None
    return Draws(model.table.standardise(drawn), attributes)


def fit_attribute_prior(
    model: HeadModel,
    probes: AttributeProbes,
    pairs: Pairs,
    draws: Draws,
    free: Annotated[BoolArray, "G"] | None = None,
) -> tuple[AttributePrior, Annotated[FloatArray, "N F"]]:
    """The prior given attributes, and deviations (N, F) of draws from it in its spreads.

    Of the F columns that are `free` (G,), by default of all. Of `pairs`, those of heads such as
    the prior has say how old heads read.
    """
    columns = np.full(draws.z.shape[1], True) if free is None else free
    z, seen = draws.z[:, columns], pairs.z[:, columns]
    guided = [model.table.names[column] for column in model.table.guided]
    freedom = np.array([FREEDOM.get(name, 1.0) for name in guided])[columns]
    prior = replace(of_draws(z, draws.attributes, probes), freedom=freedom)
    own = model.attributes(model.table.from_standardised(pairs.z))
    assert own is not None
    natural = np.mean(_deviations(prior, seen, own) ** 2, axis=1) < _NATURAL
    read = probes.read(pairs.latents[natural])
    prior = replace(prior, ages=reading(own[natural, 1], read[:, 1]))
    return prior, _deviations(prior, z, draws.attributes)


def fit_hair_colours(
    prior: AttributePrior,
    draws: Draws,
    columns: Annotated[IntArray, "H"],
    ensemble: SurrogateEnsemble,
    common: Annotated[RealArray, "512"],
) -> HairColours:
    """Guided `columns` (H,) of some of these people, and what they do to latents, of which those
    of people are `common` (512,) on average."""
    z, attributes = draws.z[:_COLOURED], draws.attributes[:_COLOURED]
    values = z[:, columns].astype(np.float32)
    effects = effects_of(prior, attributes, columns, values, ensemble)
    return HairColours(columns, values, attributes, effects, np.asarray(common, np.float32))


def effects_of(
    prior: AttributePrior,
    attributes: Annotated[RealArray, "W 3"],
    columns: Annotated[IntArray, "H"],
    values: Annotated[RealArray, "W H"],
    ensemble: SurrogateEnsemble,
) -> Annotated[Float32Array, "W 512"]:
    """By how much values (W, H) of guided `columns` (H,) move what the surrogates predict of the
    mean heads of people with these attributes."""
    mean = prior.of(attributes)[0]
    changed = mean.copy()
    changed[:, columns] = values
    effects: Float32Array = ensemble.predict(changed)[0] - ensemble.predict(mean)[0]
    return effects


def of_draws(
    z: Annotated[RealArray, "N G"], attributes: Annotated[RealArray, "N 3"], probes: AttributeProbes
) -> AttributePrior:
    """Least squares on draws z (N, G) with these attributes; heads read as old as they are."""
    low, high = np.quantile(attributes, _RANGE, axis=0)
    none, free = np.zeros((0, z.shape[1])), np.ones(z.shape[1])
    ages = np.stack([[low[1], high[1]]] * 2)
    prior = AttributePrior(probes, ages, low, high, none, none, free, LEAST_SPREAD)
    features = prior.features(attributes)
    means = _least_squares(features, z)
    squares = np.asarray((z - features @ means) ** 2, np.float64)
    return replace(prior, means=means, variances=_least_squares(features, squares))


def reading(
    own: Annotated[RealArray, "N"], read: Annotated[RealArray, "N"]
) -> Annotated[FloatArray, "2 K"]:
    """Ages (2, K) as heads read on average and as they are, both increasing.

    Both the same where there are too few heads to say.
    """
    if len(own) < 10 * _AGE_KNOTS:
        return np.array([[0.0, 100.0]] * 2)
    parts = np.array_split(np.argsort(own), _AGE_KNOTS)
    means = np.array([[read[part].mean(), own[part].mean()] for part in parts]).T
    # Noise may let older heads read younger: a tenth of a year is what they read older at least.
    means[0] = np.maximum.accumulate(means[0] - 0.1 * np.arange(_AGE_KNOTS))
    means[0] += 0.1 * np.arange(_AGE_KNOTS)
    return means


def _deviations(prior: AttributePrior, z: RealArray, attributes: RealArray) -> FloatArray:
    centre, spread = prior.of(attributes)
    return np.asarray((z - centre) / spread, np.float64)


def _least_squares(x: FloatArray, y: RealArray) -> FloatArray:
    damping = _RIDGE * len(x) * np.eye(x.shape[1])
    damping[0, 0] = 0.0
    return np.asarray(np.linalg.solve(x.T @ x + damping, x.T @ y))
