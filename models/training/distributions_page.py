# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the training distributions, Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_MEASURES = {"error": "error on held-out {}", "facenet": "FaceNet, photo to render"}
_PRESCRIBED = {"error": "their mean alone", "facenet": "one person in the median"}


def page(report: Mapping[str, Any]) -> str:
    """All tables with their captions."""
    budget = report["budget"]
    lines = [
        f"Head model `{report['model']}`, {report['samples']} samples a pixel;"
        f" {report['people']} people, nothing at all was fitted to {report['held_out_people']} of"
        " them. In brackets 95 % intervals.",
        "",
        *_held_out("## Held-out heads", report, budget),
        "## Photos, judged by renders",
        "",
        *_photos(report),
        "",
        "Against one another, for the same people: median difference of the distances, and to how"
        " many of the people the first is nearer.",
        "",
        *_differences(report["differences"]),
        "",
        "By kinds of people.",
        "",
        *_kinds(report["kinds"]),
        "",
        *_readings(report["readings"]),
        "",
        *_needs("## Heads that a distribution needs", report),
    ]
    if images := report.get("images"):
        lines += [
            "",
            *_held_out("## Held-out images of data sets", images, budget),
            *_needs("## Images that a data set needs", images),
        ]
    return "\n".join(lines) + "\n"


def _held_out(title: str, family: Mapping[str, Any], budget: Mapping[str, Any]) -> list[str]:
    """What networks of one family miss."""
    first, unit = next(iter(family["sets"])), family["unit"]
    return [
        title,
        "",
        "Root mean square error over all guided parameters, standard deviations of the prior;"
        f" {budget['seeds']} networks each (± their standard deviation).",
        "",
        *_errors(family),
        "",
        f"By group, {family['most']} {unit}, on held-out {first}.",
        "",
        *_groups(family),
        "",
        "Vertices: mean distance in millimetres after rigid alignment,"
        f" {family['most']} {unit}, one network each.",
        "",
        *_vertices(family),
        "",
    ]


def _needs(title: str, family: Mapping[str, Any]) -> list[str]:
    return [title, "", *_costs(family)]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _errors(report: Mapping[str, Any]) -> list[str]:
    found: dict[tuple[str, int], dict[str, str]] = {}
    for row in report["errors"]:
        with_spread = f"{cell(row)} ± {row['seeds']:.3f}"
        found.setdefault((row["trained"], row["size"]), {})[row["judged"]] = with_spread
    names = list(report["spread"])
    rows = [
        [name, f"{size:,}", _network(report["choices"][size]), *(cells[n] for n in names)]
        for (name, size), cells in found.items()
    ]
    spread = [f"{report['spread'][name]:.3f}" for name in names]
    rows.append(["nothing but the mean of those", "", "", *spread])
    return table(["trained on", report["unit"], "network", *(f"on {name}" for name in names)], rows)


def _vertices(family: Mapping[str, Any]) -> list[str]:
    found: dict[str, dict[str, str]] = {}
    for row in family["vertices"]:
        found.setdefault(row["trained"], {})[row["judged"]] = cell(row, ".2f")
    names = list(family["sets"])
    rows = [[name, *(cells[n] for n in names)] for name, cells in found.items()]
    alone = [f"{family['vertices_of_mean'][name]:.2f}" for name in names]
    rows.append(["nothing but the mean of those", *alone])
    return table(["trained on", *(f"on {name}" for name in names)], rows)


def _network(choice: Mapping[str, Any]) -> str:
    return f"{choice['kind']}, {choice['penalty']:g}"


def _groups(report: Mapping[str, Any]) -> list[str]:
    names = list(report["sets"])
    rows = [
        [group, *(cell(cells[name], ".2f") for name in names), f"{cells['spread']:.2f}"]
        for group, cells in report["groups"].items()
    ]
    return table(["group", *names, "their mean alone"], rows)


def _photos(report: Mapping[str, Any]) -> list[str]:
    rows = []
    for row in [*report["photos"], {"title": "another photo", "size": None, **report["ceiling"]}]:
        size = "" if row["size"] is None else f"{row['size']:,}"
        figures = (("facenet", ".3f"), ("sface", ".3f"), ("one_person", ".0%"), ("first", ".0%"),
                   ("rank", ".0f"), ("sface_first", ".0%"), ("sface_rank", ".0f"))  # fmt: skip
        cells = [cell(row.get(name), form) for name, form in figures]
        rows.append([row["title"], size, *cells])
    people = report["people"]
    return table(
        ["head by", "heads", "FaceNet, median", "SFace, median", "one person by FaceNet",
         f"first of {people} by another photo", "median rank so", "first by SFace, same photo",
         "median rank so"],
        rows,
    )  # fmt: skip


def _differences(found: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        [row["one"], row["other"], f"{row['size']:,}", row["people"],
         *(cell(row.get(name), "+.3f") for name in ("facenet", "sface")),
         *(cell(row.get(f"{name}_nearer"), ".0%") for name in ("facenet", "sface"))]
        for row in found
    ]  # fmt: skip
    head = ["first", "second", "heads", "people", "FaceNet", "SFace", "nearer by FaceNet",
            "nearer by SFace"]  # fmt: skip
    return table(head, rows)


def _kinds(found: Sequence[Mapping[str, Any]]) -> list[str]:
    figures = (("facenet", ".3f"), ("sface", ".3f"), ("first", ".0%"), ("sface_first", ".0%"))
    rows = [
        [row["title"], row["kind"], f"{row['count']}", *(cell(row.get(n), f) for n, f in figures)]
        for row in found
    ]
    head = ["head by", "people", "how many", "FaceNet, median", "SFace, median",
            "first by another photo", "first by SFace, same photo"]  # fmt: skip
    return table(head, rows)


_READINGS = (
    ("places", "Where heads to learn from lie, seen from the photos: cosine distance of a photo"
     " from the nearest head and from the heads' mean; chance that a linear classifier, fitted to"
     " half of both, scores a photo above a head; share of the photos' variance along the 50 axes"
     " along which the heads' latents vary most."),
    ("attributes", "Agreement of heads' own sex (chance that of a woman and a man hers is the more"
     " female head), age and lightness (correlation of ranks) with what others read off the"
     " photos."),
    ("kinds", "The same within kinds of people."),
    ("renders", "Agreement so with what held-out heads are, not photos."),
    ("probes", "What linear probes, fitted to photos, read off renders of the heads to learn from,"
     " against what these are."),
    ("together", "How sex (1: women), age and lightness go together (correlation of ranks)."),
)  # fmt: skip


def _readings(found: Mapping[str, Any]) -> list[str]:
    lines = [
        "## What networks say of many photos",
        "",
        f"{found['people']} people to whom nothing was fitted, a photo each, no renders. Likeness"
        " of correlations: how those among all guided parameters, of a network's heads of half of"
        " the people, correlate with those of B's heads of the other half, and of the prior's.",
        "",
        *table(
            ["heads by", "root mean square", "like B's heads of people", "like the prior"],
            [[row["name"], f"{row['strength']:.2f}", cell(row["people"], ".2f"),
              cell(row["prior"], ".2f")] for row in found["correlations"]],
        ),
    ]  # fmt: skip
    for name, caption in _READINGS:
        if found[name]:
            columns = [column for column in found[name][0] if column != "name"]
            cells = [[r["name"], *(cell(r.get(c), ".2f") for c in columns)] for r in found[name]]
            lines += ["", caption, "", *table(["heads", *columns], cells)]
    return lines


def _costs(family: Mapping[str, Any]) -> list[str]:
    rows = [
        [_MEASURES[row["measure"]].format(row["on"]), _target(row), row["of"], _size(row, "value"),
         f"{_size(row, 'low')} to {_size(row, 'high')}"]
        for row in family["costs"]
    ]  # fmt: skip
    return table(["measure", "what is reached", "set", family["unit"], "95 %"], rows)


def _target(row: Mapping[str, Any]) -> str:
    if row["reaches"] == "prescribed":
        return _PRESCRIBED[row["measure"]]
    return f"{row['reaches']}, {row['reaches_size']:,}"


def _size(row: Mapping[str, Any], name: str) -> str:
    """A number of heads, or that it lies beyond those that were tried."""
    if row[name] < row["least"]:
        return f"below {row['least']:,}"
    if row[name] > row["most"]:
        return f"above {row['most']:,}"
    return f"{row[name]:,.0f}"


def cell(figure: Mapping[str, float] | None, form: str = ".3f") -> str:
    """A figure with its interval."""
    if figure is None:
        return "-"
    return f"{figure['value']:{form}} ({figure['low']:{form}} to {figure['high']:{form}})"
