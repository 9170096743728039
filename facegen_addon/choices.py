# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user can choose from, where no table of things says so; free of bpy, so that a command
line can check a request before Blender starts."""

from __future__ import annotations

from dataclasses import dataclass

ENGINES = ("CYCLES", "EEVEE", "WORKBENCH")
LIGHT_PRESETS = ("studio", "window", "overcast", "flash")
"""The names of scene.render.lights.LIGHTS."""
DISTRIBUTIONS = ("latent", "prior", "uniform")
RENDERS_PER_HEAD = 10
"""Renders that a run may spend on each head demanded, unless told otherwise."""
MAXIMUM_CORRECTIONS = 8
"""Renders that may be spent on bringing one head nearer to the latent it was asked for."""


@dataclass(frozen=True)
class WholeNumber:
    """A whole number of a request, as command line, panel and request have it.

    From `low` to `high`, both included.
    """

    name: str
    default: int
    low: int
    high: int
    help: str

    def __contains__(self, value: int) -> bool:
        return self.low <= value <= self.high

    @property
    def range(self) -> str:
        """In words."""
        return f"{self.low} to {self.high}"


# About as many clearly different faces as the latent space holds.
COUNT = WholeNumber("count", 16, 1, 10_000, "heads")
SAMPLES = WholeNumber("samples", 16, 1, 4096, "samples a pixel")
SIZE = WholeNumber("size", 256, 64, 4096, "image side in pixels")
SEED = WholeNumber("seed", 0, 0, 2**31 - 1, "same seed, same heads")
CORRECTIONS = WholeNumber(
    "corrections",
    0,
    0,
    MAXIMUM_CORRECTIONS,
    "renders that bring each head nearer to the latent it was asked for; the nearest is kept",
)
NUMBERS = (COUNT, SAMPLES, SIZE, SEED, CORRECTIONS)
"""Those of *Generate Variety*, each declared here and nowhere else."""
