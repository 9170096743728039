# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's zip: what it holds, and that Blender installs, enables and disables it."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("bpy", reason="needs Blender's packer: `make test` has it")

from tools import build_extension

LARGEST = 160_000_000  # bytes; three wheels are 83 MB, the models 60 MB
PYTHONS = ("cp311", "cp313", "cp314")
"""Those of Blender 4.2 to 5.0, of 5.1 and 5.2, and of Debian's 5.2."""
SCRIPT = Path(__file__).with_name("install_and_drive.py")


@pytest.fixture(scope="session")
def zip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip for Linux; the packer has validated it."""
    return build_extension.build("linux-x64", tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def names(zip_file: Path) -> list[str]:
    """Names of the files in the zip."""
    with zipfile.ZipFile(zip_file) as archive:
        return archive.namelist()


@pytest.fixture(scope="session")
def manifest(project: Path) -> dict[str, Any]:
    """The committed manifest."""
    return tomllib.loads((project / "blender_manifest.toml").read_text(encoding="utf-8"))


def test_manifest_keeps_the_platforms_rules(manifest: dict[str, Any]) -> None:
    assert len(manifest["tagline"]) <= 64 and manifest["tagline"][-1].isalnum()
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later", "SPDX:CC0-1.0", "SPDX:MIT"]
    assert set(manifest["permissions"]) == {"files", "network"}
    assert all(len(why) <= 64 and why[-1] != "." for why in manifest["permissions"].values())
    assert manifest["blender_version_min"] == "4.2.0"


def test_one_door_of_the_addon_leads_to_the_network(project: Path) -> None:
    banned = re.compile(
        r"^\s*(import|from) (urllib(?!\.parse)|http|socket|requests|ssl|ftplib)\b", re.M
    )
    sources = (project / "facegen_addon").rglob("*.py")
    doors = [f.name for f in sources if banned.search(f.read_text(encoding="utf-8"))]
    assert doors == ["wheel_download.py"]


def test_only_the_button_opens_that_door(project: Path) -> None:
    """Where Blender is offline it refuses."""
    sources = (project / "facegen_addon").rglob("*.py")
    users = [
        f.name for f in sources if re.search(r"import .*\bfetch\b", f.read_text(encoding="utf-8"))
    ]
    assert users == ["fetching.py"]


def test_manifest_lists_the_pinned_wheels(manifest: dict[str, Any], project: Path) -> None:
    pins = (project / "requirements" / "wheels.txt").read_text(encoding="utf-8")
    (version,) = re.findall(r"^onnxruntime==(\S+)", pins, re.M)
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", pins)) == len(manifest["wheels"])
    assert set(manifest["platforms"]) == build_extension.WHEEL_PLATFORMS.keys()
    for platform in manifest["platforms"]:
        fitting = build_extension.wheels_for(platform, manifest["wheels"])
        tags = [Path(wheel).name.split("-")[:3] for wheel in fitting]
        assert tags == [["onnxruntime", version, python] for python in PYTHONS]
    runtime = (project / "requirements" / "runtime-py311.txt").read_text(encoding="utf-8")
    assert f"onnxruntime=={version}\n" in runtime


def test_a_wheel_with_another_hash_is_not_packed(tmp_path: Path) -> None:
    wheel = tmp_path / "onnxruntime-1.32.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    wheel.write_bytes(b"not the wheel")
    with pytest.raises(build_extension.BuildError, match=r"whl has sha256"):
        build_extension.fetch(wheel)


def test_a_wheel_that_cannot_be_downloaded_is_one_line(tmp_path: Path) -> None:
    wheel = tmp_path / "onnxruntime-1.32.0-cp39-cp39-manylinux_2_28_x86_64.whl"
    with pytest.raises(build_extension.BuildError, match=r"pip gave no onnxruntime") as caught:
        build_extension.fetch(wheel)
    assert "\n" not in str(caught.value)


def test_the_zip_holds_what_runs_and_nothing_else(names: list[str]) -> None:
    roots = {name.split("/")[0] for name in names if not name.endswith("/")}
    allowed = {*build_extension.SHIPPED, "blender_manifest.toml", "wheels"}
    assert roots == allowed
    unwanted = (
        "__pycache__",
        "__main__.py",
        "training",
        "tests",
        "/terminal/",
        "/report/",
        "facenet.onnx",
        "pairs_",
        "ruff.toml",
        "/.",
    )
    assert not [name for name in names if any(part in name for part in unwanted)]
    licences = {"LICENSE", "LICENSES/CC0-1.0.txt", "LICENSES/MIT.txt", "LICENSES/README.md"}
    assert licences <= set(names)


def test_the_zip_holds_every_artifact_but_those_of_training(
    names: list[str], zip_file: Path
) -> None:
    with zipfile.ZipFile(zip_file) as archive:
        index = json.loads(archive.read("models/index.json"))
        for name, entry in index.items():
            file = f"models/{entry['file']}"
            if name.startswith("pairs_") or entry["file"].startswith("built/"):
                assert file not in names
            else:
                assert hashlib.sha256(archive.read(file)).hexdigest() == entry["sha256"], file


def test_the_zip_has_the_wheels_of_its_platform_alone(names: list[str], zip_file: Path) -> None:
    with zipfile.ZipFile(zip_file) as archive:
        packed = tomllib.loads(archive.read("blender_manifest.toml").decode())
    wheels = sorted(f"./{name}" for name in names if name.endswith(".whl"))
    assert packed["platforms"] == ["linux-x64"]
    assert sorted(packed["wheels"]) == wheels and len(wheels) == len(PYTHONS)
    assert zip_file.stat().st_size < LARGEST, f"{zip_file.stat().st_size / 1e6:.1f} MB"


def test_a_broken_manifest_is_one_line_and_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = build_extension.manifest_for
    monkeypatch.setattr(
        build_extension, "manifest_for", lambda *given: whole(*given).replace("tagline", "tag")
    )
    arguments = ["--platform", "linux-x64", "--output", str(tmp_path)]
    assert build_extension.main(arguments) == 2
    error = capsys.readouterr().err
    assert "tagline" in error and error.count("\n") == 1


def test_blender_installs_enables_and_disables_it_twice(zip_file: Path, tmp_path: Path) -> None:
    """In a process of its own, with settings of its own; nothing of the checkout is used."""
    unset = ("PYTHONPATH", "FACEGEN_DATA", "FACEGEN_MODELS")
    environment = {
        **{key: value for key, value in os.environ.items() if key not in unset},
        "HOME": str(tmp_path),
        "BLENDER_USER_RESOURCES": str(tmp_path / "resources"),
    }
    result = subprocess.run(
        [sys.executable, str(SCRIPT), str(zip_file)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0 and output.endswith("done\n"), output
    assert "Traceback" not in output and "Error" not in output, output
