# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that another program has open, as Windows refuses to replace them."""

from pathlib import Path
from typing import Any

import pytest

from facegen_addon import atomic_file
from facegen_addon.atomic_file import replacing
from facegen_addon.errors import UserError


def _locked_for(tries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have moving a file refused so many times."""
    move, refused = Path.replace, iter(range(tries))

    def replace(source: Path, target: Path) -> Any:
        if next(refused, None) is not None:
            raise PermissionError(13, "used by another process", str(target))
        return move(source, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(atomic_file, "_WAITS", (0.0, 0.0))


def _write(path: Path) -> None:
    with replacing(path) as partial:
        partial.write_text("new", encoding="utf-8")


def test_a_scanner_s_moment_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _locked_for(2, monkeypatch)
    _write(tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == "new"


def test_who_has_it_open_is_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text("old", encoding="utf-8")
    _locked_for(3, monkeypatch)
    with pytest.raises(UserError, match=r"a\.json .*used by another process.; close the program"):
        _write(path)
    assert path.read_text(encoding="utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_what_cannot_be_removed_hides_no_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "used by another process", str(path))

    monkeypatch.setattr(Path, "unlink", held)
    with pytest.raises(ValueError, match="no head"), replacing(tmp_path / "a.json"):
        raise ValueError("no head")
