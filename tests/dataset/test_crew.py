# SPDX-License-Identifier: GPL-3.0-or-later
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from batch.dataset.crew import Crew, Death
from batch.dataset.messages import Done, Job, SetUp
from facegen_addon.errors import UserError
from facegen_addon.labels.shot import Shot

FAKE = (sys.executable, "-m", "tests.dataset.fake_worker")
SET_UP = SetUp("toy", {}, 0)


def crew(tmp_path: Path, size: int, *arguments: str, timeout: float = 60.0) -> Crew:
    command = [*FAKE, *arguments]
    return Crew(size, SET_UP, tmp_path / "logs", timeout, command)


def job(index: int) -> Job:
    return Job(index, 0, Shot(np.full(3, float(index))), False)


def run(team: Crew, jobs: list[Job], patience: float = 60.0) -> Iterator[Done | Death | Job]:
    """Give all jobs, those handed back too, and tell what was heard."""
    until = time.monotonic() + patience
    while jobs or team.busy:
        assert time.monotonic() < until, "the crew hangs"
        while jobs and team.wants:
            team.give(jobs.pop(0))
        for message in team.hear():
            if isinstance(message, Job):
                jobs.append(message)
            yield message


def test_every_job_is_answered_once(tmp_path: Path) -> None:
    with crew(tmp_path, 2) as team:
        answers = [m.index for m in run(team, [job(i) for i in range(9)]) if isinstance(m, Done)]
        assert sum(state.done for state in team.states) == 9
        assert team.device == "CPU"
    assert sorted(answers) == list(range(9))


def test_answers_depend_on_the_job_alone(tmp_path: Path) -> None:
    files = []
    for size in (1, 3):
        with crew(tmp_path, size) as team:
            done = [m for m in run(team, [job(i) for i in range(5)]) if isinstance(m, Done)]
        files.append({one.index: one.image_file for one in done})
    assert files[0] == files[1]


def test_who_dies_is_replaced_and_the_others_jobs_come_back(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with crew(tmp_path, 1, "--die-once-at", "2", str(mark)) as team:
        heard = list(run(team, [job(i) for i in range(5)]))
    (death,) = [m for m in heard if isinstance(m, Death)]
    assert death.job is not None and death.job.index == 2 and "SIGSEGV" in death.reason
    assert sorted(m.index for m in heard if isinstance(m, Done)) == [0, 1, 3, 4]


def test_a_hanging_process_is_killed(tmp_path: Path) -> None:
    with crew(tmp_path, 1, "--hang-at", "1", timeout=1.5) as team:
        heard = list(run(team, [job(0), job(1)]))
    (death,) = [m for m in heard if isinstance(m, Death)]
    assert death.job is not None and death.job.index == 1
    assert death.reason == "no answer for 1.5 s"


def test_an_idle_process_that_is_killed_blames_no_sample(tmp_path: Path) -> None:
    with crew(tmp_path, 1) as team:
        list(run(team, [job(0)]))
        os.kill(team.pids[0], signal.SIGKILL)
        heard = list(run(team, [job(1)]))
    assert [m.job for m in heard if isinstance(m, Death)] in ([None], [])
    assert [m.index for m in heard if isinstance(m, Done)] == [1]


def test_what_the_user_has_to_mend_is_said(tmp_path: Path) -> None:
    with (
        crew(tmp_path, 1, "--break-at", "0") as team,
        pytest.raises(UserError, match=r"forest\.hdr"),
    ):
        list(run(team, [job(0)]))


def test_processes_that_never_start_are_given_up(tmp_path: Path) -> None:
    message = r"do not start: it ended with status 1 \(no room for Blender\)"
    with crew(tmp_path, 1, "--never-start") as team, pytest.raises(UserError, match=message):
        list(run(team, [job(0)]))


def test_no_process_and_no_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "tmp").mkdir()
    with pytest.raises(KeyboardInterrupt), crew(tmp_path, 2, "--slow", "0.3") as team:
        jobs = [job(i) for i in range(4)]
        for message in run(team, jobs):
            if isinstance(message, Done):
                raise KeyboardInterrupt
    assert all(worker.process.poll() == 0 for worker in team._workers)
    assert not list((tmp_path / "tmp").iterdir())


def test_who_dies_in_the_middle_of_an_answer_is_replaced(tmp_path: Path) -> None:
    with crew(tmp_path, 1, "--die-telling", "1") as team:
        heard = list(run(team, [job(0), job(1)]))
    (death,) = [m for m in heard if isinstance(m, Death)]
    assert death.job is not None and death.job.index == 1 and "SIGKILL" in death.reason
    assert sorted(m.index for m in heard if isinstance(m, Done)) == [0]


def test_a_sample_that_was_answered_is_not_blamed_for_a_later_death(tmp_path: Path) -> None:
    with crew(tmp_path, 1) as team:
        list(run(team, [job(0)]))
        os.kill(team.pids[0], signal.SIGSTOP)
        team.give(job(0))  # once more, which it does not begin
        os.kill(team.pids[0], signal.SIGKILL)
        heard = list(run(team, []))
    assert [m.job for m in heard if isinstance(m, Death)] == [None]
    assert [m.index for m in heard if isinstance(m, Done)] == [0]


def test_what_the_disk_refuses_leaves_no_process_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "logs" / "worker-1.log").mkdir(parents=True)
    team = crew(tmp_path, 2)
    with (
        pytest.raises(UserError, match=r"worker-1\.log, cannot be started \(Is a directory\)"),
        team,
    ):
        pass
    (worker,) = team._workers
    assert worker.process.poll() is not None
    assert not list((tmp_path / "tmp").iterdir())


def test_no_room_for_temporary_files_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"temporary files cannot be written.*TMPDIR"):
        crew(tmp_path, 1)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux alone pins processes")
def test_processes_that_take_all_cores_have_cores_of_their_own(tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))
    command = [*FAKE]
    pinned = SetUp("toy", {"threads": 1}, 0)
    with Crew(len(cores), pinned, tmp_path / "logs", 60.0, command) as team:
        assert [os.sched_getaffinity(pid) for pid in team.pids] == [{core} for core in cores]
    with Crew(1, SetUp("toy", {"threads": 0}, 0), tmp_path / "logs", 60.0, command) as team:
        assert os.sched_getaffinity(team.pids[0]) == set(cores)
