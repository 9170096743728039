# SPDX-License-Identifier: GPL-3.0-or-later
"""`import-flame`: parameter files of other programs as slider values or heads."""

from collections.abc import Sequence
from pathlib import Path

from batch import importing
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import DEFAULT_FLAME
from facegen_addon.heads.exchange.arkit.files import check_no_take
from facegen_addon.heads.exchange.flame_sliders import ImportedSliders, import_sliders
from facegen_addon.heads.head_model import HeadModel

_EXAMPLES = """\
FILE is .npz, .npy, .json, .pkl, .pt, .mat or a table of numbers, with the names of DECA, EMOCA,
MICA, metrical-tracker, Pixel3DMM, VHAP, SMIRK, flame-head-tracker, IMavatar or smplx; or a folder
of EMOCA or MICA, or of one file a frame. What is recognised, ignored and clamped is printed, what
is doubtful on standard error (docs/parameter_files.md). The codes of most of those programs belong
to FLAME 2020: give that file as --model to see the same faces. In a Blender file a sequence becomes
one head with keyframes (docs/animation.md).

examples:
  {program} import-flame deca.pkl
  {program} import-flame deca.pkl --model generic_model.pkl --output sliders.json
  {program} import-flame emoca_output/test00/ --output sliders.npz --blend heads.blend
  {program} import-flame flame_param.npz --fps 25 --blend talking.blend
"""


def main(arguments: Sequence[str]) -> int:
    """Run `import-flame`; UserError for a wrong value, and then no file is written."""
    parser = importing.parser(
        "import-flame",
        "Read FLAME parameters of another program as slider values.",
        _EXAMPLES,
        f"FLAME head or file; default: {DEFAULT_FLAME}",
    )
    return importing.run(parser.parse_args(arguments), _read)


def _read(file: Path, model: HeadModel) -> ImportedSliders:
    try:
        return import_sliders(file, model)
    except UserError:
        check_no_take(file, "import-arkit")
        raise
