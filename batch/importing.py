# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by the commands that read other programs' files as heads."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from batch.command_line import OneLineParser, check_output_file
from facegen_addon.atomic_file import replacing
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import DEFAULT_FLAME, load_head_model
from facegen_addon.heads.exchange.flame_sliders import ImportedSliders
from facegen_addon.heads.exchange.slider_file import SUFFIXES, write_slider_file
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.terminal.copies import with_program

_FASTEST = 1000.0  # frames a second


def parser(name: str, description: str, examples: str, models: str) -> argparse.ArgumentParser:
    """The options of such a command; ``models``: what --model may be."""
    made = OneLineParser(
        prog=name,
        description=description,
        epilog=with_program(examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = made.add_argument
    add("file", type=Path, metavar="FILE", help="parameter file or folder")
    add("--model", default=DEFAULT_FLAME, help=models)
    add("--output", type=Path, help="slider values to write: .json or .npz")
    add(
        "--blend",
        type=Path,
        help="Blender file to write: heads in a grid, or one with keyframes where FILE is a"
        " sequence",
    )
    add(
        "--fps",
        type=float,
        help="FILE's rows are the frames of one head, so many a second; default: what FILE says",
    )
    return made


def run(options: argparse.Namespace, read: Callable[[Path, HeadModel], ImportedSliders]) -> int:
    """Read the file, write what is asked for and print what was found; the exit status."""
    if options.output:
        check_output_file(options.output, SUFFIXES)
    if options.blend:
        check_output_file(options.blend, (".blend",), "--blend")
    if options.fps is not None and not 0.0 < options.fps <= _FASTEST:
        raise UserError(f"--fps {options.fps:g} is out of range; give a number up to {_FASTEST:g}")
    model = load_head_model(options.model)
    sliders = read(options.file, model).at_rate(options.fps)
    lines = _save_blend(options.file, model, sliders, options.blend) if options.blend else []
    if options.output:
        write_slider_file(options.output, model, sliders.values)
    _print(sliders, lines)
    return 0


def _print(sliders: ImportedSliders, lines: list[str]) -> None:
    print(f"convention: {sliders.convention}")
    print(f"heads: {len(sliders.values)}")
    if sliders.sequence:
        rate = f", {sliders.fps:.6g} a second" if sliders.fps else ""
        print(f"sequence: {len(sliders.values)} frames of one head{rate}")
    for line in (*sliders.notes, *lines):
        print(line)
    for line in sliders.clamped:
        print(f"clamped: {line}")
    for line in sliders.warnings:
        print(f"facegen: warning: {line}", file=sys.stderr)


def _save_blend(file: Path, model: HeadModel, sliders: ImportedSliders, output: Path) -> list[str]:
    """Place the heads in an empty Blender file and save it, complete or not at all; lines on the
    animation. The file has the sequence's frames a second, so that each lies on one of its own."""
    import bpy
    from mathutils import Vector

    from facegen_addon.scene.exchange.imported_heads import add_heads
    from facegen_addon.scene.head.animation import set_frame_rate

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.save_version = 0  # no backup of the temporary file
    scene = bpy.context.scene
    if sliders.sequence and sliders.fps is not None:
        set_frame_rate(scene, sliders.fps)
    label = f"Imported from {file.name}"
    imported = add_heads(sliders, label, model, scene.collection, Vector(), scene, start=1)
    with replacing(output) as partial:
        try:
            bpy.ops.wm.save_as_mainfile(filepath=str(partial.resolve()), copy=True)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise UserError(f"--blend {output}: {reason}; name another file") from None
    return imported.lines
