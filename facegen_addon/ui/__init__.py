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
    face_panel,
    fetching,
    flame_operators,
    galleries,
    gallery_assets,
    head_panel,
    history,
    jobs,
    measuring,
    new_face,
    operators,
    person_panel,
    photo,
    preference_operators,
    preferences,
    presets,
    properties,
    sampling,
    sculpting,
    shift_drawing,
    shipped_pictures,
    slider_operators,
    thumbnails,
    translations,
    variety,
    who,
)

_FEATURES = (
    translations,
    preferences,
    preference_operators,
    lost_links,  # before properties, which has heads read after undo
    properties,
    fetching,
    operators,
    flame_operators,
    arkit_operators,
    slider_operators,
    presets,
    gallery_assets,
    new_face,
    sculpting,
    head_panel,
    person_panel,
    face_panel,
    galleries,
    clothes,
    variety,  # before its parts, who and sampling
    who,
    sampling,
    photo,
    candidates,
    history,
    measuring,
    shift_drawing,
    exporting,
    shipped_pictures,
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
