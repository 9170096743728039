# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's users touch: operators."""

import bpy

from .operators import FACEGEN_OT_add_head, FACEGEN_OT_generate_variety

_CLASSES = (FACEGEN_OT_add_head, FACEGEN_OT_generate_variety)


def register() -> None:
    """Register the operators."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Unregister them, the last first."""
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
