# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line with closed, full and abandoned streams, in odd folders and encodings."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from batch.run import COMMANDS, main
from tests.dataset.synthetic_run import SyntheticRun

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(
    not FULL.exists() or shutil.which("sh") is None, reason="needs a POSIX shell and Linux's /dev"
)
Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed data set `run`, and `codes.npz` of a tracker."""
    folder = tmp_path_factory.mktemp("streams")
    SyntheticRun().write(folder / "run")
    assert main(["dataset", "merge", str(folder / "run")]) == 0
    codes = {"shape": (2, 100), "exp": (2, 50), "pose": (2, 6), "cam": (2, 3)}
    np.savez(folder / "codes.npz", **{name: np.zeros(size) for name, size in codes.items()})
    return folder


@pytest.fixture
def shell(project: Path, folder: Path) -> Shell:
    """Runs a line of sh in which $F is the command line, in the folder of the inputs."""

    def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
        program = f"{sys.executable} {project / 'batch' / 'run.py'}"
        return subprocess.run(
            ["sh", "-c", line.replace("$F", program)],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env=os.environ | environment,
            timeout=120,
            check=False,
        )

    return shell


VERIFY = "dataset verify run --seeds 0"
IMPORT = "import-flame codes.npz"
LOST = "facegen: standard output cannot be written (No space left on device)"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("--help", 0),
        (VERIFY, 0),
        (f"{IMPORT} --output sliders.json", 0),
        ("mesh --parameters codes.npz --output closed.npz", 0),
        ("generate --count 0", 2),
    ],
)
def test_closed_streams_are_no_streams(shell: Shell, command: str, status: int) -> None:
    done = shell(f"$F {command} <&- >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_a_closed_stderr_takes_nothing_from_the_results(shell: Shell) -> None:
    assert shell(f"$F {VERIFY} 2>&-").stdout.count("✓") >= 9


@pytest.mark.parametrize("command", ["--help", *(f"{n} --help" for n in COMMANDS), VERIFY, IMPORT])
def test_a_full_stdout_is_one_line_and_status_2(shell: Shell, command: str) -> None:
    done = shell(f"$F {command} >/dev/full")
    assert done.returncode == 2
    *before, last = done.stderr.splitlines()
    assert last.startswith(LOST) and all("%" in line for line in before)


def test_what_is_wrong_counts_though_stdout_is_full(shell: Shell) -> None:
    done = shell("$F dataset verify nowhere >/dev/full")
    assert done.returncode == 2 and "nowhere" in done.stderr


@pytest.mark.parametrize(("command", "status"), [(VERIFY, 0), ("dataset verify nowhere", 2)])
def test_a_full_stderr_stops_nobody(shell: Shell, command: str, status: int) -> None:
    done = shell(f"$F {command} 2>/dev/full")
    assert done.returncode == status
    assert (done.stdout.count("✓") >= 9) == (status == 0)


@pytest.mark.parametrize("command", ["--help", VERIFY, IMPORT])
def test_whoever_reads_may_go(project: Path, folder: Path, command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, str(project / "batch/run.py"), *command.split()],
        cwd=folder,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 141
    assert all("%" in line for line in done.stderr.splitlines())


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
def test_a_poor_encoding_has_other_signs(project: Path, folder: Path, encoding: str) -> None:
    """Such as the code pages of Windows, where output goes to a file: only cp437 draws bars."""
    done = subprocess.run(
        [sys.executable, str(project / "batch" / "run.py"), *VERIFY.split()],
        cwd=folder,
        capture_output=True,
        encoding=encoding,
        env=os.environ | {"PYTHONIOENCODING": encoding, "LC_ALL": "C"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("+ run")
    assert ("████" if encoding == "cp437" else "####") in done.stderr


def test_a_name_that_is_no_utf8_is_written_as_it_is(shell: Shell, folder: Path) -> None:
    done = shell(r"""$F mesh --parameters nowhere"$(printf '\377')".npz --output a.npz""")
    assert done.returncode == 2 and "nowhere\udcff.npz" in done.stderr
    done = shell(f"$F {IMPORT} --output \"$(printf '\\377')\".json")
    assert done.returncode == 0
    assert (folder / "\udcff.json").is_file()


def test_a_folder_that_has_gone_is_one_line_and_status_2(shell: Shell) -> None:
    done = shell("mkdir gone; cd gone; rmdir ../gone; $F dataset verify run")
    assert done.returncode == 2
    assert done.stderr.startswith("facegen: the current folder is not there any more")
    assert len(done.stderr.splitlines()) == 1
    assert shell("mkdir gone; cd gone; rmdir ../gone; $F --help").returncode == 0


@pytest.mark.parametrize(("umask", "mode"), [("077", 0o600), ("002", 0o664)])
def test_files_obey_the_umask(shell: Shell, folder: Path, umask: str, mode: int) -> None:
    done = shell(f"umask {umask}; $F {IMPORT} --output sliders{umask}.json")
    assert done.returncode == 0
    assert (folder / f"sliders{umask}.json").stat().st_mode & 0o777 == mode


def test_no_home_and_no_temporary_folder_are_no_need(shell: Shell, folder: Path) -> None:
    line = f"unset HOME FACEGEN_DATA; TMPDIR=/nowhere HOME=/proc/1 $F {IMPORT}"
    assert shell(line).returncode == 0


@pytest.mark.parametrize(
    "command", ["dataset make --recipe minimal --count 2", "generate --count 2"]
)
def test_a_full_log_stops_a_run_before_anything_is_made(
    shell: Shell, folder: Path, command: str
) -> None:
    pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")
    where = "--log-json /dev/full" if "dataset" in command else ">/dev/full"
    done = shell(f"$F {command} --output full {where}")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((folder / "full").rglob("*.tar"))
    assert not list(folder.glob(".facegen-*"))
    shutil.rmtree(folder / "full", ignore_errors=True)
