# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by the commands in reading their arguments, and in calling one another."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from facegen_addon.errors import UserError
from facegen_addon.terminal.copies import blender_binary, program

_RUN = Path(__file__).with_name("run.py")


class OneLineParser(argparse.ArgumentParser):
    """argparse that reports by exception, in one line and without the usage text."""

    def error(self, message: str) -> NoReturn:
        """Raise UserError instead of printing the usage and exiting."""
        raise UserError(f"{message}; see {self.prog} --help")


class DefaultsFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Help that tells the default of an option, where it has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        # Not `in`: 0 equals False, and is a default.
        nothing = action.default is None or action.default is False or action.default in ("", ())
        return action.help if nothing else super()._get_help_string(action)


def shown_command(name: str, arguments: Sequence[str]) -> str:
    """A command as it was given, to be read by people: bytes that are no UTF-8 as escapes."""
    command = f"{program()} {name} {shlex.join(arguments)}"
    return command.encode(errors="backslashreplace").decode()


def worker_command(arguments: Sequence[str]) -> list[str]:
    """The command line of batch/run.py with `arguments`, in the interpreter or Blender of this."""
    blender = blender_binary()  # inside which sys.executable is a Python without bpy
    start = [blender, "-b", "-P", str(_RUN), "--"] if blender else [sys.executable, str(_RUN)]
    return [*start, *arguments]


def check_range(option: str, value: int, low: int, high: int) -> None:
    """UserError if a whole number is not between `low` and `high`, both included."""
    if not low <= value <= high:
        raise UserError(f"{option} {value} is out of range; give a number from {low} to {high}")


def check_output_file(output: Path, suffixes: Sequence[str], option: str = "--output") -> None:
    """UserError if no file of one of these suffixes can be made at `output`."""
    if output.suffix not in suffixes:
        raise UserError(
            f"{option} {output} does not end in {' or '.join(suffixes)}, which say what is"
            " written; name such a file"
        )
    if output.is_dir():
        raise UserError(f"{option} {output} is a folder; name a file")
    folder = nearest_existing(output.parent)
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{option} {output}: {folder} is not a folder you can write to")


def nearest_existing(folder: Path) -> Path:
    """`folder`, or the nearest folder above it that is there."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder
