# SPDX-License-Identifier: GPL-3.0-or-later
"""Surroundings of a light preset as equirectangular pictures: painted, or one of Blender's HDRIs.

Rows run from above to below; the middle column lies where the camera looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import bpy
import numpy as np

from ...arrays import Float32Array, FloatArray, RealArray
from ...errors import UserError
from .lights import Lamp, LightPreset, Panel
from .world_files import world_file

_PAINTED = (64, 128)
"""Rows and columns of painted surroundings: panels are wider than 30 degrees."""
_REDUCTION = 4
"""What is seen of Blender's HDRIs is reduced by this: 1.4 degrees a column, out of focus."""
_FURTHER = 4
"""What lights is reduced by this once more."""
_BRIGHT = 1.5
"""Times the mean of the rest: what is brighter, sun, lamps and windows, is gathered in a lamp."""
_SEEN = 2.5
"""Times the mean of the rest that a background is bright at most: film takes the sun so."""
_GATHERED = 0.5
"""Cosine of the angle around the brightest direction within which it is gathered."""
_SOFTNESS = 8.0
"""Concentration of the lobe, 20 degrees, that softens the rest: skin shows no more of it, and
samples differ less."""
_LAMP_SIZES = (15.0, 60.0)
"""Degrees, the least and the most of that lamp, so that its shadows are soft and it is one."""
_PER_IRRADIANCE = math.pi / 4.0
"""Strength of a lamp, as presets have it, that gives an irradiance of 1."""
_EXPOSED = 1.1
"""Mean radiance that a face is to get from in front, as the other presets give it."""
_ADAPTATION = 0.8
"""Power of the exposure: 1 would make every face equally bright, whatever is behind it."""


@dataclass(frozen=True)
class Environment:
    """light: what lights from everywhere; lamp: what lights beside it while nothing is turned;
    seen: what the camera sees, None for a plain backdrop; radiances: all that lights (H, W, 3)."""

    light: bpy.types.Image
    lamp: Lamp
    seen: bpy.types.Image | None
    radiances: Annotated[Float32Array, "H W 3"]

    def exposure(self, rotation: float) -> float:
        """By how much a camera brightens a face here; rotation: radians, of what is around."""
        directions, solid = _directions(*self.radiances.shape[:2])
        towards = np.array([math.sin(rotation), -math.cos(rotation), 0.0])
        share = np.clip(directions @ towards, 0.0, None) * solid
        irradiance = float((self.radiances.mean(2) * share).sum())
        return float((_EXPOSED * math.pi / irradiance) ** _ADAPTATION)


class Environments:
    """The surroundings that have been asked for; close when done."""

    def __init__(self) -> None:
        self._made: dict[LightPreset, Environment] = {}

    def of(self, preset: LightPreset) -> Environment | None:
        """What surrounds a head in this light; None where that is an even grey.

        UserError where Blender has no such HDRI.
        """
        if not (preset.world or preset.panels):
            return None
        if preset not in self._made:
            self._made[preset] = _blenders(preset.world) if preset.world else _painted(preset)
        return self._made[preset]

    def close(self) -> None:
        """Remove the pictures."""
        for made in self._made.values():
            bpy.data.images.remove(made.light)
            if made.seen is not None:
                bpy.data.images.remove(made.seen)
        self._made.clear()


def paint(ambient: float, panels: tuple[Panel, ...]) -> Annotated[Float32Array, "H W 3"]:
    """Radiances (H, W, 3) of panels in an even grey."""
    directions, _ = _directions(*_PAINTED)
    radiances = np.full((*_PAINTED, 3), ambient)
    for panel in panels:
        azimuth, elevation = math.radians(panel.azimuth), math.radians(panel.elevation)
        flat = math.cos(elevation)
        middle = [math.sin(azimuth) * flat, -math.cos(azimuth) * flat, math.sin(elevation)]
        angle = np.degrees(np.arccos(np.clip(directions @ middle, -1.0, 1.0)))
        inside = np.clip(1.0 - angle / (0.5 * panel.size), 0.0, 1.0)
        soft = inside**2 * (3.0 - 2.0 * inside)
        radiances += panel.radiance * soft[..., None] * panel.colour
    return radiances.astype(np.float32)


def _directions(
    height: int, width: int
) -> tuple[Annotated[FloatArray, "H W 3"], Annotated[FloatArray, "H W"]]:
    """Directions of a picture's texels, and the solid angle that each covers."""
    across = ((np.arange(width) + 0.5) / width - 0.5) * 2.0 * np.pi
    up = ((0.5 - (np.arange(height) + 0.5) / height) * np.pi)[:, None]
    flat = np.cos(up)
    parts = (np.sin(across) * flat, np.cos(across) * flat, np.sin(up) + 0.0 * across)
    solid = flat * (2.0 * np.pi / width) * (np.pi / height) + 0.0 * across
    return np.stack(parts, axis=-1), solid


def _painted(preset: LightPreset) -> Environment:
    radiances = paint(preset.ambient, preset.panels)
    return Environment(_image("FaceGen Panels", radiances), preset.lamp, None, radiances)


def _blenders(name: str) -> Environment:
    seen = _reduced(_read(world_file(name)), _REDUCTION)
    radiances = _reduced(seen, _FURTHER)
    even, lamp = split(radiances)
    light = _image(f"FaceGen {name}", even)
    return Environment(
        light, lamp, _image(f"FaceGen {name} behind", _blurred(_dimmed(seen, _SEEN))), radiances
    )


def split(
    radiances: Annotated[Float32Array, "H W 3"],
) -> tuple[Annotated[Float32Array, "H W 3"], Lamp]:
    """Surroundings (H, W, 3) without what is brightest in them, softened, and a lamp for that.

    A path that leaves the head at random seldom meets the sun, and lights the more where it does;
    a lamp is asked by every path.
    """
    directions, solid = _directions(*radiances.shape[:2])
    excess = radiances - _dimmed(radiances, _BRIGHT)
    places, weights = directions.reshape(-1, 3), solid.reshape(-1, 1)
    power = excess.reshape(-1, 3) * weights
    nearness = places @ places.T
    lobes = np.exp(_SOFTNESS * (nearness - 1.0))
    brightest = int((lobes @ power.mean(1)).argmax())
    is_gathered = nearness[brightest, :, None] > _GATHERED
    total = (power * is_gathered).sum(0)
    rest = radiances.reshape(-1, 3) - excess.reshape(-1, 3) * is_gathered
    even = (lobes @ (rest * weights)) / (lobes @ weights)
    vector = (power * is_gathered).mean(1) @ places
    length = float(np.linalg.norm(vector))
    x, y, z = vector / length
    spread = math.degrees(2.0 * math.acos(min(length / float(total.mean()), 1.0)))
    red, green, blue = (float(share) for share in total / total.mean())
    lamp = Lamp(
        azimuth=math.degrees(math.atan2(x, -y)),
        elevation=math.degrees(math.asin(z)),
        strength=_PER_IRRADIANCE * length,
        size=min(max(spread, _LAMP_SIZES[0]), _LAMP_SIZES[1]),
        colour=(red, green, blue),
    )
    return even.reshape(radiances.shape).astype(np.float32), lamp


def _dimmed(
    radiances: Annotated[Float32Array, "H W 3"], most: float
) -> Annotated[FloatArray, "H W 3"]:
    """Radiances none of which is more than ``most`` times the mean of all that are left."""
    _, solid = _directions(*radiances.shape[:2])
    grey = radiances.mean(2, dtype=np.float64)
    kept = grey
    for _ in range(4):  # settled to a few per cent
        kept = np.minimum(grey, most * (kept * solid).sum() / (4.0 * np.pi))
    return radiances * (kept / np.maximum(grey, 1e-9))[..., None]


def _read(path: Path) -> Annotated[Float32Array, "H W 3"]:
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError:
        raise UserError(f"{path} cannot be read: install Blender anew") from None
    try:
        width, height = image.size
        values = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(values)
    finally:
        bpy.data.images.remove(image)
    return values.reshape(height, width, 4)[::-1, :, :3]


def _reduced(
    radiances: Annotated[Float32Array, "H W 3"], step: int
) -> Annotated[Float32Array, "h w 3"]:
    """The means of blocks of ``step`` times ``step``."""
    height, width = (n // step for n in radiances.shape[:2])
    blocks = radiances.reshape(height, step, width, step, 3)
    return blocks.mean((1, 3), dtype=np.float64).astype(np.float32)


def _blurred(radiances: Annotated[RealArray, "H W 3"]) -> Annotated[Float32Array, "H W 3"]:
    """As a lens shows what is far behind: each texel and those around it in equal parts."""
    edge = np.concatenate([radiances[:1], radiances, radiances[-1:]])
    high = (edge[:-2] + edge[1:-1] + edge[2:]) / 3.0
    return ((np.roll(high, 1, axis=1) + high + np.roll(high, -1, axis=1)) / 3.0).astype(np.float32)


def _image(name: str, radiances: Annotated[Float32Array, "H W 3"]) -> bpy.types.Image:
    height, width = radiances.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=False, float_buffer=True, is_data=True)
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = radiances[::-1]
    image.pixels.foreach_set(pixels.ravel())
    return image
