# SPDX-License-Identifier: GPL-3.0-or-later
"""JPEG pictures as icons: ends of sliders, candidates, presets."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import bpy.utils.previews

from ..mapping.influence import SliderInfluence

_collection: Any = None
_folder: tempfile.TemporaryDirectory[str] | None = None


def load(key: str, picture: bytes) -> None:
    """Have ``icon`` find this JPEG file's picture, once; must not happen while Blender draws."""
    global _collection, _folder
    if _collection is None or _folder is None:
        _collection = bpy.utils.previews.new()
        _folder = tempfile.TemporaryDirectory(prefix="facegen-")
    if key not in _collection:
        path = Path(_folder.name) / f"{len(_collection)}.jpg"
        path.write_bytes(picture)
        _collection.load(key, str(path), "IMAGE")


def icon(key: str) -> int | None:
    """The icon of a picture; None where ``load`` has not been called with its key."""
    return _collection[key].icon_id if _collection is not None and key in _collection else None


def prepare(model_name: str, figure: SliderInfluence) -> None:
    """Load both pictures of a slider; must not happen while Blender draws."""
    load(_slider_key(model_name, figure.name, "low"), figure.low_picture)
    load(_slider_key(model_name, figure.name, "high"), figure.high_picture)


def icons(model_name: str, name: str) -> tuple[int, int] | None:
    """Icons of a slider's low and high end; None where ``prepare`` has not loaded them."""
    low, high = (icon(_slider_key(model_name, name, end)) for end in ("low", "high"))
    return None if low is None or high is None else (low, high)


def _slider_key(model_name: str, name: str, end: str) -> str:
    return f"slider {model_name} {name} {end}"


def unregister() -> None:
    """Give back the icons and their files."""
    global _collection, _folder
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
    if _folder is not None:
        _folder.cleanup()
    _collection = _folder = None
