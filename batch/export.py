# SPDX-License-Identifier: GPL-3.0-or-later
"""`export`: heads as glTF, FBX or OBJ files, by Blender's exporters."""

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch.command_line import OneLineParser
from batch.field_options import spelled
from batch.output import check_output, output_folder
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.exchange.slider_file import read_slider_file
from facegen_addon.heads.wear.outfit import BARE, check_dressed
from facegen_addon.heads.wear.outfit_text import read_outfit
from facegen_addon.request_fields import check_fields
from facegen_addon.terminal.copies import with_program
from facegen_addon.terminal.interruption import interruptible
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.silence import Chatter, blender_silent, load_blender
from facegen_addon.variety.fields import WEAR

if TYPE_CHECKING:
    from facegen_addon.scene.export.files import ExportedHead, HeadSource
    from facegen_addon.scene.export.parts import ExportSettings

RECORD = "export.json"
"""What the folder holds, and the mark of a folder that --replace may replace."""
_FOR = "generic, unreal, unity or godot: format, unit, axes and contents as it wants them"
_EXAMPLES = """\
SOURCE is the folder of a `generate` run, or a slider file that generate or import-flame wrote. The
folder gets head_0000.glb and so on, and export.json, which says what each file holds. Metres; Y is
up in glTF. Colour, roughness and normals of renders are baked to textures: inside .glb, beside .fbx
and .obj (whose .mtl names colours only), some 5 s a head. Hair, brows and beard become cards, each
for several strands, or ribbons, one a strand, some 70,000 triangles a head. --lod 1, 2 and 3 keep
50, 20 and 10 % of the head's and the hair's triangles, the same of every head of a model.

Shape keys are named as the expression sliders (the 52 of ARKit but for FLAME files). With them,
eyes, teeth, gums, tongue and lashes are objects of their own, each with the keys that move it. An
armature has the model's joints and holds the head's pose.

A neck is open as it is cut off, or closed towards the inside, or ends in the same edge on every
head, that of the mean head, so that all fit one body. The two latter need the head model person.

examples:
  {program} export out/demo --output out/glb
  {program} export sliders.json --format fbx --shape-keys --armature --output out/fbx
  {program} export out/demo/heads.npz --format obj --hair none --subdivision 1 --output out/obj
  {program} export out/demo --for unreal --lod 1 --output out/unreal
  {program} export out/demo --neck same-edge --shape-keys --armature --output out/heads
  {program} export out/demo --textures 512 --hair-triangles 8000 --lod 1 --output out/game
  {program} export out/demo --wear garment=shirt,colour=sky,glasses=round --output out/dressed
"""


def main(arguments: Sequence[str]) -> int:
    """Run `export`; UserError for a wrong value; on every failure the folder stays as it was."""
    parser = _parser()
    target = parser.parse_args(arguments).target
    load_blender()
    from facegen_addon.scene.export.files import check_format, export_heads
    from facegen_addon.scene.export.parts import ExportSettings
    from facegen_addon.scene.export.targets import TARGETS

    if target in TARGETS:  # what nobody has said is as the target asks
        parser.set_defaults(**TARGETS[target].asks)
    options = parser.parse_args(arguments)
    settings = ExportSettings(
        **{field.name: getattr(options, field.name) for field in fields(ExportSettings)}
    )
    check_format(options.format, settings)
    check_output(options.output, options.replace, RECORD)
    heads = _heads(options.source, options.model, options.wear)
    bar = ProgressBar()
    done: list[ExportedHead] = []
    try:
        with interruptible(), output_folder(options.output) as folder, _alone() as chatter:
            with closing(export_heads(folder, heads, options.format, settings)) as files:
                for exported in files:
                    done.append(exported)
                    chatter.forget()
                    bar.update("export", len(done), len(heads))
            _write_record(folder / RECORD, heads, settings, done)
    finally:
        bar.close()
    for note in dict.fromkeys(note for head in done for note in head.notes):
        print(note)
    print(f"{len(done)} heads as {options.format}: {options.output}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="export",
        description="Write heads as files for other programs.",
        epilog=with_program(_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="folder of a run, or slider file")
    add("--for", dest="target", default="generic", metavar="TARGET", help=_FOR)
    add("--format", default="glb", help="glb, fbx or obj; default: glb")
    add("--shape-keys", action="store_true", help="add a shape key per expression")
    add("--armature", action="store_true", help="add bones for neck, jaw and eyes")
    add("--textures", type=int, default=1024, help="texels each way, 0 for none; default: 1024")
    add("--hair", default="cards", help="cards, ribbons or none; default: cards")
    add("--hair-triangles", type=int, default=20_000, help="of cards, at most; default: 20000")
    add("--lod", type=int, default=0, help="level of detail, 0 (all) to 3; default: 0")
    add("--neck", default="open", help="open, closed or same-edge; default: open")
    add("--subdivision", type=int, default=0, help="levels, 0 to 3; default: 0")
    add("--wear", metavar=WEAR.metavar, help=f"{WEAR.help}; default: what the source says")
    add("--model", help="head model or FLAME file; default: what the source says")
    add("--output", type=Path, required=True, help="folder to make")
    add("--replace", action="store_true", help="replace an earlier export in that folder")
    return parser


def _heads(source: Path, model_name: str | None, wear: str | None) -> "list[HeadSource]":
    from facegen_addon.scene.export.files import HeadSource

    file = read_slider_file(source)
    name = model_name or file.model
    if name is None:
        raise UserError(f"{file.path} does not say which head model it is for; add --model NAME")
    model = load_head_model(name)
    rows = file.rows(model.table)
    if wear is None:
        outfits = file.outfits(len(rows)) or [BARE] * len(rows)
    else:
        check_fields([WEAR], {WEAR.name: wear}, spelled)
        outfits = [read_outfit(wear)] * len(rows)
    if any(not outfit.is_bare for outfit in outfits):
        check_dressed(model)
    return [
        HeadSource(f"head_{number:04d}", model, row, outfit)
        for number, (row, outfit) in enumerate(zip(rows, outfits, strict=True))
    ]


@contextmanager
def _alone() -> Iterator[Chatter]:
    """Blender without the user's scene, its exporters without a word on every file."""
    import bpy

    with blender_silent() as chatter:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        yield chatter


def _write_record(
    path: Path,
    heads: "Sequence[HeadSource]",
    settings: "ExportSettings",
    done: "Sequence[ExportedHead]",
) -> None:
    files: list[dict[str, Any]] = [
        {
            "file": exported.path.name,
            "triangles": exported.triangles,
            "hair_triangles": exported.hair_triangles,
            "notes": list(exported.notes),
        }
        for exported in done
    ]
    record = {"model": heads[0].model.name, "settings": asdict(settings), "heads": files}
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
