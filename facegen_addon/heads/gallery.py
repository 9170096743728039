# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shipped to choose from by its picture: heads, and pictures of named styles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np

from ..arrays import AnyArray, FloatArray
from ..artifacts import load_npz
from .head_model import HeadModel
from .wear.outfit import BARE, Outfit
from .wear.outfit_text import read_outfit

ARTIFACT = "gallery"
"""In models/index.json: `heads`, JSON; `keys` (K,), names of pictures; `pictures`, JPEG files one
behind the other; `ends` (K,), where each ends."""


@dataclass(frozen=True)
class ShippedHead:
    """A head with a name: parameters by name, those left out at the table's mean.

    about: who it is, in words; wear: what it wears, as `outfit_text` says it.
    """

    name: str
    about: str
    model: str
    parameters: Mapping[str, float]
    wear: str

    def row(self, model: HeadModel) -> Annotated[FloatArray, "P"]:
        """Its parameters (P,) in a model's table; UserError if one is unknown or out of range."""
        row = model.table.default()
        for name, value in self.parameters.items():
            row[model.table.index(name)] = value
        return model.table.validate(row)[0]

    @property
    def outfit(self) -> Outfit:
        """What it wears."""
        return read_outfit(self.wear) if self.wear else BARE


@dataclass(frozen=True)
class Gallery:
    """Shipped heads, and pictures (JPEG) by key, such as "head Ada" or "hair Bob"."""

    heads: tuple[ShippedHead, ...]
    pictures: Mapping[str, bytes]

    def head(self, name: str) -> ShippedHead | None:
        """The shipped head of this name; None if there is none."""
        return next((head for head in self.heads if head.name == name), None)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray]) -> Gallery:
        """Read the artifact's arrays."""
        heads = tuple(ShippedHead(**row) for row in json.loads(str(arrays["heads"])))
        data, start, pictures = arrays["pictures"].tobytes(), 0, {}
        for key, end in zip(arrays["keys"], arrays["ends"], strict=True):
            pictures[str(key)] = data[start : int(end)]
            start = int(end)
        return cls(heads, pictures)

    def arrays(self) -> dict[str, Any]:
        """The artifact's arrays."""
        files = list(self.pictures.values())
        return {
            "heads": np.array(json.dumps([vars(head) for head in self.heads])),
            "keys": np.array(list(self.pictures)),
            "pictures": np.frombuffer(b"".join(files), np.uint8),
            "ends": np.cumsum([len(file) for file in files]),
        }


@cache
def gallery() -> Gallery:
    """The shipped one; UserError if its file is missing or damaged."""
    return Gallery.from_arrays(load_npz(ARTIFACT))
