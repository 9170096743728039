# SPDX-License-Identifier: GPL-3.0-or-later
"""What is worn, as plain words and numbers; clothes say nothing of who somebody is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...errors import UserError, check_values
from ..head_model import HeadModel
from .garments import NECKLINES
from .glasses import GLASSES
from .headwear import HEADWEAR

NONE = "none"
PATTERNS = ("plain", "stripes", "pinstripes", "checks", "heather")
Rgb = tuple[float, float, float]
CLOTH_COLOURS: dict[str, Rgb] = {
    "black": (0.012, 0.014, 0.020), "white": (0.55, 0.54, 0.51), "grey": (0.16, 0.17, 0.18),
    "navy": (0.020, 0.035, 0.095), "blue": (0.05, 0.13, 0.30), "sky": (0.36, 0.47, 0.62),
    "wine": (0.24, 0.025, 0.03), "red": (0.42, 0.10, 0.09), "green": (0.03, 0.09, 0.05),
    "olive": (0.13, 0.15, 0.07), "sand": (0.45, 0.36, 0.22), "brown": (0.16, 0.09, 0.05),
    "orange": (0.50, 0.26, 0.05), "purple": (0.22, 0.09, 0.24),
}  # fmt: skip
"""Colours of cloth, linear."""
FRAME_COLOURS: dict[str, Rgb] = {
    "black": (0.012, 0.012, 0.013), "tortoiseshell": (0.07, 0.03, 0.015),
    "steel": (0.30, 0.30, 0.31), "gold": (0.35, 0.24, 0.09), "navy": (0.02, 0.03, 0.08),
    "red": (0.16, 0.02, 0.03),
}  # fmt: skip


@dataclass(frozen=True)
class Outfit:
    """One of NECKLINES, of PATTERNS, of GLASSES and of HEADWEAR; colours are linear RGB in [0, 1].

    The default is what every portrait and every training pair has: plain and dark. Of neckline,
    glasses and headwear any can be NONE.
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
            ("neckline", self.neckline, (NONE, *NECKLINES)),
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

    @property
    def is_bare(self) -> bool:
        """Whether nothing is worn."""
        return self.neckline == self.glasses == self.headwear == NONE

    @property
    def for_portrait(self) -> Outfit:
        """The same, in the plain garment of portraits where no garment is worn."""
        return replace(self, neckline=Outfit().neckline) if self.neckline == NONE else self


BARE = Outfit(neckline=NONE)


def check_dressed(model: HeadModel) -> None:
    """UserError if heads of a model wear nothing."""
    if not model.dressed:
        raise UserError(f"heads of model {model.name!r} wear nothing; choose model 'person'")


def drawn_colours(rng: np.random.Generator) -> dict[str, Rgb]:
    """Colours of an `Outfit` as one sees them: name -> linear RGB."""
    cloths, frames = tuple(CLOTH_COLOURS.values()), tuple(FRAME_COLOURS.values())
    first, second, hat = rng.permutation(len(cloths))[:3]
    return {
        "colour": cloths[first],
        "second": cloths[second],
        "hat": cloths[hat],
        "frame": frames[int(rng.integers(len(frames)))],
    }
