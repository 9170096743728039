# SPDX-License-Identifier: GPL-3.0-or-later
"""People whom no head comes near, sliders that they would need, and batches that fill gaps."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import RealArray
from facegen_addon.confidence import bootstrap_interval
from facegen_addon.encoders.encoder import same_face_threshold
from facegen_addon.latent.coverage import (
    CoverageCurve,
    clusters,
    coverage_curve,
    heads_needed,
)
from facegen_addon.latent.metrics import nearest_neighbour_distances
from facegen_addon.latent.selection import CAPACITY_DISTANCES, capacity_curve
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.random_streams import random_stream
from facegen_addon.report import plots
from facegen_addon.report.section import Figure, Section, Table
from facegen_addon.variety.gaps import propose_gap_fillers
from models.training.report.correlations import slider_labels
from models.training.report.study import Study

DRAWN, STEERED = "drawn as before", "steered into the gaps"
"""The two ways to go on after the first heads."""

BOUNDS = {"bounded": 1.0, "half as wide again": 1.5, "unbounded": np.inf}
"""Regions in which B looks for a head: factors on what keeps heads believable."""

_PEOPLE = 1000  # held-out ones that coverage is judged by
_FEWEST, _MOST = 0.05, 0.2  # share of the people that may count as unreached
_SLIDERS = 5  # named for each cluster


@dataclass(frozen=True)
class _Batches:
    """Rendered latents: natural heads at first, the next ones drawn alike, and the steered ones."""

    first: RealArray
    drawn: RealArray
    steered: RealArray

    @property
    def ways(self) -> dict[str, RealArray]:
        """Both ways to go on after the first heads."""
        return {
            DRAWN: np.concatenate([self.first, self.drawn]),
            STEERED: np.concatenate([self.first, self.steered]),
        }


@dataclass(frozen=True)
class Need:
    """Sliders that a cluster of unreached people would need.

    size: people; distance: their mean to the nearest head; rendered, promised: for each of BOUNDS,
    cosine distance from the cluster's centre to B's head, as rendered (None without a face in
    view) and in the surrogates' opinion; sliders: (label, z bounded, z in the wider region), those
    that go farthest beyond first.
    """

    size: int
    distance: float
    rendered: tuple[float | None, ...]
    promised: tuple[float, ...]
    sliders: tuple[tuple[str, float, float], ...]


NOISE = 0.02
"""Cosine distance; two renders of one head lie about as far apart."""


def chapter(study: Study) -> Section:
    """Coverage of held-out people by rendered heads; 3 x 94 + 15 renders (quick: 3 x 6 + 6)."""
    people = study.held_out(study.pick(_PEOPLE, 200))
    heads = _render_batches(study, study.pick(94, 6))
    curves = {
        name: coverage_curve(people, found, np.arange(1, len(found) + 1))
        for name, found in heads.ways.items()
    }
    nearest = nearest_neighbour_distances(people, np.concatenate([heads.first, heads.drawn]))
    limit = unreached_limit(nearest)
    needs = _needs(study, people[nearest > limit], nearest[nearest > limit], study.pick(5, 2))
    advantage = _advantage(people, heads)
    capacity = _capacity(heads, people)
    return Section(
        "coverage",
        "Coverage and gaps",
        (
            _curve_text(people, heads, curves, advantage),
            _unreached_text(nearest, limit),
            *(_need_text(number, need) for number, need in enumerate(needs, 1)),
        ),
        (_curve_table(curves, heads), _need_table(needs), _capacity_table(capacity)),
        (_curve_figure(curves, len(heads.first)), _capacity_figure(capacity)),
        {
            "people": len(people),
            "curves": {name: _plain(curve) for name, curve in curves.items()},
            "advantage_of_steering": advantage,
            "unreached": {"limit": limit, "people": int(np.sum(nearest > limit))},
            "beyond_same_face": float(np.mean(nearest > same_face_threshold())),
            "clusters": [asdict(need) for need in needs],
            "capacity": capacity,
        },
    )


def _render_batches(study: Study, count: int) -> _Batches:
    backward, natural = study.backward, study.natural
    z = backward.standardised(natural.sample(random_stream(3), 2 * count))
    rendered = study.render("coverage_natural", z)
    first, drawn = (
        rendered.latents[part][rendered.usable[part]]
        for part in (slice(0, count), slice(count, None))
    )
    # As `generate --fill-gaps` does: no two alike, by what is predicted.
    proposal = propose_gap_fillers(
        backward, natural, random_stream(4), count, first, same_face_threshold()
    )
    found = study.render("coverage_steered", study.table.standardise(proposal.parameters))
    return _Batches(first, drawn, found.latents[found.usable])


def _advantage(people: RealArray, heads: _Batches) -> dict[str, Any]:
    """Gain in nearness to people by steering, with a bootstrap interval over the people."""
    count = min(len(heads.drawn), len(heads.steered))
    distances = [
        nearest_neighbour_distances(people, np.concatenate([heads.first, further[:count]]))
        for further in (heads.drawn, heads.steered)
    ]
    gained = distances[0] - distances[1]
    low, high = bootstrap_interval(gained, np.mean, random_stream(0))
    return {"heads": count, "mean": float(gained.mean()), "interval": [low, high]}


def unreached_limit(nearest: Annotated[RealArray, "N"]) -> float:
    """Distance beyond which people count as unreached: the same-face threshold where it tells.

    Where nearly all or hardly any lie beyond it, the worst covered 20 % or 5 % count instead.
    """
    low, high = np.quantile(nearest, [1 - _MOST, 1 - _FEWEST])
    return float(np.clip(same_face_threshold(), low, high))


def _needs(study: Study, unreached: RealArray, nearest: RealArray, count: int) -> list[Need]:
    """Clusters of unreached people: what B gives for each centre as its bounds are widened."""
    groups = clusters(unreached, count)
    centres = groups.centres.astype(np.float32)
    answers = [widened(study.backward, factor).standardised(centres) for factor in BOUNDS.values()]
    rendered = study.render("coverage_needs", np.concatenate(answers))
    seen = cosine_distance(np.tile(centres, (len(BOUNDS), 1)), rendered.latents)
    as_seen = [float(d) if ok else None for d, ok in zip(seen, rendered.usable, strict=True)]
    promised = [cosine_distance(centres, study.backward.predicted(z)) for z in answers]
    return [
        Need(
            int(groups.sizes[k]),
            float(nearest[groups.labels == k].mean()),
            tuple(as_seen[k :: len(centres)]),
            tuple(float(opinion[k]) for opinion in promised),
            beyond(answers[0][k], answers[1][k], slider_labels(study.table)),
        )
        for k in range(len(centres))
    ]


def widened(backward: BackwardMapping, factor: float) -> BackwardMapping:
    """B with the bounds that keep heads believable `factor` times as wide, infinite for none.

    Sliders still end where they end, and the surrogates' disagreement still has its price.
    """
    region, settings = backward.region, backward.settings
    return replace(
        backward,
        region=replace(
            region, balls=tuple((columns, factor * bound) for columns, bound in region.balls)
        ),
        settings=replace(
            settings,
            soft_limit=factor * settings.soft_limit,
            # Believed correlations do not widen by a factor; they hold, or are given up.
            correlation_weight=settings.correlation_weight if factor == 1 else 0.0,
        ),
    )


def beyond(
    inside: Annotated[RealArray, "G"], outside: Annotated[RealArray, "G"], labels: list[str]
) -> tuple[tuple[str, float, float], ...]:
    """The sliders that go farthest beyond, (label, z inside, z outside); z (G,) each."""
    excess = np.abs(outside) - np.abs(inside)
    return tuple(
        (labels[i], float(inside[i]), float(outside[i])) for i in np.argsort(-excess)[:_SLIDERS]
    )


def _capacity(heads: _Batches, people: RealArray) -> dict[str, list[float]]:
    natural = np.concatenate([heads.first, heads.drawn])
    sets = {
        "natural heads": natural,
        "with steering": heads.ways[STEERED],
        "real": people[: len(natural)],
    }
    return {"distance": list(CAPACITY_DISTANCES)} | {
        name: capacity_curve(latents, CAPACITY_DISTANCES).tolist() for name, latents in sets.items()
    }


def _curve_text(
    people: RealArray, heads: _Batches, curves: dict[str, CoverageCurve], advantage: dict[str, Any]
) -> str:
    drawn, steered = curves[DRAWN], curves[STEERED]
    needed = heads_needed(steered, float(drawn.mean[-1]))
    first = len(heads.first)
    start = float(drawn.mean[first - 1])
    reached = (
        f"What {len(heads.drawn)} further natural heads reach, the first"
        f" {max(needed - first, 0)} steered ones do."
        if needed is not None
        else "The steered heads do not reach what the further natural ones do."
    )
    low, high = advantage["interval"]
    return (
        f"Distance from each of {len(people)} held-out people to the nearest rendered head:"
        f" {start:.3f} on average with the first {first} natural heads, {drawn.mean[-1]:.3f} with"
        f" {len(heads.drawn)} more, {steered.mean[-1]:.3f} with {len(heads.steered)} steered into"
        f" the gaps as `generate --fill-gaps` does. {reached} At {advantage['heads']} heads a"
        f" batch, steering brings people {advantage['mean']:.3f} nearer (95 % over people:"
        f" {low:.3f} to {high:.3f}; one batch of each, so the draw of heads is not in it). The"
        " gaps were looked for with samples of the density of real faces; how requests are made was"
        " chosen by what surrogates predicted for these people, before any of these renders."
    )


def _unreached_text(nearest: RealArray, limit: float) -> str:
    threshold = same_face_threshold()
    return (
        f"{100 * np.mean(nearest > threshold):.0f} % of the people have no natural head within"
        f" the same-face threshold of {threshold:g}: a hundred heads are not a thousand people,"
        " and every head made for a person falls short of them. Worst covered, farther than"
        f" {limit:.3f} from every head, are {np.sum(nearest > limit)}. Their clusters, and what B"
        " answers to each cluster's centre when the bounds that keep heads believable are lifted:"
    )


def _need_text(number: int, need: Need) -> str:
    sliders = ", ".join(
        f"{'more' if outside > 0 else 'less'} {label} ({outside:+.1f} standard deviations instead"
        f" of {inside:+.1f})"
        for label, inside, outside in need.sliders
    )
    before, after = need.rendered[:2]
    verdict = "no face is to be seen then"
    if before is not None and after is not None:
        verdict = f"rendered it is {after:.3f} instead of {before:.3f}: {_verdict(after - before)}"
    return (
        f"Cluster {number}, {need.size} people, {need.distance:.3f} from the nearest head. With"
        f" bounds half as wide again: {sliders}. The surrogates promise {need.promised[1]:.3f} to"
        f" the centre instead of {need.promised[0]:.3f}; {verdict}."
    )


def _verdict(change: float) -> str:
    """What one render each says of wider bounds; another seed alone moves a distance by NOISE."""
    if abs(change) < NOISE:
        return "one render each cannot tell"
    return "that is a way" if change < 0 else "not there, whatever the surrogates promise"


def _distance(value: float | None) -> str:
    return "not to be seen" if value is None else f"{value:.3f}"


def _curve_table(curves: dict[str, CoverageCurve], heads: _Batches) -> Table:
    first = len(heads.first)
    steps = [first, *(first + len(heads.drawn) * k // 4 for k in (1, 2, 3, 4))]
    rows = tuple(
        (
            str(count),
            *(
                f"{curve.mean[count - 1]:.3f} / {curve.quantile90[count - 1]:.3f}"
                if count <= len(curve.heads)
                else "–"
                for curve in curves.values()
            ),
        )
        for count in dict.fromkeys(steps)
    )
    return Table(
        "Distance from held-out people to their nearest rendered head, mean / 90 %",
        ("heads", *curves),
        rows,
    )


def _need_table(needs: list[Need]) -> Table:
    rows = tuple(
        (
            str(number),
            str(need.size),
            f"{need.distance:.3f}",
            *(
                f"{_distance(seen)} ({opinion:.3f})"
                for seen, opinion in zip(need.rendered, need.promised, strict=True)
            ),
        )
        for number, need in enumerate(needs, 1)
    )
    return Table(
        "B's answer to the centres of clusters of unreached people",
        ("cluster", "people", "nearest head", *BOUNDS),
        rows,
        "Cosine distance from the centre, rendered; in brackets the surrogates' opinion. The bounds"
        " are those on groups of sliders and on the whole head, the soft limit and, in both wider"
        " regions given up, the prior's correlations; sliders always end where they end.",
    )


def _capacity_table(capacity: dict[str, list[float]]) -> Table:
    names = tuple(capacity)
    rows = tuple(
        (f"{row[0]:.2f}", *(str(count) for count in row[1:]))
        for row in zip(*capacity.values(), strict=True)
    )
    return Table(
        "Capacity: heads mutually at least so far apart",
        names,
        rows,
        "Among as many rendered natural heads, heads of which half were steered, and real people.",
    )


def _curve_figure(curves: dict[str, CoverageCurve], first: int) -> Figure:
    start = next(iter(curves.values())).mean[first - 1]
    series = {
        name: (curve.heads[first - 1 :], 1000 * (start - curve.mean[first - 1 :]))
        for name, curve in curves.items()
    }
    return Figure(
        "By how much nearer the nearest rendered head comes to held-out people, on average, in"
        " thousandths of cosine distance.",
        plots.curve(series, "heads", f"nearer than with {first} heads", {}),
    )


def _capacity_figure(capacity: dict[str, list[float]]) -> Figure:
    distances = capacity["distance"]
    series = {name: (distances, counts) for name, counts in capacity.items() if name != "distance"}
    return Figure(
        "Capacity of rendered heads beside as many real people's.",
        plots.curve(series, "demanded distance", "heads", {"same face": same_face_threshold()}),
    )


def _plain(curve: CoverageCurve) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in asdict(curve).items()}
