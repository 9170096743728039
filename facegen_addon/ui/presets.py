# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators and panel of presets: save the active head, load and delete heads that were saved."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, PointerProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..errors import UserError
from ..heads.catalogue import DEFAULT_FLAME, load_head_model
from ..heads.face_hair.named import BEARDS, BROWS
from ..heads.gallery import ShippedHead, gallery
from ..heads.hair.styles import STYLES
from ..heads.head_model import HeadModel
from ..scene.head import history
from ..scene.head.head_object import MODEL_KEY, HeadObject
from ..scene.workflows import presets
from ..scene.workflows.asset_file import is_unsettled, settle_imported
from ..scene.workflows.new_head import add_head
from . import preferences, shipped_pictures, thumbnails
from .capitals import capital
from .framing import show as show_heads
from .head_operator import HeadOperator, ReportingOperator, active_head, make_active, movable_head
from .properties import adopt_heads
from .remedies import explain
from .who import asked, show

_logger = logging.getLogger(__name__)
_items: list[tuple[str, str, str, int, int]] = []  # Blender needs these strings to stay
_shipped: dict[str, ShippedHead] = {}
"""Those shipped heads whose names no preset of the user's has."""
_POPUP_SCALE = 5.0
_numbers: dict[str, int] = {}
"""Each preset's own while Blender runs: by it Blender knows the chosen one, whatever is deleted."""


def refresh() -> None:
    """Look for presets anew and load their portraits; must not happen while Blender draws.

    The user's come first, then those that are shipped.
    """
    items = []
    for name in presets.preset_names():
        try:
            portrait = presets.read_preset(presets.preset_file(name)).portrait
        except UserError as error:
            _logger.warning("%s", explain(error))
            continue
        key = f"preset {name} {hash(portrait)}"
        if portrait is not None:
            thumbnails.load(key, portrait)
        items.append(_item(name, name, key))
    _shipped.clear()
    for head in _shipped_heads():
        if head.name not in {item[0] for item in items}:
            _shipped[head.name] = head
            items.append(_item(head.name, head.about, f"head {head.name}"))
    _items[:] = items


def _item(name: str, about: str, key: str) -> tuple[str, str, str, int, int]:
    number = _numbers.setdefault(name, len(_numbers))
    return name, name, about, thumbnails.icon(key) or 0, number


def _shipped_heads() -> tuple[ShippedHead, ...]:
    shipped_pictures.prepare()
    try:
        return gallery().heads
    except UserError:  # which was said when its pictures were looked for
        return ()


def _preset_items(owner: Any, context: bpy.types.Context | None) -> list[Any]:
    return _items


def _load(
    operator: Any, context: bpy.types.Context, path: Path, shipped: ShippedHead | None = None
) -> None:
    """Set the active head to a preset, or add a head where there is none or it is asked for."""
    mesh_object = active_head(context)
    preset = presets.read_preset(path) if shipped is None else presets.of_shipped(shipped)
    if mesh_object is None or operator.as_new:
        model = load_head_model(preset.sliders.model or DEFAULT_FLAME)
        head = _added(context, model, preset, path.stem)
    else:
        head = movable_head(mesh_object)
        presets.take_preset(head, preset, path.stem)
    if preset.who is not None:
        try:
            show(context.scene.facegen_who, preset.who)
        except UserError as error:  # the head is none the worse
            operator.report({"WARNING"}, f"{path.stem} asks for nobody: {explain(error)}")
    if preset.is_of_another_version(head.model):
        operator.report(
            {"WARNING"}, f"{path.stem} was made with another version of model {head.model.name}"
        )


def _added(
    context: bpy.types.Context, model: HeadModel, preset: presets.Preset, name: str
) -> HeadObject:
    parameters, outfit = preset.parameters(model), preset.outfit(model)
    head = add_head(model, context, parameters=parameters)
    if outfit is not None:
        head.wear(outfit)
    head.mesh_object.name = name
    history.record(head, f"Preset {name}")
    make_active(context, head.mesh_object)
    show_heads(context, [head.mesh_object])
    return head


def _as_new_property() -> Any:
    return BoolProperty(
        name="Add as New Head",
        description="Add a head beside what stands there; needed for presets of another model",
        options={"SKIP_SAVE"},
    )


class FACEGEN_OT_save_preset(HeadOperator, bpy.types.Operator):
    """Keep the active head as a preset, for all files and in the asset browser"""

    bl_idname = "facegen.save_preset"
    bl_label = "Save Preset"
    bl_options = {"REGISTER"}

    name: StringProperty(name="Name", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    overwrite: BoolProperty(  # type: ignore[valid-type]
        name="Overwrite",
        description="Replace the preset of that name",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the name."""
        mesh_object = active_head(context)
        self.name = self.name or (mesh_object.name if mesh_object else "")
        return context.window_manager.invoke_props_dialog(self)

    def run(self, context: bpy.types.Context) -> None:
        """Save it, and have the asset browser show it."""
        render = partial(presets.render_portrait, device=preferences.of(context).device)
        who = asked(context.scene.facegen_who)
        path = presets.save_preset(self.head(context), self.name, self.overwrite, render, who)
        presets.offer_library(context.preferences)
        refresh()
        context.window_manager.facegen_presets.preset = path.stem
        self.report({"INFO"}, f"Saved {path}")


class FACEGEN_OT_load_preset(ReportingOperator, bpy.types.Operator, ImportHelper):
    """Make the active head that of a preset's file, locked sliders too, or add a head"""

    bl_idname = "facegen.load_preset"
    bl_label = "Load Preset File"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})  # type: ignore[valid-type]
    as_new: _as_new_property()  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Load it."""
        _load(self, context, Path(self.filepath))


class FACEGEN_OT_apply_preset(ReportingOperator, bpy.types.Operator):
    """Make the active head this preset's, locked sliders too, or add a head"""

    bl_idname = "facegen.apply_preset"
    bl_label = "Apply Preset"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Name")  # type: ignore[valid-type]
    as_new: _as_new_property()  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Apply it."""
        path = presets.preset_file(self.name)
        shipped = None if path.exists() else gallery().head(self.name)
        _load(self, context, path, shipped)


class FACEGEN_OT_delete_preset(ReportingOperator, bpy.types.Operator):
    """Delete this preset's files"""

    bl_idname = "facegen.delete_preset"
    bl_label = "Delete Preset"
    bl_options = {"REGISTER"}

    name: StringProperty(name="Name")  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first: this cannot be undone."""
        return context.window_manager.invoke_confirm(self, event)

    def run(self, context: bpy.types.Context) -> None:
        """Delete them; another preset is chosen where this one was."""
        presets.delete_preset(self.name)
        settings = context.window_manager.facegen_presets
        chosen = settings.preset
        refresh()
        if _items and chosen == self.name:
            settings.preset = _items[0][0]


class _Styled(HeadOperator):
    """An operator that gives the active head one of the named styles of a kind."""

    kind: str
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a head is active whose model has such styles."""
        mesh_object = active_head(context)
        return mesh_object is not None and cls.kind in _named_styles(mesh_object)

    def run(self, context: bpy.types.Context) -> None:
        """Take it."""
        presets.wear_style(self.head(context), self.kind, self.style)  # type: ignore[attr-defined]


def _named_styles(mesh_object: bpy.types.Object) -> Mapping[str, Any]:
    try:
        return load_head_model(mesh_object[MODEL_KEY]).named_styles
    except UserError:  # its file has gone
        return {}


def _styles(names: Iterable[str]) -> Any:
    return EnumProperty(name="Style", items=[(name, capital(name), "") for name in names])


class FACEGEN_OT_hair_style(_Styled, bpy.types.Operator):
    """Give the active head hair of this name, colours and locked sliders excepted"""

    bl_idname = "facegen.hair_style"
    bl_label = "Hair Style"
    kind = "hair"

    style: _styles(STYLES)  # type: ignore[valid-type]


class FACEGEN_OT_brow_style(_Styled, bpy.types.Operator):
    """Give the active head brows of this name, colours and locked sliders excepted"""

    bl_idname = "facegen.brow_style"
    bl_label = "Brows"
    kind = "brows"

    style: _styles(BROWS)  # type: ignore[valid-type]


class FACEGEN_OT_beard_style(_Styled, bpy.types.Operator):
    """Give the active head a beard of this name, colours and locked sliders excepted"""

    bl_idname = "facegen.beard_style"
    bl_label = "Beard"
    kind = "beard"

    style: _styles(BEARDS)  # type: ignore[valid-type]


_STYLES = (FACEGEN_OT_hair_style, FACEGEN_OT_brow_style, FACEGEN_OT_beard_style)


class FACEGEN_PG_presets(bpy.types.PropertyGroup):
    """The panel's settings while Blender runs; nothing of them is saved."""

    preset: EnumProperty(name="Preset", items=_preset_items)  # type: ignore[valid-type]


def draw_gallery(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The heads to choose from by their pictures, and what can be done with the chosen one."""
    header, body = layout.panel("FACEGEN_people")
    header.label(text="People")
    if body is None:
        return
    settings = context.window_manager.facegen_presets
    if _items:
        chosen = settings.preset or _items[0][0]
        body.template_icon_view(settings, "preset", show_labels=True, scale_popup=_POPUP_SCALE)
        body.prop(settings, "preset", text="")
        row = body.row(align=True)
        adding = row.operator("facegen.apply_preset", text="Add", icon="ADD")
        adding.name, adding.as_new = chosen, True
        applying = row.row(align=True)
        applying.enabled = active_head(context) is not None
        applying.operator("facegen.apply_preset", text="Apply", icon="CHECKMARK").name = chosen
        deleting = row.row(align=True)
        deleting.enabled = chosen not in _shipped
        deleting.operator("facegen.delete_preset", text="", icon="TRASH").name = chosen
    else:
        body.label(text="No presets saved yet", icon="INFO")
    row = body.row(align=True)
    row.operator("facegen.save_preset", icon="FILE_TICK")
    row.operator("facegen.load_preset", text="", icon="FILE_FOLDER")
    row.operator("facegen.save_gallery", text="", icon="ASSET_MANAGER")


@bpy.app.handlers.persistent
def _after_import(imported: Any, *_: Any) -> None:
    """Heads dropped from the asset browser, or appended, get sliders and meshes of their own."""
    heads = [item.id for item in imported.import_items if isinstance(item.id, bpy.types.Object)]
    heads = [mesh_object for mesh_object in heads if is_unsettled(mesh_object)]
    for mesh_object in heads:
        try:
            settle_imported(mesh_object)
        except UserError as error:
            _logger.error("%s", explain(error))
    if heads:
        adopt_heads()


def _import_handlers() -> list[Any]:
    """Blender 4.2 tells nobody of imports: there the panel's Load Sliders does it."""
    return getattr(bpy.app.handlers, "blend_import_post", [])


CLASSES = (
    FACEGEN_OT_save_preset,
    FACEGEN_OT_load_preset,
    FACEGEN_OT_apply_preset,
    FACEGEN_OT_delete_preset,
    *_STYLES,
    FACEGEN_PG_presets,
)


def register() -> None:
    """Register the panel's property and the handler; presets are looked for soon."""
    bpy.types.WindowManager.facegen_presets = PointerProperty(type=FACEGEN_PG_presets)
    _import_handlers().append(_after_import)
    bpy.app.timers.register(refresh, first_interval=0.0)


def unregister() -> None:
    """Undo register; presets and their asset library are the user's and stay."""
    if bpy.app.timers.is_registered(refresh):
        bpy.app.timers.unregister(refresh)
    if _after_import in _import_handlers():
        _import_handlers().remove(_after_import)
    _items.clear()
    _numbers.clear()
    del bpy.types.WindowManager.facegen_presets
