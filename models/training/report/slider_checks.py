# SPDX-License-Identifier: GPL-3.0-or-later
"""A ranking of sliders and its short lists: what renders and surrogates say of the same heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from facegen_addon.arrays import IntArray, RealArray
from facegen_addon.confidence import bootstrap_interval
from facegen_addon.latent.metrics import pairwise_distances
from facegen_addon.mapping.ranking import (
    Design,
    Predict,
    Ranking,
    half_squared_distances,
    independent_heads,
    load_ranking,
    prior_pool,
    total_variance,
)
from facegen_addon.mapping.surrogate import SurrogateEnsemble
from facegen_addon.random_streams import random_stream
from facegen_addon.scene.render.view import View
from models.training import pairs
from models.training.report.study import Rendered, Study

RENDERED_SHARE = 0.95
"""The short list that is judged by renders; the share of the spread that a wide list keeps."""

# Full and quick: sliders judged at either end, heads that each is drawn anew on, heads of which the
# variance is taken, and the surrogates' heads for what only they are asked.
_ENDS, _REDRAWN, _HEADS, THROUGH_SURROGATES = (10, 2), (16, 2), (60, 5), (256, 32)
_ANOTHER_NOISE = View(seed=1)


@dataclass(frozen=True)
class SliderCheck:
    """One slider, drawn anew alone on a few heads.

    rank counts from 1; rendered, error: total index by renders and its standard error; predicted:
    the surrogates' for the very same heads.
    """

    rank: int
    rendered: float
    error: float
    predicted: float


@dataclass(frozen=True)
class RenderCheck:
    """sliders: of both ends; variance: of rendered heads; noise: index that another seed of the
    renderer alone would have; agreement: rank correlation of renders and surrogates."""

    sliders: tuple[SliderCheck, ...]
    variance: float
    noise: float
    agreement: float


@dataclass(frozen=True)
class Spread:
    """Heads on which only some leading sliders vary, the others at the mean, against all varying.

    share: of the variance; dimensions: effective ones of both, all and these.
    """

    share: float
    dimensions: tuple[float, float]


@dataclass(frozen=True)
class ListCheck:
    """The `count` leading sliders, by renders and, on the same heads, by the surrogates.

    interval: of the rendered share, 95 % by bootstrap over heads; medians: pairwise cosine
    distances of rendered heads, all sliders varying and these.
    """

    count: int
    rendered: Spread
    interval: tuple[float, float]
    medians: tuple[float, float]
    predicted: Spread


@dataclass(frozen=True)
class Heads:
    """Heads that the ranking is judged by: z (N, G), drawn as the indices are defined, rendered."""

    study: Study
    ranked: Ranking
    pool: Annotated[RealArray, "M G"]
    predict: Predict
    z: Annotated[RealArray, "N G"]
    rendered: Rendered

    @classmethod
    def of(cls, study: Study) -> Heads:
        """Rank, draw and render."""
        ensemble, pool = SurrogateEnsemble.load(study.model.name), prior_pool(study.model)
        z = _independent(pool, study.pick(*_HEADS), 0)
        return cls(
            study,
            load_ranking(study.model),
            pool,
            lambda z: ensemble.predict(z)[0],
            z,
            study.render("sliders_heads", z),
        )


def _independent(pool: RealArray, count: int, seed: int) -> RealArray:
    """(count, G) heads as the indices are defined for, rounded as they will be rendered."""
    singles = list(np.arange(pool.shape[1])[:, None])
    rng = random_stream(11, seed)
    return pairs.quantised(independent_heads(pool, singles, rng, count))


def columns_of(study: Study, names: Sequence[str]) -> Annotated[IntArray, "K"]:
    """Columns (K,) of these sliders among the guided ones."""
    guided = [study.table.names[column] for column in study.table.guided]
    return np.array([guided.index(name) for name in names], np.intp)


def check_sliders(heads: Heads) -> RenderCheck:
    """The first and last sliders of the ranking, each drawn anew alone and rendered."""
    study, few = heads.study, heads.study.pick(*_REDRAWN)
    usable = heads.rendered.usable
    variance = total_variance(heads.rendered.latents[usable])
    predicted_variance = total_variance(heads.predict(heads.z[usable]))
    z, latents, usable = heads.z[:few], heads.rendered.latents[:few], usable[:few]
    again = study.render("sliders_noise", z, _ANOTHER_NOISE)
    both = usable & again.usable
    noise = half_squared_distances(latents[both], again.latents[both])
    ranks = _ends(len(heads.ranked.names), study.pick(*_ENDS))
    redrawn = _redrawn(z, columns_of(study, heads.ranked.names)[ranks], heads.pool)
    found = study.render("sliders_redrawn", redrawn.reshape(-1, z.shape[1]))
    sliders = []
    for number, rank in enumerate(ranks):
        rows = slice(number * few, (number + 1) * few)
        keep = usable & found.usable[rows]
        lost = half_squared_distances(latents[keep], found.latents[rows][keep]) / variance
        promised = half_squared_distances(
            heads.predict(z[keep]), heads.predict(redrawn[number, keep])
        )
        sliders.append(
            SliderCheck(
                int(rank) + 1,
                float(lost.mean()),
                float(lost.std(ddof=1) / np.sqrt(len(lost))),
                float(promised.mean() / predicted_variance),
            )
        )
    agreement = rank_correlation([s.rendered for s in sliders], [s.predicted for s in sliders])
    return RenderCheck(tuple(sliders), variance, float(noise.mean() / variance), agreement)


def _redrawn(z: RealArray, columns: IntArray, pool: RealArray) -> RealArray:
    """(K, N, G): heads z (N, G) with one of K columns alone drawn anew."""
    redrawn, others = np.repeat(z[None], len(columns), axis=0), _independent(pool, len(z), 1)
    for changed, column in zip(redrawn, columns, strict=True):
        changed[:, column] = others[:, column]
    return redrawn


def check_list(heads: Heads, count: int) -> ListCheck:
    """The heads with only the `count` leading sliders varying, rendered."""
    kept = _holding_others(heads.study, heads.ranked, heads.z, count)
    listed = heads.study.render(f"sliders_leading_{count}", kept)
    usable = heads.rendered.usable & listed.usable
    both = np.stack([heads.rendered.latents[usable], listed.latents[usable]], axis=1)
    low, high = bootstrap_interval(both, _variance_ratio, random_stream(0), 300)
    predicted = [heads.predict(z[usable]) for z in (heads.z, kept)]
    return ListCheck(
        count,
        _spread(both),
        (low, high),
        (pairwise_distances(both[:, 0]).median, pairwise_distances(both[:, 1]).median),
        _spread(np.stack(predicted, axis=1)),
    )


def _spread(both: RealArray) -> Spread:
    """Spread of latents (N, 2, D): all sliders varying, some varying."""
    return Spread(
        _variance_ratio(both), (effective_dimensions(both[:, 0]), effective_dimensions(both[:, 1]))
    )


def _variance_ratio(both: RealArray) -> float:
    """Variance of the second over that of the first of latents (N, 2, 512)."""
    return total_variance(both[:, 1]) / total_variance(both[:, 0])


def effective_dimensions(latents: Annotated[RealArray, "N D"]) -> float:
    """Directions that latents (N, D) spread over: D if alike in all, 1 if in one alone.

    The participation ratio of the covariance: squared trace over the trace of its square.
    """
    centred = latents.astype(np.float64) - latents.mean(axis=0)
    gram = centred @ centred.T
    return float(np.trace(gram) ** 2 / np.square(gram).sum())


def _holding_others(study: Study, ranked: Ranking, heads: RealArray, count: int) -> RealArray:
    """Heads (N, G) with all but the leading sliders at the mean."""
    listed = columns_of(study, ranked.names[:count])
    kept = np.zeros_like(heads)
    kept[:, listed] = heads[:, listed]
    return kept


def predicted_spread(
    study: Study, ranked: Ranking, people: Annotated[RealArray, "N G"], count: int, predict: Predict
) -> Spread:
    """Spread of heads of the prior, as the surrogates see it."""
    kept = _holding_others(study, ranked, people, count)
    return _spread(np.stack([predict(people), predict(kept)], axis=1))


def wide_count(
    study: Study, ranked: Ranking, people: Annotated[RealArray, "N G"], predict: Predict
) -> int:
    """Number of leading sliders that alone let heads spread as widely, as the surrogates see it."""
    enough = RENDERED_SHARE * total_variance(predict(people))
    for count in range(1, len(ranked.names)):
        kept = _holding_others(study, ranked, people, count)
        if total_variance(predict(kept)) >= enough:
            return count
    return len(ranked.names)


def ranking_among_people(
    study: Study, ranked: Ranking, pool: Annotated[RealArray, "N G"], predict: Predict
) -> float:
    """Rank correlation of the ranking with one of heads that keep the prior's correlations.

    There a slider is drawn anew on a head of the prior, all else of which stays together.
    """
    count = study.pick(*THROUGH_SURROGATES)
    design = Design(predict, pool[:count], _independent(pool, count, 2))
    totals = [design.indices(np.array([column]))[0] for column in range(pool.shape[1])]
    return rank_correlation(ranked.total, np.array(totals)[columns_of(study, ranked.names)])


def _ends(count: int, each: int) -> IntArray:
    """Ranks, from 0, of as many sliders at the top and at the bottom; all where they are few."""
    return np.unique(np.r_[: min(each, count), max(count - each, 0) : count])


def rank_correlation(
    a: Annotated[RealArray, "N"] | list[float], b: Annotated[RealArray, "N"] | list[float]
) -> float:
    """Spearman's, of numbers (N,) that all differ."""
    places = np.stack([np.argsort(np.argsort(values)) for values in (a, b)])
    return float(np.corrcoef(places)[0, 1])
