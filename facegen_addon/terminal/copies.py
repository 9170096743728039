# SPDX-License-Identifier: GPL-3.0-or-later
"""Which copy of FaceGen this is, and how its command line is started."""

import sys
from pathlib import Path


def is_installed() -> bool:
    """Whether this is pip's copy, without the checkout's Makefile, tools and training scripts."""
    return not (Path(__file__).resolve().parents[2] / "Makefile").is_file()


def blender_binary() -> str:
    """The path of the Blender that this process is, "" in any other, also with bpy as a module."""
    bpy = sys.modules.get("bpy")  # inside Blender it is there from the start
    return str(bpy.app.binary_path) if bpy else ""


def program() -> str:
    """What stands before a command's name, as whoever reads it would type it."""
    if blender_binary():
        return "blender -b -P batch/run.py --"
    return "facegen" if is_installed() else "python batch/run.py"


def with_program(text: str) -> str:
    """A text in which {program} stands for it."""
    return text.replace("{program}", program())
