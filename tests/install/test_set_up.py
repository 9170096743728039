# SPDX-License-Identifier: GPL-3.0-or-later
"""What set-up builds: once, and again where the file is missing or damaged."""

import hashlib
import json
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
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()

    runs: list[str] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        path.write_bytes(WHOLE)
        runs.append(Path(command[1]).name)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(set_up, "ROOT", tmp_path)
    monkeypatch.setattr(set_up, "RUNTIME", tmp_path / ".venv")
    monkeypatch.setattr(set_up.subprocess, "run", run)
    return path, runs


@pytest.mark.parametrize(
    ("there", "builds"), [(None, 1), (WHOLE, 0), (WHOLE[:4], 1), (b"An encoder", 1), (b"", 1)]
)
def test_an_encoder_is_built_unless_it_is_there_undamaged(
    tiny: tuple[Path, list[str]], there: bytes | None, builds: int
) -> None:
    built, runs = tiny
    if there is not None:
        built.write_bytes(there)
    for _ in range(2):
        set_up._build_encoder("tiny")
        assert built.read_bytes() == WHOLE
    assert runs == ["tiny.py"] * builds
