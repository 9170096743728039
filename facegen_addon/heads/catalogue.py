# SPDX-License-Identifier: GPL-3.0-or-later
"""The head models there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ..artifacts import load_npz
from ..errors import UserError
from .anny import AnnyHead
from .head_model import HeadModel

HEAD_MODELS: dict[str, Callable[[], HeadModel]] = {
    "anny": lambda: AnnyHead(load_npz("anny_head")),
}


@cache
def load_head_model(name: str) -> HeadModel:
    """The head model called ``name``; UserError if there is none or its file is damaged."""
    if name not in HEAD_MODELS:
        raise UserError(f"unknown head model {name!r}; choose from {', '.join(HEAD_MODELS)}")
    return HEAD_MODELS[name]()
