# SPDX-License-Identifier: GPL-3.0-or-later
"""What a latent says of how a person reads: sex, age and lightness of the skin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from ..arrays import AnyArray, FloatArray, RealArray
from ..artifacts import load_npz, read_npz
from ..errors import UserError
from .own_probe import OwnProbe

ATTRIBUTES = ("female", "age", "lightness")
"""Sex from 0, a man's, to 1, a woman's; age in years as it reads; lightness of the skin, L* of CIE
L*a*b*."""

ARTIFACT = "attributes"


@dataclass(frozen=True)
class AttributeProbes:
    """Linear functions of latents, statistics of many people: weights (512, J), biases (J,).

    The first three say ATTRIBUTES, the first of them as the log of the odds that a latent is a
    woman's; a fourth, where there is one, is a user's own.
    """

    weights: Annotated[FloatArray, "D J"]
    biases: Annotated[FloatArray, "J"]

    @classmethod
    def load(cls, path: Path | str | None = None) -> AttributeProbes:
        """The probes of models/attributes.npz, or of a file alike; UserError if it is none."""
        arrays = load_npz(ARTIFACT) if path is None else read_npz(path)
        return cls.from_arrays(arrays, "models/attributes.npz" if path is None else str(path))

    @classmethod
    def from_arrays(cls, arrays: dict[str, AnyArray], source: str) -> AttributeProbes:
        """Check arrays read from ``source``; UserError that names it if they are no probes."""
        columns = len(ATTRIBUTES)
        for name, axes in (("weights", f"D, {columns}"), ("biases", f"{columns}")):
            array = arrays.get(name)
            if array is None or array.ndim != len(axes.split()) or array.shape[-1] != columns:
                raise UserError(f"{source} needs the array {name} ({axes}): give a probe's file")
            if array.dtype.kind != "f" or not np.isfinite(array).all():
                raise UserError(f"{source}: {name} holds what is no number: give a probe's file")
        return cls(arrays["weights"].astype(np.float64), arrays["biases"].astype(np.float64))

    @property
    def latent_size(self) -> int:
        """D, 512 for FaceNet."""
        return len(self.weights)

    def beside(self, own: OwnProbe | None) -> AttributeProbes:
        """These, and a user's own behind them."""
        if own is None:
            return self
        return AttributeProbes(
            np.column_stack([self.weights, own.direction]), np.append(self.biases, own.offset)
        )

    def on_axes(self, basis: Annotated[FloatArray, "D T"]) -> AttributeProbes:
        """The same of latents that are given on orthonormal axes (D, T)."""
        return AttributeProbes(basis.T @ self.weights, self.biases)

    def read(self, latents: Annotated[RealArray, "N D"]) -> Annotated[FloatArray, "N J"]:
        """ATTRIBUTES, and what a user's own says, (N, J) of latents (N, 512)."""
        said: FloatArray = np.asarray(latents, np.float64) @ self.weights + self.biases
        said[:, 0] = 0.5 + 0.5 * np.tanh(0.5 * said[:, 0])
        return said
