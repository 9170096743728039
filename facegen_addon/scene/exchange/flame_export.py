# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads of the scene as a FLAME parameter file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...heads.exchange.flame_codes import write_parameters
from ...heads.exchange.flame_sliders import flame_sliders
from ..head.head_object import HeadObject


def export_heads(path: Path, heads: Sequence[HeadObject], convention: str) -> list[str]:
    """Write heads of one FLAME model as the rows of a .npz or .json file; lines on what is lost.

    ``convention``: one of WRITABLE of exchange/flame_codes.py. UserError if there are no heads,
    if their models differ, for which components mean different things, or are no FLAME models.
    """
    if not heads:
        raise UserError("no head is selected; select the heads to export")
    names = sorted({head.model.name for head in heads})
    if len(names) > 1:
        raise UserError(f"the heads have different models, {', '.join(names)}; select those of one")
    parameters = np.stack([head.parameters for head in heads])
    return write_parameters(path, flame_sliders(heads[0].model).to_flame(parameters), convention)
