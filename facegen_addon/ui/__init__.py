# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators, sliders and the sidebar's panels.

Each feature is a module with CLASSES, its operators and panels, and where it needs more than these,
with register and unregister.
"""

from __future__ import annotations

from pathlib import Path

import bpy

from ..scene.head import lost_links, stray_hair
from ..user_folder import set_user_folder
from . import (
    arkit_operators,
    candidates,
    clothes,
    exporting,
    flame_operators,
    head_panel,
    history,
    jobs,
    measuring,
    operators,
    photo,
    preference_operators,
    preferences,
    presets,
    properties,
    sampling,
    shift_drawing,
    slider_operators,
    thumbnails,
    variety,
    who,
)

_FEATURES = (
    preferences,
    preference_operators,
    lost_links,  # before properties, which has heads read after undo
    properties,
    operators,
    flame_operators,
    arkit_operators,
    slider_operators,
    head_panel,
    who,
    sampling,
    photo,
    candidates,
    variety,
    history,
    presets,
    clothes,
    measuring,
    shift_drawing,
    exporting,
    thumbnails,
    stray_hair,
    jobs,  # last, so that it is the first to be unregistered: a job that runs is stopped
)


def register() -> None:
    """Register all features."""
    set_user_folder(_extension_folder())
    for feature in _FEATURES:
        for cls in getattr(feature, "CLASSES", ()):
            bpy.utils.register_class(cls)
        if hasattr(feature, "register"):
            feature.register()


def unregister() -> None:
    """Undo register, the last first."""
    for feature in reversed(_FEATURES):
        if hasattr(feature, "unregister"):
            feature.unregister()
        for cls in reversed(getattr(feature, "CLASSES", ())):
            bpy.utils.unregister_class(cls)
    set_user_folder(None)


def _extension_folder() -> Path | None:
    """The folder that Blender keeps for this extension; None when run from source."""
    try:
        return Path(bpy.utils.extension_path_user(preferences.PACKAGE, create=False))
    except ValueError:
        return None
