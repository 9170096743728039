# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and end of a program of FaceGen: its streams, its signals, its exit status."""

import errno
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from ..errors import NotReached, UserError
from .interruption import die_by_signals, exit_status, interruptible, keep_lost_interruptions
from .streams import OutputLost, lost_output, mend_streams

BROKEN_PIPE = 141
"""Exit status where whoever read stdout has gone, as the shell says it of others."""


def run_process(work: Callable[[], int], program: str = "facegen") -> NoReturn:
    """Do `work`, which returns the exit status, as all that this process is for.

    A line about what the user can put right begins with `program`.
    """
    mend_streams()
    keep_lost_interruptions()
    if hasattr(signal, "SIGPIPE"):  # Blender's Python is not told to ignore it
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        with interruptible():
            status = status_of(work, program, "stopped")
    except KeyboardInterrupt as stop:  # once more, while the first was told
        status = exit_status(stop)
    except SystemExit as end:
        status = _status_at(end)
    except Exception:  # a defect: Blender itself would print it and exit with 0
        traceback.print_exc()
        status = 1
    _leave(status, program)


def status_of(
    work: Callable[[], int],
    program: str = "facegen",
    stopped: str = "stopped; nothing was written",
) -> int:
    """The exit status of `work`, after a line on stderr if it was stopped or can be put right."""
    try:
        return work()
    except UserError as error:
        from .remedies import explain  # late: set-up runs before NumPy is there

        return fail(explain(error), 2, program)
    except NotReached as error:
        return fail(str(error), 3, program)
    except KeyboardInterrupt as stop:
        return fail(stopped, exit_status(stop), program)
    except OutputLost as error:
        return _without_output(error, program)


def fail(message: str, status: int, program: str = "facegen") -> int:
    """Say why in a line; the exit status."""
    print(f"{program}: {message}", file=sys.stderr)
    return status


def _without_output(error: OutputLost, program: str) -> int:
    """Nobody is told where nobody listens any more, as `| head` does."""
    if error.errno == errno.EPIPE:
        return BROKEN_PIPE
    return fail(
        f"standard output cannot be written ({error.strerror}): make room, or send it elsewhere",
        2,
        program,
    )


def _status_at(end: SystemExit) -> int:
    """Its status as Python has it; a text is the reason for 1, and is said."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1


def _leave(status: int, program: str) -> NoReturn:
    """End the process, at once where Blender's module would not survive, or not keep quiet."""
    die_by_signals()
    lost = lost_output()
    if lost is not None and status == 0:
        status = _without_output(lost, program)
    sys.stderr.flush()
    bpy = sys.modules.get("bpy")
    if bpy is not None and not bpy.app.binary_path:
        # bpy's clean-up crashes (4.2, after any operator), stands still for ever (4.5, now and
        # then), or tells what it was amid.
        shutil.rmtree(bpy.app.tempdir, ignore_errors=True)
        os._exit(status)
    sys.exit(status)
