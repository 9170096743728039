# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sliders make heads differ: the surrogates' ranking, its short lists, judged by renders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from facegen_addon.arrays import IntArray
from facegen_addon.latent.metrics import bootstrap_interval, pairwise_distances
from facegen_addon.mapping import influence
from facegen_addon.mapping.ranking import (
    Design,
    Indices,
    Predict,
    Ranking,
    block_indices,
    half_squared_distances,
    independent_heads,
    linked_blocks,
    load_ranking,
    prior_pool,
    total_variance,
)
from facegen_addon.mapping.surrogate import SurrogateEnsemble
from facegen_addon.random_streams import random_stream
from facegen_addon.report import plots
from facegen_addon.report.section import Figure, Section, Table
from facegen_addon.scene.render.view import View
from models.training import pairs
from models.training.report.correlations import slider_labels
from models.training.report.study import Rendered, Study

SHARES = (0.9, 0.95, 0.99)
RENDERED_SHARE = 0.95
"""The short list that is judged by renders; the share of the spread that a wide list keeps."""
TOP = 20
"""Rows of the table of sliders."""

# Full and quick: sliders judged at either end, heads that each is drawn anew on, heads of which the
# variance is taken, and the surrogates' heads for what only they are asked.
_ENDS, _REDRAWN, _HEADS, _THROUGH_SURROGATES = (10, 2), (16, 2), (60, 5), (256, 32)
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
class _Heads:
    """What is judged and on which heads: z (N, G), drawn as the indices are defined, rendered."""

    study: Study
    ranked: Ranking
    pool: np.ndarray
    predict: Predict
    z: np.ndarray
    rendered: Rendered

    @classmethod
    def of(cls, study: Study) -> _Heads:
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


def chapter(study: Study) -> Section:
    """The ranking, its short lists, groups, and the check of both by renders."""
    heads = _Heads.of(study)
    ranked, pool, predict = heads.ranked, heads.pool, heads.predict
    counts = {share: ranked.count(share) for share in SHARES}
    people = pool[: study.pick(*_THROUGH_SURROGATES)]
    wide = _wide_count(study, ranked, people, predict)
    lists = {f"explains {100 * share:g} %": count for share, count in counts.items()}
    lists["spreads heads as widely"] = wide
    spreads = {
        name: _predicted_spread(study, ranked, people, count, predict)
        for name, count in lists.items()
    }
    check = _check_sliders(heads)
    short, widely = _check_list(heads, counts[RENDERED_SHARE]), _check_list(heads, wide)
    with_people = _ranking_among_people(study, ranked, pool, predict)
    return Section(
        "sliders",
        "Which sliders make the variety",
        (
            _method(ranked),
            _verdict(check, counts, with_people, len(ranked.names)),
            _list_verdict(short, widely),
        ),
        (
            _lists_table(lists, spreads, ranked, (short, widely)),
            _top_table(study, ranked),
            _check_table(study, ranked, check),
            _groups_table(study, ranked, pool, predict),
        ),
        (_curve(ranked, counts),),
        {
            "ranking": {
                "names": ranked.names,
                "total": ranked.total.tolist(),
                "first": ranked.first.tolist(),
                "cumulative": ranked.cumulative.tolist(),
                "heads": ranked.heads,
                "variance": ranked.variance,
            },
            "sliders_at": {f"{share:g}": count for share, count in counts.items()},
            "lists_by_surrogates": {
                name: {"sliders": lists[name], **asdict(spread)} for name, spread in spreads.items()
            },
            "rank_correlation_with_prior_heads": with_people,
            "rendered_sliders": asdict(check),
            "rendered_lists": [asdict(short), asdict(widely)],
        },
    )


def _independent(pool: np.ndarray, count: int, seed: int) -> np.ndarray:
    """(count, G) heads as the indices are defined for, rounded as they will be rendered."""
    singles = list(np.arange(pool.shape[1])[:, None])
    rng = random_stream(11, seed)
    return pairs.quantised(independent_heads(pool, singles, rng, count))


def _columns(study: Study, names: Sequence[str]) -> IntArray:
    """Where these sliders stand among the guided ones."""
    guided = [study.table.names[column] for column in study.table.guided]
    return np.array([guided.index(name) for name in names], np.intp)


def _check_sliders(heads: _Heads) -> RenderCheck:
    study, few = heads.study, heads.study.pick(*_REDRAWN)
    usable = heads.rendered.usable
    variance = total_variance(heads.rendered.latents[usable])
    predicted_variance = total_variance(heads.predict(heads.z[usable]))
    z, latents, usable = heads.z[:few], heads.rendered.latents[:few], usable[:few]
    again = study.render("sliders_noise", z, _ANOTHER_NOISE)
    both = usable & again.usable
    noise = half_squared_distances(latents[both], again.latents[both])
    ranks = _ends(len(heads.ranked.names), study.pick(*_ENDS))
    redrawn = _redrawn(z, _columns(study, heads.ranked.names)[ranks], heads.pool)
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


def _redrawn(z: np.ndarray, columns: IntArray, pool: np.ndarray) -> np.ndarray:
    """(K, N, G): heads z (N, G) with one of K columns alone drawn anew."""
    redrawn, others = np.repeat(z[None], len(columns), axis=0), _independent(pool, len(z), 1)
    for changed, column in zip(redrawn, columns, strict=True):
        changed[:, column] = others[:, column]
    return redrawn


def _check_list(heads: _Heads, count: int) -> ListCheck:
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


def _spread(both: np.ndarray) -> Spread:
    """Of latents (N, 2, 512): all sliders varying, some varying."""
    return Spread(
        _variance_ratio(both), (effective_dimensions(both[:, 0]), effective_dimensions(both[:, 1]))
    )


def _variance_ratio(both: np.ndarray) -> float:
    """Variance of the second over that of the first of latents (N, 2, 512)."""
    return total_variance(both[:, 1]) / total_variance(both[:, 0])


def effective_dimensions(latents: np.ndarray) -> float:
    """Directions that latents (N, D) spread over: D if alike in all, 1 if in one alone.

    The participation ratio of the covariance: squared trace over the trace of its square.
    """
    centred = latents.astype(np.float64) - latents.mean(axis=0)
    gram = centred @ centred.T
    return float(np.trace(gram) ** 2 / np.square(gram).sum())


def _holding_others(study: Study, ranked: Ranking, heads: np.ndarray, count: int) -> np.ndarray:
    """Heads (N, G) with all but the leading sliders at the mean."""
    listed = _columns(study, ranked.names[:count])
    kept = np.zeros_like(heads)
    kept[:, listed] = heads[:, listed]
    return kept


def _predicted_spread(
    study: Study, ranked: Ranking, people: np.ndarray, count: int, predict: Predict
) -> Spread:
    """The surrogates', of heads of the prior."""
    kept = _holding_others(study, ranked, people, count)
    return _spread(np.stack([predict(people), predict(kept)], axis=1))


def _wide_count(study: Study, ranked: Ranking, people: np.ndarray, predict: Predict) -> int:
    """With how many leading sliders alone the surrogates first see heads spread as widely."""
    enough = RENDERED_SHARE * total_variance(predict(people))
    for count in range(1, len(ranked.names)):
        kept = _holding_others(study, ranked, people, count)
        if total_variance(predict(kept)) >= enough:
            return count
    return len(ranked.names)


def _ranking_among_people(
    study: Study, ranked: Ranking, pool: np.ndarray, predict: Predict
) -> float:
    """Rank correlation of the ranking with one of heads that keep the prior's correlations.

    There a slider is drawn anew on a head of the prior, all else of which stays together.
    """
    count = study.pick(*_THROUGH_SURROGATES)
    design = Design(predict, pool[:count], _independent(pool, count, 2))
    totals = [design.indices(np.array([column]))[0] for column in range(pool.shape[1])]
    return rank_correlation(ranked.total, np.array(totals)[_columns(study, ranked.names)])


def _ends(count: int, each: int) -> IntArray:
    """Ranks, from 0, of as many sliders at the top and at the bottom; all where they are few."""
    return np.unique(np.r_[: min(each, count), max(count - each, 0) : count])


def rank_correlation(a: np.ndarray | list[float], b: np.ndarray | list[float]) -> float:
    """Spearman's, of numbers (N,) that all differ."""
    places = np.stack([np.argsort(np.argsort(values)) for values in (a, b)])
    return float(np.corrcoef(places)[0, 1])


def _method(ranked: Ranking) -> str:
    return (
        "The index of a slider is the share of the latent's variance that goes with it (Sobol's"
        " indices, summed over the latent's 512 components, by Jansen's estimators), seen through"
        f" the surrogates on {ranked.heads} heads a slider. First-order is what it explains"
        " alone; total is what is lost when it is held, with all that it does together with"
        " others. Each slider is drawn from its own values in the prior, independently of the"
        " others: the prior's correlations are not in the figures of single sliders. Groups and"
        " linked sliders are drawn together, with the correlations among them."
    )


def _verdict(check: RenderCheck, counts: dict[float, int], with_people: float, sliders: int) -> str:
    top, bottom = _halves(check)
    ratio = sum(s.rendered for s in top) / sum(s.predicted for s in top)
    lists = ", ".join(f"{count} keep {100 * share:g} %" for share, count in counts.items())
    return (
        f"Of {sliders} sliders {lists}. By renders, the top {len(top)} have"
        f" {np.mean([s.rendered for s in top]):.4f} of the variance each and the bottom"
        f" {len(bottom)} {np.mean([s.rendered for s in bottom]):.4f}. Renders give the top"
        f" {ratio:.2f} times what the surrogates do on the same heads; rank correlation over both"
        f" ends, which were chosen for being far apart, {check.agreement:.2f}. On heads of the"
        " prior with its correlations the surrogates rank the sliders alike (rank correlation"
        f" {with_people:.2f})."
    )


def _list_verdict(short: ListCheck, widely: ListCheck) -> str:
    return (
        f"By renders, heads on which the short list of {short.count} alone varies, the others at"
        f" the mean, have {_with_interval(short)} of the variance, over"
        f" {short.rendered.dimensions[1]:.1f} of {short.rendered.dimensions[0]:.1f} effective"
        f" dimensions; with the leading {widely.count}, which the surrogates see spread heads as"
        f" widely, {_with_interval(widely)}, over {widely.rendered.dimensions[1]:.1f}. Spread tells"
        " how far apart heads are, not of how many kinds: the panel's short lists are therefore"
        " those that explain."
    )


def _with_interval(check: ListCheck) -> str:
    low, high = (100 * end for end in check.interval)
    return f"{100 * check.rendered.share:.0f} % [{low:.0f}, {high:.0f}]"


def _halves(check: RenderCheck) -> tuple[list[SliderCheck], list[SliderCheck]]:
    middle = (len(check.sliders) + 1) // 2
    return list(check.sliders[:middle]), list(check.sliders[middle:])


def _lists_table(
    lists: dict[str, int],
    spreads: dict[str, Spread],
    ranked: Ranking,
    checks: tuple[ListCheck, ...],
) -> Table:
    rows = []
    for name, count in lists.items():
        spread = spreads[name]
        check = next((check for check in checks if check.count == count), None)
        rows.append(
            (
                name,
                f"{count} of {len(ranked.names)}",
                f"{100 * ranked.cumulative[count - 1]:.0f} %",
                f"{100 * spread.share:.0f} %",
                f"{spread.dimensions[1]:.1f} of {spread.dimensions[0]:.1f}",
                _with_interval(check) if check else "–",
                f"{100 * check.predicted.share:.0f} %" if check else "–",
                f"{check.medians[1]:.3f} of {check.medians[0]:.3f}" if check else "–",
                "{1:.1f} of {0:.1f}".format(*check.rendered.dimensions) if check else "–",
            )
        )
    return Table(
        "Short lists, nested: the leading sliders by total index",
        (
            "list", "sliders", "explained (surrogates)", "spread (surrogates)",
            "effective dimensions (surrogates)", "spread (renders)",
            "spread of the same heads (surrogates)", "median pairwise distance (renders)",
            "effective dimensions (renders)",
        ),
        tuple(rows),
        "Explained: the closed index, what the list determines whatever the others do. Spread:"
        " variance of heads with all other sliders at the mean, over that with all varying; beyond"
        " 100 % because latents have unit norm, so that what no longer varies leaves room. The"
        " surrogates' spread is of heads of the prior, the renders' of independent sliders."
        " Effective dimensions: participation ratio of the covariance.",
    )  # fmt: skip


def _top_table(study: Study, ranked: Ranking) -> Table:
    measured = influence.load(study.model.name, study.table)
    labels = slider_labels(study.table)
    rows = []
    for place, column in enumerate(_columns(study, ranked.names)[:TOP]):
        name = ranked.names[place]
        figure = measured.slider(name) if measured else None
        rows.append(
            (
                f"{place + 1}. {labels[column]}",
                study.table.parameters[study.table.guided[column]].group,
                f"{ranked.total[place]:.4f} ± {ranked.total_error[place]:.4f}",
                f"{ranked.first[place]:.4f}",
                f"{100 * ranked.cumulative[place]:.0f} %",
                measured.cosine_words(figure) if measured and figure else "not measured",
            )
        )
    return Table(
        f"The {len(rows)} most influential sliders",
        (
            "slider", "group", "total (surrogates)", "first-order (surrogates)",
            "kept up to here (surrogates)", "cosine distance per step (renders)",
        ),
        tuple(rows),
        "The last column is of `batch/run.py influence`: one step on a few heads.",
    )  # fmt: skip


def _check_table(study: Study, ranked: Ranking, check: RenderCheck) -> Table:
    labels = slider_labels(study.table)
    columns = _columns(study, ranked.names)
    return Table(
        f"The {len(check.sliders)} sliders at both ends, by renders",
        ("slider", "total (renders)", "same heads (surrogates)", "all heads (surrogates)"),
        tuple(
            (
                f"{slider.rank}. {labels[columns[slider.rank - 1]]}",
                f"{slider.rendered:.4f} ± {slider.error:.4f}",
                f"{slider.predicted:.4f}",
                f"{ranked.total[slider.rank - 1]:.4f}",
            )
            for slider in check.sliders
        ),
        "Half the mean squared distance of each head to itself with that slider alone drawn anew,"
        f" over the variance of rendered heads ({check.variance:.3f}). The same heads with another"
        f" seed of the renderer have {check.noise:.4f}; both renders of a slider share the seed, so"
        " that most of that cancels, as the bottom shows. Within one end the order is not certain.",
    )


def _groups_table(study: Study, ranked: Ranking, pool: np.ndarray, predict: Predict) -> Table:
    sizes = study.table.guided_groups()
    rows = [
        (group.capitalize(), str(len(sizes[group])), f"{total:.3f}", f"{first:.3f}")
        for group, total, first in zip(
            ranked.groups, ranked.group_total, ranked.group_first, strict=True
        )
    ]
    linked = linked_blocks(pool)
    labels, note = slider_labels(study.table), ""
    if linked:
        found: Indices = block_indices(predict, pool, linked, study.pick(*_THROUGH_SURROGATES))
        for number, columns in enumerate(linked):
            rows.append(
                (
                    f"Linked {number + 1}",
                    str(len(columns)),
                    f"{found.total[number]:.3f}",
                    f"{found.first[number]:.3f}",
                )
            )
            members = ", ".join(labels[column] for column in columns)
            note += f" Linked {number + 1}: {members}."
    return Table(
        "Groups",
        ("group", "sliders", "total (surrogates)", "first-order (surrogates)"),
        tuple(rows),
        "A group's sliders are drawn together, with the correlations that the prior has among them"
        " (linked: beyond 0.2, in chains); groups are independent of each other." + note,
    )


def _curve(ranked: Ranking, counts: dict[float, int]) -> Figure:
    sliders = np.arange(1, len(ranked.names) + 1)
    return Figure(
        "Variance that the leading sliders explain (surrogates)",
        plots.curve(
            {"explained": (sliders, ranked.cumulative)},
            "sliders",
            "share of the variance",
            {f"{100 * share:g} %": float(count) for share, count in counts.items()},
        ),
    )
