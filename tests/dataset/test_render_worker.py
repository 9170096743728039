# SPDX-License-Identifier: GPL-3.0-or-later
import os
from multiprocessing import Pipe
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

from batch.dataset import render_worker
from batch.dataset.messages import Job
from facegen_addon.labels.shot import Shot
from facegen_addon.terminal.pool_worker import PoolPipe, Task


def test_a_sample_that_cannot_be_finished_is_blamed_though_another_has_begun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Ended(Exception):
        pass

    def fail(*_: Any) -> None:
        raise ValueError("no such label")

    def leave(status: int) -> None:
        raise Ended(status)

    monkeypatch.setattr(os, "_exit", leave)
    ours, theirs = Pipe()
    ours.send("set up")
    line, tasks = PoolPipe(theirs), [Task(n, Job(n, 0, Shot(np.zeros(3)), False)) for n in (3, 4)]
    for task in tasks:
        ours.send(task)
    with render_worker._finisher(line) as finish:
        begun = line.tasks()
        assert [next(begun), next(begun)]
        finish.take(tasks[0], SimpleNamespace(labelled=fail))  # type: ignore[arg-type]
        with pytest.raises(Ended):
            finish.wait()
    assert [ours.recv().number for _ in range(3)] == [3, 4, 3]
    assert capsys.readouterr().err.splitlines()[-1] == "ValueError: no such label"
