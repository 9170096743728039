# SPDX-License-Identifier: GPL-3.0-or-later
"""`import-flame`: parameter files of DECA, EMOCA, MICA and others as slider values or heads."""

from collections.abc import Sequence

from batch import importing
from facegen_addon.heads.catalogue import DEFAULT_MODEL
from facegen_addon.heads.flame.sliders import import_sliders

_EXAMPLES = """\
FILE is .npz, .npy, .json or .pkl with the names of DECA, EMOCA, MICA, metrical-tracker, VHAP or
smplx, or a folder of EMOCA or MICA. What is recognised, ignored and clamped is printed. The codes
of those programs belong to FLAME 2020: give that file as --model to see the same faces. A sequence
(VHAP and the like) becomes one head with keyframes in the Blender file.

examples:
  batch/run.py import-flame deca.pkl
  batch/run.py import-flame deca.pkl --model generic_model.pkl --output sliders.json
  batch/run.py import-flame emoca_output/test00/ --output sliders.npz --blend heads.blend
  batch/run.py import-flame flame_param.npz --fps 25 --blend talking.blend
"""


def main(arguments: Sequence[str]) -> int:
    """Run `import-flame`; UserError for a wrong value, and then no file is written."""
    parser = importing.parser(
        "import-flame",
        "Read FLAME parameters of another program as slider values.",
        _EXAMPLES,
        f"FLAME head or file; default: {DEFAULT_MODEL}",
    )
    return importing.run(parser.parse_args(arguments), import_sliders)
