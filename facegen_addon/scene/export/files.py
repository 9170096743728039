# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes heads as OBJ, glTF and FBX files by Blender's own exporters."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import bpy

from ...arrays import Float32Array, FloatArray
from ...errors import UserError
from ...file_names import is_device
from ...heads.head_model import HeadModel
from ...heads.wear.outfit import BARE, Outfit
from ..head.head_object import HeadObject
from .bake import Textures
from .export_scene import export_scene
from .gltf_file import with_sparse_normals
from .head_textures import colours_alone, head_textures, images_of
from .parts import ExportSettings, HeadParts, head_parts, triangles_of
from .targets import TARGETS

_CENTIMETRES = 100.0  # of a metre


@dataclass(frozen=True)
class HeadSource:
    """A head to export: its name, model, parameters (P,), what it wears, and what was sculpted on
    it, an offset of its vertices (V, 3), metres, None for nothing."""

    name: str
    model: HeadModel
    parameters: Annotated[FloatArray, "P"]
    outfit: Outfit = BARE
    sculpted: Annotated[Float32Array, "V 3"] | None = None

    @classmethod
    def of(cls, head: HeadObject) -> HeadSource:
        """The source of a head of the scene; UserError if its mesh is no longer its model's."""
        mesh_object = head.mesh_object
        if len(mesh_object.data.vertices) != len(head.model.surface.rest_position):
            raise UserError(
                f"head {mesh_object.name!r} has a mesh that was edited and no longer fits its"
                " model; export it by Blender's own File > Export"
            )
        sculpted = head.sculpted()
        return cls(mesh_object.name, head.model, head.parameters, head.outfit, sculpted)


@dataclass(frozen=True)
class ExportedHead:
    """A file written; triangles of all and of the hair alone; lines on what is lost."""

    path: Path
    triangles: int
    hair_triangles: int
    notes: tuple[str, ...]


def _write_obj(path: Path, settings: ExportSettings) -> set[str]:
    return bpy.ops.wm.obj_export(
        filepath=str(path),
        check_existing=False,
        export_selected_objects=False,
        apply_modifiers=False,
        export_colors=True,
        export_pbr_extensions=True,
        path_mode="STRIP",
    )


def _write_glb(path: Path, settings: ExportSettings) -> set[str]:
    result = bpy.ops.export_scene.gltf(
        filepath=str(path),
        check_existing=False,
        export_format="GLB",
        use_active_scene=True,
        export_animations=False,
        # The nodes have the head's pose, the inverse bind matrices its rest.
        export_rest_position_armature=False,
        export_morph_normal=settings.shape_keys,
    )
    if settings.shape_keys and path.exists():
        with_sparse_normals(path)
    return result


def _write_fbx(path: Path, settings: ExportSettings) -> set[str]:
    return bpy.ops.export_scene.fbx(
        filepath=str(path),
        check_existing=False,
        object_types={"MESH", "ARMATURE"},
        use_mesh_modifiers=False,
        add_leaf_bones=False,
        bake_anim=False,
        path_mode="STRIP",
        **TARGETS[settings.target].fbx,
    )


@dataclass(frozen=True)
class _Format:
    """A format's exporter; addon: the name of its add-on, where it is no part of Blender itself."""

    write: Callable[[Path, ExportSettings], set[str]]
    addon: str = ""
    can_move: bool = True  # shape keys and armature
    embeds: bool = False  # textures, which else lie beside it
    scales: bool = False  # says its unit, so that lengths may be in another than metres
    # Readers of .mtl take normals for heights, and Blender both maps for colours: of these, the
    # file names none, and has them beside it for whoever links them by hand.
    data_maps: bool = True
    leaves_out: str = ""


FORMATS = {
    "obj": _Format(
        _write_obj,
        can_move=False,
        data_maps=False,
        leaves_out="OBJ leaves out shape keys, bones, roughness and normals",
    ),
    "glb": _Format(_write_glb, "io_scene_gltf2", embeds=True),
    "fbx": _Format(_write_fbx, "io_scene_fbx", scales=True),
}
"""Formats by the suffix of their files."""


def export_head(path: Path, head: HeadSource, settings: ExportSettings) -> ExportedHead:
    """Write one head to a .obj (and .mtl), .glb or .fbx file, complete or not at all.

    Metres; the head stands at the origin, however it stands in the scene. UserError if the
    suffix is none of these, the format cannot hold what is wanted or the file cannot be written.
    """
    path = Path(path)
    if os.path.isdir(path):  # False, too, for names that no disk takes
        raise UserError(f"{path} is a folder; name a file in it")
    check_format(path.suffix.removeprefix("."), settings)
    with _complete_folder(path.parent) as folder:
        parts = _write(folder / path.name, head, settings)
    return _exported(path, parts, settings)


def export_heads(
    folder: Path,
    heads: Sequence[HeadSource],
    format_name: str,
    settings: ExportSettings,
    replace: bool = True,
    prefix: str = "",
) -> Generator[ExportedHead, None, None]:
    """Write each head to a file of its name, after ``prefix``, in ``folder``, yielding after each.

    No file appears before all are complete, and none if the generator is closed before. UserError
    as for ``export_head``, which then says that nothing was written, or if a file is there already
    and is not to be replaced.
    """
    check_format(format_name, settings)
    if not heads:
        raise UserError("no head is selected; select the heads to export")
    folder = Path(folder)
    stems = file_names([f"{prefix}_{head.name}" if prefix else head.name for head in heads])
    names = [f"{stem}.{format_name}" for stem in stems]
    if not replace:
        _refuse_to_replace(folder, names)
    with _complete_folder(folder, replace) as partial:
        for name, head in zip(names, heads, strict=True):
            try:
                parts = _write(partial / name, head, settings)
            except UserError as error:
                raise UserError(f"{error}; none of the {len(heads)} files was written") from None
            yield _exported(folder / name, parts, settings)


def _refuse_to_replace(folder: Path, names: Sequence[str]) -> None:
    there = next((name for name in names if os.path.exists(folder / name)), None)
    if there is not None:
        raise UserError(f"{folder / there} is there already; allow replacing or name a new folder")


def check_format(name: str, settings: ExportSettings) -> None:
    """Check that ``name`` is a format that can hold what the settings want; else UserError."""
    if name not in FORMATS:
        raise UserError(f"unknown format {name!r}; choose from {', '.join(FORMATS)}")
    if not FORMATS[name].can_move and (settings.shape_keys or settings.armature):
        raise UserError(f"format {name!r} holds no shape keys and no armature; choose glb or fbx")


def file_names(names: Sequence[str]) -> list[str]:
    """Names as file names that are safe and unique on every system, in the same order."""
    taken: set[str] = set()
    safe = []
    for name in names:
        stem = re.sub(r"[^\w.-]+", "_", name).strip("._") or "head"
        if is_device(stem):
            stem = f"head_{stem}"
        candidate, number = stem, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{stem}_{number}"
        taken.add(candidate.casefold())
        safe.append(candidate)
    return safe


def _exported(path: Path, parts: HeadParts, settings: ExportSettings) -> ExportedHead:
    head = triangles_of(parts.head.faces, settings.subdivision)
    hair = len(parts.hair.faces) if parts.hair is not None else 0
    worn = sum(2 * len(part.faces) for part in parts.worn)
    return ExportedHead(path, head + hair + worn, hair, parts.notes)


def _write(path: Path, head: HeadSource, settings: ExportSettings) -> HeadParts:
    how = FORMATS[path.suffix.removeprefix(".")]
    if how.addon:
        _need_addon(how.addon)
    parts = head_parts(head.model, head.parameters, settings, head.outfit, head.sculpted)
    keep = _packed if how.embeds else partial(_saved, path)

    def bake(scene: bpy.types.Scene) -> dict[str, Textures]:
        textures = head_textures(parts, settings, scene)
        for name, image in images_of(textures):
            keep(name, image)
        return textures if how.data_maps else colours_alone(textures)

    scale = _CENTIMETRES if TARGETS[settings.target].centimetres and how.scales else 1.0
    with export_scene(path.stem, parts, settings.armature, settings.subdivision, bake, scale):
        try:
            finished = how.write(path, settings) == {"FINISHED"}
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{path.name} cannot be written: {reason}") from None
    if not finished or not path.exists():
        raise UserError(f"{path.name} cannot be written: Blender's exporter gave up")
    return parts


def _packed(name: str, image: bpy.types.Image) -> None:
    """Have an image in memory, from where it goes into the file."""
    image.name = name
    image.pack()


def _saved(path: Path, name: str, image: bpy.types.Image) -> None:
    """Have an image beside the file, which names it without a folder."""
    image.filepath_raw = str(path.with_name(f"{path.stem}_{name.replace(' ', '_')}.png"))
    image.file_format = "PNG"
    image.save()


def _need_addon(name: str) -> None:
    """Switch on the add-on that exports, for this session; UserError if it is not there."""
    import addon_utils  # type: ignore[import-not-found]  # Blender's own, there once bpy is

    _, enabled = addon_utils.check(name)
    if not enabled and addon_utils.enable(name) is None:
        raise UserError(
            f"Blender's add-on {name} is not there; enable it in Preferences > Add-ons, or choose"
            " another format"
        )


@contextmanager
def _complete_folder(folder: Path, replace: bool = True) -> Iterator[Path]:
    """A temporary folder inside ``folder``, whose files are moved up on success, else removed.

    UserError if one is there already and is not to be replaced: a texture, a .mtl.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".facegen-", dir=folder) as name:
            partial = Path(name)
            yield partial
            files = sorted(partial.iterdir())
            if not replace:
                _refuse_to_replace(folder, [file.name for file in files])
            _move_up(files, folder)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written to ({error.strerror}); choose another folder"
        ) from None


def _move_up(files: Sequence[Path], folder: Path) -> None:
    """Move complete files into ``folder``; UserError, saying what is there already, half way."""
    for number, file in enumerate(files):
        try:
            file.replace(folder / file.name)
        except OSError as error:
            raise UserError(
                f"{folder / file.name} cannot be replaced ({error.strerror}); {number} of"
                f" {len(files)} files were written before it: close the program that has it open"
            ) from None
