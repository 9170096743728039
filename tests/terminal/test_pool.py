# SPDX-License-Identifier: GPL-3.0-or-later
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facegen_addon.errors import UserError
from facegen_addon.terminal.pool import Answered, Death, Pool
from facegen_addon.terminal.pool_worker import Steps

FAKE = (sys.executable, "-m", "tests.terminal.fake_worker")


def pool_of(size: int, *harm: str, **settings: Any) -> Pool:
    settings = {"timeout": 60.0, "in_flight": 2} | settings
    return Pool([*FAKE, *harm], size, None, **settings)


def run(pool: Pool, jobs: Iterable[int], patience: float = 60.0) -> Iterator[Any]:
    """Give all jobs, but none a second time, and tell what was heard."""
    until, left = time.monotonic() + patience, list(jobs)
    while left or pool.busy:
        assert time.monotonic() < until, "the pool hangs"
        while left and pool.wants:
            pool.give(left.pop(0))
        yield from pool.hear()


def answered(heard: Iterable[Any]) -> list[int]:
    """The jobs that were answered rightly, in their order."""
    found = [message for message in heard if isinstance(message, Answered)]
    assert all(message.answer == message.job**2 for message in found)
    return sorted(message.job for message in found)


def deaths(heard: Iterable[Any]) -> list[tuple[int | None, str]]:
    """The jobs that were died of, and the reasons."""
    found = [message for message in heard if isinstance(message, Death)]
    return [(death.task.content if death.task else None, death.reason) for death in found]


def test_every_job_is_answered_once() -> None:
    with pool_of(2) as pool:
        assert answered(run(pool, range(9))) == list(range(9))
        assert sum(state.done for state in pool.states) == 9
        assert pool.facts == "CPU"


def test_who_dies_is_replaced_and_the_others_jobs_come_back(tmp_path: Path) -> None:
    with pool_of(1, "--die-once-at", "2", str(tmp_path / "mark")) as pool:
        heard = list(run(pool, range(5)))
    ((job, reason),) = deaths(heard)
    assert job == 2 and reason == "it died of SIGSEGV"
    assert answered(heard) == [0, 1, 3, 4]


def test_steps_of_who_died_are_taken_back(tmp_path: Path) -> None:
    with pool_of(1, "--die-once-at", "2", str(tmp_path / "mark")) as pool:
        assert [m.count for m in run(pool, range(3)) if isinstance(m, Steps)] == [5, -5]


def test_a_hanging_process_is_killed() -> None:
    with pool_of(1, "--hang-at", "1", timeout=1.5) as pool:
        heard = list(run(pool, [0, 1]))
    assert deaths(heard) == [(1, "no answer for 1.5 s")]


def test_an_idle_process_that_is_killed_blames_no_job() -> None:
    with pool_of(1) as pool:
        list(run(pool, [0]))
        os.kill(pool.pids[0], signal.SIGKILL)
        heard = list(run(pool, [1]))
    assert [job for job, _ in deaths(heard)] in ([None], [])
    assert answered(heard) == [1]


def test_what_the_user_has_to_mend_is_said() -> None:
    with pool_of(1, "--break-at", "0") as pool, pytest.raises(UserError, match=r"forest\.hdr"):
        list(run(pool, [0]))


def test_processes_that_never_start_are_given_up(tmp_path: Path) -> None:
    message = r"do not start: it ended with status 1 \(no room for Blender\)"
    with (
        pool_of(1, "--never-start", log_folder=tmp_path) as pool,
        pytest.raises(UserError, match=message),
    ):
        list(run(pool, [0]))
    assert (tmp_path / "worker-0.log").read_text() == "no room for Blender\n" * 3


def test_no_process_and_no_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), pool_of(2, "--slow", "0.3") as pool:
        for message in run(pool, range(4)):
            if isinstance(message, Answered):
                raise KeyboardInterrupt
    assert all(worker.process.poll() == 0 for worker in pool._workers)
    assert not list(tmp_path.iterdir())


def test_a_second_ctrl_c_leaves_no_process_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes while the processes are waited for, the first of which is at work."""
    wait = subprocess.Popen.wait

    def interrupted(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        if timeout is not None:
            raise KeyboardInterrupt
        return wait(process)

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt), pool_of(3, "--slow", "60") as pool:
        pool.give(0)
    assert all(worker.process.poll() is not None for worker in pool._workers)


def test_who_dies_in_the_middle_of_an_answer_is_replaced() -> None:
    with pool_of(1, "--die-telling", "1") as pool:
        heard = list(run(pool, [0, 1]))
    ((job, reason),) = deaths(heard)
    assert job == 1 and "SIGKILL" in reason
    assert answered(heard) == [0]


def test_a_job_that_was_answered_is_not_blamed_for_a_later_death() -> None:
    with pool_of(1) as pool:
        list(run(pool, [0]))
        os.kill(pool.pids[0], signal.SIGSTOP)
        pool.give(0)  # once more, which it does not begin
        os.kill(pool.pids[0], signal.SIGKILL)
        heard = list(run(pool, []))
    assert [job for job, _ in deaths(heard)] == [None]
    assert answered(heard) == [0]


def test_what_the_disk_refuses_leaves_no_process_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "logs" / "worker-1.log").mkdir(parents=True)
    pool = pool_of(2, log_folder=tmp_path / "logs")
    with (
        pytest.raises(UserError, match=r"worker-1\.log, cannot be started \(Is a directory\)"),
        pool,
    ):
        pass
    (worker,) = pool._workers
    assert worker.process.poll() is not None
    assert not list((tmp_path / "tmp").iterdir())


def test_no_room_for_temporary_files_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"temporary files cannot be written.*TMPDIR"):
        pool_of(1)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux alone pins processes")
def test_processes_that_take_all_cores_have_cores_of_their_own() -> None:
    cores = sorted(os.sched_getaffinity(0))
    with pool_of(len(cores), threads=1) as pool:
        assert [os.sched_getaffinity(pid) for pid in pool.pids] == [{core} for core in cores]
    with pool_of(1) as pool:
        assert os.sched_getaffinity(pool.pids[0]) == set(cores)


def test_jobs_that_are_worked_off_are_tried_twice(tmp_path: Path) -> None:
    with pool_of(2, "--die-once-at", "2", str(tmp_path / "mark")) as pool:
        assert answered(pool.work_off(range(6))) == list(range(6))
    with (
        pool_of(2, "--die-at", "2") as pool,
        pytest.raises(UserError, match=r"it died of SIGSEGV; run again to resume"),
    ):
        list(pool.work_off(range(6)))


def test_a_pool_works_off_one_set_of_jobs_after_another() -> None:
    with pool_of(2, in_flight=1) as pool:
        first = pool.pids
        assert answered(pool.work_off(range(3))) == [0, 1, 2]
        assert list(pool.work_off([])) == []
        assert answered(pool.work_off(range(3, 8))) == [3, 4, 5, 6, 7]
        assert pool.pids == first


def test_what_a_failed_process_said_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        pool_of(1, "--fail-at", "1") as pool,
        pytest.raises(UserError, match=r"status 1 \(ValueError: no such thing\); run again"),
    ):
        list(pool.work_off([0, 1]))
    said = capfd.readouterr().err.splitlines()
    assert said.count("Traceback (most recent call last):") == 2, "it was tried twice"
    assert said[-2:] == ["ValueError: no such thing", "Blender: Error: no GPU"]
    assert "Blender: Fra:1 Mem:1M" not in said
