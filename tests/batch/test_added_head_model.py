# SPDX-License-Identifier: GPL-3.0-or-later
"""A head model that was added by one file and one entry, through the command line: in a copy of
the project with just that, so that the render processes know it, too."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

from tests.heads.sphere_head import SphereHead

RECIPE = """
[heads]
distribution = "prior"
[image]
size = [96, 96]
samples = 2
[labels]
check = 1.0
[expression]
neutral = 1.0
"""


@pytest.fixture(scope="module")
def project_with_it(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it is after a user has followed docs/architecture.md."""
    copy = tmp_path_factory.mktemp("copy")
    for folder in ("facegen_addon", "batch"):
        shutil.copytree(project / folder, copy / folder, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(project / "blender_manifest.toml", copy)
    heads = copy / "facegen_addon/heads"
    shutil.copy(project / "tests/heads/sphere_head.py", heads)
    catalogue = heads / "catalogue.py"
    source = catalogue.read_text(encoding="utf-8")
    for beside, added in (
        ("    ANNY: anny_head,\n", '    "sphere": SphereHead,\n'),
        ("from .head_model import HeadModel\n", "from .sphere_head import SphereHead\n"),
    ):
        assert source.count(beside) == 1
        source = source.replace(beside, beside + added)
    catalogue.write_text(source, encoding="utf-8")
    return copy


@pytest.fixture
def run(project: Path, project_with_it: Path, tmp_path: Path):
    """Run a command on the model; its output."""

    def run_command(*arguments: object) -> str:
        environment = os.environ | {"FACEGEN_MODELS": str(project / "models")}
        done = subprocess.run(
            [sys.executable, str(project_with_it / "batch/run.py"), *map(str, arguments)],
            env=environment | {"FACEGEN_DATA": str(tmp_path / "user")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run_command


@pytest.fixture
def heads(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A file of the sliders of two heads."""
    model = SphereHead()
    values = model.sample_prior(rng, 2)
    values[:, model.table.index("turn")] = 0.3
    path = tmp_path / "heads.npz"
    np.savez(path, parameters=values, model=model.name, names=model.table.names)
    return path


def test_its_meshes_and_files_of_other_programs(run, heads: Path, tmp_path: Path) -> None:
    output = tmp_path / "meshes.npz"
    run("mesh", "--model", "sphere", "--parameters", heads, "--output", output)
    model = SphereHead()
    with np.load(output) as found, np.load(heads) as given:
        np.testing.assert_array_equal(found["faces"], model.surface.faces)
        upright = found["vertices"][..., [0, 2, 1]] * np.array([1, -1, 1], np.float32)
        np.testing.assert_array_equal(upright, model.forward(given["parameters"]))
        assert found["joints"].shape == (2, 2, 3)
    run("export", heads, "--format", "glb", "--output", tmp_path / "files")
    assert len(list((tmp_path / "files").glob("*.glb"))) == 2


def test_a_labelled_data_set_of_it(run, tmp_path: Path) -> None:
    (tmp_path / "egg.toml").write_text(RECIPE)
    arguments = ("--recipe", tmp_path / "egg.toml", "--model", "sphere", "--count", 2)
    run("dataset", "make", *arguments, "--workers", 1, "--output", tmp_path / "set")
    request = json.loads((tmp_path / "set/run.json").read_text())["request"]
    assert request["model"] == "sphere"
    assert request["versions"].items() >= SphereHead().sources.items()
    (shard,) = (tmp_path / "set").glob("data-*.tar")
    with tarfile.open(shard) as archive:
        suffixes = [name.partition(".")[2] for name in archive.getnames()]
    for suffix in ("png", "landmarks.npz", "segmentation.png", "depth.png", "achieved.npy"):
        assert suffixes.count(suffix) == 2
    run("dataset", "verify", tmp_path / "set")


def test_the_influence_of_a_slider(run, tmp_path: Path) -> None:
    arguments = ("--model", "sphere", "--heads", 1, "--samples", 1, "--workers", 1)
    shown = run("influence", *arguments, "--parameters", "width,smile")
    assert "| Width | shape |" in shown
    assert (tmp_path / "user/influence/sphere.npz").is_file()
