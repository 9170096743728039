# SPDX-License-Identifier: GPL-3.0-or-later
"""What set-up makes: environments that find the checkout; files once, or anew where damaged."""

import hashlib
import json
import subprocess
import venv
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools import set_up

WHOLE = b"an encoder"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str]]:
    """Where the encoder "tiny" is to be, in a project of its own; recipes that were run for it."""
    path = tmp_path / "models" / "built" / "tiny.onnx"
    path.parent.mkdir(parents=True)
    entry = {"file": "built/tiny.onnx", "recipe": "tiny.py"}
    entry["sha256"] = hashlib.sha256(WHOLE).hexdigest()
    (tmp_path / "models" / "index.json").write_text(json.dumps({"tiny": entry}), "utf-8")
    python = tmp_path / ".venv-tiny" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()

    runs: list[str] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        path.write_bytes(WHOLE)
        assert command[0] == tmp_path / ".venv-tiny" / "bin" / "python"
        assert command[1] == "-m"
        runs.append(command[2])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(set_up, "ROOT", tmp_path)
    monkeypatch.setattr(set_up.subprocess, "run", run)
    return path, runs


@pytest.mark.parametrize(
    ("there", "builds"), [(None, 1), (WHOLE, 0), (WHOLE[:4], 1), (b"An encoder", 1), (b"", 1)]
)
def test_an_encoder_is_built_unless_it_is_there_undamaged(
    tiny: tuple[Path, list[str]], there: bytes | None, builds: int, tmp_path: Path
) -> None:
    built, runs = tiny
    environment = tmp_path / ".venv-tiny"
    if there is not None:
        built.write_bytes(there)
    for _ in range(2):
        set_up._build_encoder("tiny", environment)
        assert built.read_bytes() == WHOLE
    assert runs == ["models.training.tiny"] * builds


def pins(project: Path, name: str) -> set[str]:
    """Lines of a file of requirements, comments left out."""
    lines = (project / "requirements" / name).read_text(encoding="utf-8").splitlines()
    return {line for line in lines if not line.startswith("#")}


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_what_is_checked_is_the_runtime_without_bpy(project: Path, version: str) -> None:
    runtime = pins(project, f"runtime-py{version.replace('.', '')}.txt")
    marker = f'; python_version == "{version}"'
    checked = {line.removesuffix(marker) for line in pins(project, "check.txt")}
    assert {pin for pin in checked if ";" not in pin} == {
        pin for pin in runtime if not pin.startswith("bpy==")
    }


def test_check_installs_no_bpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own environment, with encoders and detector built by it; `.venv` stays as it is."""
    made: list[tuple[str, str]] = []

    def note(*arguments: object, megabytes: int = 0) -> None:
        environment, what = sorted(map(str, arguments[:2]), key=lambda word: "/" not in word)
        made.append((Path(environment).name, what))

    monkeypatch.setattr(set_up, "_install", note)
    monkeypatch.setattr(set_up, "_build_encoder", note)
    assert set_up.main(["check"]) == 0
    asked = ["check.txt", "test.txt", "facenet", "sface", "mtcnn"]
    assert made == [(".venv-check", what) for what in asked]


def test_the_spelling_of_before_goes_on_working(project: Path, tmp_path: Path) -> None:
    """`python models/training/x.py`, and `python -m` from any folder, in what set-up has made."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for folder in ("facegen_addon", "models", "tools"):
        (checkout / folder).symlink_to(project / folder)
    venv.create(checkout / ".venv", with_pip=False)
    set_up._let_find_checkout(checkout / ".venv")
    python = checkout / ".venv" / "bin" / "python"
    for start in ([checkout / "tools" / "set_up.py"], ["-m", "tools.set_up"]):
        done = subprocess.run([python, *start], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.startswith("set-up: unknown part []"), done
