# SPDX-License-Identifier: GPL-3.0-or-later
"""Where exported heads go: what each game engine wants of a file, as far as Blender's formats say.

Heads look along Blender's -Y, Z being up; importers of all engines turn them to their own front.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Target:
    """A program that heads are exported for.

    Attributes:
        label, said: its name and what is special, as the dialog shows them.
        format: one of files.FORMATS, empty where any will do.
        centimetres: lengths in the file are centimetres, the scale of objects and bones 1.
        fbx: what Blender's FBX exporter is told.
        options: fields of ExportSettings to begin with.
    """

    label: str
    said: str
    format: str = ""
    centimetres: bool = False
    fbx: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def asks(self) -> dict[str, Any]:
        """What an export for it begins with: the format, if one is wanted, and the options."""
        return ({"format": self.format} if self.format else {}) | dict(self.options)


_MOVING = {"shape_keys": True, "armature": True, "hair": "cards", "textures": 1024}

TARGETS = {
    "generic": Target("Any Program", "Metres, as the settings below say"),
    "unreal": Target(
        "Unreal Engine",
        "FBX in centimetres, bones of scale 1: import as skeletal mesh, with morph targets",
        "fbx",
        centimetres=True,
        # Unreal takes -Z, Y-up files, too; smoothing by faces stops its warning.
        fbx={"mesh_smooth_type": "FACE"},
        options=_MOVING,
    ),
    "unity": Target(
        "Unity",
        "FBX whose unit is said in the file, so that Unity imports it at scale 1",
        "fbx",
        fbx={"apply_scale_options": "FBX_SCALE_ALL"},
        options=_MOVING,
    ),
    "godot": Target("Godot", "glTF, metres, Y up, as Godot wants it", "glb", options=_MOVING),
}
"""Targets by name; the first leaves everything to the settings."""
