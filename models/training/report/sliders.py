# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders that make heads differ: the surrogates' ranking, its short lists, judged by renders."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from facegen_addon.arrays import RealArray
from facegen_addon.mapping import influence
from facegen_addon.mapping.ranking import Indices, Predict, Ranking, block_indices, linked_blocks
from facegen_addon.report import plots
from facegen_addon.report.section import Figure, Section, Table
from models.training.report.correlations import slider_labels
from models.training.report.slider_checks import (
    RENDERED_SHARE,
    THROUGH_SURROGATES,
    Heads,
    ListCheck,
    RenderCheck,
    SliderCheck,
    Spread,
    check_list,
    check_sliders,
    columns_of,
    predicted_spread,
    ranking_among_people,
    wide_count,
)
from models.training.report.study import Study

SHARES = (0.9, 0.95, 0.99)
TOP = 20
"""Rows of the table of sliders."""


def chapter(study: Study) -> Section:
    """The ranking, its short lists, groups, and the check of both by renders."""
    heads = Heads.of(study)
    ranked, pool, predict = heads.ranked, heads.pool, heads.predict
    counts = {share: ranked.count(share) for share in SHARES}
    people = pool[: study.pick(*THROUGH_SURROGATES)]
    wide = wide_count(study, ranked, people, predict)
    lists = {f"explains {100 * share:g} %": count for share, count in counts.items()}
    lists["spreads heads as widely"] = wide
    spreads = {
        name: predicted_spread(study, ranked, people, count, predict)
        for name, count in lists.items()
    }
    check = check_sliders(heads)
    short, widely = check_list(heads, counts[RENDERED_SHARE]), check_list(heads, wide)
    with_people = ranking_among_people(study, ranked, pool, predict)
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
    for place, column in enumerate(columns_of(study, ranked.names)[:TOP]):
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
    columns = columns_of(study, ranked.names)
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


def _groups_table(study: Study, ranked: Ranking, pool: RealArray, predict: Predict) -> Table:
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
        found: Indices = block_indices(predict, pool, linked, study.pick(*THROUGH_SURROGATES))
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
