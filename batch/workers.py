# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker processes that report on stdout how many steps they have done."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from facegen_addon.errors import UserError

_TICK = "rendered"
_RUN = Path(__file__).with_name("run.py")


def report(count: int) -> None:
    """In a worker: tell the process that started it that `count` more steps are done.

    Ends the worker if that process is gone.
    """
    try:
        print(_TICK, count, flush=True)
    except BrokenPipeError:
        # Python would try, and fail, to write what is left at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def worker_command(arguments: Sequence[str]) -> list[str]:
    """The command line of batch/run.py with `arguments`, in the interpreter or Blender of this."""
    # Inside Blender bpy is there from the start, and sys.executable is a Python without it.
    blender = sys.modules["bpy"].app.binary_path if "bpy" in sys.modules else ""
    start = [blender, "-b", "-P", str(_RUN), "--"] if blender else [sys.executable, str(_RUN)]
    return [*start, *arguments]


def start_worker(command: Sequence[str]) -> subprocess.Popen[str]:
    """Start one worker. Ctrl-C reaches only the process that started it, which ends its workers."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def reports(workers: Sequence[subprocess.Popen[str]]) -> Iterator[int]:
    """The counts that the workers report, in the order of arrival; at the end none is alive.

    UserError if one of them failed.
    """
    try:
        yield from _merged_counts([worker.stdout for worker in workers if worker.stdout])
        failed = [worker.returncode for worker in workers if worker.wait() != 0]
    finally:
        # All at once: a second Ctrl-C while one is waited for leaves none behind.
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()
    if failed:
        raise UserError(f"a render worker ended with status {failed[0]}; run again to resume")


def _merged_counts(streams: list[IO[str]]) -> Iterator[int]:
    queue: SimpleQueue[int | None] = SimpleQueue()

    def listen(stream: IO[str]) -> None:
        # Blender itself writes to stdout too: only our own lines count.
        for line in stream:
            word, _, count = line.partition(" ")
            if word == _TICK:
                queue.put(int(count))
        queue.put(None)

    for stream in streams:
        threading.Thread(target=listen, args=(stream,), daemon=True).start()
    open_streams = len(streams)
    while open_streams:
        count = queue.get()
        if count is None:
            open_streams -= 1
        else:
            yield count
