# SPDX-License-Identifier: GPL-3.0-or-later
"""The one parameter table: sliders, samplers, networks, data sets and exports all read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray, IntArray
from ..errors import UserError

MOVING_GROUPS = ("expression", "pose")
"""Groups of what a recording moves: they say what a face does, not whose it is."""


@dataclass(frozen=True)
class Parameter:
    """One authoring parameter.

    ``mean`` and ``std`` describe the prior of plausible heads; ``std`` is 0 where every
    distribution leaves the parameter at its mean (expression, pose). ``guided`` marks what the
    backward mapping predicts: identity and appearance.
    """

    name: str
    label: str
    group: str
    minimum: float
    maximum: float
    mean: float
    std: float
    unit: str
    guided: bool

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Parameter:
        """Read a parameter from plain data (the inverse of :meth:`as_mapping`)."""
        return cls(**{field.name: values[field.name] for field in fields(cls)})

    def as_mapping(self) -> dict[str, Any]:
        """This parameter as plain data, ready for JSON."""
        return asdict(self)


class ParameterTable:
    """An ordered, immutable set of P parameters, G of them guided."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self.parameters = tuple(parameters)
        self.names = tuple(p.name for p in self.parameters)
        self._index = {name: column for column, name in enumerate(self.names)}
        if len(self._index) != len(self.names):
            raise ValueError("parameter names must differ from one another")

    def __len__(self) -> int:
        return len(self.parameters)

    def index(self, name: str) -> int:
        """Column of the parameter called ``name``; UserError if there is none."""
        if name not in self._index:
            raise UserError(f"unknown parameter {name!r}; the model has {len(self)} others")
        return self._index[name]

    def _column(self, attribute: str) -> FloatArray:
        return np.array([getattr(p, attribute) for p in self.parameters], dtype=np.float64)

    @cached_property
    def minimum(self) -> Annotated[FloatArray, "P"]:
        """Lower end of each range, (P,)."""
        return self._column("minimum")

    @cached_property
    def maximum(self) -> Annotated[FloatArray, "P"]:
        """Upper end of each range, (P,)."""
        return self._column("maximum")

    @cached_property
    def mean(self) -> Annotated[FloatArray, "P"]:
        """Mean of the prior, (P,)."""
        return self._column("mean")

    @cached_property
    def std(self) -> Annotated[FloatArray, "P"]:
        """Standard deviation of the prior, (P,)."""
        return self._column("std")

    @cached_property
    def guided(self) -> Annotated[IntArray, "G"]:
        """Columns that the backward mapping predicts, (G,)."""
        return np.array([i for i, p in enumerate(self.parameters) if p.guided], dtype=np.intp)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Group names, in the order of their first parameter."""
        return tuple(dict.fromkeys(p.group for p in self.parameters))

    def columns(self, group: str) -> Annotated[IntArray, "K"]:
        """Columns of one group, (K,)."""
        return np.array([i for i, p in enumerate(self.parameters) if p.group == group], np.intp)

    @cached_property
    def moving(self) -> Annotated[IntArray, "K"]:
        """Columns of what a recording moves, expression and pose, (K,)."""
        return np.concatenate([self.columns(group) for group in MOVING_GROUPS])

    @cached_property
    def _guided_groups(self) -> dict[str, IntArray]:
        names = [self.parameters[i].group for i in self.guided]
        return {
            group: np.array([k for k, name in enumerate(names) if name == group], np.intp)
            for group in dict.fromkeys(names)
        }

    def guided_groups(self) -> dict[str, Annotated[IntArray, "_"]]:
        """Group name -> positions among the G guided parameters."""
        return dict(self._guided_groups)

    def default(self) -> Annotated[FloatArray, "P"]:
        """The mean head (P,): neutral expression, zero pose."""
        return self.mean.copy()

    def standardise(self, values: ArrayLike) -> Annotated[FloatArray, "N G"]:
        """Parameters (N, P) -> standard units of the guided ones (N, G): (v - mean) / std."""
        rows = np.atleast_2d(np.asarray(values, dtype=np.float64))
        return (rows[:, self.guided] - self.mean[self.guided]) / self.std[self.guided]

    def from_standardised(self, z: ArrayLike) -> Annotated[FloatArray, "N P"]:
        """Standard units (N, G) -> parameters (N, P), clipped to their ranges; others at mean."""
        rows = np.atleast_2d(np.asarray(z, dtype=np.float64))
        values = np.tile(self.mean, (len(rows), 1))
        values[:, self.guided] += rows * self.std[self.guided]
        return np.clip(values, self.minimum, self.maximum)

    def guided_bounds(self) -> tuple[Annotated[FloatArray, "G"], Annotated[FloatArray, "G"]]:
        """Ranges of the guided parameters in standard units: low (G,), high (G,)."""
        mean, std = self.mean[self.guided], self.std[self.guided]
        low, high = self.minimum[self.guided], self.maximum[self.guided]
        return (low - mean) / std, (high - mean) / std

    def validate(self, values: ArrayLike) -> Annotated[FloatArray, "N P"]:
        """Check parameters from outside; (P,) or (N, P) -> (N, P).

        Raises UserError, naming parameter, value and range, for a wrong width, a value that is
        not finite, or one outside its range.
        """
        rows = np.atleast_2d(np.asarray(values, dtype=np.float64))
        if rows.ndim != 2 or rows.shape[1] != len(self):
            raise UserError(f"expected rows of {len(self)} parameters, got shape {rows.shape}")
        bad = ~np.isfinite(rows) | (rows < self.minimum - 1e-9) | (rows > self.maximum + 1e-9)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            parameter = self.parameters[column]
            raise UserError(
                f"parameter {parameter.name!r} of head {row} is {rows[row, column]:g}; "
                f"give a number from {parameter.minimum:g} to {parameter.maximum:g}"
            )
        return rows

    def sample_uniform(self, rng: np.random.Generator, n: int) -> Annotated[FloatArray, "N P"]:
        """Draw completely random heads (n, P): each varying parameter uniform over its range."""
        varying = self.std > 0
        values = np.tile(self.mean, (n, 1))
        values[:, varying] = rng.uniform(
            self.minimum[varying], self.maximum[varying], (n, int(varying.sum()))
        )
        return values
