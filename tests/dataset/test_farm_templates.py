# SPDX-License-Identifier: GPL-3.0-or-later
"""The job templates of render farms, with a stand-in for FaceGen and with FaceGen itself."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from batch.dataset.run_folder import RunFolder

HERE = Path(__file__).parent
OPENJD = "batch/facegen.openjd.yaml"
SLURM = "batch/facegen.slurm.sh"
FLAMENCO = "batch/facegen_flamenco.js"
WAIT = 60.0

RECIPE = """
[image]
size = 64
samples = 1
"""


@pytest.fixture
def checkout(project: Path, tmp_path: Path) -> Path:
    """A checkout with the templates, in which the stand-in is FaceGen; its path has a space."""
    folder = tmp_path / "a checkout"
    (folder / "batch").mkdir(parents=True)
    (folder / "calls").mkdir()
    shutil.copy(HERE / "fake_facegen.py", folder / "batch" / "run.py")
    for name in (OPENJD, SLURM, FLAMENCO):
        shutil.copy(project / name, folder / name)
    return folder


def calls(checkout: Path) -> list[dict[str, Any]]:
    """What the stand-in was asked for, in the order in which it ended."""
    files = sorted((checkout / "calls").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def openjd_command(checkout: Path, parameters: Mapping[str, object]) -> list[str]:
    """`openjd run` of the whole job."""
    command = [sys.executable, "-m", "openjd", "run", OPENJD]
    given = {"ProjectDir": checkout, "Command": f"{sys.executable} batch/run.py", **parameters}
    for name, value in given.items():
        command += ["-p", f"{name}={value}"]
    return command


def run(
    command: Sequence[str | Path], folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, its stand-ins' notes kept in `calls`; both streams as stdout."""
    return subprocess.run(
        command,
        cwd=folder,
        env=surroundings(folder, environment),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=1200,
    )


def surroundings(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what a Slurm that runs the tests has put into it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return {**own, "CALLS": str(folder / "calls"), **environment}


@contextmanager
def started(command: Sequence[str | Path], folder: Path, **environment: str) -> Iterator[Any]:
    """A running command that has said "waiting"; it is gone at the end."""
    log = folder / "log.txt"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=surroundings(folder, environment),
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            end = time.monotonic() + WAIT
            while b"waiting" not in log.read_bytes():
                assert process.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            yield process
        finally:
            process.kill()
            process.wait()


# --- Open Job Description ---------------------------------------------------------------------


def test_openjd_accepts_the_template(checkout: Path) -> None:
    done = run([sys.executable, "-m", "openjd", "check", OPENJD], checkout)
    assert done.returncode == 0, done.stdout
    assert "passes validation checks" in done.stdout


def test_openjd_renders_each_part_and_then_closes_the_run(checkout: Path) -> None:
    parameters = {
        "Recipe": "some faces.toml",
        "Model": "a head.pkl",
        "Count": 7,
        "Seed": 5,
        "ShardSize": 2,
        "Tasks": 2,
        "Workers": 3,
        "OutputDir": checkout / "the data",
        "Options": "--threads 1 --device CPU",
    }
    done = run(openjd_command(checkout, parameters), checkout)
    assert done.returncode == 0, done.stdout
    assert "openjd_progress: 50" in done.stdout
    assert "openjd_progress: 100" in done.stdout
    assert "openjd_status: 1 of 2 samples" in done.stdout
    output = str(checkout / "the data")
    origin = ["--recipe", "some faces.toml", "--model", "a head.pkl"]
    asked = [*origin, "--count", "7", "--seed", "5", "--shard-size", "2"]
    asked += ["--workers", "3", "--output", output]
    further = ["--resume", "--log-json", "-", "--threads", "1", "--device", "CPU"]
    assert [(call["command"], call["arguments"]) for call in calls(checkout)] == [
        ("make", [*asked, "--shard", "0/2", *further]),
        ("make", [*asked, "--shard", "1/2", *further]),
        ("merge", [output]),
        ("verify", [output, *origin]),
    ]


def test_openjd_closes_no_run_of_which_a_part_failed(checkout: Path) -> None:
    parameters = {"Recipe": "any", "Tasks": 1, "OutputDir": "data", "Options": "--model fail"}
    done = run(openjd_command(checkout, parameters), checkout)
    assert done.returncode != 0
    assert [(call["command"], call["status"]) for call in calls(checkout)] == [("make", 3)]


def test_a_canceled_openjd_task_lets_facegen_end_by_itself(checkout: Path) -> None:
    parameters = {"Recipe": "any", "Tasks": 1, "OutputDir": "data", "Options": "--model wait"}
    with started(openjd_command(checkout, parameters), checkout) as job:
        job.send_signal(signal.SIGINT)
        assert job.wait(WAIT) != 0
    assert [(call["command"], call["status"]) for call in calls(checkout)] == [("make", 143)]


@pytest.mark.parametrize("name", ["Count", "Tasks", "ShardSize", "Workers"])
def test_openjd_refuses_a_number_below_one(checkout: Path, name: str) -> None:
    parameters = {"Recipe": "any", "OutputDir": "data", name: 0}
    done = run(openjd_command(checkout, parameters), checkout)
    assert done.returncode != 0
    assert name in done.stdout
    assert calls(checkout) == []


# --- Slurm ------------------------------------------------------------------------------------

ARRAY = {
    "SLURM_JOB_ID": "12",
    "SLURM_ARRAY_JOB_ID": "12",
    "SLURM_ARRAY_TASK_ID": "1",
    "SLURM_ARRAY_TASK_MIN": "0",
    "SLURM_ARRAY_TASK_MAX": "3",
    "SLURM_ARRAY_TASK_COUNT": "4",
    "SLURM_CPUS_PER_TASK": "2",
    "FACEGEN_COMMAND": f"{sys.executable} batch/run.py",
}


def with_scontrol(checkout: Path, state: str) -> dict[str, str]:
    """A PATH with an `scontrol` that says a job is in `state` and notes what else it is told."""
    tools = checkout / "tools"
    tools.mkdir()
    script = tools / "scontrol"
    script.write_text(
        f'#!/bin/sh\nif [ "$1" = show ]; then echo JobState={state}; else echo "$@" >requeued; fi\n'
    )
    script.chmod(0o755)
    return {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("command", [["dataset", "make"], ["generate"]])
def test_a_slurm_task_makes_its_part(checkout: Path, command: list[str]) -> None:
    done = run(["bash", SLURM, *command, "--recipe", "two words"], checkout, **ARRAY)
    assert done.returncode == 0, done.stdout
    own = ["--workers", "2", "--threads", "1"]
    assert [call["arguments"] for call in calls(checkout)] == [
        [*own, "--recipe", "two words", "--shard", "1/4", "--resume"]
    ]


def test_without_an_array_it_makes_everything(checkout: Path) -> None:
    command = {"FACEGEN_COMMAND": ARRAY["FACEGEN_COMMAND"]}
    assert run(["bash", SLURM, "dataset", "make"], checkout, **command).returncode == 0
    assert calls(checkout)[0]["arguments"][-3:] == ["--shard", "0/1", "--resume"]


@pytest.mark.parametrize(
    ("least", "most", "count"), [("3", "5", "2"), ("0", "6", "4"), ("1", "4", "4")]
)
def test_part_of_a_slurm_array_needs_the_number_of_tasks(
    checkout: Path, least: str, most: str, count: str
) -> None:
    part = {
        **ARRAY,
        "SLURM_ARRAY_TASK_ID": most,
        "SLURM_ARRAY_TASK_MIN": least,
        "SLURM_ARRAY_TASK_MAX": most,
        "SLURM_ARRAY_TASK_COUNT": count,
    }
    refused = run(["bash", SLURM, "dataset", "make"], checkout, **part)
    assert refused.returncode == 2
    assert "FACEGEN_SHARDS" in refused.stdout
    assert calls(checkout) == []
    assert (
        run(["bash", SLURM, "dataset", "make"], checkout, **part, FACEGEN_SHARDS="8").returncode
        == 0
    )
    assert f"{most}/8" in calls(checkout)[0]["arguments"]


@pytest.mark.parametrize("command", [["dataset", "merge"], ["merge"]])
def test_the_slurm_merge_verifies_too(checkout: Path, command: list[str]) -> None:
    asked = ["bash", SLURM, *command, "the data", "--model", "a head.pkl"]
    assert run(asked, checkout, **ARRAY).returncode == 0
    assert [(call["command"], call["arguments"]) for call in calls(checkout)] == [
        ("merge", ["the data"]),
        ("verify", ["the data", "--model", "a head.pkl"]),
    ]


@pytest.mark.parametrize(
    "arguments", [[], ["genrate"], ["--recipe", "any"], ["dataset"], ["dataset", "verify"]]
)
def test_slurm_refuses_other_commands(checkout: Path, arguments: list[str]) -> None:
    done = run(["bash", SLURM, *arguments], checkout, **ARRAY)
    assert done.returncode == 2
    assert "dataset make or dataset merge" in done.stdout
    assert calls(checkout) == []


def test_slurm_says_that_it_was_submitted_elsewhere(checkout: Path, tmp_path: Path) -> None:
    done = run(["bash", checkout / SLURM, "dataset", "make"], tmp_path, **ARRAY)
    assert done.returncode == 2
    assert "submit from FaceGen's checkout" in done.stdout


def test_a_slurm_task_passes_on_how_facegen_ended(checkout: Path) -> None:
    asked = ["bash", SLURM, "dataset", "make", "--model", "fail"]
    assert run(asked, checkout, **ARRAY, **with_scontrol(checkout, "RUNNING")).returncode == 3
    assert not (checkout / "requeued").exists()


@pytest.mark.parametrize(("state", "again"), [("RUNNING", True), ("CANCELLED", False)])
def test_a_slurm_task_out_of_time_is_queued_again_but_not_a_canceled_one(
    checkout: Path, state: str, again: bool
) -> None:
    asked = ["bash", SLURM, "dataset", "make", "--model", "wait"]
    with started(asked, checkout, **ARRAY, **with_scontrol(checkout, state)) as task:
        task.send_signal(signal.SIGTERM)
        assert task.wait(WAIT) == 143
    assert [call["status"] for call in calls(checkout)] == [143]
    assert (checkout / "requeued").exists() == again
    if again:
        assert (checkout / "requeued").read_text() == "requeue 12_1\n"


def test_a_slurm_task_is_not_queued_for_ever(checkout: Path) -> None:
    asked = ["bash", SLURM, "dataset", "make", "--model", "wait"]
    often = {**ARRAY, **with_scontrol(checkout, "RUNNING"), "SLURM_RESTART_COUNT": "20"}
    with started(asked, checkout, **often) as task:
        task.send_signal(signal.SIGTERM)
        assert task.wait(WAIT) == 2
    assert "raise --time" in (checkout / "log.txt").read_text()
    assert not (checkout / "requeued").exists()


# --- Flamenco ---------------------------------------------------------------------------------


def compiled(checkout: Path, settings: Mapping[str, object]) -> Any:
    """What Flamenco's manager would make of a job with these settings."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on PATH")
    done = run([node, HERE / "flamenco.js", FLAMENCO, json.dumps(settings)], checkout)
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)


def test_flamenco_settings_are_of_the_kinds_that_it_knows(checkout: Path) -> None:
    required = {"project": "/p", "output": "/o", "recipe": "photos"}
    job = compiled(checkout, required)
    assert len(job["tasks"]) == 4 + 1, "settings that are not given have their defaults"
    settings = {setting["key"]: setting for setting in job["type"]["settings"]}
    assert {key for key, setting in settings.items() if setting.get("required")} == set(required)
    for setting in settings.values():
        assert setting["type"] in ("string", "int32", "float", "bool")
        assert setting["visible"] in ("visible", "hidden", "submission", "web")
        assert ("default" in setting) != bool(setting.get("required"))


def test_flamenco_tasks_do_the_job(checkout: Path) -> None:
    interpreter = checkout / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.symlink_to(sys.executable)
    output = str(checkout / "the data")
    job = compiled(
        checkout,
        {
            "project": str(checkout),
            "output": output,
            "recipe": "photos",
            "model": "anny",
            "count": 7,
            "seed": 5,
            "shard_size": 2,
            "tasks": 2,
            "workers": 3,
            "options": "--threads 1",
        },
    )
    *render, merge = job["tasks"]
    assert {task["type"] for task in render} == {"blender"}
    assert all(task["dependencies"] == [] for task in render)
    assert merge["dependencies"] == [task["name"] for task in render]
    for task in job["tasks"]:
        for command in task["commands"]:
            assert command["name"] == "exec"
            call = command["parameters"]
            assert run([call["exe"], *call["args"]], checkout).returncode == 0
    origin = ["--recipe", "photos", "--model", "anny"]
    asked = [*origin, "--count", "7", "--seed", "5", "--shard-size", "2"]
    asked += ["--workers", "3", "--output", output]
    assert [(call["command"], call["arguments"]) for call in calls(checkout)] == [
        ("make", [*asked, "--shard", "0/2", "--resume", "--threads", "1"]),
        ("make", [*asked, "--shard", "1/2", "--resume", "--threads", "1"]),
        ("merge", [output]),
        ("verify", [output, *origin]),
    ]


def test_flamenco_can_run_facegen_inside_blender(checkout: Path) -> None:
    settings = {"project": "/p", "output": "/o", "recipe": "photos", "program": "blender"}
    call = compiled(checkout, settings)["tasks"][-1]["commands"][0]["parameters"]
    assert call == {
        "exe": "{blender}",
        "args": ["-b", "-P", "/p/batch/run.py", "--", "dataset", "merge", "/o"],
    }


def test_flamenco_refuses_a_job_without_a_recipe(checkout: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on PATH")
    settings = json.dumps({"project": "/p", "output": "/o"})
    done = run([node, HERE / "flamenco.js", FLAMENCO, settings], checkout)
    assert done.returncode != 0
    assert "the setting recipe is missing" in done.stdout


# --- FaceGen itself ---------------------------------------------------------------------------


def test_tasks_that_start_together_share_a_folder(tmp_path: Path) -> None:
    request = {"count": 4, "shard_size": 2}
    together = threading.Barrier(6)

    def begin(folder: Path) -> str:
        together.wait(WAIT)
        return RunFolder.begin(folder, request, [], "seed = 0\n", replace=False).digest

    with ThreadPoolExecutor(6) as tasks:
        for number in range(20):
            begun = list(tasks.map(begin, [tmp_path / str(number)] * 6))
            assert begun == [begun[0]] * 6


@pytest.mark.slow
def test_an_openjd_job_makes_the_data_of_an_undisturbed_run(project: Path, tmp_path: Path) -> None:
    """The job is canceled on the way and run again."""
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    farm, alone = tmp_path / "farm", tmp_path / "alone"
    parameters = {
        "Recipe": recipe,
        "Count": 4,
        "Seed": 7,
        "ShardSize": 2,
        "Tasks": 2,
        "Workers": 1,
        "OutputDir": farm,
        "Options": "--device CPU",
    }
    job = openjd_command(project, parameters)
    cancel_once_a_sample_is_there(job, project, farm)
    assert not (farm / "index.json").exists()
    again = run(job, project)
    assert again.returncode == 0, again.stdout
    assert "openjd_progress: 100" in again.stdout
    local = [sys.executable, "batch/run.py", "dataset", "make", "--recipe", recipe, "--count", "4"]
    local += ["--seed", "7", "--shard-size", "2", "--workers", "2", "--device", "CPU"]
    done = run([*local, "--output", alone], project)
    assert done.returncode == 0, done.stdout
    assert digests(farm) == digests(alone)


def cancel_once_a_sample_is_there(job: Sequence[str], project: Path, output: Path) -> None:
    """Start a job and stop it as soon as it has finished its first sample."""
    log = output.with_name("log.txt")
    with log.open("wb") as stream:
        process = subprocess.Popen(job, cwd=project, stdout=stream, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + 300.0
        while not any(output.glob("work/data-*/*.part")):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) != 0
    finally:
        process.kill()
        process.wait()


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file of a closed run with two shards."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }
    assert {"data-000000.tar", "data-000001.tar", "index.json"} <= set(found)
    return found
