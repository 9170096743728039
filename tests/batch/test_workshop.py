# SPDX-License-Identifier: GPL-3.0-or-later
"""What a killed run leaves is removed by the next one; what a living one needs is not."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from batch import workshop
from batch.output import output_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs locks")

_RUN = """
import sys
from pathlib import Path
from batch.output import output_folder
with output_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("done")
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def living(project: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is at work on tmp_path/run until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(tmp_path / "run")],
        cwd=project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    with process:
        yield process
        process.kill()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_run_left_is_removed(living: subprocess.Popen[str], tmp_path: Path) -> None:
    living.send_signal(signal.SIGKILL)
    living.wait()
    (left,) = _names(tmp_path)
    assert left.startswith(".facegen-")
    with output_folder(tmp_path / "run"):
        pass
    assert _names(tmp_path) == ["run"]


def test_a_living_run_is_left_alone(living: subprocess.Popen[str], tmp_path: Path) -> None:
    (theirs,) = tmp_path.iterdir()
    with output_folder(tmp_path / "other"):
        pass
    assert _names(tmp_path) == sorted([theirs.name, "other"])
    assert (theirs / "new" / "half").read_text() == "done"


def test_those_of_other_machines_and_strangers_are_left_alone(
    living: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    living.kill()
    living.wait()
    (theirs,) = tmp_path.iterdir()
    (tmp_path / ".facegen-run-of-a-user").mkdir()
    (tmp_path / ".facegen-run-of-a-user" / "letter").touch()
    monkeypatch.setattr(workshop.platform, "node", lambda: "another machine")
    with output_folder(tmp_path / "other"):
        pass
    assert _names(tmp_path) == sorted([theirs.name, ".facegen-run-of-a-user", "other"])


def test_one_killed_as_it_began_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".facegen-run-0123").mkdir()
    workshop.remove_stale(tmp_path)
    assert _names(tmp_path) == []


def test_a_run_that_was_about_to_be_replaced_comes_back(
    living: subprocess.Popen[str], tmp_path: Path
) -> None:
    living.kill()
    living.wait()
    (theirs,) = tmp_path.iterdir()
    (theirs / workshop.EARLIER / "run").mkdir(parents=True)
    (theirs / workshop.EARLIER / "run" / "report.json").write_text("earlier")
    workshop.remove_stale(tmp_path)
    assert _names(tmp_path) == ["run"]
    assert (tmp_path / "run" / "report.json").read_text() == "earlier"


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o700), (0o002, 0o775)])
def test_folders_obey_the_umask_from_their_first_moment(
    tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        with output_folder(tmp_path / "run") as folder:
            assert folder.stat().st_mode & 0o777 == mode
            assert folder.parent.stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)
    assert (tmp_path / "run").stat().st_mode & 0o777 == mode
