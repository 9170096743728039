# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the HDRIs are that come with Blender; found without loading it, too."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from ...errors import UserError

_FOLDER = "studiolights/world"


def world_file(name: str) -> Path:
    """One of Blender's HDRIs; UserError if it is not there."""
    for folder in _folders():
        path = folder / f"{name}.exr"
        if path.is_file():
            return path
    raise UserError(
        f"this Blender has no {_FOLDER}/{name}.exr among its data files: install Blender whole, or"
        " choose another light"
    )


def _folders() -> list[Path]:
    bpy = sys.modules.get("bpy")
    if bpy is not None:
        found = bpy.utils.system_resource("DATAFILES", path=_FOLDER)
        return [Path(found)] if found else []
    module = importlib.util.find_spec("bpy")
    if module is None or module.origin is None:
        return []
    return sorted(Path(module.origin).parent.glob(f"*/datafiles/{_FOLDER}"))
