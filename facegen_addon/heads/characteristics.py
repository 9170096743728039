# SPDX-License-Identifier: GPL-3.0-or-later
"""What a face is in words: age, sex, weight, how wide the nose is, for models of components.

A characteristic is read off a head's parameters by a linear function. To change some, a head moves
as people who differ in them differ on average: by the smallest step of all that lead there, in
standard deviations of people; for those of an area, of people who hardly differ elsewhere.
Parameters stay the truth: nothing else is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..errors import UserError
from .parameters import ParameterTable

PEOPLE, WHOLE = "people", "head"
"""Groups: who somebody is, and what is of a whole head; the others are areas of a face."""

_ROUNDS = 20
"""Times that a step which meets the ends of parameters is gone on with by the others."""
_DEPENDENT = 1e-9
"""Share of the largest variance below which a combination of characteristics is none: ancestries
sum to one."""
_REACHED = 1e-6
"""Standard deviations by which a characteristic may be missed."""


@dataclass(frozen=True)
class Characteristic:
    """One of them: ``low`` to ``high``, in ``unit``, is what people have.

    group: PEOPLE, WHOLE or one of AREAS. explained: share of its variance among people that the
    reading explains; 1 if it is measured on the mesh. share_of: a name common to those that are
    shares of one whole; when one is moved the rest of them give way.
    """

    name: str
    label: str
    group: str
    unit: str
    low: float
    high: float
    explained: float = 1.0
    share_of: str = ""


@dataclass(frozen=True)
class Characteristics:
    """Q characteristics of a head model, read off K of its P parameters.

    weights (Q, K) per unit of the parameters, mean (Q,) where these are 0. Covariances (K, K) of
    the parameters: covariance among people, and by area among people who hardly differ outside it.
    """

    rows: tuple[Characteristic, ...]
    table: ParameterTable
    columns: Annotated[IntArray, "K"]
    weights: Annotated[FloatArray, "Q K"]
    mean: Annotated[FloatArray, "Q"]
    covariance: Annotated[FloatArray, "K K"]
    within: Mapping[str, Annotated[FloatArray, "K K"]]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(row.name for row in self.rows)

    def index(self, name: str) -> int:
        """Place of the one called ``name``; UserError if there is none."""
        if name not in self.names:
            raise UserError(f"unknown characteristic {name!r}; choose from {', '.join(self.names)}")
        return self.names.index(name)

    def read(self, parameters: Annotated[FloatArray, "... P"]) -> Annotated[FloatArray, "... Q"]:
        """Characteristics (..., Q) of heads (..., P), in their units."""
        values: FloatArray = parameters[..., self.columns] @ self.weights.T + self.mean
        return values

    def value(self, parameters: Annotated[FloatArray, "P"], name: str) -> float:
        """One characteristic of one head (P,)."""
        row = self.index(name)
        return float(parameters[self.columns] @ self.weights[row] + self.mean[row])

    def others(self, changed: Collection[str]) -> frozenset[str]:
        """What stays by default where some are changed: the others of their groups, but for shares
        of one whole; and who somebody is, where something of a whole head is changed."""
        moved = [self.rows[self.index(name)] for name in changed]
        wholes = {row.share_of for row in moved} - {""}
        groups = {PEOPLE if row.group == WHOLE else row.group for row in moved}
        return frozenset(
            row.name
            for row in self.rows
            if row.group in groups and row.name not in changed and row.share_of not in wholes
        )

    def changed(
        self,
        parameters: Annotated[FloatArray, "P"],
        values: Mapping[str, float],
        held: Collection[str] | None = None,
        locked: Annotated[BoolArray, "P"] | None = None,
    ) -> Annotated[FloatArray, "P"]:
        """A head (P,) with some characteristics at these values, or as near as its ranges allow.

        held: which others keep their values, by default ``others``; with none, the rest changes as
        it does among people. locked (P,): parameters that stay. UserError for unknown names and
        values that are not finite.
        """
        for name, value in values.items():
            self.index(name)
            if not np.isfinite(value):
                raise UserError(f"{name} is {value}: give a finite number")
        held = self.others(values) if held is None else frozenset(held) - set(values)
        asked = [self.index(name) for name in (*values, *sorted(held))]
        current = self.read(parameters)
        wanted = np.array([*values.values(), *current[asked[len(values) :]]], np.float64)
        low, high = self.table.minimum[self.columns], self.table.maximum[self.columns]
        covariance = self._covariance(values)
        free = np.ones(len(self.columns), np.bool_) if locked is None else ~locked[self.columns]
        components = parameters[self.columns]
        for _ in range(_ROUNDS):
            missing = wanted - self.weights[asked] @ components - self.mean[asked]
            if (np.abs(missing) <= _REACHED * self._spread[asked]).all():
                break
            aim = components + self._step(covariance, asked, missing, free)
            components = np.clip(aim, low, high)
            beyond = aim != components
            if not beyond.any():
                break
            free = free & ~beyond
        result = parameters.copy()
        result[self.columns] = components
        return result

    def _covariance(self, changed: Collection[str]) -> FloatArray:
        """Of people who differ in nothing but the area that all of ``changed`` are of, if any."""
        groups = {self.rows[self.index(name)].group for name in changed}
        return self.within.get("".join(groups), self.covariance)

    @cached_property
    def _spread(self) -> FloatArray:
        """Standard deviations (Q,) among people."""
        return np.sqrt(np.einsum("qk,kl,ql->q", self.weights, self.covariance, self.weights))

    def _step(
        self, covariance: FloatArray, asked: list[int], missing: FloatArray, free: BoolArray
    ) -> FloatArray:
        """The step (K,) of the free parameters that makes up for what is missing."""
        scaled = self.weights[asked][:, free] / self._spread[asked, None]
        together = covariance[free][:, free] @ scaled.T
        gram = scaled @ together
        step = np.zeros(len(self.columns))
        inverse = np.linalg.pinv(gram, rcond=_DEPENDENT, hermitian=True)
        step[free] = together @ (inverse @ (missing / self._spread[asked]))
        return step
