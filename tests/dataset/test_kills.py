# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole farm runs in Blender: killed at random moments, they end with the very same bytes."""

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

KILLS = 20
RECIPE = """
[heads]
distribution = "prior"
[image]
size = 64
samples = 1
[labels]
dense = 40
check = 0.5
[camera]
yaw = {uniform = [-30, 30]}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE)
    return path


def command(project: Path, recipe: Path, output: Path, *more: str) -> list[str]:
    run = [sys.executable, str(project / "batch" / "run.py"), "dataset", "make"]
    sizes = ["--count", "24", "--shard-size", "8", "--workers", "2", "--threads", "1"]
    return [*run, "--recipe", str(recipe), *sizes, "--seed", "7", "--output", str(output), *more]


def tars(output: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in output.glob("data-*.tar")
    }


@pytest.fixture(scope="module")
def undisturbed(
    project: Path, recipe: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, str], float]:
    """The shards of a run that nobody disturbs, and the seconds that it took."""
    output = tmp_path_factory.mktemp("undisturbed") / "data"
    start = time.monotonic()
    subprocess.run(command(project, recipe, output), check=True, capture_output=True)
    return tars(output), time.monotonic() - start


def children(pid: int) -> list[int]:
    """The processes that one has started."""
    with contextlib.suppress(OSError):
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def kill(farm: subprocess.Popen[bytes], chance: random.Random) -> None:
    """kill -9: the farm, one of its render processes, or all at once."""
    workers = children(farm.pid)
    victims = chance.choice([[farm.pid], workers[:1], [farm.pid, *workers]])
    for victim in victims or [farm.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_killed_twenty_times_a_run_ends_as_an_undisturbed_one(
    project: Path, recipe: Path, undisturbed: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    expected, seconds = undisturbed
    output, chance = tmp_path / "data", random.Random(20261125)
    resume = command(project, recipe, output, "--resume")
    ended = []
    for _ in range(KILLS):
        farm = subprocess.Popen(resume, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.0, 0.7 * seconds))
        kill(farm, chance)
        with contextlib.suppress(subprocess.TimeoutExpired):
            farm.wait(0.1)  # one that lost a render process alone goes on
        if farm.poll() is None:
            time.sleep(chance.uniform(0.0, 0.3 * seconds))
            farm.kill()
        ended.append(farm.wait())
    assert -signal.SIGKILL in ended, "no kill ever hit a farm at work"
    last = subprocess.run(resume, capture_output=True, text=True)
    assert last.returncode == 0, last.stderr
    assert tars(output) == expected
    left = {path.name for path in output.iterdir()} - set(expected)
    assert not [name for name in left if name.startswith((".", "work"))], left
    sidecars = [json.loads(path.read_text()) for path in output.glob("data-*.json")]
    assert sum(len(s["samples"]) for s in sidecars) == 24 and not any(s["failed"] for s in sidecars)


def test_ctrl_c_and_sigterm_end_cleanly_and_can_be_gone_on_with(
    project: Path, recipe: Path, undisturbed: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    output, log = tmp_path / "data", tmp_path / "events.jsonl"
    more = ("--resume", "--log-json", str(log))
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        farm = subprocess.Popen(
            command(project, recipe, output, *more),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        samples = log.read_text().count('"sample"') if log.exists() else 0
        until = time.monotonic() + 120
        while not log.exists() or log.read_text().count('"sample"') <= samples:
            assert time.monotonic() < until and farm.poll() is None, "no sample was rendered"
            time.sleep(0.1)
        workers = children(farm.pid)
        farm.send_signal(number)
        _, said = farm.communicate(timeout=60)
        assert farm.returncode == status
        assert "stopped; the same command goes on" in said and "Traceback" not in said
        assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    subprocess.run(command(project, recipe, output, *more), check=True, capture_output=True)
    assert tars(output) == undisturbed[0]
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [e["status"] for e in events if e["event"] == "end"] == [130, 143, 0]
    assert sum(e["event"] == "sample" and e["outcome"] == "accepted" for e in events) >= 24


def test_of_two_tasks_on_the_same_shards_one_refuses(
    project: Path, recipe: Path, undisturbed: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    both = [
        subprocess.Popen(
            command(project, recipe, tmp_path / "data", "--resume"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [one.communicate()[1] for one in both]
    assert sorted(one.returncode for one in both) == [0, 2]
    refused = said[[one.returncode for one in both].index(2)]
    assert "another process is at work in" in refused and "Traceback" not in refused
    assert tars(tmp_path / "data") == undisturbed[0]


def test_two_machines_make_what_one_makes(
    project: Path, recipe: Path, undisturbed: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    """In one folder, and in a folder each that `merge` brings together."""
    shares = [
        subprocess.Popen(
            command(project, recipe, tmp_path / f"part{i}", "--shard", f"{i}/2"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for i in range(2)
    ]
    assert [share.wait() for share in shares] == [0, 0]
    run = [sys.executable, str(project / "batch" / "run.py"), "dataset"]
    parts = [str(tmp_path / f"part{i}") for i in range(2)]
    merge = [*run, "merge", *parts, "--output", str(tmp_path / "whole")]
    subprocess.run(merge, check=True, capture_output=True)
    assert tars(tmp_path / "whole") == undisturbed[0]
    verify = [*run, "verify", str(tmp_path / "whole"), "--render", "2"]
    verified = subprocess.run(verify, capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout + verified.stderr
