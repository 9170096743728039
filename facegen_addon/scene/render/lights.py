# SPDX-License-Identifier: GPL-3.0-or-later
"""Light presets, chosen by eye after what portrait photographers do."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]
"""Linear RGB."""
_WHITE: Colour = (1.0, 1.0, 1.0)


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
    colour: Colour = _WHITE


@dataclass(frozen=True)
class Panel:
    """A bright part of the surroundings that fades out towards its edge, e.g. a reflector.

    azimuth, elevation, size: as a lamp's; radiance: in its middle, 1 is white.
    """

    azimuth: float
    elevation: float
    radiance: float
    size: float
    colour: Colour = _WHITE


@dataclass(frozen=True)
class LightPreset:
    """A lamp, the grey light of the surroundings (radiance, 1 is white) and the backdrop's colour,
    linear RGB.

    panels: what else is bright around the head; world: one of Blender's own HDRIs, which lights
    instead, its brightest part as the lamp, and is seen behind the head, out of focus; turn:
    degrees that it is turned by.
    """

    lamp: Lamp
    ambient: float
    backdrop: Colour
    panels: tuple[Panel, ...] = ()
    world: str = ""
    turn: float = 0.0


_NO_LAMP = Lamp(0, 0, 0.0, 40)
_WARM: Colour = (1.0, 0.93, 0.84)
_COOL: Colour = (0.90, 0.95, 1.0)


def _world(name: str, turn: float) -> LightPreset:
    return LightPreset(_NO_LAMP, 0.0, (0.2, 0.2, 0.2), world=name, turn=turn)


# One lamp each: with more lamps Cycles picks one at random per path, which doubles the noise at the
# few samples that a data set can afford. Fill and rim are panels, which no path has to pick.
LIGHTS: dict[str, LightPreset] = {
    "studio": LightPreset(Lamp(-35, 30, 2.2, 40), 0.50, (0.20, 0.21, 0.23)),
    "window": LightPreset(Lamp(-75, 20, 3.0, 60), 0.35, (0.32, 0.32, 0.31)),
    "overcast": LightPreset(Lamp(0, 75, 1.2, 90), 0.75, (0.45, 0.47, 0.50)),
    "flash": LightPreset(Lamp(0, 12, 2.6, 8), 0.25, (0.06, 0.06, 0.06)),
    # Key from above on the left, a reflector on the right, a rim from behind on both sides.
    "portrait": LightPreset(
        Lamp(-35, 32, 2.3, 36),
        0.30,
        (0.16, 0.17, 0.19),
        (
            Panel(55, 0, 0.65, 110, _WARM),
            Panel(140, 25, 1.1, 90, _COOL),
            Panel(-145, 25, 0.8, 90, _COOL),
        ),
    ),
    # High before the face: a shadow like a butterfly below the nose; a reflector below the chin.
    "butterfly": LightPreset(
        Lamp(0, 45, 2.3, 30),
        0.22,
        (0.30, 0.29, 0.29),
        (Panel(0, -55, 0.8, 110, _WARM), Panel(180, 35, 1.2, 110)),
    ),
    # From the side and above: a triangle of light on the cheek in shadow.
    "rembrandt": LightPreset(
        Lamp(-55, 42, 3.0, 20),
        0.10,
        (0.05, 0.045, 0.04),
        (Panel(60, 0, 0.30, 110, _WARM), Panel(145, 30, 0.9, 60)),
    ),
    # Two large windows, the nearer at the left.
    "softbox": LightPreset(
        Lamp(-45, 20, 2.5, 70),
        0.30,
        (0.50, 0.50, 0.50),
        (Panel(60, 15, 0.85, 100), Panel(180, 60, 0.7, 120)),
    ),
    "city": _world("city", 195),
    "courtyard": _world("courtyard", 261),
    "forest": _world("forest", 175),
    "interior": _world("interior", 286),
    "night": _world("night", 308),
    "photo_studio": _world("studio", 147),
    "sunrise": _world("sunrise", 173),
    "sunset": _world("sunset", 200),
}
