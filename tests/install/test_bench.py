# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench` and `make bench-compare`, with a benchmark that reads its figure from a file."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from facegen_addon.errors import UserError
from tools import bench
from tools.bench import PARTS, Part, beside, checkout, main
from tools.timing import PROCESSOR_TIME, Ratio, timed

BENCHMARK = """\
import sys, time
from pathlib import Path
print("Fra:1 Mem:81.04M")
print(f"a head: {Path('speed').read_text()} ms; bare Cycles: 10 ms; ratio 1.00", flush=True)
if "wait" in sys.argv:
    Path(sys.argv[-1]).touch()
    time.sleep(60)
if Path("broken").exists():
    sys.exit("no such scene")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose last commit needs 20 ms, and what is not committed yet 10 ms."""
    folder = tmp_path / "project"
    (folder / "tools").mkdir(parents=True)
    (folder / "tools" / "bench_it.py").write_text(BENCHMARK)
    (folder / "speed").write_text("20")
    _git(folder, "init", "-q")
    _git(folder, "add", ".")
    _git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "slow")
    (folder / "speed").write_text("10")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(bench, "_PROJECT", folder)
    monkeypatch.setattr(bench, "PARTS", {"it": Part(("tools.bench_it",))})
    return folder


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(("git", *arguments), cwd=folder, check=True, capture_output=True)
    return done.stdout.decode()


def _is_clean(project: Path) -> bool:
    checkouts = _git(project, "worktree", "list").splitlines()
    return len(checkouts) == 1 and not list((project.parent / "temporary").iterdir())


def test_a_line_says_what_its_figures_were() -> None:
    ratio = Ratio("farm: all labels", 1.5, "bare Cycles: the same", 2.0, "heads/s")
    assert Ratio.read(f"{ratio}\n") == ratio
    assert Ratio.read("Saved: 'a.png'") is None


def test_today_is_laid_beside_another_commit(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--against", "HEAD", "--rounds", "1"]) == 0
    line = "a head: 10 ms (1.00 of bare Cycles); HEAD: 20 ms (2.00); 0.50\n"
    assert capsys.readouterr().out == line
    assert _is_clean(project)


def test_rates_that_rise_are_below_one() -> None:
    today, before = (Ratio("farm", rate, "bare", 2.0, "heads/s") for rate in (2.0, 1.0))
    assert beside([today], [before], "v1").endswith("; v1: 1 heads/s (0.50); 0.50")
    assert beside([today], [], "v1").endswith("; v1: not there")


def test_what_fails_at_the_other_commit_is_told(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "broken").touch()
    _git(project, "add", "broken")
    _git(project, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "broken")
    (project / "broken").unlink()
    assert main(["--against", "HEAD", "--rounds", "2"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("a head: 10 ms") and len(said.out.splitlines()) == 1
    assert said.err == "bench: part it failed: at the other commit: no such scene\n"


def test_a_part_that_fails_leaves_the_others(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "tools" / "bench_no.py").write_text("raise SystemExit('out of memory')\n")
    monkeypatch.setattr(bench, "PARTS", {"no": Part(("tools.bench_no",)), **bench.PARTS})
    assert main([]) == 1
    said = capsys.readouterr()
    assert said.out == "a head: 10 ms; bare Cycles: 10 ms; ratio 1.00\n"
    assert said.err == "bench: part no failed: out of memory\n"


@pytest.mark.parametrize("revision", ["nowhere", "--all", "HEAD:speed"])
def test_an_unknown_commit_is_named(project: Path, revision: str) -> None:
    with pytest.raises(UserError, match=f"unknown commit '{revision}'"), checkout(revision):
        pass
    assert _is_clean(project)


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(UserError, match=f"'it'.*choose from {', '.join(PARTS)}"):
        main(["it"])


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent otherwise there")
def test_ctrl_c_leaves_nothing_behind(project: Path, tmp_path: Path) -> None:
    started = tmp_path / "started"
    temporary = str(tmp_path / "temporary")
    code = (
        "import tempfile; from pathlib import Path; from tools import bench;"
        f" tempfile.tempdir = {temporary!r}; bench._PROJECT = Path({str(project)!r});"
        f" bench.PARTS = {{'it': bench.Part(('tools.bench_it', 'wait', {str(started)!r}))}};"
        " bench.run_process(lambda: bench.main(['--against', 'HEAD']), 'bench')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    while not started.exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 130
    assert _is_clean(project)


def test_processor_time_does_not_count_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timed(lambda: time.sleep(0.05))[0] >= 0.05
    monkeypatch.setenv(PROCESSOR_TIME, "1")
    assert timed(lambda: time.sleep(0.05))[0] < 0.04


def test_processor_time_is_asked_for_in_each_part_and_of_parts_of_one_process(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PROCESSOR_TIME, "")  # put back afterwards, whatever main does
    bench.PARTS["pool"] = Part(("tools.bench_it",), has_processes=True)
    with pytest.raises(UserError, match=r"no processor time is known of part 'pool'.*from it"):
        main(["--processor-time", "pool"])
    assert main(["--processor-time"]) == 0
    assert capsys.readouterr().out.count("a head") == 1, "the part of one process"
    assert os.environ[PROCESSOR_TIME] == "1"
