# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as `facegen` and `python -m facegen_addon`, in pip's copy and in a checkout."""

import runpy
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_FOLDERS = (_PACKAGE / "command_line", _PACKAGE.parent)  # of pip's copy, of a checkout


def main() -> None:
    """Be the script that the command line is; it ends the process."""
    for folder in _FOLDERS:
        script = folder / "batch" / "run.py"
        if script.is_file():
            runpy.run_path(str(script), run_name="__main__")
    sys.exit("facegen: the command line is not part of Blender's extension; pip install FaceGen")


if __name__ == "__main__":
    main()
