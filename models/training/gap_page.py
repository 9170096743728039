# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what tells renders from photos, Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.training.distributions_page import cell, table

_COLUMNS = (("accuracy", ".0%"), ("auc", ".3f"), ("separation", ".1f"), ("closed", ".0%"),
            ("distance", ".3f"), ("nearer", "+.3f"))  # fmt: skip
_NAMES = ("", "told apart", "AUC", "separation", "gap closed", "distance", "change of it")


def page(report: Mapping[str, Any]) -> str:
    """Tables by encoder, with their captions."""
    lines = [
        f"Head model `{report['model']}`, B refined, {report['samples']} samples a pixel;"
        f" {report['people']} people, {report['folds']}-fold cross-validation by person. In"
        " brackets 95 % intervals over people.",
    ]
    for name, title in (("facenet", "FaceNet"), ("second", "SFace, to which nothing is fitted")):
        rows = [(row["name"], row[name]) for row in report["rows"]]
        if name == "facenet":
            rows.append(("another photo of the same person", report["another photo"]))
        lines += ["", f"## {title}", "", *table(_NAMES, [_row(*row) for row in rows])]
    return "\n".join(lines) + "\n"


def _row(name: str, figures: Mapping[str, Any]) -> Sequence[str]:
    return [name, *(cell(figures.get(column), form) for column, form in _COLUMNS)]
