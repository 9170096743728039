# SPDX-License-Identifier: GPL-3.0-or-later
import subprocess
from typing import Any

import pytest

from facegen_addon.terminal.workers import reports


class Worker:
    """Ends when told, and is interrupted while waited for."""

    stdout: Any = None
    returncode = 0

    def __init__(self) -> None:
        self.terminated = False

    def terminate(self) -> None:
        self.terminated = True

    def wait(self, timeout: float | None = None) -> int:
        if self.terminated:
            raise KeyboardInterrupt
        return 0


def test_a_second_ctrl_c_leaves_no_worker_behind() -> None:
    workers: Any = [Worker(), Worker(), Worker()]
    with pytest.raises(KeyboardInterrupt):
        list(reports(workers))
    assert all(worker.terminated for worker in workers)


def test_none_is_alive_after_the_caller_stops_listening() -> None:
    workers = [
        subprocess.Popen(
            ["sh", "-c", "echo rendered 2; exec sleep 60"], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    counts = reports(workers)
    assert next(counts) == 2
    counts.close()  # type: ignore[attr-defined]
    assert all(worker.poll() is not None for worker in workers)
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.close()
