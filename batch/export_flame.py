# SPDX-License-Identifier: GPL-3.0-or-later
"""`export-flame`: slider values as parameter files of DECA, EMOCA, MICA or smplx's names."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from batch.command_line import OneLineParser, check_output_file
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.exchange.flame_codes import WRITABLE, WRITABLE_SUFFIXES, write_parameters
from facegen_addon.heads.exchange.flame_sliders import flame_sliders
from facegen_addon.heads.exchange.slider_file import read_slider_file
from facegen_addon.terminal.copies import with_program

_EXAMPLES = """\
SOURCE is the folder of a `generate` run, or a slider file that generate or import-flame wrote.
plain: betas, expression, global_orient, neck_pose, jaw_pose, leye_pose, reye_pose, transl;
deca: shape (100), exp (50), pose (global orientation and jaw); emoca: the same as shapecode,
expcode, posecode; mica: identity (300). What the convention has no place for is printed.

examples:
  {program} export-flame out/demo --output heads.npz
  {program} export-flame sliders.json --convention deca --output deca.npz
"""


def main(arguments: Sequence[str]) -> int:
    """Run `export-flame`; UserError for a wrong value, and then no file is written."""
    options = _parser().parse_args(arguments)
    check_output_file(options.output, WRITABLE_SUFFIXES)
    if options.convention not in WRITABLE:
        raise UserError(
            f"unknown --convention {options.convention!r}; choose from {', '.join(WRITABLE)}"
        )
    file = read_slider_file(options.source)
    name = options.model or file.model
    if name is None:
        raise UserError(f"{file.path} does not say which head model it is for; add --model NAME")
    model = load_head_model(name)
    parameters = flame_sliders(model).to_flame(file.rows(model.table))
    losses = write_parameters(options.output, parameters, options.convention)
    print(f"{len(parameters.betas)} heads of {name} as {options.convention}: {options.output}")
    for line in losses:
        print(line)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="export-flame",
        description="Write FLAME parameters that other programs read.",
        epilog=with_program(_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="folder of a run, or slider file")
    add("--convention", default="plain", help=f"{', '.join(WRITABLE)}; default: plain")
    add("--model", help="FLAME head or file; default: what the source says")
    add("--output", type=Path, required=True, help="file to write: .npz or .json")
    return parser
