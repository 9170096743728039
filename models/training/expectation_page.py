# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the talk's expectation: the answer in a sentence, the table, what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.training.expectation_rows import KEYS, LOOKS

_QUESTION = "The talk expects that heads come nearer to latents as they get more complete"
_HELD = """\
Free parts add up from row to row. What is not free is the same for all heads of a row, and absent
where a head can be without it, so that *shape alone* are bald, browless heads of one colour; a step
is both that a part is there and that it varies. Until a part is free, heads have:
"""
_MEANING = """\
Equal in all rows: people, random draws of the pairs, their number (three fifths random, two rounds
of a fifth proposed by the row's own surrogates), networks, epochs, inversion, and the prior given
sex, age and lightness, of which each row has the part that is free. What the same pairs have to
teach is not equal: more parameters are harder to learn, so the last rows are what this budget
reaches, not the head's bound; by how much the roundtrip is longer than *surrogates' opinion* of the
same heads says what a row lacks of it.

* *Against the row before*: difference of the medians, over the same people.
* *Random heads*: median distance of all pairs of heads drawn from the row's prior.
* *Frechet*: to the moments of a thousand held-out people, the judged ones among them; it falls with
  the number of heads. *Apart*: the largest set of the judged heads in which no two are one face for
  FaceNet.
* Agreement is read by this project's probes off the latent of the photo and off that of the head.
  B's prior is asked by the same probes: this says whether renders keep what B was asked for, not
  what a stranger would read."""


def page(report: Mapping[str, Any]) -> str:
    """The whole page, Markdown."""
    budget, rows = report["budget"], report["rows"]
    lines = [
        "# Does a more complete head come nearer?",
        "",
        f"{_QUESTION} (skin, palette, brows, hair, facial hair, expression). {answer(report)}",
        "",
        f"Command: `make expectation`. Head model `{report['model']}`, {report['samples']} samples"
        f" a pixel. Each row has {budget['pairs']} pairs, surrogates and a B of its own, and is"
        f" judged by renders of its heads for the same {budget['people']} held-out people"
        " (research data, one photo each). In brackets 95 % intervals.",
        "",
        *_table(rows, report["people"]),
        "",
        *_agreement(rows),
        "",
        _HELD,
        *(f"* {part.title.removeprefix('+ ')}: {part.while_held}" for part in LOOKS.values()),
        "",
        _MEANING,
    ]
    return "\n".join(lines) + "\n"


def answer(report: Mapping[str, Any]) -> str:
    """The answer in one sentence."""
    rows, change = report["rows"], report["change"]
    if change is None or [row["key"] for row in rows] != list(KEYS):
        return "Only the whole table answers it, and this one has not all rows."
    first, last = rows[0], rows[-1]
    (begin, end), by = (row["median"]["value"] for row in (first, last)), change["value"]
    way = (
        f"from {begin:.3f} of shape alone to {end:.3f} of the complete head"
        f" ({by:+.3f}, {change['low']:+.3f} to {change['high']:+.3f})"
    )
    if change["high"] < 0:
        best = min(rows[1:], key=lambda row: row["step"]["value"])
        part = best["title"].removeprefix("+ ")
        said = f"It does: the median roundtrip shrinks {way}, most of it with {part}"
        said += f" ({best['step']['value']:+.3f})"
    elif change["low"] > 0:
        said = f"It does not: the median roundtrip grows {way}"
    else:
        said = f"It cannot be told: the median roundtrip goes {way}"
    apart, frechet = (
        f"{first[key]['value']:{form}} to {last[key]['value']:{form}}"
        for key, form in (("apart", ".0f"), ("frechet", ".2f"))
    )
    return (
        f"**{said}, while heads apart go from {apart} of {last['heads']} and the Frechet distance"
        f" goes from {frechet}.**"
    )


def _table(rows: list[dict[str, Any]], people: Mapping[str, Any]) -> list[str]:
    lines = [
        "| free | roundtrip, median | 90 % | against the row before | surrogates' opinion |"
        " pairwise median | random heads | Frechet | apart |",
        "|---" * 9 + "|",
    ]
    for row in rows:
        cells = [
            row["title"],
            _cell(row["median"]),
            _cell(row["quantile90"]),
            _cell(row.get("step"), "+.3f"),
            f"{row['promised']:.3f}",
            *_variety(row, _cell(row["prior_pairwise"])),
        ]
        lines.append("| " + " | ".join(cells) + f" of {row['heads']} |")
    cells = ["the people themselves", *["-"] * 4, *_variety(people, "-")]
    return [*lines, "| " + " | ".join(cells) + " |"]


def _variety(figures: Mapping[str, Any], random: str) -> list[str]:
    frechet, apart = _cell(figures["frechet"], ".2f"), _cell(figures["apart"], ".0f")
    return [_cell(figures["pairwise"]), random, frechet, apart]


def _agreement(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| free | parameters | pairs | same sex read | age, Spearman | lightness, Spearman |",
        "|---" * 6 + "|",
    ]
    for row in rows:
        read = [_cell(row[key], ".2f") for key in ("same_sex", "age", "lightness")]
        cells = [row["title"], str(row["parameters"]), str(row["pairs"]), *read]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _cell(figure: Mapping[str, float | None] | None, form: str = ".3f") -> str:
    """A figure with its interval."""
    if figure is None or figure["value"] is None:
        return "-"
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    if low is None or high is None:
        return f"{value:{form}}"
    return f"{value:{form}} ({low:{form}} to {high:{form}})"
