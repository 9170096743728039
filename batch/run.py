# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceGen's command line.

facegen COMMAND ...                          after `pip install`
python batch/run.py COMMAND ...              with the interpreter that has bpy (.venv/bin/python)
blender -b -P batch/run.py -- COMMAND ...    inside Blender

Exit status: 0 done, 2 a wrong value or a full disk (one line says which and what to do), 3 the
demanded variety was not reached or samples failed, 130 stopped by Ctrl-C, 143 by SIGTERM, 129 by
SIGHUP, 141 nobody reads standard output any more. `COMMAND --help` lists the options.
"""

import signal

if __name__ == "__main__":  # there is nothing to be cleaned up yet: Ctrl-C just ends this
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

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

from batch.dataset.commands import OLD_SPELLINGS, run_by_old_spelling, table_of
from facegen_addon.errors import UserError
from facegen_addon.terminal.copies import is_installed, with_program
from facegen_addon.terminal.process import run_process, status_of

COMMANDS = {
    "generate": ("batch.generate", "make a variety: heads of which no two are alike"),
    "dataset": (
        "batch.dataset.commands",
        "make | merge | verify: labelled data sets, by recipe",
    ),
    "fit": ("batch.fit", "fit heads to photos of people"),
    "landmarks": ("batch.landmarks", "read landmarks and the pose of heads off photos"),
    "influence": ("batch.influence", "render what each slider of a head model does"),
    "measure": ("batch.measure", "tell how far from the requested latents heads land"),
    "mesh": ("batch.mesh", "turn parameters into meshes, without Blender"),
    "export": ("batch.export", "write heads as glTF, FBX or OBJ"),
    "import-flame": ("batch.import_flame", "read FLAME parameters into sliders"),
    "import-arkit": ("batch.import_arkit", "read ARKit face captures into sliders"),
    "encoder": (
        "batch.encoder",
        "put FaceNet or the face detector in place, from a wheel or file",
    ),
    "export-flame": ("batch.export_flame", "write heads as FLAME parameters"),
}
"""Name of a command -> its module, and what it does in a line of help."""

_EXAMPLES = """examples:
  {program} generate --count 40 --distance 0.51 --output out/forty
  {program} dataset make --recipe photos --count 2000 --output out/photos
  {program} dataset verify out/photos
  {program} mesh --model person --parameters out/forty/heads.npz --output meshes.npz

Labelled data sets were called `generate --recipe`, `merge` and `verify` before; these go on
working."""

# Started by other commands, not by people.
HIDDEN_COMMANDS = {
    "influence-worker": "batch.influence_worker",
    "measure-worker": "batch.measure_worker",
    "render-worker": "batch.dataset.render_worker",
}


def main(arguments: Sequence[str]) -> int:
    """Run the command named first among `arguments`; the exit status."""
    _show_notices()
    return status_of(lambda: _dispatch(arguments))


def _dispatch(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        summaries = {name: summary for name, (_, summary) in COMMANDS.items()}
        print(f"\ncommands:\n{table_of(summaries)}\n\n{with_program(_EXAMPLES)}")
        return 0
    name, *rest = arguments
    if name not in (*COMMANDS, *HIDDEN_COMMANDS, *OLD_SPELLINGS):
        raise UserError(f"unknown command {name!r}; choose from {', '.join(COMMANDS)}")
    _check_folder()
    try:
        if name in OLD_SPELLINGS:
            return run_by_old_spelling(name, rest)
        module = COMMANDS[name][0] if name in COMMANDS else HIDDEN_COMMANDS[name]
        return importlib.import_module(module).main(rest)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("batch", "facegen_addon"):
            raise
        raise UserError(_missing(error)) from None


def _check_folder() -> None:
    """UserError where the folder that this was started in has gone, with all paths seen from it."""
    try:
        os.getcwd()
    except OSError as error:
        raise UserError(
            f"the current folder is not there any more ({error.strerror}): cd to another"
        ) from None


def _show_notices() -> None:
    """Messages of the rooms, e.g. that a FLAME file is fitted once, goes to stderr."""
    logger = logging.getLogger("facegen_addon")
    if not logger.handlers:
        notices = logging.StreamHandler()
        notices.setFormatter(logging.Formatter("facegen: %(message)s"))
        logger.addHandler(notices)
    logger.setLevel(logging.INFO)


def _missing(error: ModuleNotFoundError) -> str:
    if is_installed():
        extra = {"bpy": "facegen[blender]", "pyarrow": "facegen[dataset]"}.get(error.name or "")
        return f"Python module {error.name!r} is not there: pip install '{extra or error.name}'"
    return (
        f"Python module {error.name!r} is not there; run `make demo` once and then"
        " .venv/bin/python batch/run.py, or see docs/command_line.md on running inside Blender"
    )


def _own_arguments(argv: Sequence[str]) -> Sequence[str]:
    """The arguments meant for this script: after `--` inside Blender, after its name elsewhere."""
    return argv[argv.index("--") + 1 :] if "--" in argv else argv[1:]


if __name__ == "__main__":
    run_process(lambda: main(_own_arguments(sys.argv)))
