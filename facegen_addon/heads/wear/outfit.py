# SPDX-License-Identifier: GPL-3.0-or-later
"""What is worn, as plain words and numbers; clothes say nothing of who somebody is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import check_values
from .garments import NECKLINES
from .glasses import GLASSES
from .headwear import HEADWEAR

NONE = "none"
PATTERNS = ("plain", "stripes", "pinstripes", "checks", "heather")
Rgb = tuple[float, float, float]
_CLOTHS: tuple[Rgb, ...] = (
    (0.012, 0.014, 0.020), (0.55, 0.54, 0.51), (0.16, 0.17, 0.18), (0.020, 0.035, 0.095),
    (0.05, 0.13, 0.30), (0.36, 0.47, 0.62), (0.24, 0.025, 0.03), (0.42, 0.10, 0.09),
    (0.03, 0.09, 0.05), (0.13, 0.15, 0.07), (0.45, 0.36, 0.22), (0.16, 0.09, 0.05),
    (0.50, 0.26, 0.05), (0.22, 0.09, 0.24),
)  # fmt: skip
"""Colours of cloth, linear: black, white, grey, navy, blues, reds, greens, sand, brown, ..."""
_FRAMES: tuple[Rgb, ...] = (
    (0.012, 0.012, 0.013), (0.07, 0.03, 0.015), (0.30, 0.30, 0.31), (0.35, 0.24, 0.09),
    (0.02, 0.03, 0.08), (0.16, 0.02, 0.03),
)  # fmt: skip
"""Black, tortoiseshell, steel, gold, navy, red."""


@dataclass(frozen=True)
class Outfit:
    """One of NECKLINES, of PATTERNS, of GLASSES and of HEADWEAR; colours are linear RGB in [0, 1].

    The default is what every portrait and every training pair has: plain and dark.
    """

    neckline: str = "crew"
    colour: Rgb = (0.012, 0.014, 0.020)
    pattern: str = "plain"
    second: Rgb = (0.6, 0.6, 0.58)
    glasses: str = NONE
    frame: Rgb = (0.02, 0.016, 0.014)
    headwear: str = NONE
    hat: Rgb = (0.05, 0.06, 0.08)

    def __post_init__(self) -> None:
        named = (
            ("neckline", self.neckline, NECKLINES),
            ("pattern", self.pattern, PATTERNS),
            ("glasses", self.glasses, (NONE, *GLASSES)),
            ("headwear", self.headwear, (NONE, *HEADWEAR)),
        )
        check_values(
            [
                (value in names, name, value, f"one of {', '.join(names)}")
                for name, value, names in named
            ]
        )
        colours = (name for name in ("colour", "second", "frame", "hat"))
        check_values(
            [
                (
                    len(getattr(self, name)) == 3
                    and all(0.0 <= c <= 1.0 for c in getattr(self, name)),
                    name,
                    getattr(self, name),
                    "three numbers from 0 to 1",
                )
                for name in colours
            ]
        )


def drawn_colours(rng: np.random.Generator) -> dict[str, Rgb]:
    """Colours of an `Outfit` as one sees them: name -> linear RGB."""
    first, second, hat = rng.permutation(len(_CLOTHS))[:3]
    return {
        "colour": _CLOTHS[first],
        "second": _CLOTHS[second],
        "hat": _CLOTHS[hat],
        "frame": _FRAMES[int(rng.integers(len(_FRAMES)))],
    }
