# SPDX-License-Identifier: GPL-3.0-or-later
"""Distributions of a background's colour, as a recipe declares them.

``"preset"``, the backdrop of the light; a distribution of one number, a grey; three of them in a
list, red, green and blue drawn each for itself; ``{choice = [[red, green, blue], ...], weights =
[...]}``, a palette, in which ``"preset"`` may stand, too. All are linear RGB in [0, 1]: what a
screen shows as half grey is 0.21.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from batch.dataset.distribution import (
    Distribution,
    DistributionError,
    choice_weights,
    read_distribution,
    weighted,
)

Colour = tuple[float, float, float]
PRESET = "preset"
_CHANNELS = "[red, green, blue], a number or a distribution from 0 to 1 each"


class Colours(Protocol):
    """Methods of all kinds of colours."""

    def draw(self, rng: np.random.Generator) -> Colour | None:
        """Linear RGB in [0, 1]; None for the light's own backdrop."""
        ...

    def plain(self) -> Any:
        """Plain data that `read_colours` reads back."""
        ...


@dataclass(frozen=True)
class PresetColour:
    """The backdrop of the light preset, or the HDRI itself."""

    def draw(self, rng: np.random.Generator) -> None:
        """None; nothing is drawn."""
        return None

    def plain(self) -> str:
        """The colours as plain data of a recipe."""
        return PRESET

    def __str__(self) -> str:
        return "the light's own backdrop"


@dataclass(frozen=True)
class Grey:
    """Greys of one distribution."""

    level: Distribution

    def draw(self, rng: np.random.Generator) -> Colour:
        """One grey."""
        level = self.level.draw(rng)
        return level, level, level

    def plain(self) -> float | dict[str, list[float]]:
        """The colours as plain data of a recipe."""
        return self.level.plain()

    def __str__(self) -> str:
        return f"grey, {self.level}"


@dataclass(frozen=True)
class Channels:
    """Red, green and blue, each of its own distribution."""

    channels: tuple[Distribution, Distribution, Distribution]

    def draw(self, rng: np.random.Generator) -> Colour:
        """One colour."""
        red, green, blue = (channel.draw(rng) for channel in self.channels)
        return red, green, blue

    def plain(self) -> list[float | dict[str, list[float]]]:
        """The colours as plain data of a recipe."""
        return [channel.plain() for channel in self.channels]

    def __str__(self) -> str:
        return "; ".join(
            f"{name} {channel}"
            for name, channel in zip(("red", "green", "blue"), self.channels, strict=True)
        )


@dataclass(frozen=True)
class Palette:
    """One of some colours, each as often as its weight says; None for the light's own backdrop."""

    colours: tuple[Colour | None, ...]
    weights: tuple[float, ...]

    def draw(self, rng: np.random.Generator) -> Colour | None:
        """One of them."""
        return self.colours[weighted(rng, self.weights)]

    def plain(self) -> dict[str, list[Any]]:
        """The colours as plain data of a recipe."""
        choices = [PRESET if colour is None else list(colour) for colour in self.colours]
        return {"choice": choices, "weights": list(self.weights)}

    def __str__(self) -> str:
        return f"one of {len(self.colours)} colours"


def read_colours(value: Any) -> Colours:
    """Colours from plain data; DistributionError says what to give instead."""
    if isinstance(value, str):
        if value != PRESET:
            raise DistributionError(f'"{PRESET}" or colours as numbers from 0 to 1')
        return PresetColour()
    if isinstance(value, list):
        return Channels(_channels(value))
    if isinstance(value, Mapping) and _is_palette(value.get("choice")):
        return _palette(value)
    return Grey(_level(value))


def _is_palette(choices: Any) -> bool:
    return isinstance(choices, list) and any(isinstance(choice, list) for choice in choices)


def _channels(value: Any) -> tuple[Distribution, Distribution, Distribution]:
    if not isinstance(value, list) or len(value) != 3:
        raise DistributionError(_CHANNELS)
    red, green, blue = (_level(channel) for channel in value)
    return red, green, blue


def _level(value: Any) -> Distribution:
    distribution = read_distribution(value)
    low, high = distribution.bounds
    if low < 0 or high > 1:
        raise DistributionError("numbers from 0 to 1")
    return distribution


def _palette(value: Mapping[str, Any]) -> Palette:
    if set(value) - {"choice", "weights"}:
        raise DistributionError("no other key than choice and weights")
    colours: list[Colour | None] = []
    for entry in value["choice"]:
        if entry == PRESET:
            colours.append(None)
            continue
        channels = _channels(entry)
        if any(isinstance(number, Mapping) for number in entry):
            raise DistributionError("numbers for the colours of a choice")
        red, green, blue = (channel.bounds[0] for channel in channels)
        colours.append((red, green, blue))
    weights = choice_weights(value.get("weights"), len(colours))
    return Palette(tuple(colours), weights)
