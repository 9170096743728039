# SPDX-License-Identifier: GPL-3.0-or-later
"""`import-flame`: parameter files of other programs as slider values or heads."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from batch.command_line import OneLineParser, check_output_file
from facegen_addon.atomic_file import replacing
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import DEFAULT_MODEL, load_head_model
from facegen_addon.heads.flame.sliders import ImportedSliders, import_sliders
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.slider_file import SUFFIXES, write_slider_file

_EXAMPLES = """\
FILE is .npz, .npy, .json, .pkl, .pt, .mat or a table of numbers, with the names of DECA, EMOCA,
MICA, metrical-tracker, Pixel3DMM, VHAP, SMIRK, flame-head-tracker, IMavatar or smplx; or a folder
of EMOCA or MICA, or of one file a frame. What is recognised, ignored and clamped is printed, what
is doubtful on standard error (docs/parameter_files.md). The codes of most of those programs belong
to FLAME 2020: give that file as --model to see the same faces.

examples:
  batch/run.py import-flame deca.pkl
  batch/run.py import-flame deca.pkl --model generic_model.pkl --output sliders.json
  batch/run.py import-flame emoca_output/test00/ --output sliders.npz --blend heads.blend
"""


def main(arguments: Sequence[str]) -> int:
    """Run `import-flame`; UserError for a wrong value, and then no file is written."""
    options = _parser().parse_args(arguments)
    if options.output:
        check_output_file(options.output, SUFFIXES)
    if options.blend:
        check_output_file(options.blend, (".blend",), "--blend")
    model = load_head_model(options.model)
    if options.blend:
        sliders = _save_blend(options.file, model, options.blend)
    else:
        sliders = import_sliders(options.file, model)
    if options.output:
        write_slider_file(options.output, model, sliders.values)
    _print(sliders)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="import-flame",
        description="Read FLAME parameters of another program as slider values.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="parameter file or folder")
    add("--model", default=DEFAULT_MODEL, help=f"FLAME head or file; default: {DEFAULT_MODEL}")
    add("--output", type=Path, help="slider values to write: .json or .npz")
    add("--blend", type=Path, help="Blender file to write, with the heads placed in a grid")
    return parser


def _print(sliders: ImportedSliders) -> None:
    print(f"convention: {sliders.convention}")
    print(f"heads: {len(sliders.values)}")
    if sliders.sequence:
        rate = f", {sliders.fps:g} a second" if sliders.fps else ""
        print(f"sequence: {len(sliders.values)} frames of one head{rate}")
    for note in sliders.notes:
        print(note)
    for line in sliders.clamped:
        print(f"clamped: {line}")
    for line in sliders.warnings:
        print(f"facegen: warning: {line}", file=sys.stderr)


def _save_blend(file: Path, model: HeadModel, output: Path) -> ImportedSliders:
    """Place the heads in an empty Blender file and save it, complete or not at all."""
    import bpy

    from facegen_addon.scene.flame_import import import_heads

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.save_version = 0  # no backup of the temporary file
    imported = import_heads(file, model, bpy.context.scene.collection)
    with replacing(output) as partial:
        try:
            bpy.ops.wm.save_as_mainfile(filepath=str(partial.resolve()), copy=True)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise UserError(f"--blend {output}: {reason}; name another file") from None
    return imported.sliders
