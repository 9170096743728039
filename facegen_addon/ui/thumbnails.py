# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a slider's two ends as icons."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import bpy.utils.previews

from ..mapping.influence import SliderInfluence

_collection: Any = None
_folder: tempfile.TemporaryDirectory[str] | None = None


def prepare(model_name: str, figure: SliderInfluence) -> None:
    """Load both pictures of a slider; must not happen while Blender draws."""
    global _collection, _folder
    if _collection is None or _folder is None:
        _collection = bpy.utils.previews.new()
        _folder = tempfile.TemporaryDirectory(prefix="facegen-")
    for end, picture in (("low", figure.low_picture), ("high", figure.high_picture)):
        key = _key(model_name, figure.name, end)
        if key not in _collection:
            path = Path(_folder.name) / f"{len(_collection)}.jpg"
            path.write_bytes(picture)
            _collection.load(key, str(path), "IMAGE")


def icons(model_name: str, name: str) -> tuple[int, int] | None:
    """Icons of a slider's low and high end; None where ``prepare`` has not loaded them."""
    if _collection is None or _key(model_name, name, "low") not in _collection:
        return None
    low, high = (_collection[_key(model_name, name, end)].icon_id for end in ("low", "high"))
    return low, high


def _key(model_name: str, name: str, end: str) -> str:
    return f"{model_name} {name} {end}"


def unregister() -> None:
    """Give back the icons and their files."""
    global _collection, _folder
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
    if _folder is not None:
        _folder.cleanup()
    _collection = _folder = None
