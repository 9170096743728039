# SPDX-License-Identifier: GPL-3.0-or-later
"""FLAME parameters of a file as sliders of a FLAME head, with a line on each change on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np

from ...arrays import FloatArray
from ...errors import UserError
from ..flame.model import clamp_pose
from ..flame.sliders import FlameSliders
from ..head_model import HeadModel
from .flame_codes import for_model, read_parameters


@dataclass(frozen=True)
class ImportedSliders:
    """N heads of a file as sliders.

    values (N, P): the head model's parameters; notes: what the file's convention means and what of
    it was ignored; clamped: what went beyond a joint's or a slider's range, one line each;
    warnings: what may make the heads other than the file's author meant; sequence: whether the rows
    are the frames of one head, `fps` of them a second if the file says so; times (N,): when they
    are, seconds from the first, where the file says that.
    """

    convention: str
    values: Annotated[FloatArray, "N P"]
    notes: list[str]
    clamped: list[str]
    warnings: list[str] = field(default_factory=list)
    sequence: bool = False
    fps: float | None = None
    times: Annotated[FloatArray, "N"] | None = None

    @property
    def moments(self) -> Annotated[FloatArray, "N"] | None:
        """Seconds (N,) from the first row; None where the file does not say."""
        if self.times is not None or self.fps is None:
            return self.times
        return np.arange(len(self.values)) / self.fps

    def at_rate(self, fps: float | None) -> ImportedSliders:
        """The rows as a sequence of ``fps`` frames a second, whatever the file says; None: as the
        file says."""
        return self if fps is None else replace(self, sequence=True, fps=fps, times=None)


def flame_sliders(model: HeadModel) -> FlameSliders:
    """The model's conversion of FLAME's parameters to sliders; UserError if it has none."""
    sliders = model.flame_sliders
    if sliders is None:
        raise UserError(
            f"head model {model.name!r} has no FLAME parameters; choose open_flame or a FLAME file"
        )
    return sliders


def import_sliders(path: Path, model: HeadModel) -> ImportedSliders:
    """Read a parameter file of any known convention and fit it to the sliders of a FLAME head.

    Appearance, which FLAME does not know, stands at the mean. UserError for a file that is none,
    and for the codes of another FLAME.
    """
    sliders = flame_sliders(model)
    imported = read_parameters(path)
    try:
        parameters, notes = for_model(imported, sliders.flame.arrays)
    except UserError as error:
        raise error.within(str(path)) from None
    clamped_parameters, clamped = clamp_pose(parameters)
    values = sliders.from_flame(clamped_parameters, model.table.default())
    clamped += _clipped(clamped_parameters.as_mapping(), sliders.to_flame(values).as_mapping())
    return ImportedSliders(
        imported.convention, values, imported.notes + notes, clamped,
        imported.warnings, imported.sequence, imported.fps,
    )  # fmt: skip


def _clipped(asked: Mapping[str, FloatArray], kept: Mapping[str, FloatArray]) -> list[str]:
    """A line for each code of which the sliders hold less than was asked."""
    lines = []
    for name, values in asked.items():
        # Sliders that the file leaves out, and components that have no slider, count as zero.
        width = max(values.shape[1], kept[name].shape[1])
        wanted, held = (
            np.pad(rows, ((0, 0), (0, width - rows.shape[1]))) for rows in (values, kept[name])
        )
        changed = np.abs(wanted - held) > 1e-6
        if changed.any():
            head, component = np.argwhere(changed)[0]
            lines.append(
                f"{name}: {changed.sum()} values beyond the sliders, first {name}[{component}] of"
                f" head {head}, {wanted[head, component]:g} kept as {held[head, component]:g}"
            )
    return lines
