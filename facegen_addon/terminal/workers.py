# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker processes that report on stdout how many steps they have done."""

import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import IO

from ..errors import UserError
from .interruption import exit_status, stop_if_asked
from .silence import SHOWN, says_something, show_lines
from .streams import OutputLost
from .temporary import own_temporary_files

_TICK = "rendered"
_GRACE = 20.0  # seconds


def report(count: int) -> None:
    """In a worker: tell the process that started it that `count` more steps are done.

    Ends the worker if that process is gone.
    """
    stop_if_asked()
    try:
        print(_TICK, count, flush=True)
    except OutputLost:
        raise SystemExit(1) from None


def serve(work: Callable[[], None]) -> int:
    """In a worker: do the work; the exit status. Who stops it is the one to say so.

    Temporary files go with it, also those of renderers that it leaves as they are.
    """
    try:
        with own_temporary_files():
            work()
    except KeyboardInterrupt as stop:
        return exit_status(stop)
    return 0


def start_worker(command: Sequence[str]) -> subprocess.Popen[str]:
    """Start one worker. Ctrl-C reaches only the process that started it, which ends its workers."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def reports(workers: Sequence[subprocess.Popen[str]]) -> Iterator[int]:
    """The counts that the workers report, in the order of arrival; at the end none is alive.

    UserError if one of them failed, after what Blender said in it last.
    """
    said = [deque[str](maxlen=SHOWN) for _ in workers]
    streams = [(worker.stdout, last) for worker, last in zip(workers, said, strict=True)]
    try:
        yield from _merged_counts([(stream, last) for stream, last in streams if stream])
        failed = [worker.returncode for worker in workers if worker.wait() != 0]
    finally:
        # All at once: a second Ctrl-C while one is waited for leaves none behind.
        for worker in workers:
            worker.terminate()
        for worker in workers:
            _end(worker)
    if failed:
        for worker, last in zip(workers, said, strict=True):
            if worker.returncode:
                show_lines(last)
        raise UserError(f"a render worker ended with status {failed[0]}; run again to resume")


def _end(worker: subprocess.Popen[str]) -> None:
    """Wait for a worker that was told to end; Blender hears of it between two pictures."""
    try:
        worker.wait(_GRACE)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _merged_counts(streams: list[tuple[IO[str], deque[str]]]) -> Iterator[int]:
    """What is counted on all streams; the last lines that say something else are kept."""
    queue: SimpleQueue[int | None] = SimpleQueue()

    def listen(stream: IO[str], last: deque[str]) -> None:
        # Blender itself writes to stdout too: only our own lines count.
        for line in stream:
            word, _, count = line.partition(" ")
            if word == _TICK:
                queue.put(int(count))
            elif says_something(line):
                last.append(line.rstrip())
        queue.put(None)

    for stream, last in streams:
        threading.Thread(target=listen, args=(stream, last), daemon=True).start()
    open_streams = len(streams)
    while open_streams:
        count = queue.get()
        if count is None:
            open_streams -= 1
        else:
            yield count
