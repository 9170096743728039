# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceGen's command line.

python batch/run.py COMMAND ...              with the interpreter that has bpy (.venv/bin/python)
blender -b -P batch/run.py -- COMMAND ...    inside Blender

Exit status: 0 done, 2 a wrong value (one line says which and what to do), 3 the demanded variety
was not reached or samples failed, 130 stopped by Ctrl-C, 143 by SIGTERM. `COMMAND --help` lists
the options.
"""

import importlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

# B's inversion runs blocks of heads side by side: a linear algebra library that starts threads of
# its own for each only gets in their way (46 s instead of 6 beside busy processes). Whatever the
# user's environment says: its sums end in other bits with more threads.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

# Blender would render with the colours of another program's pipeline (OpenColorIO's variables).
for _name in [name for name in os.environ if name == "OCIO" or name.startswith("OCIO_")]:
    del os.environ[_name]

# Started as a script, by Python or by Blender: the project's packages are found from here.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# Where the wheels lie that Blender's Python lacks (ONNX Runtime), when no extension carries them.
if "FACEGEN_SITE" in os.environ:
    sys.path.append(os.environ["FACEGEN_SITE"])

COMMANDS = {
    "generate": "batch.generate",
    "influence": "batch.influence",
    "measure": "batch.measure",
    "mesh": "batch.mesh",
    "export": "batch.export",
    "import-flame": "batch.import_flame",
    "import-arkit": "batch.import_arkit",
    "export-flame": "batch.export_flame",
    "merge": "batch.dataset.merge",
    "verify": "batch.dataset.verify",
}


# Started by other commands, not by people.
HIDDEN_COMMANDS = {"render-worker": "batch.dataset.render_worker"}


def main(arguments: Sequence[str]) -> int:
    """Run the command named first among `arguments`; the exit status."""
    try:
        from batch.interruption import Terminated
        from batch.remedies import explain
        from facegen_addon.errors import NotReached, UserError
    except ModuleNotFoundError as error:
        return _fail(_missing(error), 2)
    _show_notices()
    try:
        return _dispatch(arguments)
    except UserError as error:
        return _fail(explain(error), 2)
    except NotReached as error:
        return _fail(str(error), 3)
    except KeyboardInterrupt as stop:
        return _fail("stopped; nothing was written", 143 if isinstance(stop, Terminated) else 130)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("batch", "facegen_addon"):
            raise
        return _fail(_missing(error), 2)


def _dispatch(arguments: Sequence[str]) -> int:
    from facegen_addon.errors import UserError

    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        print(f"Commands: {', '.join(COMMANDS)}")
        return 0
    name, *rest = arguments
    modules = {**COMMANDS, **HIDDEN_COMMANDS}
    if name not in modules:
        raise UserError(f"unknown command {name!r}; choose from {', '.join(COMMANDS)}")
    return importlib.import_module(modules[name]).main(rest)


def _show_notices() -> None:
    """What the rooms have to say, e.g. that a FLAME file is fitted once, goes to stderr."""
    logger = logging.getLogger("facegen_addon")
    if not logger.handlers:
        notices = logging.StreamHandler()
        notices.setFormatter(logging.Formatter("facegen: %(message)s"))
        logger.addHandler(notices)
    logger.setLevel(logging.INFO)


def _missing(error: ModuleNotFoundError) -> str:
    return (
        f"Python module {error.name!r} is not there; run `make demo` once and then"
        " .venv/bin/python batch/run.py, or see the README on running inside Blender"
    )


def _fail(message: str, status: int) -> int:
    print(f"facegen: {message}", file=sys.stderr)
    return status


def _own_arguments(argv: Sequence[str]) -> Sequence[str]:
    """What is meant for this script: after `--` inside Blender, after its name elsewhere."""
    return argv[argv.index("--") + 1 :] if "--" in argv else argv[1:]


def _leave(status: int) -> NoReturn:
    """End the process: at once in bpy 4.2's module, whose clean-up crashes after any operator."""
    bpy = sys.modules.get("bpy")
    if bpy is not None and not bpy.app.binary_path and bpy.app.version < (4, 3):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    try:
        status = main(_own_arguments(sys.argv))
    except Exception:  # a defect: Blender itself would print it and exit with 0
        traceback.print_exc()
        status = 1
    _leave(status)
