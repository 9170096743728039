# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job for real: Blender, FaceNet and the committed backward mapping, by subprocess."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.heads.slider_file import read_slider_file

pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

SMALL = ("--count", "3", "--distance", "0.3", "--samples", "2", "--size", "96", "--seed", "5")


def _generate(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(project / "batch/run.py"), "generate", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def two_runs(project: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    for name, more in (("first", ()), ("second", ("--no-comparison",))):
        done = _generate(project, *SMALL, *more, "--output", str(folder / name))
        assert done.returncode == 0, done.stderr
    return [folder / "first", folder / "second"]


def test_same_seed_same_bytes(two_runs: list[Path]) -> None:
    first, second = two_runs
    with np.load(first / "heads.npz") as a, np.load(second / "heads.npz") as b:
        assert a["parameters"].tobytes() == b["parameters"].tobytes()
        assert a["achieved"].tobytes() == b["achieved"].tobytes()
    for image in sorted((first / "images").iterdir()):
        assert image.read_bytes() == (second / "images" / image.name).read_bytes()


def test_a_run_leaves_what_the_readme_says(two_runs: list[Path]) -> None:
    folder = two_runs[0]
    report = json.loads((folder / "report.json").read_text())
    assert {name: figures["count"] for name, figures in report["sets"].items()} == {
        "run": 3, "uniform": 3, "prior": 3, "real": 3
    }  # fmt: skip
    assert report["variety"]["reached_distance"] >= 0.3
    assert set(report["heads_per_second"]) == {"sample", "mesh", "render", "embed"}
    page = (folder / "report.html").read_text()
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert (folder / "contact_sheet.png").stat().st_size > 1000
    assert read_slider_file(folder).model == report["request"]["model"]
    (shard,) = folder.glob("*.tar")
    with tarfile.open(shard) as archive:
        names = archive.getnames()
    assert sum(name.endswith(".png") for name in names) == 3


def test_every_pair_keeps_the_distance(two_runs: list[Path]) -> None:
    with np.load(two_runs[0] / "heads.npz") as heads:
        latents = heads["achieved"].astype(np.float64)
    distances = 1.0 - latents @ latents.T
    assert distances[np.triu_indices(3, 1)].min() >= 0.3


def test_too_high_a_demand_exits_with_3_and_leaves_nothing(project: Path, tmp_path: Path) -> None:
    done = _generate(
        project, "--count", "3", "--distance", "1.9", "--samples", "1", "--size", "64",
        "--budget", "3", "--distribution", "uniform", "--output", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "3 heads reach 0." in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["open_flame.npz", "backward_open_flame.onnx", "surrogate_open_flame.npz"]
)
@pytest.mark.parametrize("damage", ["truncated", "changed", "missing"])
def test_a_damaged_artifact_is_one_line_and_status_2(
    project: Path, tmp_path: Path, name: str, damage: str
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for file in (project / "models").iterdir():
        if file.is_file():
            shutil.copy(file, models)
    (models / "built").symlink_to(project / "models/built")
    data = bytearray((models / name).read_bytes())
    if damage == "missing":
        (models / name).unlink()
    else:
        data[len(data) // 2] ^= 0xFF
        (models / name).write_bytes(data[:1000] if damage == "truncated" else data)
    done = _generate(project, *SMALL, "--output", str(tmp_path / "out"), FACEGEN_MODELS=str(models))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert name in done.stderr
    assert not (tmp_path / "out").exists()


def test_gaps_of_an_earlier_run_are_filled(
    project: Path, two_runs: list[Path], tmp_path: Path
) -> None:
    done = _generate(
        project, *SMALL, "--no-comparison", "--grade", "direct", "--fill-gaps",
        *map(str, two_runs), "--output", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out/report.json").read_text())
    gaps = report["provenance"]["gaps"]
    assert gaps["heads of earlier runs"] == 6
    assert [len(digest) for digest in gaps["sha256 of their files"]] == [64, 64]
    before, after = list(gaps.values())[-2:]
    assert 0 < after < before < 2
    assert report["variety"]["reached_distance"] >= 0.3
    # Where the earlier runs lay says nothing of the heads.
    assert str(two_runs[0]) not in json.dumps(report["request"])
    folders = tmp_path / "out", two_runs[0]
    new, old = (np.load(folder / "heads.npz")["parameters"] for folder in folders)
    assert new.tobytes() != old.tobytes()


@pytest.mark.parametrize("damage", ["other model", "truncated"])
def test_a_wrong_earlier_run_is_one_line_and_status_2(
    project: Path, two_runs: list[Path], tmp_path: Path, damage: str
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    path = run / "heads.npz"
    if damage == "truncated":
        path.write_bytes((two_runs[0] / "heads.npz").read_bytes()[:500])
    else:
        np.savez(path, achieved=np.eye(2, 512), model=np.array("somebody"))
    done = _generate(project, *SMALL, "--fill-gaps", str(run), "--output", str(tmp_path / "out"))
    assert done.returncode == 2, done.stderr
    assert "heads.npz" in done.stderr and "Traceback" not in done.stderr
    assert damage != "other model" or "'somebody'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_corrected_heads_stand_beside_what_they_were(project: Path, tmp_path: Path) -> None:
    done = _generate(
        project, "--count", "2", "--distance", "0.3", "--samples", "2", "--size", "96", "--grade",
        "direct", "--corrections", "2", "--no-comparison", "--output", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out/report.json").read_text())
    sets = report["sets"]
    assert list(sets) == ["run", "uncorrected", "real"]
    assert sets["run"]["roundtrip"]["median"] <= sets["uncorrected"]["roundtrip"]["median"]
    assert report["variety"]["renders_spent"] >= 6
    assert report["request"]["corrections"] == 2
    assert "uncorrected" in (tmp_path / "out/report.html").read_text()
