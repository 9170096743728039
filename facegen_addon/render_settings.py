# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of renders, as plain numbers and names; free of bpy, so that a request can be checked
before Blender starts."""

from __future__ import annotations

from dataclasses import dataclass

from .choices import DEVICE, ENGINE, LIGHT, SAMPLES, SEED, SIZE
from .errors import check_values


@dataclass(frozen=True)
class RenderSettings:
    """Settings of a render; the same settings and parameters give the same image.

    Raises UserError, naming value and remedy, for what cannot be.

    size in pixels (images are square); light is one of LIGHT_PRESETS; device is one of
    DEVICE; face_only renders no more than the face crop, for F alone.
    """

    engine: str = ENGINE.declared
    samples: int = SAMPLES.declared
    size: int = SIZE.declared
    seed: int = SEED.declared
    light: str = LIGHT.declared
    device: str = DEVICE.declared
    face_only: bool = False

    def __post_init__(self) -> None:
        checks = (
            (self.engine in ENGINE, "engine", self.engine, f"one of {ENGINE.accepted}"),
            (self.samples in SAMPLES, "samples", self.samples, SAMPLES.accepted),
            (self.size in SIZE, "size", self.size, f"{SIZE.accepted} {SIZE.unit}"),
            (self.seed in SEED, "seed", self.seed, SEED.accepted),
            (self.light in LIGHT, "light", self.light, f"one of {LIGHT.accepted}"),
            (self.device in DEVICE, "device", self.device, DEVICE.accepted),
        )
        check_values(checks)
