# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what every slider of a committed model does, and register the figures.

    python -m models.training.measure_influence --model open_flame --samples 16 --workers 2

Takes the options of `batch/run.py influence`, which it runs in a process of its own; a killed run
goes on. Needs bpy.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from facegen_addon.artifacts import models_directory
from facegen_addon.encoders.encoder import DEFAULT_ENCODER, find_encoder
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import DEFAULT_FLAME, load_head_model
from facegen_addon.mapping.influence import influence_folder, read
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.remedies import explain
from models.training.register import register

_RUN = Path(__file__).resolve().parents[2] / "batch" / "run.py"


def main(arguments: list[str]) -> int:
    """Measure, copy and register; 2 after an error that the user can put right."""
    try:
        options, _ = _parser().parse_known_args(arguments)
        encoder = find_encoder(options.encoder).key
        if encoder != DEFAULT_ENCODER:
            raise UserError(
                f"committed figures are {DEFAULT_ENCODER}'s, not {encoder}'s: use"
                " `batch/run.py influence`, which keeps them apart"
            )
        if "--help" in arguments or "-h" in arguments:
            return _measure(arguments)
        return _measure(arguments) or _enter(load_head_model(options.model).name)
    except UserError as error:
        print(f"measure_influence: {explain(error)}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    """The command's options that this script itself reads."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--model", default=DEFAULT_FLAME)
    parser.add_argument("--encoder", default=DEFAULT_ENCODER)
    return parser


def _measure(arguments: list[str]) -> int:
    """Run the command; its exit status."""
    return subprocess.run([sys.executable, str(_RUN), "influence", *arguments]).returncode


def _enter(model_name: str) -> int:
    measured = influence_folder() / f"{model_name}.npz"
    figures = read(measured)
    path = models_directory() / f"influence_{model_name}.npz"
    shutil.copyfile(measured, path)
    register(
        f"influence_{model_name}",
        path,
        licence="GPL-3.0-or-later",
        source="renders of this project's own heads, embedded by FaceNet",
        recipe=Path(__file__).name,
        table=figures.table_digest,
        heads=figures.settings.heads,
        samples=figures.settings.samples,
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {len(figures.sliders)} parameters")
    return 0


if __name__ == "__main__":
    run_process(lambda: main(sys.argv[1:]), "measure_influence")
