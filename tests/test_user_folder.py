# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the user's data lies: the variable, then the folder that was set, then the platform's."""

from pathlib import Path

import pytest

from facegen_addon.user_folder import set_user_folder, user_folder


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEGEN_DATA", raising=False)
    monkeypatch.setattr("facegen_addon.user_folder._chosen", [])
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))


def test_the_variable_goes_before_the_set_folder_before_the_platform_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert user_folder() == tmp_path / "xdg" / "facegen"
    set_user_folder(tmp_path / "set")
    assert user_folder() == tmp_path / "set"
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "variable"))
    assert user_folder() == tmp_path / "variable"
    monkeypatch.delenv("FACEGEN_DATA")
    set_user_folder(None)
    assert user_folder() == tmp_path / "xdg" / "facegen"
    assert not list(tmp_path.iterdir()), "asking makes no folder"


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("linux", ".local/share/facegen"),
        ("darwin", "Library/Application Support/facegen"),
        ("win32", "AppData/Local/facegen"),
    ],
)
def test_each_platform_has_its_own(
    platform: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr("sys.platform", platform)
    assert user_folder() == tmp_path / folder
