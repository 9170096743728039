"""Exported files, read as another program would."""

from __future__ import annotations

from pathlib import Path

import bpy


def read_alone(path: Path, merge_vertices: bool = False) -> None:
    """Import a file into an empty scene; merge_vertices: of glTF, which splits them at seams."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if path.suffix == ".obj":
        bpy.ops.wm.obj_import(filepath=str(path))
    elif path.suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        bpy.ops.import_scene.gltf(filepath=str(path), merge_vertices=merge_vertices)
