# SPDX-License-Identifier: GPL-3.0-or-later
"""Do heads that FaceNet calls different also differ for another encoder? One render, seen twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import BoolArray, FloatArray, IntArray, RealArray
from facegen_addon.confidence import bootstrap_interval
from facegen_addon.encoders.encoder import DEFAULT_ENCODER, Encoder, find_encoder
from facegen_addon.latent.selection import largest_selection
from facegen_addon.latent.sphere import cosine_distance, cosine_distance_matrix, normalise
from facegen_addon.random_streams import random_stream
from facegen_addon.report import plots
from facegen_addon.report.section import Figure, Section, Table
from facegen_addon.scene.render.view import View
from models.training.report.study import Study

SECOND = "sface"
HEADS, AGAIN = (120, 6), (60, 4)
"""Heads that are compared, half of held-out people and half of the prior, and how many of them are
rendered again with other noise, and again in another light; full and quick."""
LIGHT = "window"
_DRAWS = 500
_SEED = 0


@dataclass(frozen=True)
class Seen:
    """Cosine distances between the heads by one encoder.

    between (N, N) of different heads; noise (M,) and light (M,): of the first M heads to
    themselves, rendered with other noise and in another light; threshold: below it two latents
    read as the same face.
    """

    name: str
    threshold: float
    between: Annotated[RealArray, "N N"]
    noise: Annotated[RealArray, "M"]
    light: Annotated[RealArray, "M"]

    @classmethod
    def of(
        cls,
        encoder: Encoder,
        usual: Annotated[RealArray, "N D"],
        noise: Annotated[RealArray, "M D"],
        light: Annotated[RealArray, "M D"],
    ) -> Seen:
        """The distances from this encoder's latents (N, D) and (M, D), unit norm."""
        again = [cosine_distance(usual[: len(part)], part) for part in (noise, light)]
        return cls(encoder.name, encoder.threshold, cosine_distance_matrix(usual), *again)


def chapter(study: Study) -> Section:
    """Render, embed by both encoders, compare. UserError if the second encoder is not built."""
    encoders = [Encoder.load(name, threads=1) for name in (DEFAULT_ENCODER, SECOND)]
    first, second, people = _seen(study, encoders)
    rng = random_stream(_SEED)
    agreement = _agreement(first, second, people, rng)
    a, b = _words(first), _words(second)
    decisions = _decisions(first, second, rng)
    thresholds = [_on_renders(seen, rng) for seen in (first, second)]
    variety = _variety(first, second)
    heads = len(people)
    return Section(
        "second_encoder",
        f"A second encoder: {_words(second)}",
        (
            f"{int(people.sum())} heads refined towards held-out"
            f" {'people' if study.has_real_faces else 'samples of the density'} and"
            f" {int((~people).sum())} heads of the prior, each rendered once and seen by {a}"
            f" ({encoders[0].latent_size} numbers, an upright box) and by {b}"
            f" ({encoders[1].latent_size} numbers, the face turned and scaled by five points), both"
            f" from the same image. B, the surrogates and the choice of heads know {a} alone, so"
            f" {b} is a witness that nothing was fitted to.",
            f"In words: their distances correlate at {agreement[0]['spearman']['value']:.2f}"
            f" (Spearman). Of the pairs that {a} calls different,"
            f" {decisions['second_given_first']['value']:.0%} are different for {b} by its own"
            f" threshold, {second.threshold:.3f}, which was set on photos; moved to"
            f" {decisions['matched_threshold']:.3f}, where it calls as many pairs of renders"
            f" different, it agrees with {a} on {decisions['matched_agreement']:.0%} of them. The"
            f" {variety['heads']} heads that a variety run would keep at {first.threshold} are at"
            f" least {variety['second']['minimum']:.3f} apart for {b},"
            f" {variety['second']['median']:.3f} in the median; the same head in another light is"
            f" {thresholds[1]['light_median']:.3f} from itself.",
        ),
        (
            _agreement_table(agreement),
            _decision_table(first, second, decisions),
            _threshold_table(thresholds),
            _variety_table(first, second, variety),
        ),
        (_figure(first, second),),
        {
            "heads": heads,
            "encoders": {seen.name: seen.threshold for seen in (first, second)},
            "agreement": agreement,
            "decisions": decisions,
            "thresholds": thresholds,
            "variety": variety,
        },
    )


# Renders -----------------------------------------------------------------------------------------


def _seen(study: Study, encoders: list[Encoder]) -> tuple[Seen, Seen, BoolArray]:
    """Distances by both encoders, and whether each head is of a person, (N,) bool."""
    z, people = _heads(study)
    again = study.pick(*AGAIN)
    view = View(encoders=(DEFAULT_ENCODER, SECOND))
    # The file's hash is part of the name: heads seen by another SFace would be no use.
    end = f"{SECOND}_{find_encoder(SECOND).sha256[:8]}"
    sets = [
        study.render(f"usual_{end}", z, view),
        study.render(f"noise_{end}", z[:again], replace(view, seed=1)),
        study.render(f"{LIGHT}_{end}", z[:again], replace(view, light=LIGHT)),
    ]
    usable = sets[0].usable.copy()
    for part in sets[1:]:
        usable[:again] &= part.usable
    sizes = np.cumsum([encoder.latent_size for encoder in encoders[:-1]])
    found = []
    for number, encoder in enumerate(encoders):
        rows = [part.latents[usable[: len(part.latents)]] for part in sets]
        own = [normalise(np.split(part, sizes, axis=1)[number]) for part in rows]
        found.append(Seen.of(encoder, *own))
    first, second = found
    return first, second, people[usable]


def _heads(study: Study) -> tuple[RealArray, BoolArray]:
    """z (N, G), heads of people and of the prior in turns, and which are of people (N,)."""
    half = study.pick(*HEADS) // 2
    of_people = study.backward.standardised(study.held_out(half))
    prior = study.model.sample_prior(random_stream(_SEED), half)
    of_prior = np.clip(study.table.standardise(prior), *study.table.guided_bounds())
    z = np.stack([of_people, of_prior], axis=1).reshape(2 * half, -1)
    return z, np.arange(2 * half) % 2 == 0


# Figures -----------------------------------------------------------------------------------------

Measured = dict[str, Any]
"""A figure's `value` and the bounds of its 95 % interval over heads, `low` and `high`."""


def _over_heads(
    heads: int, statistic: Callable[[IntArray], float], rng: np.random.Generator
) -> Measured:
    """`statistic` of the indices of all heads, with its interval over heads drawn anew."""
    rows = np.arange(heads)
    whole = float(statistic(rows))

    def drawn(rows: IntArray) -> float:
        # A draw of very few heads may hold no pair to speak of; it then says nothing new.
        value = statistic(rows)
        return value if np.isfinite(value) else whole

    return {"value": whole, **bootstrap_interval(rows, drawn, rng, _DRAWS)._asdict()}


def pairs_of(
    rows: Annotated[IntArray, "N"],
) -> tuple[Annotated[IntArray, "K"], Annotated[IntArray, "K"]]:
    """Indices of all pairs of heads `rows` (N,); a head drawn twice makes no pair with itself."""
    i, j = np.triu_indices(len(rows), 1)
    apart = rows[i] != rows[j]
    return rows[i][apart], rows[j][apart]


def correlation(a: Annotated[RealArray, "K"], b: Annotated[RealArray, "K"]) -> float:
    """Pearson's correlation of two samples (K,); NaN for samples that do not vary."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def ranks(values: Annotated[RealArray, "K"]) -> Annotated[FloatArray, "K"]:
    """Ranks (K,) from 0; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1
    shared: RealArray = (last - (counts - 1) / 2)[inverse]
    return shared


def area_under_curve(
    same: Annotated[RealArray, "K"], different: Annotated[RealArray, "L"]
) -> float:
    """Share of pairs of a distance of `same` (K,) below one of `different` (L,), ties half."""
    place = ranks(np.concatenate([same, different]))[: len(same)]
    above = len(same) * len(different) - (place.sum() - len(same) * (len(same) - 1) / 2)
    return float(above / (len(same) * len(different)))


def kappa(a: Annotated[BoolArray, "K"], b: Annotated[BoolArray, "K"]) -> float:
    """Cohen's kappa of two yes-or-no decisions (K,) bool: 0 by chance, 1 for always the same."""
    chance = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return float(((a == b).mean() - chance) / (1 - chance)) if chance < 1 else 1.0


def _agreement(
    first: Seen, second: Seen, people: BoolArray, rng: np.random.Generator
) -> list[Measured]:
    """Correlations of the distances, over all heads and over each kind."""
    found = []
    kinds = {"all": np.ones(len(people), bool), "of people": people, "of the prior": ~people}
    for name, chosen in kinds.items():
        heads = np.flatnonzero(chosen)

        a, b = (seen.between[np.ix_(heads, heads)] for seen in (first, second))
        measured = {
            key: _over_heads(len(heads), partial(_correlated, a, b, of), rng)
            for key, of in (("spearman", ranks), ("pearson", np.asarray))
        }
        found.append({"heads": name, "pairs": len(heads) * (len(heads) - 1) // 2, **measured})
    return found


def _correlated(
    a: RealArray, b: RealArray, of: Callable[[RealArray], RealArray], rows: IntArray
) -> float:
    """Correlation of `of` the distances (N, N) of two encoders, over all pairs of heads `rows`."""
    i, j = pairs_of(rows)
    return correlation(of(a[i, j]), of(b[i, j]))


def _decisions(first: Seen, second: Seen, rng: np.random.Generator) -> Measured:
    """Who calls which pairs different; also with the second's threshold moved to the first's rate.

    Thresholds mean different rates of error to different encoders; moved so that both call as
    many pairs different, what is left is what they disagree about.
    """

    def both(rows: IntArray) -> tuple[BoolArray, BoolArray]:
        i, j = pairs_of(rows)
        return first.between[i, j] >= first.threshold, second.between[i, j] >= second.threshold

    def share(rows: IntArray, swap: bool) -> float:
        given, asked = reversed(both(rows)) if swap else both(rows)
        return float(asked[given].mean()) if given.any() else float("nan")

    heads = len(first.between)
    a, b = both(np.arange(heads))
    i, j = pairs_of(np.arange(heads))
    matched = float(np.quantile(second.between[i, j], 1 - a.mean()))
    return {
        "both": float((a & b).mean()),
        "first_only": float((a & ~b).mean()),
        "second_only": float((~a & b).mean()),
        "neither": float((~a & ~b).mean()),
        "second_given_first": _over_heads(heads, lambda rows: share(rows, False), rng),
        "first_given_second": _over_heads(heads, lambda rows: share(rows, True), rng),
        "kappa": kappa(a, b),
        "matched_threshold": matched,
        "matched_kappa": kappa(a, second.between[i, j] >= matched),
        "matched_agreement": float((a == (second.between[i, j] >= matched)).mean()),
    }


def _on_renders(seen: Seen, rng: np.random.Generator) -> Measured:
    """Figures of the threshold on renders, where one knows which two are the same head."""
    heads = len(seen.between)
    i, j = pairs_of(np.arange(heads))
    different = seen.between[i, j]

    def area(rows: IntArray) -> float:
        again = rows[rows < len(seen.light)]
        if not len(again):
            return float("nan")
        return area_under_curve(seen.light[again], seen.between[pairs_of(rows)])

    candidates = np.unique(np.concatenate([seen.light, different]))
    wrong = [(seen.light >= x).mean() + (different < x).mean() for x in candidates]
    return {
        "encoder": seen.name,
        "words": _words(seen),
        "threshold": seen.threshold,
        "noise_median": float(np.median(seen.noise)),
        "light_median": float(np.median(seen.light)),
        "light_same": float((seen.light < seen.threshold).mean()),
        "different_median": float(np.median(different)),
        "different_apart": float((different >= seen.threshold).mean()),
        "area": _over_heads(heads, area, rng),
        "best_threshold": float(candidates[int(np.argmin(wrong))]),
        "best_error": float(min(wrong) / 2),
    }


def _variety(first: Seen, second: Seen) -> Measured:
    """The heads that a variety run would keep by the first encoder, and what the second says."""
    kept = largest_selection(first.between, first.threshold)
    i, j = pairs_of(kept)

    def figures(seen: Seen) -> dict[str, float]:
        distances = seen.between[i, j] if len(i) else np.array([np.nan])
        return {
            "minimum": float(distances.min()),
            "quantile5": float(np.quantile(distances, 0.05)),
            "median": float(np.median(distances)),
            "apart": float((distances >= seen.threshold).mean()),
        }

    matrix = second.between[np.ix_(kept, kept)]
    return {
        "heads": len(kept),
        "of": len(first.between),
        "first": figures(first),
        "second": figures(second),
        "kept_by_second": len(largest_selection(matrix, second.threshold)),
        "second_alone": len(largest_selection(second.between, second.threshold)),
    }


# Words -------------------------------------------------------------------------------------------

_NAMES = {"facenet": "FaceNet", "sface": "SFace"}


def _words(seen: Seen) -> str:
    return _NAMES.get(seen.name, seen.name)


def _range(measured: Measured, form: str) -> str:
    low, high = measured["low"], measured["high"]
    return f"{measured['value']:{form}} [{low:{form}}, {high:{form}}]"


def _agreement_table(agreement: list[Measured]) -> Table:
    return Table(
        "How alike the two encoders rank pairs of heads",
        ("heads", "pairs", "Spearman", "Pearson"),
        tuple(
            (
                row["heads"],
                f"{row['pairs']}",
                _range(row["spearman"], ".2f"),
                _range(row["pearson"], ".2f"),
            )
            for row in agreement
        ),
        "Of cosine distances between rendered heads; 95 % bootstrap intervals over heads.",
    )


def _decision_table(first: Seen, second: Seen, found: Measured) -> Table:
    a, b = _words(first), _words(second)
    return Table(
        "Who calls two heads different",
        ("share of pairs", f"{b}: different", f"{b}: same"),
        (
            (f"{a}: different", f"{found['both']:.1%}", f"{found['first_only']:.1%}"),
            (f"{a}: same", f"{found['second_only']:.1%}", f"{found['neither']:.1%}"),
        ),
        f"Different is a distance of at least {first.threshold:.3g} for {a}, {second.threshold:.3g}"
        f" for {b}. Of the pairs different for {a}, {_range(found['second_given_first'], '.1%')}"
        f" are for {b}; the other way round {_range(found['first_given_second'], '.1%')}. Kappa"
        f" {found['kappa']:.2f}. With {b}'s threshold moved to {found['matched_threshold']:.3f},"
        f" where it calls as many pairs different, they agree on {found['matched_agreement']:.1%}"
        f" of pairs, kappa {found['matched_kappa']:.2f}.",
    )


def _threshold_table(rows: list[Measured]) -> Table:
    return Table(
        "The thresholds, judged on renders",
        (
            "encoder", "threshold", "same head, other noise", "same head, other light",
            "of these called same", "two heads", "of these called different", "area under curve",
            "best threshold for these", "its error on these",
        ),
        tuple(
            (
                row["words"],
                f"{row['threshold']:.3g}",
                f"{row['noise_median']:.4f}",
                f"{row['light_median']:.3f}",
                f"{row['light_same']:.0%}",
                f"{row['different_median']:.3f}",
                f"{row['different_apart']:.1%}",
                _range(row["area"], ".3f"),
                f"{row['best_threshold']:.3f}",
                f"{row['best_error']:.1%}",
            )
            for row in rows
        ),
        f"Distances are medians; the other light is `{LIGHT}`. The area under the curve is how"
        " often the same head in another light is nearer than two different heads; the best"
        " threshold errs least on both kinds alike. Two heads drawn apart may look alike, so no"
        " encoder can reach an error of 0.",
    )  # fmt: skip


def _variety_table(first: Seen, second: Seen, found: Measured) -> Table:
    rows = []
    for seen, key in ((first, "first"), (second, "second")):
        own = found[key]
        distances = (f"{own[name]:.3f}" for name in ("minimum", "quantile5", "median"))
        rows.append((_words(seen), *distances, f"{own['apart']:.1%}"))
    return Table(
        f"{found['heads']} of {found['of']} heads, mutually {first.threshold:g} apart for"
        f" {_words(first)}",
        ("encoder", "smallest distance", "5 %", "median", "pairs beyond its own threshold"),
        tuple(rows),
        f"Chosen by {_words(first)} as a variety run chooses. {found['kept_by_second']} of them are"
        f" mutually beyond {_words(second)}'s own threshold, {second.threshold:.3g}; choosing by"
        f" {_words(second)} alone would keep {found['second_alone']} of the {found['of']}.",
    )


def _figure(first: Seen, second: Seen) -> Figure:
    i, j = pairs_of(np.arange(len(first.between)))
    apart = first.between[i, j] >= first.threshold
    other = second.between[i, j]
    named = {
        f"different for {_words(first)}": other[apart],
        f"same for {_words(first)}": other[~apart],
        "the same head in another light": second.light,
    }
    series = {name: values for name, values in named.items() if len(values)}
    return Figure(
        f"Distances by {_words(second)}, of pairs of heads sorted by {_words(first)}'s decision",
        plots.histogram(
            series, f"cosine distance ({_words(second)})", {"its threshold": second.threshold}
        ),
    )
