# SPDX-License-Identifier: GPL-3.0-or-later
"""Light presets, chosen by eye after what portrait photographers do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lamp:
    """An area light, as the face sees it.

    azimuth: where it stands, degrees, positive to the viewer's right; elevation: degrees;
    strength: relative to the surroundings' grey; size: its diameter in degrees.
    """

    azimuth: float
    elevation: float
    strength: float
    size: float


@dataclass(frozen=True)
class LightPreset:
    """A lamp, the grey light of the surroundings (radiance, 1 is white) and the backdrop's colour,
    linear RGB."""

    lamp: Lamp
    ambient: float
    backdrop: tuple[float, float, float]


# One lamp and the surroundings each: with more lamps Cycles picks one at random per path, which
# doubles the noise at the few samples that a data set can afford.
LIGHTS: dict[str, LightPreset] = {
    "studio": LightPreset(Lamp(-35, 30, 2.2, 40), 0.50, (0.20, 0.21, 0.23)),
    "window": LightPreset(Lamp(-75, 20, 3.0, 60), 0.35, (0.32, 0.32, 0.31)),
    "overcast": LightPreset(Lamp(0, 75, 1.2, 90), 0.75, (0.45, 0.47, 0.50)),
    "flash": LightPreset(Lamp(0, 12, 2.6, 8), 0.25, (0.06, 0.06, 0.06)),
}
