# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators and panel of files: heads for other programs, parameters as JSON and back."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..scene.exchange.slider_import import export_sliders, import_sliders
from ..scene.export.files import (
    FORMATS,
    ExportedHead,
    HeadSource,
    export_head,
    export_heads,
    file_names,
)
from ..scene.export.parts import (
    HAIR,
    HAIR_TRIANGLES,
    MAXIMUM_LOD,
    MAXIMUM_SUBDIVISION,
    NECKS,
    TEXTURE_SIZES,
    ExportSettings,
    expected_triangles,
)
from ..scene.export.targets import TARGETS
from ..scene.head.head_object import HeadObject
from . import jobs
from .framing import show
from .head_operator import ReportingOperator, active_head, movable_head, selected_heads
from .jobs import JobOperator, Progress
from .translations import filled

_DEFAULTS = ExportSettings()
_JSON = "json"
_EXPORTING = "Exporting"
_FORMATS = [
    ("glb", "glTF", "One .glb file a head: games, the web, three.js"),
    ("fbx", "FBX", "One .fbx file a head, textures beside it: Maya, Unity, Unreal"),
    (
        "obj",
        "OBJ",
        "One .obj and .mtl file a head, textures beside them: without keys or bones",
    ),
    (_JSON, "JSON", "Slider values of all selected heads in one file, to be imported again"),
]
_HAIR = [
    (HAIR[0], "Cards", "Each for several strands, with a texture"),
    (HAIR[1], "Ribbons", "A flat ribbon for each strand, some 70,000 triangles"),
    (HAIR[2], "None", "Neither hair nor brows nor beard"),
]
_NECK = [
    (NECKS[0], "Open", "As it is cut off, with nothing below"),
    (NECKS[1], "Closed", "Closed towards the inside"),
    (NECKS[2], "Same Edge", "Open, ending in the same edge on every head: all fit one body"),
]


_TARGETS = [(name, target.label, target.said) for name, target in TARGETS.items()]


def _take_over(operator: _Settings, context: bpy.types.Context) -> None:
    """The dialog begins with what a target asks for."""
    for name, value in TARGETS[operator.target].asks.items():
        setattr(operator, name, value)


class _Settings:
    """Properties that both operators have."""

    filepath: StringProperty(subtype="FILE_PATH")  # type: ignore[valid-type]
    target: EnumProperty(  # type: ignore[valid-type]
        name="For",
        items=_TARGETS,
        update=_take_over,
        description="The program that the files are for: their unit, and what to begin with",
    )
    format: EnumProperty(name="Format", items=_FORMATS)  # type: ignore[valid-type]
    shape_keys: BoolProperty(  # type: ignore[valid-type]
        name="Shape Keys",
        description="One for each expression, named as its slider, and the 15 visemes by which"
        " speech tools move a mouth",
    )
    armature: BoolProperty(  # type: ignore[valid-type]
        name="Armature", description="Bones for neck, jaw and eyes, holding the head's pose"
    )
    hair: EnumProperty(  # type: ignore[valid-type]
        name="Hair", items=_HAIR, description="Hair, brows and beard; no format has curves"
    )
    hair_triangles: IntProperty(  # type: ignore[valid-type]
        name="Hair Triangles",
        default=_DEFAULTS.hair_triangles,
        min=HAIR_TRIANGLES[0],
        max=HAIR_TRIANGLES[1],
        description="Of cards, at most; levels of detail have a share of it",
    )
    textures: IntProperty(  # type: ignore[valid-type]
        name="Textures",
        default=_DEFAULTS.textures,
        min=0,
        max=TEXTURE_SIZES[1],
        description="Texels each way of colour, roughness and normals; 0: colours of vertices",
    )
    lod: IntProperty(  # type: ignore[valid-type]
        name="Level of Detail",
        default=0,
        min=0,
        max=MAXIMUM_LOD,
        description="0: all; 1, 2, 3: 50, 20, 10 % of the triangles, the same of all heads",
    )
    neck: EnumProperty(  # type: ignore[valid-type]
        name="Neck", items=_NECK, description="How the neck ends, of heads of the model person"
    )
    subdivision: IntProperty(  # type: ignore[valid-type]
        name="Subdivision",
        default=0,
        min=0,
        max=MAXIMUM_SUBDIVISION,
        description="Levels of subdivision; shape keys survive none",
    )
    replace: BoolProperty(  # type: ignore[valid-type]
        name="Replace Files", description="Replace files of several heads that are there already"
    )

    def settings(self) -> ExportSettings:
        """The settings as far as the format has a place for them."""
        can_move = self.format in FORMATS and FORMATS[self.format].can_move
        keys = self.shape_keys and can_move
        return ExportSettings(
            shape_keys=keys,
            armature=self.armature and can_move,
            hair=self.hair,
            subdivision=0 if keys or self.lod else self.subdivision,
            textures=self.textures,
            hair_triangles=self.hair_triangles,
            lod=self.lod,
            neck=self.neck,
            target=self.target,
        )


class FACEGEN_OT_write_heads(_Settings, JobOperator, bpy.types.Operator):
    """Write the selected heads: one to the file named, several to files of that name and theirs"""

    bl_idname = "facegen.write_heads"
    bl_label = "Write Heads"
    bl_options = {"INTERNAL"}

    def steps(self, context: bpy.types.Context) -> Iterator[Progress]:
        """Write head after head; nothing appears before all are complete."""
        heads = [movable_head(head.mesh_object) for head in selected_heads(context)]
        path = Path(bpy.path.abspath(self.filepath))
        if self.format == _JSON:
            export_sliders(path, heads)
            self.report({"INFO"}, f"Sliders of {len(heads)} heads written to {path}")
            return
        sources = [HeadSource.of(head) for head in heads]
        yield Progress(_EXPORTING, 0, len(sources))
        if len(sources) == 1:
            self._tell([export_head(path, sources[0], self.settings())])
            return
        done = []
        writing = export_heads(
            path.parent, sources, self.format, self.settings(), self.replace, path.stem
        )
        with closing(writing) as files:
            for exported in files:
                done.append(exported)
                yield Progress(_EXPORTING, len(done), len(sources))
        self._tell(done)

    def _tell(self, done: list[ExportedHead]) -> None:
        alone = len(done) == 1
        place = done[0].path if alone else f"{len(done)} files in {done[0].path.parent}"
        triangles = f"{sum(head.triangles for head in done):,} triangles"
        hair = sum(head.hair_triangles for head in done)
        inside = f", {hair:,} of them hair" if hair else ", no hair"
        self.report({"INFO"}, f"{place}: {triangles}{inside}")
        notes = [note for head in done for note in head.notes]
        if self.shape_keys or self.armature:  # asked for, and not to be had
            notes.append(FORMATS[self.format].leaves_out)
        for note in filter(None, dict.fromkeys(notes)):
            self.report({"WARNING"}, note)


class FACEGEN_OT_export_heads(_Settings, bpy.types.Operator, ExportHelper):
    """Export the selected heads, one file each.

    Called by a script, it returns when the files are there; what the script leaves open is as the
    target asks.
    """

    bl_idname = "facegen.export_heads"
    bl_label = "Export Heads"
    bl_description = "Export the selected heads, one file each"

    filename_ext = ".glb"
    filter_glob: StringProperty(  # type: ignore[valid-type]
        default="*.glb;*.fbx;*.obj;*.json", options={"HIDDEN"}
    )
    asked: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]
    """Whether the dialog has asked: then the files are written beside Blender, as a job."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is a head to export and no job runs."""
        return active_head(context) is not None and jobs.current() is None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Suggest the head's name, or one for several, and ask for the file."""
        self.asked = True
        self._leave_open()
        if not self.filepath:
            head = active_head(context)
            assert head is not None, "poll has seen to it"
            several = len(selected_heads(context)) > 1
            self.filepath = "heads" if several else file_names([head.name])[0]
        self.check(context)
        return ExportHelper.invoke(self, context, event)

    def check(self, context: bpy.types.Context) -> bool:
        """Have the name end in the format's suffix."""
        wanted = named(self.filepath, self.format)
        changed = wanted != self.filepath
        self.filepath = wanted
        return changed

    def draw(self, context: bpy.types.Context) -> None:
        """The options, greyed where the format has no place for them."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "target")
        layout.prop(self, "format")
        if self.format == _JSON:
            return
        lines = layout.column(align=True)
        for line in textwrap.wrap(FORMATS[self.format].leaves_out, 34):
            lines.label(text=line, icon="INFO")
        moving = layout.column(heading="Include")
        moving.enabled = FORMATS[self.format].can_move
        moving.prop(self, "shape_keys")
        moving.prop(self, "armature")
        layout.prop(self, "textures")
        layout.prop(self, "hair")
        row = layout.row()
        row.enabled = self.hair == HAIR[0]
        row.prop(self, "hair_triangles")
        layout.prop(self, "neck")
        layout.prop(self, "lod")
        row = layout.row()
        row.enabled = not (self.shape_keys and moving.enabled) and not self.lod
        row.prop(self, "subdivision")
        heads = selected_heads(context)
        if len(heads) > 1:
            layout.prop(self, "replace")
            layout.label(text="One file per head, of both names", icon="INFO")
        self._draw_triangles(layout, heads)

    def _draw_triangles(self, layout: bpy.types.UILayout, heads: list[HeadObject]) -> None:
        """How many there will be, before anything is written."""
        column = layout.column(align=True)
        for model in {head.model.name: head.model for head in heads}.values():
            skin, hair = expected_triangles(model, self.settings())
            head = filled(
                "{count} triangles per head ({model})", count=f"{skin:,}", model=model.name
            )
            column.label(text=head, icon="MESH_DATA", translate=False)
            if hair:
                more = filled("and up to {count} for its hair", count=f"{hair:,}")
                column.label(text=more, icon="BLANK1", translate=False)

    def _leave_open(self) -> None:
        """What nobody has set is as the target asks."""
        for name, value in TARGETS[self.target].asks.items():
            if not self.properties.is_property_set(name):
                setattr(self, name, value)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hand over to the job, which a file browser's operator cannot be."""
        self._leave_open()
        names = _Settings.__annotations__
        options = {name: getattr(self, name) for name in names}
        options["filepath"] = named(self.filepath, self.format)
        how = "INVOKE_DEFAULT" if self.asked else "EXEC_DEFAULT"
        try:
            bpy.ops.facegen.write_heads(how, **options)
        except RuntimeError as error:  # the job's own report, as scripts get it
            self.report({"ERROR"}, str(error).strip().removeprefix("Error: "))
            return {"CANCELLED"}
        return {"FINISHED"}


class FACEGEN_OT_import_parameters(ReportingOperator, bpy.types.Operator, ImportHelper):
    """Add the heads of a file of slider values (.json, .npz)"""

    bl_idname = "facegen.import_parameters"
    bl_label = "Import Parameters"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: StringProperty(default="*.json;*.npz", options={"HIDDEN"})  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Add the heads in a grid; a file that names no model is read as the panel's."""
        heads = import_sliders(
            Path(bpy.path.abspath(self.filepath)),
            context.window_manager.facegen.model,
            context.collection,
            context.scene.cursor.location,
        )
        context.view_layer.objects.active = heads[0].mesh_object
        show(context, [head.mesh_object for head in heads])
        self.report({"INFO"}, f"{len(heads)} heads of {heads[0].model.name}")


def named(path: str, format_name: str) -> str:
    """A path with the suffix of a format in place of any other format's."""
    stem = path
    for identifier, *_ in _FORMATS:
        if stem.lower().endswith(f".{identifier}"):
            stem = stem[: -len(identifier) - 1]
    return f"{stem}.{format_name}"


class FACEGEN_PT_files(bpy.types.Panel):
    """Heads from and for other programs."""

    bl_label = "Import and Export"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceGen"
    bl_order = 50
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw a button for each direction, one a format."""
        layout = self.layout
        column = layout.column(align=True)
        column.operator("facegen.import_parameters", icon="IMPORT")
        column.operator("facegen.import_flame", icon="IMPORT")
        column.operator("facegen.import_arkit", icon="IMPORT")
        column = layout.column(align=True)
        column.label(text="Export Selected Heads")
        row = column.row(align=True)
        for identifier, label, _ in _FORMATS:
            row.operator("facegen.export_heads", text=label).format = identifier
        column.operator("facegen.export_flame", icon="EXPORT")
        if active_head(context) is None:
            layout.label(text="Select a head to export", icon="INFO")
        job = jobs.current()
        if job is not None and job.label == _EXPORTING:
            jobs.draw(layout)  # last, so that no button moves under the pointer


CLASSES = (
    FACEGEN_OT_write_heads,
    FACEGEN_OT_export_heads,
    FACEGEN_OT_import_parameters,
    FACEGEN_PT_files,
)
