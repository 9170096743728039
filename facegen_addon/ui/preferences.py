# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: FaceNet, FLAME files, compute device, the user's folder."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.props import CollectionProperty, EnumProperty, StringProperty

from ..choices import DEVICE
from ..encoders.encoder import DEFAULT_ENCODER
from ..encoders.mtcnn_file import DETECTOR
from ..encoders.mtcnn_file import is_there as detector_is_there
from ..user_folder import user_folder
from . import file_states
from .fetch_offers import draw_in_preferences
from .file_states import FileState
from .translations import filled

# ROOT.facegen_addon.ui, ROOT being the extension's package, e.g. bl_ext.user_default.facegen.
PACKAGE = (__package__ or "").rpartition(".")[0].rpartition(".")[0]
"""The extension's package; empty where facegen_addon was registered from source."""

# A line of the preferences in Blender's default window; paths are not broken.
_WRAPPER = textwrap.TextWrapper(66, break_long_words=False, break_on_hyphens=False)


@dataclass(frozen=True)
class Settings:
    """The user's settings: device "auto" or "CPU"; FLAME files offered as models; the address of a
    package index, empty for pip's."""

    device: str = DEVICE.default
    flame_files: tuple[Path, ...] = ()
    index: str = ""


def of(context: bpy.types.Context) -> Settings:
    """The user's settings; the defaults where the add-on was registered from source."""
    preferences = stored(context)
    if preferences is None:
        return Settings()
    files = (Path(bpy.path.abspath(entry.path)) for entry in preferences.flame_files)
    return Settings(preferences.device, tuple(files), preferences.index.strip())


def flame_files() -> tuple[Path, ...]:
    """The FLAME files that the user has listed, for the choice of models."""
    return of(bpy.context).flame_files


def stored(context: bpy.types.Context) -> bpy.types.AddonPreferences | None:
    """Blender's own record of the preferences; None where registered from source."""
    addon = context.preferences.addons.get(FACEGEN_AP_preferences.bl_idname)
    return addon.preferences if addon is not None else None


class FACEGEN_PG_flame_file(bpy.types.PropertyGroup):
    """A FLAME file that the Head panel offers."""

    path: StringProperty(name="Path", subtype="FILE_PATH")  # type: ignore[valid-type]


class FACEGEN_AP_preferences(bpy.types.AddonPreferences):
    """FaceGen's preferences."""

    bl_idname = PACKAGE

    device: EnumProperty(  # type: ignore[valid-type]
        name="Compute Device",
        description="What renders heads for measuring and checking",
        items=(
            ("auto", "Automatic", "The fastest device that Cycles finds"),
            ("CPU", "CPU", "The processor, and the graphics card stays free"),
        ),
    )
    flame_files: CollectionProperty(type=FACEGEN_PG_flame_file)  # type: ignore[valid-type]
    index: StringProperty(  # type: ignore[valid-type]
        name="Package Index",
        description="Address of the package index that FaceNet and the face detector are downloaded"
        " from, such as your company's mirror; empty: the one that Python's own installer uses",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Each part with a line that says how it stands."""
        draw_facenet(self.layout.box())
        draw_detector(self.layout.box())
        self.layout.prop(self, "index")
        draw_flame_files(self.layout.box(), of(context).flame_files)
        draw_device(self.layout.box(), self)
        draw_folder(self.layout.box())


def draw_facenet(layout: bpy.types.UILayout) -> None:
    """FaceNet's file and where to get it."""
    layout.label(text="FaceNet", icon="USER")
    state = file_states.facenet()
    _draw_state(layout, state)
    if state is not None and not state.usable:
        draw_in_preferences(layout, DEFAULT_ENCODER)
    layout.row().operator("facegen.locate_facenet", icon="FILE_FOLDER")


def draw_detector(layout: bpy.types.UILayout) -> None:
    """The face detector's file and where to get it."""
    layout.label(text="Face Detector", icon="IMAGE_DATA")
    if detector_is_there():
        layout.label(text="Found: heads can be fitted to photos", icon="CHECKMARK")
    else:
        layout.label(text="Not found. Only fitting heads to photos needs it.", icon="INFO")
        draw_in_preferences(layout, DETECTOR)
    layout.row().operator("facegen.get_detector", icon="FILE_FOLDER")


def draw_flame_files(layout: bpy.types.UILayout, files: tuple[Path, ...]) -> None:
    """The list of FLAME files."""
    layout.label(text="FLAME Files", icon="MESH_DATA")
    if not files:
        layout.label(text="None yet: the heads that FaceGen brings need none", icon="INFO")
    for index, path in enumerate(files):
        row = layout.row()
        row.label(text=str(path))
        row.operator("facegen.remove_flame_file", text="", icon="X").index = index
        _draw_state(layout, file_states.flame(path))
    layout.row().operator("facegen.add_flame_file", icon="ADD")


def draw_device(layout: bpy.types.UILayout, preferences: bpy.types.AddonPreferences) -> None:
    """The choice of a device and those there are."""
    layout.prop(preferences, "device")
    names = file_states.devices()
    if names:
        found = filled("Cycles finds: {devices}", devices=", ".join(names))
        layout.label(text=found, translate=False)
    else:
        layout.label(text="Looking for devices ...")


def draw_folder(layout: bpy.types.UILayout) -> None:
    """The user's folder, its size, and what may go."""
    size = file_states.folder()
    total, caches = (
        f"{part / 1e6:.1f}" for part in ((size.total, size.caches) if size else (0, 0))
    )
    known = "Data Folder: {total} MB, of them caches {caches} MB"
    text = filled(known, total=total, caches=caches) if size else filled("Data Folder: ...")
    layout.label(text=text, icon="FILE_CACHE", translate=False)
    layout.label(text=str(user_folder()))
    row = layout.row()
    opened = row.row()
    opened.enabled = user_folder().is_dir()
    opened.operator("wm.path_open", text="Open Folder").filepath = str(user_folder())
    row.operator("facegen.clear_caches", icon="TRASH")
    row.operator("facegen.refresh_states", icon="FILE_REFRESH")


def _draw_state(layout: bpy.types.UILayout, state: FileState | None) -> None:
    """A state in as many lines as it needs."""
    if state is None:
        layout.label(text="Reading ...", icon="SORTTIME")
        return
    column = layout.column(align=True)
    icon = "CHECKMARK" if state.usable else "INFO" if state.missing else "ERROR"
    lines = [line for part in state.text.splitlines() for line in _WRAPPER.wrap(part)]
    for number, line in enumerate(lines):
        column.label(text=line, icon="BLANK1" if number else icon)


def register() -> None:
    """Register the preferences, which only an extension has."""
    bpy.utils.register_class(FACEGEN_PG_flame_file)
    if FACEGEN_AP_preferences.bl_idname:
        bpy.utils.register_class(FACEGEN_AP_preferences)


def unregister() -> None:
    """Undo register."""
    file_states.unregister()
    if FACEGEN_AP_preferences.bl_idname:
        bpy.utils.unregister_class(FACEGEN_AP_preferences)
    bpy.utils.unregister_class(FACEGEN_PG_flame_file)
