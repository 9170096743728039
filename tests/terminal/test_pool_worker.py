# SPDX-License-Identifier: GPL-3.0-or-later
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from facegen_addon.errors import UserError
from facegen_addon.terminal import pool_worker
from facegen_addon.terminal.pool_worker import (
    PIPE_VARIABLE,
    Answer,
    Begun,
    Broken,
    PoolPipe,
    Ready,
    Steps,
    Task,
    answer_jobs,
)


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """The pool's end of the pipe to this process, as if it were a worker: its stdout is a file."""
    ours, theirs = Pipe()
    monkeypatch.setenv(PIPE_VARIABLE, str(os.dup(theirs.fileno())))
    theirs.close()
    kept = os.dup(1)
    with ours, (tmp_path / "stdout").open("wb") as stdout:
        os.dup2(stdout.fileno(), 1)
        try:
            yield ours
        finally:
            os.dup2(kept, 1)
            os.close(kept)


@contextmanager
def doubling(pipe: PoolPipe) -> Iterator[Callable[[int], int]]:
    """Answers a number by its double, times what is told first."""

    def double(job: int) -> int:
        pipe.step()
        if job < 0:
            raise UserError("give a number that is not negative")
        return 2 * job * int(pipe.set_up)

    yield double


def heard(pool: Connection) -> list[Any]:
    """All that has been said so far."""
    found = []
    while pool.poll():
        try:
            found.append(pool.recv())
        except EOFError:
            break
    return found


def test_a_user_s_error_is_told_after_the_answers_before_it(pool: Connection) -> None:
    for message in (10, Task(7, 4), Task(8, -1)):
        pool.send(message)
    assert answer_jobs(doubling, "nobody") == 0
    assert heard(pool) == [
        *(Ready(""), Begun(7), Steps(1), Answer(7, 80), Begun(8), Steps(1)),
        Broken("give a number that is not negative"),
    ]


def test_it_ends_where_nobody_asks_or_listens_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9 of the owner included, which closes its end."""
    for speak in (PoolPipe.step, lambda line: next(line.tasks())):
        ours, theirs = Pipe()
        ours.send(None)
        line = PoolPipe(theirs)
        ours.close()
        with pytest.raises(SystemExit) as stop:
            speak(line)
        assert stop.value.code == 0


def test_its_temporary_files_go_with_it(
    pool: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    pool.send(None)
    seen = []

    def serve(pipe: PoolPipe) -> None:
        seen.extend(folder.iterdir())
        raise UserError("enough")

    assert pool_worker.serve_pool(serve, "nobody") == 0
    assert len(seen) == 1 and not list(folder.iterdir())


def test_no_pool_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PIPE_VARIABLE, raising=False)
    with pytest.raises(UserError, match="started by `measure`: run that"):
        answer_jobs(doubling, "`measure`")


def test_what_blender_says_is_forgotten_step_by_step(tmp_path: Path, project: Path) -> None:
    """It is some ten kB a picture."""
    program = (
        f"import os, sys; sys.path.insert(0, {str(project)!r})\n"
        "from facegen_addon.terminal import pool_worker\n"
        "def serve(pipe):\n"
        "    for text in (b'first', b'second'):\n"
        "        pipe.step()\n"
        "        os.write(1, text)\n"
        "pool_worker.serve_pool(serve, 'a test')\n"
    )
    ours, theirs = Pipe()
    ours.send(None)
    said = tmp_path / "stdout"
    with theirs, said.open("wb") as stdout:
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, PIPE_VARIABLE: str(theirs.fileno())},
            pass_fds=[theirs.fileno()],
            stdout=stdout,
            check=True,
        )
    assert said.read_bytes() == b"second"
