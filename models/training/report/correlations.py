# SPDX-License-Identifier: GPL-3.0-or-later
"""Correlations of sliders: natural ones, and those of each way of sampling."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import RealArray
from facegen_addon.errors import UserError
from facegen_addon.heads.correlations import (
    MatrixAgreement,
    PairCorrelation,
    agreement,
    correlation_matrix,
    pair_correlation,
    strongest_pairs,
)
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.mapping.correction import load_correction
from facegen_addon.png import encode_png
from facegen_addon.random_streams import random_stream
from facegen_addon.report.section import Figure, Section, Table
from models.training.report.study import Study

CORRECTIONS = ("learned",)
"""Render-free corrections whose heads are looked at, where they were fitted."""

_STRONGEST, _LISTED = 12, 6  # pairs named: natural ones; added or lost ones of each set
_COUNTED = 300  # heads from which on single pairs can be told strong or weak
_STRONG, _WEAK = 0.25, 0.1  # correlations that count as there, and as not there
# Colours of a heat map, and the correlation at which they are full.
_POSITIVE, _NEGATIVE, _FULL = np.array([194, 86, 45]), np.array([74, 98, 196]), 0.5


@dataclass(frozen=True)
class _Set:
    """Heads of one way of sampling, z (N, G), against the two halves of the real ones."""

    z: RealArray
    matrix: RealArray
    halves: tuple[MatrixAgreement, MatrixAgreement]

    @classmethod
    def of(cls, z: RealArray, real: tuple[RealArray, RealArray]) -> _Set:
        matrix = correlation_matrix(z)
        return cls(z, matrix, (agreement(matrix, real[0]), agreement(matrix, real[1])))

    def mean(self, figure: str) -> float:
        """A figure of the agreement, averaged over both halves."""
        return float(np.mean([getattr(half, figure) for half in self.halves]))


def chapter(study: Study) -> Section:
    """Correlation matrices of sliders, against those of held-out people; renders nothing."""
    size = study.pick(500, 60)
    people = study.backward.standardised(study.held_out(2 * size))
    # Sets are compared at equal size: the noise of a matrix depends on it.
    size = len(people) // 2
    halves = (correlation_matrix(people[:size]), correlation_matrix(people[size : 2 * size]))
    floor = agreement(*halves)
    sets = {name: _Set.of(z, halves) for name, z in _heads(study, size).items()}
    real = correlation_matrix(people)
    rng = random_stream(0)
    natural = [pair_correlation(people, p, rng) for p in strongest_pairs(real, _STRONGEST)]
    labels = slider_labels(study.table)
    changed = {name: _changed(people, found.z, rng) for name, found in sets.items()}
    return Section(
        "correlations",
        "Natural correlations",
        (_introduction(study, size), _verdict(sets, floor)),
        (
            _summary_table(sets, floor, real, size),
            _natural_table(natural, sets, labels),
            _changed_table(changed, labels),
        ),
        (
            _heat_maps(
                {"real": real, **{name: found.matrix for name, found in sets.items()}}, study
            ),
        ),
        {
            "heads_a_set": size,
            "noise_floor": asdict(floor),
            "sets": {
                name: {key: found.mean(key) for key in ("difference", "likeness", "strength")}
                | dict(
                    zip(("lost", "spurious"), lost_and_spurious(found.matrix, real), strict=True)
                )
                for name, found in sets.items()
            },
            "strongest_natural": [_plain(pair, labels) for pair in natural],
            "largest_differences": {
                name: [
                    {"real": _plain(a, labels), "set": _plain(b, labels)} for a, b in differences
                ]
                for name, differences in changed.items()
            },
        },
    )


def slider_labels(table: ParameterTable) -> list[str]:
    """Names of the guided sliders for people, each with its group where two share a label."""
    guided = [table.parameters[column] for column in table.guided]
    labels = [parameter.label for parameter in guided]
    return [p.label if labels.count(p.label) == 1 else f"{p.label} ({p.group})" for p in guided]


def _heads(study: Study, size: int) -> dict[str, RealArray]:
    """z (size, G) of each way of sampling."""
    rng = random_stream(2)
    table, backward = study.table, study.backward
    asked = study.natural.sample(rng, size)
    found: dict[str, RealArray] = {
        "uniform": table.standardise(table.sample_uniform(rng, size)),
        "prior": table.standardise(study.model.sample_prior(rng, size)),
        "latent": backward.standardised(asked),
    }
    for name in CORRECTIONS:
        correct = _fitted(name, study.model.name)
        if correct is not None:
            found[f"latent, {name}"] = backward.standardised(correct(asked))
    return found


def _fitted(name: str, model: str) -> Callable[[RealArray], RealArray] | None:
    """A correction of the refined grade; None where none was fitted."""
    try:
        return load_correction(name, model, "refined")
    except UserError:
        return None


def _changed(
    people: RealArray, z: RealArray, rng: np.random.Generator
) -> list[tuple[PairCorrelation, PairCorrelation]]:
    """The pairs in which a set differs most from real people: (among people, in the set)."""
    pairs = strongest_pairs(correlation_matrix(z) - correlation_matrix(people), _LISTED)
    return [(pair_correlation(people, p, rng), pair_correlation(z, p, rng)) for p in pairs]


def verdict_of(real: PairCorrelation, found: PairCorrelation) -> str:
    """The fate of a natural correlation in a set: lost, spurious, reversed, weaker or stronger."""
    if real.low <= 0 <= real.high:
        return "spurious"
    if found.low <= 0 <= found.high:
        return "lost"
    if real.value * found.value < 0:
        return "reversed"
    return "weaker" if abs(found.value) < abs(real.value) else "exaggerated"


def _introduction(study: Study, size: int) -> str:
    people = (
        "held-out real people" if study.has_real_faces else "samples of the density of real faces"
    )
    return (
        f"Correlations between the {len(study.table.guided)} sliders that B guides, among"
        f" {2 * size} {people} as B (refined) sees them, and among {size} heads of each way of"
        " sampling. Nothing is rendered here: these are sliders. Real people's sliders are B's"
        " reading of their photos, so what B or its bounds bring in is on both sides of every"
        " comparison with `latent`, not of those with `uniform` and `prior`. What a face's crop"
        " does not show, such as the length of hair, B reads off what goes with it, or not at all."
    )


def _verdict(sets: dict[str, _Set], floor: MatrixAgreement) -> str:
    parts = [f"{name} {found.mean('difference'):.3f}" for name, found in sets.items()]
    return (
        "Distance to the real matrix (root mean square over all pairs of sliders): "
        + ", ".join(parts)
        + f"; two halves of the real people differ by {floor.difference:.3f} from one another."
        " Independent sliders have no correlations: uniform sampling adds none to a pair of"
        " sliders but noise, it loses every natural one."
    )


def _summary_table(
    sets: dict[str, _Set], floor: MatrixAgreement, real: RealArray, size: int
) -> Table:
    natural, _ = lost_and_spurious(np.eye(len(real)), real)
    rows = [
        (
            name,
            f"{found.mean('difference'):.3f}",
            f"{beyond_noise(found.mean('difference'), floor.difference):.3f}",
            f"{found.mean('likeness'):.2f}",
            f"{found.mean('strength'):.3f}",
            *(map(str, lost_and_spurious(found.matrix, real)) if size >= _COUNTED else "––"),
        )
        for name, found in sets.items()
    ]
    half = (f"{floor.difference:.3f}", "0.000", f"{floor.likeness:.2f}", f"{floor.strength:.3f}")
    return Table(
        "Correlations of sliders against real people's",
        ("sampling", "distance", "beyond noise", "likeness", "strength",
         f"lost of {natural}", "spurious"),
        (*rows, ("other half of the real people", *half, "–", "–")),
        f"{size} heads a row against each half of the real people. Distance: root mean square"
        " difference of all correlations; beyond noise: what is left of it without the halves' own"
        " difference; likeness: correlation of the matrices' entries; strength: root mean square"
        f" of the row's own correlations. Lost: pairs of at least {_STRONG:g} among real people,"
        f" below {_WEAK:g} here; spurious: the reverse.",
    )  # fmt: skip


def beyond_noise(difference: float, floor: float) -> float:
    """The part of a root mean square difference that sampling noise of size `floor` leaves."""
    return float(np.sqrt(max(difference**2 - floor**2, 0.0)))


def lost_and_spurious(
    matrix: Annotated[RealArray, "G G"], real: Annotated[RealArray, "G G"]
) -> tuple[int, int]:
    """Number of strong pairs of `real` (G, G) that are weak in `matrix`, and of the reverse."""
    upper = np.triu_indices(len(real), 1)
    here, there = np.abs(matrix[upper]), np.abs(real[upper])
    lost = (there >= _STRONG) & (here < _WEAK)
    spurious = (here >= _STRONG) & (there < _WEAK)
    return int(lost.sum()), int(spurious.sum())


def _natural_table(
    natural: list[PairCorrelation], sets: dict[str, _Set], labels: list[str]
) -> Table:
    rows = tuple(
        (
            _named(pair, labels),
            _with_interval(pair),
            *(f"{found.matrix[pair.first, pair.second]:+.2f}" for found in sets.values()),
        )
        for pair in natural
    )
    return Table(
        "Strongest natural correlations",
        ("sliders", "real people [95 %]", *sets),
        rows,
        "Intervals by bootstrap over people; the pairs were chosen among all for being strongest,"
        " so they are somewhat too strong.",
    )


def _changed_table(
    changed: dict[str, list[tuple[PairCorrelation, PairCorrelation]]], labels: list[str]
) -> Table:
    rows = tuple(
        (name, _named(real, labels), _with_interval(real), _with_interval(found),
         verdict_of(real, found))
        for name, pairs in changed.items()
        for real, found in pairs
    )  # fmt: skip
    return Table(
        "Where each sampling differs most from real people",
        ("sampling", "sliders", "real people [95 %]", "sampling [95 %]", "verdict"),
        rows,
        "Spurious: real people show none that can be told from 0; lost: the sampling does not."
        " Intervals are of single pairs; these were chosen among thousands.",
    )


def _named(pair: PairCorrelation, labels: list[str]) -> str:
    return f"{labels[pair.first]} with {labels[pair.second]}"


def _with_interval(pair: PairCorrelation) -> str:
    return f"{pair.value:+.2f} [{pair.low:+.2f}, {pair.high:+.2f}]"


def _plain(pair: PairCorrelation, labels: list[str]) -> dict[str, Any]:
    return {
        "sliders": [labels[pair.first], labels[pair.second]],
        "correlation": pair.value,
        "interval": [pair.low, pair.high],
    }


def _heat_maps(matrices: dict[str, RealArray], study: Study) -> Figure:
    groups = study.table.guided_groups()
    order = np.concatenate(list(groups.values()))
    pictures = "".join(
        f'<figure style="display:inline-block;margin:0 12px 12px 0;width:300px"><figcaption>'
        f"{html.escape(name)}</figcaption>{heat_map(matrix[np.ix_(order, order)], name)}</figure>"
        for name, matrix in matrices.items()
    )
    return Figure(
        "Correlation matrices, sliders in the order of their groups"
        f" ({', '.join(groups)}): red is positive, blue negative, full colour {_FULL:g} and"
        " beyond.",
        f"<div>{pictures}</div>",
    )


def heat_map(matrix: Annotated[RealArray, "G G"], title: str) -> str:
    """A correlation matrix (G, G) as an <img>, a pixel a pair; white is 0, the diagonal too."""
    off_diagonal = matrix * (1 - np.eye(len(matrix)))
    strength = np.minimum(np.abs(off_diagonal) / _FULL, 1.0)[..., None]
    colour = np.where((off_diagonal > 0)[..., None], _POSITIVE, _NEGATIVE)
    pixels = np.rint(255 + strength * (colour - 255)).astype(np.uint8)
    picture = base64.b64encode(encode_png(pixels)).decode()
    return (
        '<img style="width:100%;image-rendering:pixelated"'
        f' alt="Correlations: {html.escape(title)}"'
        f' src="data:image/png;base64,{picture}">'
    )
