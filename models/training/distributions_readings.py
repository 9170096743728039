# SPDX-License-Identifier: GPL-3.0-or-later
"""What networks say of many photos, without a render: do parameters go together as people's do,
and do the heads' own sex, age and lightness agree with what others read off the photos?

Of photos only statistics of many leave this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import BoolArray, FloatArray, RealArray
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.latent.real_faces import one_photo_each, split_identities
from facegen_addon.latent.sphere import cosine_distance_matrix, normalise
from facegen_addon.random_streams import random_stream
from models.training.baselines import RidgeRegression
from models.training.distributions_figures import Figure, figure
from models.training.fit_attributes import load_read
from models.training.pairs import Pairs
from models.training.report_attributes import spearman

ADULT_HALF = 40.0
"""Years, as photos read, at which people are parted into younger and older ones."""
_PRIOR_HEADS = 4000
_GENERATION = 30.0
HALVES, AXES = 50, 50


@dataclass(frozen=True)
class Readings:
    """N people whom nothing was fitted to: latents (N, 512) of a photo each, and what was read off
    it by others, (N, 3): chance of a woman, years, L* of the cheeks."""

    latents: Annotated[RealArray, "N D"]
    attributes: Annotated[FloatArray, "N 3"]

    def __len__(self) -> int:
        return len(self.latents)


def groups_of(attributes: Annotated[FloatArray, "N 3"]) -> dict[str, Annotated[BoolArray, "N"]]:
    """Who is of which sex and age, (N,) bool by name; nobody of whom nothing was read."""
    female, age = attributes[:, 0], attributes[:, 1]
    return {
        "women": female > 0.5,
        "men": female <= 0.5,
        f"below {ADULT_HALF:.0f}": age < ADULT_HALF,
        f"{ADULT_HALF:.0f} and older": age >= ADULT_HALF,
    }


def read_held_out(count: int) -> Readings:
    """At most `count` of the people whom nothing was fitted to, of whom something was read."""
    photos, attributes = load_read()
    people = split_identities(photos.identity).held_out
    rows = one_photo_each(photos.identity, people)
    rows = rows[np.isfinite(attributes[rows]).all(axis=1)][:count]
    return Readings(photos.latents[rows], attributes[rows])


def readings_report(
    readings: Readings,
    outputs: Mapping[str, Annotated[RealArray, "N G"]],
    of_b: Annotated[RealArray, "N G"],
    learnt: Mapping[str, Annotated[RealArray, "M D"]],
    model: HeadModel,
) -> dict[str, Any]:
    """Figures of what networks, by name, and B say of the same photos, z (N, G) each.

    learnt: latents (M, 512) of training heads, by name.
    """
    named = {"B, refined": of_b, **outputs}
    found: dict[str, Any] = {
        "people": len(readings),
        "places": [
            {"name": name, **place_row(x, readings.latents)} for name, x in learnt.items()
        ],
        "correlations": correlation_rows(named, of_b, model),
        "attributes": [],
        "kinds": [],
        "together": [{"name": "photos, as read off them", **together(readings.attributes)}],
    }  # fmt: skip
    for name, z in named.items():
        heads = model.attributes(model.table.from_standardised(z))
        if heads is not None:
            found["attributes"].append({"name": name, **attribute_row(heads, readings.attributes)})
            found["kinds"].append({"name": name, **kind_row(heads, readings.attributes)})
            found["together"].append({"name": name, **together(heads)})
    return found


def correlation_rows(
    outputs: Mapping[str, Annotated[RealArray, "N G"]],
    of_b: Annotated[RealArray, "N G"],
    model: HeadModel,
) -> list[dict[str, Any]]:
    """How far correlations among parameters are those of B's heads of people and of the prior.

    outputs: z (N, G) by whose they are; of_b: z (N, G) of B, of the same photos. Those of half of
    the photos are likened to B's of the other half, HALVES times: a bootstrap would count doubles
    as people.
    """
    heads = model.sample_prior(random_stream("correlations"), _PRIOR_HEADS)
    prior = model.table.standardise(heads)
    varying = np.flatnonzero((of_b.std(axis=0) > 1e-6) & (prior.std(axis=0) > 1e-6))
    of_prior = _correlations(prior[:, varying])
    rng, size = random_stream("halves"), len(of_b) // 2
    drawn = [rng.permutation(len(of_b)) for _ in range(HALVES)]
    others = [_correlations(of_b[order[size:]][:, varying]) for order in drawn]
    rows = []
    for name, z in outputs.items():
        own = [_correlations(z[order[:size]][:, varying]) for order in drawn]
        rows.append(
            {
                "name": name,
                "strength": float(np.sqrt(np.mean(_correlations(z[:, varying]) ** 2))),
                "people": _over_halves(
                    [_alike(one, other) for one, other in zip(own, others, strict=True)]
                ),
                "prior": _over_halves([_alike(one, of_prior) for one in own]),
            }
        )
    return rows


def _alike(one: FloatArray, other: FloatArray) -> float:
    """Correlation between two sets of correlations: 1 for the same pattern, however strong."""
    return float(np.corrcoef(one, other)[0, 1])


def _over_halves(values: list[float]) -> Figure:
    low, high = np.quantile(values, [0.025, 0.975])
    return {"value": float(np.median(values)), "low": float(low), "high": float(high)}


def place_row(
    heads: Annotated[RealArray, "M D"], photos: Annotated[RealArray, "N D"]
) -> dict[str, Figure]:
    """Where latents of training heads (M, 512) lie, seen from photos (N, 512): nearest: cosine
    distance of photos from the nearest head; middle: of the photos from the heads' mean; auc: how
    well a linear classifier, fitted to half of both, tells the other halves apart; span: share of
    the photos' variance along the AXES along which heads vary most."""
    distances = cosine_distance_matrix(photos, heads).min(axis=1)
    middle = normalise(heads.mean(axis=0, keepdims=True))
    halves = [(x[::2], x[1::2]) for x in (photos, heads)]
    fit, test = zip(*halves, strict=True)
    labels = np.repeat([1.0, -1.0], [len(x) for x in fit])[:, None]
    classifier = RidgeRegression.fit(Pairs(labels, np.concatenate(fit)), 1.0)
    _, _, axes = np.linalg.svd(heads - heads.mean(axis=0), full_matrices=False)
    scores = [classifier.predict(x)[:, 0] for x in test]
    return {
        "nearest": figure(distances, np.median),
        "middle": figure(cosine_distance_matrix(photos, middle)[:, 0], np.median),
        "auc": figure(scores[0], lambda own: _auc(own, scores[1])),
        "span": figure(photos, lambda rows: _share_along(rows, axes[:AXES])),
    }


def _share_along(rows: Annotated[RealArray, "N D"], axes: Annotated[RealArray, "K D"]) -> float:
    """Share of the variance of rows that lies along orthonormal axes."""
    centred = rows - rows.mean(axis=0)
    return float(np.square(centred @ axes.T).sum() / np.square(centred).sum())


def _correlations(z: Annotated[RealArray, "N G"]) -> FloatArray:
    """Those above the diagonal; 0 where a parameter does not vary."""
    centred = z - z.mean(axis=0, dtype=np.float64)
    unit = centred / np.maximum(np.sqrt(np.square(centred).sum(axis=0)), 1e-9)
    found: FloatArray = (unit.T @ unit)[np.triu_indices(z.shape[1], 1)]
    return found


def attribute_row(
    heads: Annotated[FloatArray, "N 3"], photos: Annotated[FloatArray, "N 3"]
) -> dict[str, Figure]:
    """Agreement of heads' own attributes with those read off photos: of sex the chance that a
    woman's head is the more female one of a pair; of years and lightness the correlation of ranks.
    """
    both = np.stack([heads, photos], axis=1)
    return {
        "sex": figure(both, _auc_of_sex),
        "age": figure(both, _ranks_of(1)),
        "lightness": figure(both, _ranks_of(2)),
    }


def misread(
    own: Annotated[FloatArray, "N 3"], read: Annotated[FloatArray, "N 3"]
) -> Annotated[FloatArray, "N"]:
    """How far heads (N,) read from what they are, by sex and age: another sex weighs as much as
    _GENERATION years."""
    found: FloatArray = np.abs(own - read)[:, :2] @ [1.0, 1.0 / _GENERATION]
    return found


def kind_row(
    heads: Annotated[FloatArray, "N 3"], photos: Annotated[FloatArray, "N 3"]
) -> dict[str, Figure]:
    """The same of age and lightness, within each kind of people."""
    both, found = np.stack([heads, photos], axis=1), {}
    for group, chosen in groups_of(photos).items():
        if chosen.sum() > 2:
            found[f"age, {group}"] = figure(both[chosen], _ranks_of(1))
            found[f"lightness, {group}"] = figure(both[chosen], _ranks_of(2))
    return found


def together(attributes: Annotated[FloatArray, "N 3"]) -> dict[str, Figure]:
    """Correlations of ranks among sex, age and lightness of people or heads (N, 3)."""
    pairs = {"sex and age": [0, 1], "sex and lightness": [0, 2], "age and lightness": [1, 2]}
    return {
        name: figure(attributes[:, both], lambda x: spearman(x[:, 0], x[:, 1]))
        for name, both in pairs.items()
    }


def _ranks_of(column: int) -> Callable[[RealArray], float]:
    return lambda both: spearman(both[:, 0, column], both[:, 1, column])


def _auc_of_sex(both: RealArray) -> float:
    female = both[:, 1, 0] > 0.5
    return _auc(both[female, 0, 0], both[~female, 0, 0])


def _auc(high: Annotated[RealArray, "N"], low: Annotated[RealArray, "M"]) -> float:
    """Chance that one of the first is above one of the second; NaN where there are none."""
    if not high.size or not low.size:
        return float("nan")
    above, level = high[:, None] > low, high[:, None] == low
    return float(above.mean() + 0.5 * level.mean())
