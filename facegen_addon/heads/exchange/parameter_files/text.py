# SPDX-License-Identifier: GPL-3.0-or-later
"""Text: JSON in whatever Unicode it came, and tables of numbers without a header."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ....arrays import FloatArray
from ....errors import UserError

_MOST = 2**24  # characters of a table; a shape code has a few thousand
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?nan|[+-]?inf", re.I)
_COMMA = re.compile(r"[+-]?\d+,\d+")


def decoded(data: bytes) -> str | None:
    """The text in bytes, by byte order mark or zeros, else as UTF-8; None if they are no text."""
    try:
        text = data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def is_json(text: str) -> bool:
    """Whether text begins as a JSON object or list does."""
    return text.lstrip()[:1] in ("{", "[")


def parse_json(text: str, path: Path, remedy: str) -> Any:
    """The content of JSON; UserError that names `path` if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON ({error}): {remedy}") from None


def parse_table(text: str, path: Path) -> Annotated[FloatArray, "..."] | None:
    """Read a table of numbers, a row a line, split by commas, semicolons or blanks; else None.

    UserError if its commas are decimal ones, and for rows of different lengths.
    """
    lines = [line for line in text.splitlines() if line.strip()] if len(text) < _MOST else []
    if not lines:
        return None
    words = [word for line in lines if ";" in line for word in re.split(r"[;\s]+", line)]
    decimal = next(filter(_COMMA.fullmatch, words), None)
    if decimal:
        point = decimal.replace(",", ".")
        raise UserError(f"{path} has {decimal} with a decimal comma: write {point}")
    rows = [re.split(r"\s*[,;]\s*|\s+", line.strip().rstrip(",;")) for line in lines]
    if not all(_NUMBER.fullmatch(word) for row in rows for word in row):
        return None
    if len({len(row) for row in rows}) > 1:
        raise UserError(f"{path} has rows of different lengths: give a table of numbers")
    table = np.array([[float(word) for word in row] for row in rows])
    return table[0] if len(table) == 1 else table


def number_from_text(text: str) -> float | None:
    """The number that a text says; None if it says none."""
    return float(text) if _NUMBER.fullmatch(text.strip()) else None
