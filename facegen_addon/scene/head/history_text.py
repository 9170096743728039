# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes and reads a head's history as text, exact to the last bit, as saved on its object."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np

from ...arrays import AnyArray, FloatArray
from ...errors import UserError
from .latents import Latents

_LATENT = 512
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
    binascii.Error,
    zlib.error,
)
"""Errors that reading a text that anybody can edit may raise."""


@dataclass(frozen=True)
class Entry:
    """A state of a head: parameters (P,), its latents, and the seed it was drawn by.

    number: the entries' order in time; label: what made it, as the panel shows it.
    """

    label: str
    parameters: Annotated[FloatArray, "P"]
    latents: Latents = field(default_factory=Latents)
    seed: int | None = None
    starred: bool = False
    number: int = 0


def write(entries: list[Entry], cursor: int) -> str:
    """The text of a history."""
    return json.dumps({"cursor": cursor, "entries": [_as_mapping(entry) for entry in entries]})


def read(text: Any, width: int) -> tuple[list[Entry], int]:
    """Entries of ``width`` parameters and the cursor; UserError if it is no such history."""
    try:
        content = json.loads(text)
        entries = [_from_mapping(values, width) for values in content["entries"]]
        cursor = int(content["cursor"])
        fine = 0 <= cursor < len(entries)
    except _DAMAGE:
        fine = False
    if not fine:
        raise UserError("its saved history is damaged or of another version of its model")
    return entries, cursor


def _as_mapping(entry: Entry) -> dict[str, Any]:
    latents = {name: _packed(x, "<f4") for name, x in vars(entry.latents).items() if x is not None}
    return {
        "label": entry.label,
        "parameters": _packed(entry.parameters, "<f8"),
        "latents": latents,
        "seed": entry.seed,
        "starred": entry.starred,
        "number": entry.number,
    }


def _from_mapping(values: dict[str, Any], width: int) -> Entry:
    seed = values["seed"]
    return Entry(
        str(values["label"]),
        _unpacked(values["parameters"], "<f8", width).astype(np.float64),
        Latents(
            **{
                name: _unpacked(text, "<f4", _LATENT).astype(np.float32)
                for name, text in values["latents"].items()
            }
        ),
        None if seed is None else int(seed),
        bool(values["starred"]),
        int(values["number"]),
    )


def _packed(values: AnyArray, kind: str) -> str:
    return base64.b64encode(zlib.compress(values.astype(kind).tobytes())).decode("ascii")


def _unpacked(text: str, kind: str, width: int) -> AnyArray:
    values = np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), kind)
    if values.shape != (width,) or not np.isfinite(values).all():
        raise ValueError("damaged")
    return values
