# SPDX-License-Identifier: GPL-3.0-or-later
"""How heads are rendered, as plain numbers and names; free of bpy, so that a request can be checked
before Blender starts."""

from __future__ import annotations

from dataclasses import dataclass

from .choices import ENGINES, LIGHT_PRESETS
from .errors import check_values


@dataclass(frozen=True)
class RenderSettings:
    """How heads are rendered; the same settings and parameters give the same image.

    Raises UserError, naming value and remedy, for what cannot be.

    size in pixels (images are square); light is one of LIGHT_PRESETS; device is "auto" or
    "CPU"; face_only renders no more than the face crop, for F alone.
    """

    engine: str = "CYCLES"
    samples: int = 16
    size: int = 256
    seed: int = 0
    light: str = "studio"
    device: str = "auto"
    face_only: bool = False

    def __post_init__(self) -> None:
        checks = (
            (self.engine in ENGINES, "engine", self.engine, f"one of {', '.join(ENGINES)}"),
            (1 <= self.samples <= 4096, "samples", self.samples, "1 to 4096"),
            (64 <= self.size <= 4096, "size", self.size, "64 to 4096 pixels"),
            (0 <= self.seed < 2**31, "seed", self.seed, "0 to 2147483647"),
            (
                self.light in LIGHT_PRESETS,
                "light",
                self.light,
                f"one of {', '.join(LIGHT_PRESETS)}",
            ),
            (self.device in ("auto", "CPU"), "device", self.device, "auto or CPU"),
        )
        check_values(checks)
