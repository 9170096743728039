# SPDX-License-Identifier: GPL-3.0-or-later
"""How heads are rendered, as plain numbers and names; free of bpy, so that a request can be checked
before Blender starts."""

from __future__ import annotations

from dataclasses import dataclass

from .choices import ENGINES, LIGHT_PRESETS, SAMPLES, SEED, SIZE
from .errors import check_values


@dataclass(frozen=True)
class RenderSettings:
    """How heads are rendered; the same settings and parameters give the same image.

    Raises UserError, naming value and remedy, for what cannot be.

    size in pixels (images are square); light is one of LIGHT_PRESETS; device is "auto" or
    "CPU"; face_only renders no more than the face crop, for F alone.
    """

    engine: str = "CYCLES"
    samples: int = SAMPLES.default
    size: int = SIZE.default
    seed: int = SEED.default
    light: str = "studio"
    device: str = "auto"
    face_only: bool = False

    def __post_init__(self) -> None:
        checks = (
            (self.engine in ENGINES, "engine", self.engine, f"one of {', '.join(ENGINES)}"),
            (self.samples in SAMPLES, "samples", self.samples, SAMPLES.range),
            (self.size in SIZE, "size", self.size, f"{SIZE.range} pixels"),
            (self.seed in SEED, "seed", self.seed, SEED.range),
            (
                self.light in LIGHT_PRESETS,
                "light",
                self.light,
                f"one of {', '.join(LIGHT_PRESETS)}",
            ),
            (self.device in ("auto", "CPU"), "device", self.device, "auto or CPU"),
        )
        check_values(checks)
