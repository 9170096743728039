# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sliders make heads differ: the surrogates' ranking, its short lists, judged by renders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from batch import plots
from facegen_addon.heads.parameters import IntArray
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
from models.recipes import pairs
from models.recipes.render_pairs import View
from models.recipes.report.correlations import slider_labels
from models.recipes.report.section import Figure, Section, Table
from models.recipes.report.study import Rendered, Study

SHARES = (0.9, 0.95, 0.99)
RENDERED_SHARE = 0.95
"""The short list that is judged by renders."""
TOP = 20
"""Rows of the table of sliders."""

# Full and quick: sliders judged at either end, heads that each is drawn anew on, heads of which the
# variance is taken, and the surrogates' heads for what only they are asked.
_ENDS, _REDRAWN, _HEADS, _THROUGH_SURROGATES = (10, 2), (16, 3), (60, 6), (256, 32)
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
class ListCheck:
    """Heads on which only the short list varies, the others at the mean, against all varying.

    share, interval: of the variance, by renders, with 95 % by bootstrap over heads; predicted: the
    surrogates' for the same heads; medians: pairwise cosine distances, all and short list.
    """

    count: int
    share: float
    interval: tuple[float, float]
    predicted: float
    medians: tuple[float, float]


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
    check, short = _check_sliders(heads), _check_list(heads)
    counts = {share: ranked.count(share) for share in SHARES}
    people = pool[: study.pick(*_THROUGH_SURROGATES)]
    held = {share: _held_share(study, ranked, people, share, predict) for share in SHARES}
    with_people = _ranking_among_people(study, ranked, pool, predict)
    return Section(
        "sliders",
        "Which sliders make the variety",
        (_method(ranked), _verdict(check, short, counts, with_people, len(ranked.names))),
        (
            _lists_table(counts, held, short, len(ranked.names)),
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
            "prior_variance_kept_by_surrogates": {f"{s:g}": kept for s, kept in held.items()},
            "rank_correlation_with_prior_heads": with_people,
            "rendered_sliders": asdict(check),
            "rendered_short_list": asdict(short),
        },
    )


def _independent(pool: np.ndarray, count: int, seed: int) -> np.ndarray:
    """(count, G) heads as the indices are defined for, rounded as they will be rendered."""
    singles = list(np.arange(pool.shape[1])[:, None])
    rng = np.random.default_rng([11, seed])
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


def _check_list(heads: _Heads) -> ListCheck:
    study, ranked, predict = heads.study, heads.ranked, heads.predict
    kept = _holding_others(study, ranked, heads.z, RENDERED_SHARE)
    listed = study.render("sliders_short_list", kept)
    usable = heads.rendered.usable & listed.usable
    both = np.stack([heads.rendered.latents[usable], listed.latents[usable]], axis=1)
    low, high = bootstrap_interval(both, _variance_ratio, np.random.default_rng(0), 300)
    return ListCheck(
        ranked.count(RENDERED_SHARE),
        _variance_ratio(both),
        (low, high),
        _variance_ratio(np.stack([predict(heads.z[usable]), predict(kept[usable])], axis=1)),
        (pairwise_distances(both[:, 0]).median, pairwise_distances(both[:, 1]).median),
    )


def _variance_ratio(both: np.ndarray) -> float:
    """Variance of the second over that of the first of latents (N, 2, 512)."""
    return total_variance(both[:, 1]) / total_variance(both[:, 0])


def _holding_others(study: Study, ranked: Ranking, heads: np.ndarray, share: float) -> np.ndarray:
    """Heads (N, G) with all but a short list at the mean."""
    listed = _columns(study, ranked.short_list(share))
    kept = np.zeros_like(heads)
    kept[:, listed] = heads[:, listed]
    return kept


def _held_share(
    study: Study, ranked: Ranking, people: np.ndarray, share: float, predict: Predict
) -> float:
    """The surrogates' share of the variance of prior heads with all but the short list at mean."""
    kept = _holding_others(study, ranked, people, share)
    return _variance_ratio(np.stack([predict(people), predict(kept)], axis=1))


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
        f" the surrogates on {ranked.heads} heads a slider. *First-order* is what it explains"
        " alone; *total* is what is lost when it is held, with all that it does together with"
        " others. Each slider is drawn from its own values in the prior, independently of the"
        " others: the prior's correlations are not in the figures of single sliders. Groups and"
        " linked sliders are drawn together, with the correlations among them."
    )


def _verdict(
    check: RenderCheck,
    short: ListCheck,
    counts: dict[float, int],
    with_people: float,
    sliders: int,
) -> str:
    top, bottom = _halves(check)
    ratio = sum(s.rendered for s in top) / sum(s.predicted for s in top)
    lists = ", ".join(f"{count} keep {100 * share:g} %" for share, count in counts.items())
    return (
        f"Of {sliders} sliders {lists}. By renders, the top {len(top)} have"
        f" {np.mean([s.rendered for s in top]):.4f} of the variance each and the bottom"
        f" {len(bottom)} {np.mean([s.rendered for s in bottom]):.4f}; another seed of the renderer"
        f" alone makes {check.noise:.4f}. Renders give the top {ratio:.2f} times what the"
        f" surrogates do on the same heads; rank correlation over both ends"
        f" {check.agreement:.2f}. With the short list of {short.count} alone varying and the others"
        f" at the mean, rendered heads keep {100 * short.share:.0f} %"
        f" [{100 * short.interval[0]:.0f}, {100 * short.interval[1]:.0f}] of the variance. On heads"
        " of the prior with its correlations the surrogates rank the sliders alike (rank"
        f" correlation {with_people:.2f})."
    )


def _halves(check: RenderCheck) -> tuple[list[SliderCheck], list[SliderCheck]]:
    middle = (len(check.sliders) + 1) // 2
    return list(check.sliders[:middle]), list(check.sliders[middle:])


def _lists_table(
    counts: dict[float, int], held: dict[float, float], short: ListCheck, sliders: int
) -> Table:
    rows = []
    for share, count in counts.items():
        rendered = "–"
        if share == RENDERED_SHARE:
            low, high = (100 * end for end in short.interval)
            rendered = f"{100 * short.share:.0f} % [{low:.0f}, {high:.0f}]"
            rendered += f", {short.medians[1]:.3f} of {short.medians[0]:.3f}"
        rows.append(
            (
                f"{100 * share:g} %",
                f"{count} of {sliders}",
                f"{100 * held[share]:.0f} %",
                rendered,
            )
        )
    return Table(
        "Short lists",
        (
            "variance explained (surrogates)", "sliders", "kept of the prior's, others at the"
            " mean (surrogates)", "kept with others at the mean (renders); median pairwise"
            " distance",
        ),
        tuple(rows),
        "Lists are nested: the leading sliders by total index. Explained is the closed index, what"
        " the list determines whatever the others do; heads whose other sliders stand at the mean"
        " are another, milder or harsher, question.",
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
        f" over the variance of rendered heads ({check.variance:.3f}). Both renders have the same"
        f" seed; with another one the same head has {check.noise:.4f}, above which alone an index"
        " is sure to be the slider's.",
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
