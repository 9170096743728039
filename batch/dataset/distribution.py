# SPDX-License-Identifier: GPL-3.0-or-later
"""Distributions of one number, as a recipe declares them.

A number is itself; ``{uniform = [low, high]}``; ``{normal = [mean, sd], within = [low, high]}``, a
normal distribution truncated to a range, by default three standard deviations to either side; and
``{choice = [values], weights = [weights]}``, equal weights where none are given.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np

FORMS = (
    "a number, {uniform = [low, high]}, {normal = [mean, sd], within = [low, high]} or"
    " {choice = [values], weights = [weights]}"
)
_MOST_CHOICES = 1000
_SIGMAS = 3.0
_LEAST_MASS = 0.01
"""Of a normal distribution that its range must hold: further out its tails lose precision."""


class DistributionError(ValueError):
    """A demand that a wrong distribution does not meet: the end of "... is VALUE; give"."""


class Distribution(Protocol):
    """Methods of all kinds of distributions."""

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest number that can be drawn."""
        ...

    def draw(self, rng: np.random.Generator) -> float:
        """One number."""
        ...

    def plain(self) -> float | dict[str, list[float]]:
        """Plain data that `read_distribution` reads back."""
        ...


@dataclass(frozen=True)
class Fixed:
    """Always the same number."""

    value: float

    @property
    def bounds(self) -> tuple[float, float]:
        """The number, twice."""
        return self.value, self.value

    def draw(self, rng: np.random.Generator) -> float:
        """The number; nothing is drawn."""
        return self.value

    def plain(self) -> float:
        """The number."""
        return self.value

    def __str__(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True)
class Uniform:
    """Every number between two ends alike."""

    low: float
    high: float

    @property
    def bounds(self) -> tuple[float, float]:
        """The two ends."""
        return self.low, self.high

    def draw(self, rng: np.random.Generator) -> float:
        """One number."""
        return min(float(rng.uniform(self.low, self.high)), self.high)  # rounding may pass it

    def plain(self) -> dict[str, list[float]]:
        """The distribution as plain data of a recipe."""
        return {"uniform": [self.low, self.high]}

    def __str__(self) -> str:
        return f"uniform {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Normal:
    """A normal distribution given that the number lies in a range.

    mean, sd: of the distribution before it is truncated. Drawn by inverting the cumulative
    distribution, so that every draw takes one random number.
    """

    mean: float
    sd: float
    low: float
    high: float

    @property
    def bounds(self) -> tuple[float, float]:
        """The range."""
        return self.low, self.high

    @property
    def _shares(self) -> tuple[float, float]:
        """Shares of the whole distribution below either end of the range."""
        whole = NormalDist(self.mean, self.sd)
        return whole.cdf(self.low), whole.cdf(self.high)

    @property
    def mass(self) -> float:
        """The share of the whole distribution that lies in the range."""
        below, up_to = self._shares
        return up_to - below

    def draw(self, rng: np.random.Generator) -> float:
        """One number."""
        share = min(max(rng.uniform(*self._shares), 1e-12), 1.0 - 1e-12)
        return min(max(NormalDist(self.mean, self.sd).inv_cdf(share), self.low), self.high)

    def plain(self) -> dict[str, list[float]]:
        """The distribution as plain data of a recipe, with its range."""
        return {"normal": [self.mean, self.sd], "within": [self.low, self.high]}

    def __str__(self) -> str:
        return f"normal {self.mean:g} +- {self.sd:g}, within {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Choice:
    """One of some numbers, each as often as its weight says against the others'."""

    values: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest of those that have any weight."""
        drawn = [v for v, w in zip(self.values, self.weights, strict=True) if w > 0]
        return min(drawn), max(drawn)

    def draw(self, rng: np.random.Generator) -> float:
        """One of them."""
        return self.values[weighted(rng, self.weights)]

    def plain(self) -> dict[str, list[float]]:
        """The distribution as plain data of a recipe, with its weights."""
        return {"choice": list(self.values), "weights": list(self.weights)}

    def __str__(self) -> str:
        total = sum(self.weights)
        parts = zip(self.values, self.weights, strict=True)
        return "choice " + ", ".join(f"{v:g} ({w / total:.0%})" for v, w in parts)


def weighted(rng: np.random.Generator, weights: Sequence[float]) -> int:
    """Index of one thing, each drawn as often as its weight says, by one random number."""
    reached = np.cumsum(np.asarray(weights) / max(weights))  # no sum of large weights overflows
    place = int(np.searchsorted(reached, rng.random() * reached[-1], side="right"))
    return min(place, int(np.flatnonzero(weights)[-1]))


def read_distribution(value: Any) -> Distribution:
    """A distribution from plain data; DistributionError says what to give instead."""
    if not isinstance(value, Mapping):
        return Fixed(finite(value))
    kinds = [kind for kind in _KINDS if kind in value]
    if len(kinds) != 1:
        raise DistributionError(FORMS)
    kind, (read, companion) = kinds[0], _KINDS[kinds[0]]
    if set(value) - {kind, companion}:
        allowed = f"{kind} and {companion}" if companion else kind
        raise DistributionError(f"no other key than {allowed}")
    return read(value)


def finite(value: Any) -> float:
    """A finite number from plain data; DistributionError if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DistributionError(FORMS)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise DistributionError("a finite number")
    return number + 0.0  # no negative zero


def _numbers(value: Any, count: int | None, meaning: str) -> tuple[float, ...]:
    """Numbers of a list, `count` of them or any."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise DistributionError(meaning)
    if len(value) != count if count is not None else not 0 < len(value) <= _MOST_CHOICES:
        raise DistributionError(meaning)
    return tuple(finite(number) for number in value)


def _uniform(value: Mapping[str, Any]) -> Uniform:
    low, high = _range(value["uniform"], "uniform = [low, high]")
    if not math.isfinite(high - low):
        raise DistributionError("uniform = [low, high] with ends nearer to each other")
    return Uniform(low, high)


def _range(value: Any, meaning: str) -> tuple[float, float]:
    low, high = _numbers(value, 2, meaning)
    if low > high:
        raise DistributionError(f"{meaning}, the lower end first")
    return low, high


def _normal(value: Mapping[str, Any]) -> Normal:
    mean, sd = _numbers(value["normal"], 2, "normal = [mean, standard deviation]")
    if sd <= 0:
        raise DistributionError("normal = [mean, sd] with sd above 0, or one number for no spread")
    around = [mean - _SIGMAS * sd, mean + _SIGMAS * sd]
    low, high = _range(value.get("within", around), "within = [low, high]")
    normal = Normal(mean, sd, low, high)
    if normal.mass < _LEAST_MASS:
        raise DistributionError(
            f"within = [low, high] that holds at least {_LEAST_MASS:.0%} of the normal distribution"
        )
    return normal


def _choice(value: Mapping[str, Any]) -> Choice:
    values = _numbers(value["choice"], None, f"choice = 1 to {_MOST_CHOICES} numbers in a list")
    return Choice(values, choice_weights(value.get("weights"), len(values)))


def choice_weights(value: Any, count: int) -> tuple[float, ...]:
    """Weights of `count` things from plain data, equal for None; else DistributionError."""
    if value is None:
        return (1.0,) * count
    meaning = f"weights = {count} numbers in a list, one for each choice, none below 0, not all 0"
    weights = _numbers(value, count, meaning)
    if min(weights) < 0 or max(weights) == 0:
        raise DistributionError(meaning)
    return weights


_KINDS: Mapping[str, tuple[Callable[[Mapping[str, Any]], Distribution], str | None]] = {
    "uniform": (_uniform, None),
    "normal": (_normal, "within"),
    "choice": (_choice, "weights"),
}
"""Kind -> what reads it, and the one key that may stand beside it."""
