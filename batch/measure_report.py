# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of `measure`: report.json, roundtrip.npz, index.html and strips of heads.

roundtrip.npz, N latents in K + 1 steps (K renders for feedback), P parameters:

    model, names (P,)                      the head model and its parameters
    requested (N, 512)                     what was asked for, unit norm
    asked, achieved (N, 512)               of the heads reported: what B was asked for, and F
    parameters (N, P)                      of the heads reported
    usable (N,)                            False where a head showed no face: `achieved` is zero
    angle, distance (N,)                   requested to achieved: degrees, cosine distance
    nearest_index, nearest_distance (N,)   of `achieved`: the nearest of the reference's
                                           identities, and the cosine distance to that one
    step_asked, step_achieved (K + 1, N, 512), step_parameters (K + 1, N, P),
    step_angle, step_distance (K + 1, N)   every step, by half steps the nearest head so far; the
                                           last one is what is reported
    before_achieved (N, 512), before_parameters (N, P), before_angle, before_distance (N,)
                                           heads without any correction, where there are such
"""

import base64
import html
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from batch.figures import HeadSet, head_set_figures, latent_figures
from batch.measure_strips import draw_strip, examples
from batch.measure_work import Measured
from batch.reference import Reference
from batch.report import write_json
from facegen_addon.arrays import AnyArray, ByteArray, FloatArray, RealArray
from facegen_addon.encoders.encoder import find_encoder
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.latent.metrics import principal_plane
from facegen_addon.mapping.roundtrip import (
    HALF_STEPS,
    Roundtrip,
    improvement,
    mean_shift,
    nearest_identity,
    shift_figures,
)
from facegen_addon.png import encode_png
from facegen_addon.random_streams import random_stream
from facegen_addon.report import plots
from facegen_addon.report.page import page
from facegen_addon.report.section import Figure, Section, Table
from facegen_addon.variety.earlier_runs import encoder_array

ARRAYS, REPORT, PAGE = "roundtrip.npz", "report.json", "index.html"

Portraits = Callable[[FloatArray], Iterator[ByteArray]]
"""Pictures (S, S, 3) uint8 of heads (N, P)."""

_STRIP_TITLES = {
    "best": "The heads nearest to what was asked for.",
    "median": "Typical heads.",
    "worst": "The heads farthest from what was asked for.",
}


@dataclass(frozen=True)
class MeasureRecord:
    """Everything that the results are made from.

    measured: at least one latent of it is usable; source: in words what the latents are; settings:
    plain data that decided the results; everybody (M, 512): the real people whose rows nearest
    identities name; reference: those to compare with; renders: heads rendered; seconds: of this
    process; provenance: versions, device and hashes.
    """

    measured: Measured
    source: str
    settings: Mapping[str, Any]
    command: str
    model: str
    table: ParameterTable
    reference: Reference
    everybody: Annotated[RealArray, "M 512"]
    renders: int
    seconds: float
    provenance: Mapping[str, Any]

    @property
    def sets(self) -> dict[str, Roundtrip]:
        """The usable heads before a correction, if there are such, and after."""
        both = {"before": self.measured.before, "after": self.measured.after}
        return {name: r.rows(self.measured.usable) for name, r in both.items() if r is not None}

    def rng(self, purpose: str) -> np.random.Generator:
        """A stream of its own for each purpose, so that none shifts another's draws."""
        return random_stream(self.settings["seed"], purpose)


def write_results(folder: Path, record: MeasureRecord, portraits: Portraits) -> dict[str, Any]:
    """Fill `folder`; the content of report.json. The same heads give the same roundtrip.npz."""
    np.savez_compressed(folder / ARRAYS, **_arrays(record))  # type: ignore[arg-type]
    report = build_report(record)
    strips = {name: encode_png(strip) for name, strip in _strips(record, portraits)}
    for name, png in strips.items():
        (folder / f"strip_{name}.png").write_bytes(png)
    text = page(_title(record), _sections(report, record, strips))
    (folder / PAGE).write_text(text, "utf-8", errors="replace")  # names of files may be any bytes
    write_json(folder / REPORT, report)
    return report


def _arrays(record: MeasureRecord) -> dict[str, AnyArray]:
    measured = record.measured
    steps = measured.iterated
    after, trips = measured.after, [steps.step(k) for k in range(len(steps.achieved))]
    index, distance = nearest_identity(after.achieved, record.everybody)
    arrays: dict[str, AnyArray] = {
        "model": np.array(record.model),
        **encoder_array(find_encoder(record.settings["encoder"]).key),
        "names": np.array(record.table.names),
        "requested": after.requested,
        "asked": steps.asked[-1],
        "achieved": after.achieved,
        "parameters": after.parameters,
        "usable": measured.usable,
        "angle": after.degrees,
        "distance": after.shift,
        "nearest_index": index.astype(np.int32),
        "nearest_distance": distance,
        "step_asked": steps.asked,
        "step_achieved": steps.achieved,
        "step_parameters": steps.parameters,
        "step_angle": np.stack([trip.degrees for trip in trips]),
        "step_distance": np.stack([trip.shift for trip in trips]),
    }
    if measured.before is not None:
        arrays |= {
            "before_achieved": measured.before.achieved,
            "before_parameters": measured.before.parameters,
            "before_angle": measured.before.degrees,
            "before_distance": measured.before.shift,
        }
    return arrays


def build_report(record: MeasureRecord) -> dict[str, Any]:
    """The content of report.json; None where a set is too small for a figure."""
    measured, sets = record.measured, record.sets
    usable = measured.usable
    after = sets["after"]
    wanted = nearest_identity(after.requested, record.everybody)[0]
    found, distance = nearest_identity(after.achieved, record.everybody)
    trips = [measured.iterated.step(k).rows(usable) for k in range(len(measured.iterated.achieved))]
    steps = [
        {"renders": k, **shift_figures(trip, record.rng(f"step {k}"))}
        for k, trip in enumerate(trips)
    ]
    nearest = (
        {key: steps[-1][key] for key in ("degrees", "distance")}
        if record.settings["feedback"] == HALF_STEPS
        else shift_figures(measured.iterated.nearest.rows(usable), record.rng("nearest"))
    )
    return {
        "request": dict(record.settings),
        "command": record.command,
        "latents": {"source": record.source, "count": len(usable), "usable": int(usable.sum())},
        "sets": {name: _set_figures(name, trip, record) for name, trip in sets.items()},
        "real": latent_figures(record.reference.yardstick, record.reference),
        "improvement": improvement(sets["before"], after, record.rng("improvement"))
        if "before" in sets
        else None,
        "steps": steps,
        "nearest_of_steps": nearest,
        "nearest_real_identity": {
            "people": len(record.everybody),
            "median_distance": float(np.median(distance)),
            "same_as_of_the_latent_asked_for": float(np.mean(wanted == found)),
        },
        "reference": record.reference.note,
        "renders": record.renders,
        "seconds": record.seconds,
        "provenance": dict(record.provenance),
    }


def _set_figures(name: str, trip: Roundtrip, record: MeasureRecord) -> dict[str, Any]:
    shift = asdict(mean_shift(trip.requested, trip.achieved))
    return {
        "shift": shift_figures(trip, record.rng(name)),
        "mean_shift": {**shift, "vector": [float(x) for x in shift["vector"]]},
        "heads": head_set_figures(
            HeadSet(trip.parameters, trip.achieved, trip.requested), record.table, record.reference
        ),
    }


def _strips(record: MeasureRecord, portraits: Portraits) -> Iterator[tuple[str, ByteArray]]:
    both = [trip for trip in (record.measured.before, record.measured.after) if trip is not None]
    for name, heads in examples(record.measured.after.degrees, record.measured.usable).items():
        rows = np.concatenate([trip.parameters[[head]] for head in heads for trip in both])
        pictures = list(portraits(rows))
        columns = len(both)
        grouped = [pictures[i : i + columns] for i in range(0, len(pictures), columns)]
        yield name, draw_strip(heads, grouped, [[t.degrees[h] for t in both] for h in heads])


def _title(record: MeasureRecord) -> str:
    return f"The roundtrip of {_counted(len(record.measured.usable), 'latent')} on {record.model}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _sections(
    report: Mapping[str, Any], record: MeasureRecord, strips: Mapping[str, bytes]
) -> list[Section]:
    compared = "before" in report["sets"]
    before, after = _latent_maps(record)
    note = "All latents in the plane of their two largest principal directions."
    maps = [Figure(f"{note} Arrows run from what was asked for to what came back.", after)]
    if before:
        maps.insert(0, Figure(f"{note} Arrows run to the heads before the correction.", before))
    return [
        Section(
            "shift",
            "The shift",
            paragraphs=(_summary(report),),
            tables=tuple(_shift_tables(report)),
            figures=(Figure("Angle from each latent to its head's, degrees.", _histogram(record)),),
        ),
        Section("map", "The map, before and after" if compared else "The map", figures=tuple(maps)),
        Section(
            "heads",
            "The heads",
            paragraphs=(
                "Below each head its number"
                + (
                    ", the angle before and that after the correction."
                    if compared
                    else " and angle."
                ),
            ),
            tables=(_head_table(report),),
            figures=tuple(_strip_figure(name, png) for name, png in strips.items()),
        ),
        Section(
            "again",
            "To make this again",
            paragraphs=(report["command"], _provenance(report["provenance"])),
        ),
    ]


def _strip_figure(name: str, png: bytes) -> Figure:
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    title = _STRIP_TITLES[name]
    return Figure(title, f'<img style="width: auto" src="{source}" alt="{html.escape(title)}">')


def _summary(report: Mapping[str, Any]) -> str:
    latents, request = report["latents"], report["request"]
    parts = [
        f"{_counted(latents['count'], 'latent')}, {latents['source']}: grade {request['grade']},"
        f" correction {request['correction']}, {_counted(request['renders'], 'render')} a head for"
        f" feedback ({request['feedback'] or 'none'}), encoder {request['encoder']}.",
        f"{_counted(latents['count'] - latents['usable'], 'head')} showed no face and"
        f" {'is' if latents['count'] - latents['usable'] == 1 else 'are'} left out."
        if latents["usable"] < latents["count"]
        else "",
        _gain(report["improvement"]) if report["improvement"] else "",
    ]
    return " ".join(part for part in parts if part)


def _gain(gain: Mapping[str, Any]) -> str:
    return (
        f"The correction leaves {_bounds(gain['distance_ratio'], 2)} of the mean distance and"
        f" changes the angle by {_bounds(gain['degrees'], 1)} degrees;"
        f" {100 * gain['nearer']['value']:.0f} % of the heads came nearer."
    )


def _titles(sets: Iterable[str]) -> list[str]:
    """Names of sets for people: after nothing, `after` is simply the heads."""
    names = list(sets)
    return names if "before" in names else ["heads" if n == "after" else n for n in names]


def _shift_tables(report: Mapping[str, Any]) -> Iterator[Table]:
    sets: Mapping[str, Any] = report["sets"]
    rows = [
        (f"{title}, {name}", *(_bounds(s["shift"][measure][key], digits) for s in sets.values()))
        for measure, title, digits in (
            ("degrees", "Angle, degrees", 1),
            ("distance", "Cosine distance", 3),
        )
        for key, name in (("mean", "mean"), ("median", "median"), ("quantile90", "90 %"))
    ]
    rows += [
        (title, *(f"{s['mean_shift'][key]:.{digits}f}" for s in sets.values()))
        for title, key, digits in (
            ("Mean shift vector, length", "length", 3),
            ("Angle between the mean directions, degrees", "degrees", 1),
            ("Share of the shift that all have in common", "common_share", 2),
        )
    ]
    yield Table(
        "From what was asked for to what came back",
        ("", *_titles(sets)),
        tuple(rows),
        "In brackets 95 % bootstrap intervals over identities. The shift of a latent s is"
        " ρ = F(B(s)) - s; all have the share |mean of ρ|² / mean of |ρ|² of it in common, which"
        f" is about {1 / report['latents']['usable']:.2f} even where nothing is.",
    )
    if len(report["steps"]) > 1:
        steps = {str(step["renders"]): step for step in report["steps"]}
        so_far = report["request"]["feedback"] == HALF_STEPS
        if not so_far:
            steps["nearest of all these"] = report["nearest_of_steps"]
        yield Table(
            "Step by step",
            ("Renders looked at", "angle, mean", "angle, 90 %", "distance, mean", "distance, 90 %"),
            tuple((title, *_step_cells(step)) for title, step in steps.items()),
            "Each row keeps, of each latent, the head that has come nearest so far."
            if so_far
            else "The last row keeps, of each latent, the head that came nearest.",
        )


def _step_cells(step: Mapping[str, Any]) -> Iterator[str]:
    for measure, digits in (("degrees", 1), ("distance", 3)):
        for key in ("mean", "quantile90"):
            yield _bounds(step[measure][key], digits)


def _head_table(report: Mapping[str, Any]) -> Table:
    columns = {name: s["heads"] for name, s in report["sets"].items()} | {"real": report["real"]}
    rows = (
        ("Pairwise distance, smallest", "pairwise", "minimum"),
        ("Pairwise distance, median", "pairwise", "median"),
        ("Frechet distance to real faces", "frechet", None),
        ("Precision", "precision_recall", "precision"),
        ("Recall", "precision_recall", "recall"),
        ("Own identity nearest of 120, raw", "own_identity_nearest", "raw"),
        ("Own identity nearest of 120, centred", "own_identity_nearest", "centred"),
        ("Plausibility: RMS of standardised parameters", "plausibility", "rms"),
    )
    nearest = report["nearest_real_identity"]
    return Table(
        "How varied, natural and plausible the heads are",
        ("", *_titles(columns)),
        tuple(
            (title, *(_cell(figures.get(key), part) for figures in columns.values()))
            for title, key, part in rows
        ),
        f"{report['reference']} Of the heads reported,"
        f" {100 * nearest['same_as_of_the_latent_asked_for']:.0f} % have the same nearest of"
        f" the reference's {nearest['people']} identities as the latent asked for; the nearest is"
        f" {nearest['median_distance']:.3f} away (median).",
    )


def _cell(figure: Any, part: str | None) -> str:
    value = figure[part] if figure is not None and part else figure
    return "–" if value is None else f"{value:.3f}"


def _bounds(figure: Mapping[str, float], digits: int) -> str:
    # Adding zero turns -0 into 0.
    value, low, high = (
        f"{round(figure[key], digits) + 0.0:.{digits}f}" for key in ("value", "low", "high")
    )
    # A single head is no sample: its interval of no width would look like certainty.
    return value if figure["low"] == figure["high"] else f"{value} [{low}, {high}]"


def _histogram(record: MeasureRecord) -> str:
    sets = record.sets
    series = dict(zip(_titles(sets), (trip.degrees for trip in sets.values()), strict=True))
    return plots.histogram(series, "angle from requested to achieved, degrees", {}, of="heads")


def _latent_maps(record: MeasureRecord) -> tuple[str, str]:
    """The plane of most spread with the shifts before (empty if there is none) and after."""
    sets = record.sets
    clouds = {name: trip.achieved for name, trip in sets.items()}
    clouds["real"] = np.asarray(record.everybody[:200], np.float32)
    requested = sets["after"].requested
    plane = principal_plane(np.concatenate([*clouds.values(), requested]))
    flat = {name: plane(cloud) for name, cloud in clouds.items()}
    named = dict(zip(_titles(flat), flat.values(), strict=True))
    maps = {name: plots.latent_map(named, (plane(requested), flat[name])) for name in sets}
    return maps.get("before", ""), maps["after"]


def _provenance(provenance: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{name} {value}" for name, value in provenance.items() if not isinstance(value, Mapping)
    )
