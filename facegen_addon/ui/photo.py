# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators and panel that fit heads to photos of people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..encoders.encoder import DEFAULT_ENCODER, same_face_threshold
from ..encoders.mtcnn_file import DETECTOR, is_there
from ..errors import UserError
from ..generators import retold
from ..heads.catalogue import DEFAULT_MODEL
from ..mapping.backward import is_trained
from ..photo.fitting import FittedHead
from ..scene.workflows import photo_heads
from . import file_states, jobs, preferences
from .capitals import capital
from .fetch_offers import draw_lines
from .fetching import draw_offer
from .framing import show
from .head_operator import make_active
from .head_panel import draw_message
from .jobs import JobOperator, Progress

_FITTING = "Fitting"
_PHOTOS = "*.jpg;*.jpeg;*.png;*.webp"
_COLUMNS = 34  # letters of a line in a narrow sidebar
CONSENT = (
    "A face is biometric data: fit people who have agreed. Nothing leaves this computer, and"
    " neither the photo nor what was read off it is kept in the file"
)
LAST_KEY = "facegen_photo_fit"
"""What the scene keeps of the last fit: a line."""


class _Settings:
    """What both operators ask for."""

    files: CollectionProperty(  # type: ignore[valid-type]
        type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}
    )
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]
    model: StringProperty(  # type: ignore[valid-type]
        name="Model", description="Head model; empty: the panel's", default=""
    )
    same_person: BoolProperty(  # type: ignore[valid-type]
        name="One Person", description="All photos are of one person: fit one head"
    )
    everybody: BoolProperty(  # type: ignore[valid-type]
        name="Everybody", description="Fit all faces of a photo, not the largest alone"
    )
    expression: BoolProperty(  # type: ignore[valid-type]
        name="Expression", description="Give the head the photo's expression", default=True
    )
    keep_latent: BoolProperty(  # type: ignore[valid-type]
        name="Keep for Measure",
        description="Keep on the head what FaceNet says of the photo (its latent), as the face that"
        " was asked for: Measure then says how far off the head is, and Bring Nearer works. It is"
        " biometric data of the person",
    )


class FACEGEN_OT_fit_photo(_Settings, JobOperator, bpy.types.Operator):
    """Add a head that looks like the person in a photo"""

    bl_idname = "facegen.fit_photo"
    bl_label = "Fit Photo"
    bl_options = {"UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def steps(self, context: bpy.types.Context) -> Iterator[Progress]:
        """Fit, two renders a head, then stand the heads at the 3D cursor."""
        photos = self._photos()
        model = self.model or context.window_manager.facegen.model or DEFAULT_MODEL
        if not is_trained(model):
            raise UserError(f"heads of {model} cannot be fitted to photos: choose {DEFAULT_MODEL}")
        yield Progress(_FITTING, 0, 0)
        work = photo_heads.fit_photos(
            photos, model, preferences.of(context).device,
            everybody=self.everybody, same_person=self.same_person, expression=self.expression,
        )  # fmt: skip
        with closing(work):
            fitted, faults = yield from retold(work, lambda step: Progress(_FITTING, *step))
        heads = photo_heads.place(fitted, model, context, keep_latent=self.keep_latent)
        make_active(context, heads[0].mesh_object)
        show(context, [head.mesh_object for head in heads])
        self._tell(context, fitted, faults)

    def _photos(self) -> list[Path]:
        names = [entry.name for entry in self.files if entry.name]
        if names:
            return [Path(bpy.path.abspath(self.directory)) / name for name in names]
        if not self.filepath:
            raise UserError("no photo is named: choose one")
        return [Path(bpy.path.abspath(self.filepath))]

    def _tell(
        self, context: bpy.types.Context, fitted: list[FittedHead], faults: list[str]
    ) -> None:
        for fault in faults:
            self.report({"WARNING"}, f"left out {fault}")
        for head in fitted:
            for doubt in head.faces[0].doubts:
                self.report({"WARNING"}, doubt)
        words = fitted[-1].words(same_face_threshold())
        self.report({"INFO"}, words if len(fitted) == 1 else f"{len(fitted)} heads fitted")
        context.scene[LAST_KEY] = capital(words)


class FACEGEN_OT_choose_photos(_Settings, bpy.types.Operator, ImportHelper):
    """Choose photos of people, and add heads that look like them"""

    bl_idname = "facegen.choose_photos"
    bl_label = "Fit from Photo..."

    filter_glob: StringProperty(default=_PHOTOS, options={"HIDDEN"})  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether no job runs."""
        return jobs.current() is None

    def draw(self, context: bpy.types.Context) -> None:
        """The options, and a word on consent."""
        layout = self.layout
        for name in ("same_person", "everybody", "expression", "keep_latent"):
            layout.prop(self, name)
        draw_lines(layout.box(), CONSENT, _COLUMNS)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hand over to the job, which a file browser's operator cannot be."""
        options = {
            name: getattr(self, name)
            for name in ("model", "same_person", "everybody", "expression", "keep_latent")
        }
        files = [{"name": entry.name} for entry in self.files]
        bpy.ops.facegen.fit_photo(
            "INVOKE_DEFAULT", filepath=self.filepath, directory=self.directory, files=files,
            **options,
        )  # fmt: skip
        return {"FINISHED"}


class FACEGEN_PT_photo(bpy.types.Panel):
    """Heads of people in photos."""

    bl_label = "Photo"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceGen"
    bl_order = 19
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the button, or the running job; what came of the last; a word on consent."""
        layout = self.layout
        job = jobs.current()
        if job is not None and job.label == _FITTING:
            jobs.draw(layout)
            return
        hint = _hint(context.window_manager.facegen.model)
        row = layout.row()
        row.scale_y, row.enabled = 1.4, not hint
        row.operator("facegen.choose_photos", icon="IMAGE_DATA")
        missing = _missing()
        if missing:
            draw_lines(layout, capital(hint), _COLUMNS)
            draw_offer(layout, missing)
        elif hint:
            draw_message(layout, hint)
        last = context.scene.get(LAST_KEY, "")
        if isinstance(last, str) and last:
            draw_lines(layout.box(), last, _COLUMNS)
        draw_lines(layout, CONSENT, _COLUMNS)


def _hint(model: str) -> str:
    """Why no photo can be fitted; empty if it can, or if that is still being found out."""
    missing = _missing()
    if missing:
        return f"photos need {'FaceNet' if missing == DEFAULT_ENCODER else 'the face detector'}"
    if model and not is_trained(model):
        return f"{model} cannot be fitted: choose {DEFAULT_MODEL} as the model"
    return ""


def _missing() -> str:
    """What has to be got first; empty if nothing, or if that is still being found out."""
    facenet = file_states.facenet()
    if facenet is not None and not facenet.usable:
        return DEFAULT_ENCODER
    return "" if is_there() else DETECTOR


CLASSES = (FACEGEN_OT_fit_photo, FACEGEN_OT_choose_photos, FACEGEN_PT_photo)
