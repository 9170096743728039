# SPDX-License-Identifier: GPL-3.0-or-later
"""The shift and its corrections: every B, with and without each of them, judged by renders."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import BoolArray, RealArray
from facegen_addon.artifacts import load_npz
from facegen_addon.confidence import bootstrap_interval
from facegen_addon.encoders.encoder import same_face_threshold
from facegen_addon.errors import UserError
from facegen_addon.latent.metrics import (
    frechet_distance,
    own_identity_rate,
    pairwise_distances,
    plausibility,
    precision_recall,
)
from facegen_addon.latent.selection import capacity_curve
from facegen_addon.latent.sphere import angle, normalise
from facegen_addon.mapping.correction import Correct, Rotation, corrections_of
from facegen_addon.mapping.roundtrip import GALLERY
from facegen_addon.random_streams import random_stream
from facegen_addon.report import plots
from facegen_addon.report.section import Figure, Section, Table
from models.training.report.study import Study
from models.training.report.trips import LABELS, Trip, all_trips, best_free
from models.training.talk_mapping import BASES

PEOPLE, FEW = (60, 3), (20, 2)
"""Held-out people, and those of them for whom feedback goes on to eight renders; full and quick."""
_REFERENCE = 1000


def _fitted(study: Study) -> dict[str, RealArray]:
    """The fitted corrections of the model; UserError where there are none."""
    try:
        return load_npz(f"corrections_{study.model.name}")
    except UserError as error:
        raise UserError(
            f"{error} (`make corrections MODEL=...` fits what the chapter roundtrips judges;"
            " --chapters does without it)"
        ) from None


def judged(chosen: Trip, none: Trip, talk: Trip) -> dict[str, Any]:
    """Plain figures of `best_free`'s choice on the people that it did not look at.

    `none` is the same B and `talk` the talk's kernel ridge, both without a correction.
    """
    trips = (chosen, none, talk)
    keep = np.logical_and.reduce([trip.rendered.usable for trip in trips])
    keep[::2] = False
    if not keep.any():
        raise UserError(f"no head of {chosen.base} shows a face: nothing can be judged")
    rows, rng = np.stack([trip.distances[keep] for trip in trips], axis=1), random_stream(0)
    against = {"none": rows[:, [0, 1]], "talk": rows[:, [0, 2]]}
    return {
        "base": chosen.base,
        "correction": chosen.correction,
        "count": len(rows),
        "distance_mean": float(rows[:, 0].mean()),
        **{f"share_of_{name}": _ratio(both) for name, both in against.items()},
        **{
            f"share_of_{name}_interval": bootstrap_interval(both, _ratio, rng)
            for name, both in against.items()
        },
    }


def both_seen(trip: Trip, none: Trip) -> Annotated[BoolArray, "N"]:
    """Whether both trips show a face, (N,) bool for each person; `none` may be of more people."""
    seen: BoolArray = trip.rendered.usable & none.rendered.usable[: len(trip.requested)]
    return seen


def figures_of(
    trip: Trip, none: Trip, reference: Annotated[RealArray, "M D"], study: Study
) -> dict[str, Any]:
    """Plain figures of a row; `none` is the same B without a correction.

    Of people of whom `both_seen`, two at least.
    """
    keep = both_seen(trip, none)
    s, f = trip.requested[keep], trip.rendered.latents[keep]
    distances, rng = trip.distances[keep], random_stream(0)
    both = np.stack([distances, none.distances[: len(keep)][keep]], axis=1)
    degrees = np.degrees(angle(s, f))
    # Both depend on how many heads there are: none for the rows of few people.
    enough = len(s) > 3 and len(trip.requested) == len(none.requested)
    return {
        "base": trip.base,
        "correction": trip.correction,
        "count": len(s),
        "renders": trip.renders,
        "thinking_ms": trip.thinking,
        "distance_mean": float(distances.mean()),
        "distance_interval": bootstrap_interval(distances, np.mean, rng),
        "distance_90": float(np.quantile(distances, 0.9)),
        "angle_mean": float(degrees.mean()),
        "angle_90": float(np.quantile(degrees, 0.9)),
        "share_of_none": _ratio(both),
        "share_interval": bootstrap_interval(both, _ratio, rng),
        "frechet": frechet_distance(f, reference) if enough else None,
        "recall": precision_recall(reference, f).recall if enough else None,
        "own_identity": own_identity_rate(s, f, reference, others=GALLERY),
        "pairwise": asdict(pairwise_distances(f)),
        "apart": int(capacity_curve(f, [same_face_threshold()])[0]),
        "rms": plausibility(trip.z[keep], study.table.guided_groups()).rms,
    }


def _ratio(rows: RealArray) -> float:
    return float(rows[:, 0].mean() / rows[:, 1].mean())


def shift_parts(trips: dict[str, Trip], corrections: dict[str, dict[str, Correct]]) -> Table:
    """Share of the shift that one rotation of all latents would take away again."""
    rows = []
    for base, trip in trips.items():
        s, f = trip.requested[trip.rendered.usable], trip.rendered.latents[trip.rendered.usable]
        rho = s - f
        common = float(np.sum(rho.mean(axis=0) ** 2) / np.mean(np.sum(rho**2, axis=1)))
        cells = [LABELS[base], f"{np.degrees(angle(s, f)).mean():.1f}°", f"{common:.2f}"]
        for name in ("mean_rotation", "procrustes"):
            turn = corrections[base].get(name)
            assert isinstance(turn, Rotation)
            back = normalise(f @ turn.matrix)
            cells.append(f"{np.degrees(angle(s, back)).mean():.1f}°")
        rows.append(tuple(cells))
    return Table(
        "What of the shift is one rotation",
        (
            "B", "mean angle", "share common to all", "after turning the achieved latents back:"
            " mean rotation", "Procrustes",
        ),
        tuple(rows),
        "The rotations were fitted to other people's roundtrips. Share common to all: squared"
        " length of the mean shift over the mean squared length. Turning latents afterwards is"
        " bookkeeping: no head changes by it.",
    )  # fmt: skip


def chapter(study: Study) -> Section:
    """The table of corrections."""
    people = study.held_out(study.pick(*PEOPLE))
    reference = study.held_out(_REFERENCE)[len(people) :]
    arrays = _fitted(study)
    trips = all_trips(study, people, study.pick(*FEW), arrays)
    none = {trip.base: trip for trip in trips if trip.correction == "none"}
    rows = [
        figures_of(trip, none[trip.base], reference, study)
        for trip in trips
        if both_seen(trip, none[trip.base]).sum() > 1
    ]
    chosen = [
        judged(best_free([t for t in trips if (t.base, t.renders) == (base, 0)]), none[base], talk)
        for talk in [none[BASES[0]]]
        for base in BASES
    ]
    fitted = {base: corrections_of(arrays, base) for base in BASES}
    who = "held-out people, one photo each" if study.has_real_faces else "samples of the density"
    return Section(
        "roundtrips",
        "The shift, and what corrects it",
        (
            f"Head model {study.model.name}: {len(people)} {who}; every figure is of rendered"
            " heads. Distances are cosine distances from the latent asked for to the latent of the"
            " rendered head; in brackets 95 % by bootstrap over people.",
            "Renders: those a head costs before the one that is kept. Share: mean distance over"
            " that of the same B, for the same people, without a correction. Pairwise median and"
            " heads apart show whether a correction brings heads nearer by making them alike;"
            " Frechet distance and recall depend on how many heads there are and are left out where"
            " there are fewer. Thinking: C and B together, the answers before the last included.",
        ),
        (
            *(_table(base, [row for row in rows if row["base"] == base]) for base in BASES),
            _judged_table(chosen),
            shift_parts(none, fitted),
        ),
        (Figure("Angle from requested to achieved, uncorrected", _histogram(none)),),
        {"people": len(people), "real": study.has_real_faces, "rows": rows, "judged": chosen},
    )


def _histogram(none: dict[str, Trip]) -> str:
    return plots.histogram(
        {
            LABELS[base]: np.degrees(angle(trip.requested, trip.rendered.latents))[
                trip.rendered.usable
            ]
            for base, trip in none.items()
        },
        "degrees",
        {},
        of="heads",
    )


def _table(base: str, rows: list[dict[str, Any]]) -> Table:
    return Table(
        LABELS[base],
        (
            "correction", "people", "renders", "thinking, ms", "distance mean", "90 %",
            "angle mean / 90 %", "share", "Frechet", "recall", "own of 120", "pairwise median",
            "apart at 0.51", "RMS",
        ),
        tuple(_cells(row) for row in rows),
    )  # fmt: skip


def _judged_table(chosen: list[dict[str, Any]]) -> Table:
    return Table(
        "The best render-free correction, chosen by every other person, judged by the rest",
        ("B", "chosen", "people", "distance mean", "share", "share of the talk's kernel ridge"),
        tuple(
            (
                LABELS[row["base"]],
                LABELS[row["correction"]],
                str(row["count"]),
                f"{row['distance_mean']:.3f}",
                _share(row["share_of_none"], row["share_of_none_interval"]),
                _share(row["share_of_talk"], row["share_of_talk_interval"]),
            )
            for row in chosen
        ),
        "Those who choose among several corrections see the chance that made one of them look best;"
        " these people did not choose. Half steps go on from the same choice, judged by all.",
    )


def _share(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    low, high = row["distance_interval"]
    return (
        LABELS.get(row["correction"], row["correction"]),
        str(row["count"]),
        str(row["renders"]),
        f"{row['thinking_ms']:.1f}",
        f"{row['distance_mean']:.3f} [{low:.3f}, {high:.3f}]",
        f"{row['distance_90']:.3f}",
        f"{row['angle_mean']:.1f}° / {row['angle_90']:.1f}°",
        _share(row["share_of_none"], row["share_interval"]),
        *(f"{row[key]:.3f}" if row[key] is not None else "–" for key in ("frechet", "recall")),
        f"{row['own_identity']:.3f}",
        f"{row['pairwise']['median']:.3f}",
        str(row["apart"]),
        f"{row['rms']:.2f}",
    )
