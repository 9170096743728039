# SPDX-License-Identifier: GPL-3.0-or-later
"""Icons of what is shipped: pictures of heads, hair, brows, beards and expressions; swatches."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any

import bpy.utils.previews
import numpy as np

from ..arrays import Float32Array
from ..errors import UserError
from ..heads.expressions import EXPRESSIONS
from ..heads.face_hair.named import BEARDS, BROWS
from ..heads.gallery import gallery
from ..heads.hair.styles import STYLES
from ..heads.swatches import KINDS as SWATCH_KINDS
from ..heads.swatches import swatches
from . import thumbnails
from .remedies import explain

_logger = logging.getLogger(__name__)

STYLE_NAMES: Mapping[str, tuple[str, ...]] = {
    "hair": tuple(STYLES),
    "brows": tuple(BROWS),
    "beard": tuple(BEARDS),
    "expression": tuple(EXPRESSIONS),
}
"""Kind of style -> names."""
OWN = "OWN"
"""Item of a head that has none of the named styles."""
_SWATCH_SIDE, _OWN_SIDE = 24, 128
_BEHIND, _SOMEBODY = (0.30, 0.31, 0.33), (0.48, 0.49, 0.51)

Item = tuple[str, str, str, Any, int]
_items: dict[str, list[Item]] = {}  # Blender needs these strings to stay
_swatches: Any = None


def prepare() -> None:
    """Load all icons, once; must not happen while Blender draws."""
    global _swatches
    if _swatches is not None:
        return
    _swatches = bpy.utils.previews.new()
    for kind in SWATCH_KINDS:
        for swatch in swatches(kind):
            colour = np.array([*swatch.rgb, 1.0], np.float32)
            square = np.tile(colour, (_SWATCH_SIDE, _SWATCH_SIDE, 1))
            _add_icon(_swatch_key(kind, swatch.name), square)
    _add_icon(OWN, own_picture())
    try:
        pictures = gallery().pictures
    except UserError as error:  # names do without
        _logger.warning("%s", explain(error))
        pictures = {}
    for key, picture in pictures.items():
        thumbnails.load(key, picture)
    _items.clear()


def _add_icon(key: str, picture: Annotated[Float32Array, "S S 4"]) -> None:
    """Have this picture, its bottom row first, as an icon."""
    icon = _swatches.new(key)
    icon.icon_size = icon.image_size = picture.shape[:2]
    icon.icon_pixels_float.foreach_set(picture.ravel())
    icon.image_pixels_float.foreach_set(picture.ravel())


def own_picture() -> Annotated[Float32Array, "S S 4"]:
    """What stands for what no picture shows: somebody's outline. Its bottom row comes first."""
    x, y = np.meshgrid(*2 * [np.linspace(-1.0, 1.0, _OWN_SIDE)])
    head = 1.0 - np.hypot(x / 0.42, (y - 0.15) / 0.55)
    neck = 1.0 - np.maximum(np.abs(x) / 0.2, (y + 1.0) / 0.8)
    shoulders = 1.0 - np.hypot(x / 0.85, (y + 1.1) / 0.5)
    inside = np.clip(_OWN_SIDE / 4 * np.maximum.reduce([head, neck, shoulders]), 0.0, 1.0)
    colours = np.array(_BEHIND) + inside[..., None] * np.subtract(_SOMEBODY, _BEHIND)
    return np.concatenate([colours, np.ones_like(colours[..., :1])], -1).astype(np.float32)


def items(kind: str) -> list[Item]:
    """The items of an EnumProperty of a kind's styles: the head's own first."""
    if kind not in _items:
        picture = _swatches[OWN].icon_id if _swatches is not None else "DOT"
        own = (OWN, "Own", "As it was drawn, or set by sliders", picture, 0)
        named = [
            (name, shown(name), "", thumbnails.icon(f"{kind} {name}") or 0, number)
            for number, name in enumerate(STYLE_NAMES[kind], start=1)
        ]
        _items[kind] = [own, *named]
    return _items[kind]


def shown(name: str) -> str:
    """A style's name as the panel writes it."""
    return name if any(c.isupper() for c in name) or len(name) < 3 else name.capitalize()


def swatch_icon(kind: str, name: str) -> int:
    """The icon of a swatch; 0 where `prepare` has not been called."""
    key = _swatch_key(kind, name)
    return _swatches[key].icon_id if _swatches is not None and key in _swatches else 0


def _swatch_key(kind: str, name: str) -> str:
    return f"swatch {kind} {name}"


def unregister() -> None:
    """Give back the icons."""
    global _swatches
    if _swatches is not None:
        bpy.utils.previews.remove(_swatches)
    _swatches = None
    _items.clear()
