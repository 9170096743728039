# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make gpu-check` says of figures, and what it does where a device fails: without a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.latent.sphere import normalise
from tools import gpu_check, gpu_usage
from tools.gpu_check import Check, Row, bottleneck, compared, last_words, steady_rate, table

LINUX = pytest.mark.skipif(not hasattr(os, "wait4"), reason="measures processes as Linux does")


def farm(workers: int, rate: float | None, gpu: float | None = 0.2, cpu: float | None = 0.3) -> Row:
    return Row("farm", "OPTIX", rate=rate, gpu_use=gpu, cpu_use=cpu, workers=workers)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "nothing was measured"),
        ([farm(1, None)], "nothing was measured"),
        ([farm(1, 4.0), farm(2, 7.0, gpu=0.97)], "7.00 heads/s at most, by 2 processes: the GPU"),
        ([farm(4, 9.0, cpu=0.95), farm(8, 8.0)], "9.00 heads/s at most, by 4 processes: the CPU's"),
        ([farm(4, 9.0), farm(8, 15.0)], "still growing"),
        ([farm(4, 9.0, None, None), farm(8, 9.2, None, None)], "neither GPU nor cores are busy"),
    ],
)
def test_the_bottleneck_is_what_is_busy(rows: list[Row], words: str) -> None:
    assert words in bottleneck(rows)


def test_latents_may_differ_a_little_and_exact_labels_not() -> None:
    rng = np.random.default_rng(0)
    latents = normalise(rng.standard_normal((9, 512)))
    near = normalise(latents + 0.002 * rng.standard_normal((9, 512)))
    far = normalise(latents + 0.01 * rng.standard_normal((9, 512)))
    for others, agrees in ((near, True), (far, False)):
        (found,) = compared("F", "OPTIX", {"latents": others}, {"latents": latents})
        assert found["agrees"] is agrees and "in the median" in found["found"]
    points, picture = rng.standard_normal((68, 3)), rng.integers(0, 9, (4, 4))
    one = {"point world 0": points, "map segmentation 0": picture, "parameters": points}
    other = {
        "point world 0": np.nextafter(points, np.inf),
        "map segmentation 0": picture + (picture == picture[0, 0]),
        "parameters": points + 1e-2,
    }
    assert [found["agrees"] for found in compared("F", "CUDA", one, one)] == [True] * 3
    world, segmentation, parameters = compared("F", "CUDA", other, one)
    assert not world["agrees"] and not parameters["agrees"]
    assert segmentation["agrees"] and "% of the numbers equal" in segmentation["found"]


def test_a_rate_leaves_the_start_out() -> None:
    assert steady_rate([0.0, 50.0, 51.0, 52.0, 53.0], skipped=1) == 1.0
    assert steady_rate([0.0, 50.0], skipped=1) is None and steady_rate([], skipped=0) is None


def test_events_that_are_being_written_are_read(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    assert gpu_check.accepted_times(events) == []
    kinds = [("sample", "accepted"), ("sample", "rejected"), ("sample", "accepted")]
    lines = [json.dumps({"event": e, "outcome": o, "time": 5}) for e, o in kinds]
    events.write_text("\n".join(lines) + '\n{"event": "sam')
    assert gpu_check.accepted_times(events) == [5.0, 5.0]


def test_a_failure_is_its_last_line() -> None:
    log = "Blender 4.5\nfacegen: device OPTIX failed (out of memory): free\nRead prefs\n"
    assert last_words(log, 2) == "device OPTIX failed (out of memory): free"
    assert "killed by SIGSEGV" in last_words(log, -11)
    assert last_words("", 1) == "exit status 1"


def test_a_table_has_a_line_each() -> None:
    text = table([Row("F", "CPU", 2.0, memory=500.4, cpu_use=0.5), Row("F", "HIP", problem="gone")])
    assert "| F | CPU | 2.00 heads/s | 500 | - | - | 50% |" in text
    assert "| F | HIP | gone | - | - | - | - |" in text


def test_cards_are_read_off_what_the_driver_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gpu_usage.read_cards("97, 20480\n3, 512\n") == (0.97, 20992.0)
    with pytest.raises(ValueError):
        gpu_usage.read_cards("")
    monkeypatch.setattr(gpu_usage, "_ASK", (str(tmp_path / "no-driver"),))
    assert gpu_usage.ask_cards() is None
    monkeypatch.setattr(gpu_usage, "_ASK", (sys.executable, "-c", "print('40, 100')"))
    assert gpu_usage.ask_cards() == (0.4, 100.0)
    assert gpu_usage.busy_share((1.0, 10.0), (4.0, 16.0)) == 0.5
    assert gpu_usage.busy_share(None, (4.0, 16.0)) is None


def script(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "it.py").write_text(text)
    return [sys.executable, str(tmp_path / "it.py")]


@LINUX
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import sys; sys.exit('facegen: device GPU: Cycles finds no such GPU')", "finds no such"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("import time; time.sleep(60)", "no answer in 1 s"),
        ("bytearray(50_000_000)", ""),
    ],
)
def test_a_device_that_vanishes_takes_one_measurement_with_it(
    tmp_path: Path, text: str, problem: str
) -> None:
    row, check = Row("F", "GPU"), Check(tmp_path, quick=True)
    check._run(row, script(tmp_path, text), 1.0 if problem.startswith("no answer") else 60.0)
    assert row.problem.startswith(problem) if not problem else problem in row.problem
    assert problem or (row.memory or 0.0) > 40.0


@LINUX
def test_a_farm_is_stopped_some_time_after_its_first_head(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    line = json.dumps({"event": "sample", "outcome": "accepted", "time": 1})
    text = f"import time; open({str(events)!r}, 'w').write({line!r} + chr(10)); time.sleep(600)"
    row = Row("farm", "GPU")
    Check(tmp_path, quick=True)._run(row, script(tmp_path, text), 0.5, events)
    assert row.problem == ""


@pytest.mark.slow
@LINUX
def test_a_bundle_runs_by_its_own_python_where_nothing_is_installed(
    project: Path, tmp_path: Path
) -> None:
    """With NumPy alone, which is enough to ask for help: the rest is a gigabyte."""
    bundle, place, part = tmp_path / "bundle", tmp_path / "place", 20_000_000
    own = {"FACEGEN_PACKAGES": "numpy", "FACEGEN_PART": str(part), "FACEGEN_PYTHON": sys.executable}
    make = ["sh", str(project / "tools" / "gpu_bundle.sh"), str(bundle)]
    done = subprocess.run(make, env={**os.environ, **own}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert max(path.stat().st_size for path in bundle.iterdir()) == part
    again = subprocess.run(make, env={**os.environ, **own}, capture_output=True, text=True)
    assert again.returncode == 2 and "is there already" in again.stderr
    subprocess.run(["sh", str(bundle / "unpack.sh"), str(place)], check=True)
    bare = {"PATH": os.environ["PATH"]}
    ask = subprocess.run([place / "gpu-check", "--help"], env=bare, capture_output=True, text=True)
    assert ask.returncode == 0 and "--instead" in ask.stdout, ask.stderr
    with (bundle / "site.tar.gz.000").open("r+b") as stream:
        stream.write(b"harm")
    harmed = subprocess.run(["sh", str(bundle / "unpack.sh"), str(place)], capture_output=True)
    assert harmed.returncode != 0


@pytest.mark.slow
@LINUX
def test_the_whole_check_runs_with_the_cpu_in_place_of_a_gpu(tmp_path: Path) -> None:
    pytest.importorskip("bpy")
    command = [sys.executable, "-m", "tools.gpu_check", "--quick", "--instead", "auto"]
    command += ["--seconds", "15", "--output", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    report = json.loads((tmp_path / "out" / "gpu_check.json").read_text())
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(one["agrees"] for one in report["agreement"]) and len(report["agreement"]) > 10
    assert {row["what"].split(",")[0] for row in report["rows"]} == {"F", "encoder", "B", "farm"}
    assert all(row["rate"] > 0 for row in report["rows"])
    assert "bottleneck on auto: " in done.stdout
