# SPDX-License-Identifier: GPL-3.0-or-later
"""report.json and report.html of a run."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Annotated, Any

import numpy as np

from batch.figures import HeadSet, head_set_figures, latent_figures
from batch.reference import NO_REFERENCE, Reference
from batch.second_opinion import opinion_figures, opinion_line, opinion_rows
from facegen_addon.arrays import FloatArray, RealArray
from facegen_addon.encoders.encoder import DEFAULT_ENCODER
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.latent import metrics
from facegen_addon.latent.census import census_of, census_rows, coverage_rows
from facegen_addon.latent.selection import CAPACITY_DISTANCES, capacity_curve
from facegen_addon.latent.sphere import cosine_distance_matrix
from facegen_addon.report import plots
from facegen_addon.report.page import style

_PAGE = Path(__file__).with_name("report_page.html")


@dataclass(frozen=True)
class RunRecord:
    """Everything that the report is made from.

    request: the options, plain data; run and comparison: the sets of rendered heads, by name;
    rendered (M, D): latents of all heads that the run rendered; prior (K, P): parameters drawn
    from the prior; seconds: by stage; provenance: versions, device and hashes, plain data;
    reference: None where there are no real faces for the run's encoder; attributes (N, 3): who the
    run's heads are by their own parameters, readings (N, 4): by encoders.second_opinion, None where
    nothing says so; looks: renders in other hands; holding: plain data of variety.holding.Holding,
    by each encoder.
    """

    request: Mapping[str, Any]
    command: str
    run: HeadSet
    comparison: Mapping[str, HeadSet]
    rendered: Annotated[RealArray, "M D"]
    prior: Annotated[FloatArray, "K P"]
    seconds: Mapping[str, float]
    provenance: Mapping[str, Any]
    table: ParameterTable
    reference: Reference | None
    attributes: Annotated[FloatArray, "N 3"] | None = None
    readings: Annotated[FloatArray, "N 4"] | None = None
    looks: int = 0
    holding: Sequence[Mapping[str, Any]] = ()


def build_report(record: RunRecord) -> dict[str, Any]:
    """The content of report.json."""
    sets = {"run": record.run, **record.comparison}
    figures = {
        name: head_set_figures(heads, record.table, record.reference)
        for name, heads in sets.items()
    }
    if record.reference is not None:
        figures["real"] = _real_figures(record.reference)
    z = record.table.standardise(record.prior)
    pairwise = figures["run"]["pairwise"]
    return {
        "request": dict(record.request),
        "command": record.command,
        "variety": {
            "demanded_distance": record.request["distance"],
            "reached_distance": pairwise["minimum"] if pairwise else None,
            "renders_spent": len(record.rendered) + record.looks,
            "renders_in_other_hands": record.looks,
            "in_other_hands": [dict(one) for one in record.holding],
            "capacity": _capacity(record.rendered),
        },
        "sets": figures,
        "census": _census(record),
        "prior_plausibility": _plain(metrics.plausibility(z, record.table.guided_groups())),
        "reference": record.reference.note if record.reference else NO_REFERENCE,
        "seconds": dict(record.seconds),
        "heads_per_second": {
            stage: len(record.rendered) / max(seconds, 1e-9)
            for stage, seconds in record.seconds.items()
        },
        "provenance": dict(record.provenance),
    }


def _census(record: RunRecord) -> dict[str, Any]:
    """Who is among the heads, sex by skin by age, by each source that there is."""
    # Probes read FaceNet's latents alone; by these heads are asked for, whoever tells them apart.
    achieved = record.run.achieved if record.request["encoder"] == DEFAULT_ENCODER else None
    found = census_of(record.attributes, record.run.requested, achieved)
    return found | {"second_opinion": opinion_figures(record.readings)}


def _real_figures(reference: Reference) -> dict[str, Any]:
    """The same figures of real faces, to compare with."""
    return {
        "count": len(reference.yardstick),
        **latent_figures(reference.yardstick, reference),
        "roundtrip": None,
        "own_identity_nearest": None,
        "plausibility": None,
    }


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain data; NaN would be no JSON and is refused by a ValueError."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", errors="replace")  # names may be any bytes


def render_page(report: Mapping[str, Any], record: RunRecord, sheet: bytes) -> str:
    """report.html as one file that needs no other; sheet: the contact sheet as PNG bytes."""
    request, variety = report["request"], report["variety"]
    reached = variety["reached_distance"]
    count = report["sets"]["run"]["count"]
    title = f"{count} {'heads' if count > 1 else 'head'} from {_source(request['distribution'])}"
    tiles = {
        "heads": str(count),
        "nearest pair": _number(reached),
        "demanded": _number(variety["demanded_distance"]),
        "median pair": _number(_dig(report["sets"]["run"], "pairwise.median")),
        "renders spent": str(variety["renders_spent"]),
        "plausibility (RMS)": _number(_dig(report["sets"]["run"], "plausibility.rms")),
    }
    latent_map, map_note = _latent_map(record)
    return Template(_PAGE.read_text(encoding="utf-8")).substitute(
        style=style(),
        title=html.escape(title),
        lead=html.escape(
            f"Made by FaceGen with {request['engine']}, seed {request['seed']}. Distances are"
            f" cosine distances between face latents of the renders, as {request['encoder']} reads"
            " them, from 0 (same) to 2."
        ),
        tiles="".join(
            f'<div class="tile"><b>{v}</b><span>{k}</span></div>' for k, v in tiles.items()
        ),
        sheet=f"data:image/png;base64,{base64.b64encode(sheet).decode()}",
        reference=html.escape(report["reference"]),
        figures=_figure_table(report["sets"]),
        census=_census_tables(report["census"]),
        holding=_holding_table(report),
        histogram=_distance_histogram(record, variety["demanded_distance"]),
        capacity=_capacity_plot(variety),
        map=latent_map,
        map_note=html.escape(map_note),
        plausibility=_plausibility_bars(report),
        times=_time_table(report),
        command=html.escape(report["command"]),
        provenance=html.escape(_sentence(report["provenance"])),
    )


def _census_tables(found: Mapping[str, Any]) -> str:
    """The joint table and coverage, and what a second opinion reads, if there is one."""
    tables = [_text_table(census_rows(found)), _text_table(coverage_rows(found))]
    second = found["second_opinion"]
    if second is None:
        return "".join(tables)
    line = f"<p>{html.escape(opinion_line(second))}</p>"
    return "".join([*tables, line, _text_table(opinion_rows(found, second))])


def _text_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text, the first one the heading, the first column that of names."""
    head, *body = rows
    heading = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = "".join(
        f"<tr><th>{html.escape(name)}</th>"
        f"{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
        for name, *cells in body
    )
    return f"<table><tr>{heading}</tr>{lines}</table>"


def _holding_table(report: Mapping[str, Any]) -> str:
    """How apart the heads are as somebody else may see them, by each encoder."""
    held = report["variety"]["in_other_hands"]
    if not held:
        return '<p class="note">One render of each head is all that was looked at.</p>'
    names = ("", "demanded", "kept by 99.9 % of pairs", "nearest look", "looks below the demand")
    rows = [
        (
            one["encoder"],
            *(_number(one[key]) for key in ("demanded", "kept", "nearest")),
            f"{100 * one['below']:.2f} %",
        )
        for one in held
    ]
    return _text_table([names, *rows])


def _capacity(rendered: RealArray) -> dict[str, list[float]]:
    return {
        "distances": list(CAPACITY_DISTANCES),
        "heads": [int(heads) for heads in capacity_curve(rendered, CAPACITY_DISTANCES)],
    }


def _plain(plausibility: metrics.Plausibility) -> dict[str, Any]:
    return dict(vars(plausibility))


def _source(distribution: str) -> str:
    return {
        "latent": "the latents of real faces",
        "prior": "the prior",
        "uniform": "uniformly random sliders",
    }[distribution]


_ROWS = (
    ("Heads", "count"),
    ("Pairwise distance, smallest", "pairwise.minimum"),
    ("Pairwise distance, median", "pairwise.median"),
    ("Pairwise distance, 95 %", "pairwise.quantile95"),
    ("Frechet distance to real faces", "frechet"),
    ("Precision", "precision_recall.precision"),
    ("Recall", "precision_recall.recall"),
    ("Roundtrip distance, median", "roundtrip.median"),
    ("Roundtrip distance, 90 %", "roundtrip.quantile90"),
    ("Own identity nearest of 120, raw", "own_identity_nearest.raw"),
    ("Own identity nearest of 120, centred", "own_identity_nearest.centred"),
    ("Plausibility: RMS of standardised parameters", "plausibility.rms"),
    ("Plausibility: share beyond 3", "plausibility.share_beyond_3"),
)


def _figure_table(sets: Mapping[str, Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in sets)
    rows = []
    for label, place in _ROWS:
        cells = "".join(
            f'<td class="{name}">{_number(_dig(figures, place))}</td>'
            for name, figures in sets.items()
        )
        rows.append(f"<tr><th>{label}</th>{cells}</tr>")
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _time_table(report: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><th>{html.escape(stage)}</th><td>{seconds:.1f}</td>"
        f"<td>{report['heads_per_second'][stage]:.1f}</td></tr>"
        for stage, seconds in report["seconds"].items()
    )
    head = "<tr><th>Stage</th><th>seconds</th><th>heads a second</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _distance_histogram(record: RunRecord, demanded: float) -> str:
    sets = {"run": record.run, **record.comparison}
    distances = {name: _pairs(heads.achieved) for name, heads in sets.items()}
    several = {name: values for name, values in distances.items() if len(values)}
    if not several:
        return '<p class="note">A single head has no pairs.</p>'
    return plots.histogram(several, "cosine distance", {"demanded": demanded})


def _pairs(latents: RealArray) -> FloatArray:
    return cosine_distance_matrix(latents)[np.triu_indices(len(latents), 1)]


def _capacity_plot(variety: Mapping[str, Any]) -> str:
    curve = variety["capacity"]
    name = f"of {variety['renders_spent']} renders"
    return plots.curve(
        {name: (curve["distances"], curve["heads"])},
        "demanded cosine distance",
        "heads",
        {"demanded": variety["demanded_distance"]}
        if CAPACITY_DISTANCES[0] <= variety["demanded_distance"] <= CAPACITY_DISTANCES[-1]
        else {},
    )


def _latent_map(record: RunRecord) -> tuple[str, str]:
    """The plane that shows most of the heads' and, if there are, real faces' spread; caption."""
    sets = {"run": record.run, **record.comparison}
    clouds = {name: heads.achieved for name, heads in sets.items()}
    if record.reference is not None:
        clouds["real"] = record.reference.latents[:200]
    plane = metrics.principal_plane(np.concatenate(list(clouds.values())))
    flat = {name: plane(cloud) for name, cloud in clouds.items()}
    note = "Achieved latents in the plane of their two largest principal directions."
    if record.run.requested is None:
        return plots.latent_map(flat, None), note
    arrows = plane(record.run.requested), flat["run"]
    return plots.latent_map(flat, arrows), note + " Arrows run from each requested latent."


def _plausibility_bars(report: Mapping[str, Any]) -> str:
    own = report["sets"]["run"]["plausibility"]["group_rms"]
    prior = report["prior_plausibility"]["group_rms"]
    groups = list(own)
    return plots.bars(
        groups,
        {"run": [own[g] for g in groups], "prior": [prior[g] for g in groups]},
        "root mean square",
    )


def _dig(figures: Mapping[str, Any], place: str) -> float | int | None:
    """The figure at a dotted place; None where a part of the way is None."""
    value: Any = figures
    for key in place.split("."):
        if value is None:
            return None
        value = value[key]
    return value


def _number(value: float | int | None) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _sentence(provenance: Mapping[str, Any]) -> str:
    parts: Sequence[str] = [
        f"{name} {', '.join(f'{k} {v}' for k, v in value.items())}"
        if isinstance(value, Mapping)
        else f"{name} {value}"
        for name, value in provenance.items()
    ]
    return "; ".join(parts) + "."
