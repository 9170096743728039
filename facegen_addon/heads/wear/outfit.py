# SPDX-License-Identifier: GPL-3.0-or-later
"""What is worn, as plain words and numbers; clothes say nothing of who somebody is."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import check_values
from .garments import NECKLINES
from .glasses import GLASSES
from .headwear import HEADWEAR

NONE = "none"
PATTERNS = ("plain", "stripes", "pinstripes", "checks", "heather")
Rgb = tuple[float, float, float]


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
