# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's users touch: operators, sliders and the sidebar's panel."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..user_folder import set_user_folder
from . import properties, slider_operators, thumbnails
from .flame_operators import FACEGEN_OT_export_flame, FACEGEN_OT_import_flame
from .operators import FACEGEN_OT_add_head, FACEGEN_OT_generate_variety
from .panels import FACEGEN_PT_files, FACEGEN_PT_head

_CLASSES = (
    FACEGEN_OT_add_head,
    FACEGEN_OT_generate_variety,
    FACEGEN_OT_import_flame,
    FACEGEN_OT_export_flame,
    *slider_operators.CLASSES,
    FACEGEN_PT_head,
    FACEGEN_PT_files,
)


def register() -> None:
    """Register operators, properties and the panel."""
    set_user_folder(_extension_folder())
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    properties.register()


def unregister() -> None:
    """Unregister them, the last first."""
    properties.unregister()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
    thumbnails.unregister()
    set_user_folder(None)


def _extension_folder() -> Path | None:
    """The folder that Blender keeps for this extension; None when run from source."""
    # ROOT.facegen_addon.ui, ROOT being the extension's package, e.g. bl_ext.user_default.facegen.
    root = (__package__ or "").rpartition(".")[0].rpartition(".")[0]
    try:
        return Path(bpy.utils.extension_path_user(root, create=False))
    except ValueError:
        return None
