# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals at bad moments: in clean-up, twice, where Blender or Python keep them to themselves."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from batch.output import output_folder
from facegen_addon.terminal.interruption import (
    Terminated,
    exit_status,
    interruptible,
    stop_if_asked,
    undisturbed,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def _signal(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_each_signal_has_its_exit_status(number: int, status: int) -> None:
    with pytest.raises(KeyboardInterrupt) as stop, interruptible():
        _signal(number)
    assert exit_status(stop.value) == status
    assert isinstance(stop.value, Terminated) == (number != signal.SIGINT)


def test_under_nohup_sighup_is_still_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            _signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_import_that_a_signal_broke_is_no_missing_module() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        try:
            _signal()
        except KeyboardInterrupt:
            raise ImportError("numpy failed to import") from None


def test_what_was_swallowed_is_raised_again_at_the_next_step() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        with contextlib.suppress(KeyboardInterrupt):
            _signal()
        stop_if_asked()
    stop_if_asked()  # and it is over with that


def test_a_signal_waits_until_a_moment_is_over() -> None:
    over = False
    with pytest.raises(KeyboardInterrupt), interruptible(), undisturbed():
        _signal()
        over = True
    assert over


def test_a_second_ctrl_c_does_not_keep_a_folder_from_being_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = shutil.rmtree

    def disturbed(path: Path, **options: bool) -> None:
        _signal()
        remove(path, **options)

    monkeypatch.setattr("batch.workshop.shutil.rmtree", disturbed)
    with pytest.raises(KeyboardInterrupt), interruptible(), output_folder(tmp_path / "run"):
        _signal()
    assert list(tmp_path.iterdir()) == []


_PROGRAM = """
import os, signal, sys
from facegen_addon.terminal.process import run_process

def work():
    {work}
    return 0

run_process(work, "test")
"""
_KILL = "os.kill(os.getpid(), signal.{name})"
_LOST = """
    class Lost:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)
            os.getpid()
    Lost()
    import time
    time.sleep(60)
"""
_AT_THE_END = "import atexit; atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))"
_SHOWN = """
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())  # as Blender does with what its callbacks raise
    from facegen_addon.terminal.progress import ProgressBar
    ProgressBar().update("render", 0, 1)
"""


@pytest.mark.parametrize(
    ("work", "status", "said"),
    [
        (_KILL.format(name="SIGINT"), 130, "test: stopped\n"),
        (_KILL.format(name="SIGTERM"), 143, "test: stopped\n"),
        (_KILL.format(name="SIGHUP"), 129, "test: stopped\n"),
        (_LOST, 130, "test: stopped\n"),
        (_SHOWN, 130, "test: stopped\n"),
        (_AT_THE_END, -signal.SIGINT, ""),
    ],
)
def test_a_process_that_is_stopped_says_one_line_at_most(
    project: Path, work: str, status: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(work=work)],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout) == (status, said, "")
