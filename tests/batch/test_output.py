# SPDX-License-Identifier: GPL-3.0-or-later
import errno
from pathlib import Path

import pytest

from batch.output import check_output, output_folder
from facegen_addon.errors import UserError


def test_folder_appears_only_when_complete(tmp_path: Path) -> None:
    output = tmp_path / "deep" / "run"
    with output_folder(output) as folder:
        (folder / "a").write_text("1")
        assert not output.exists()
    assert [path.name for path in output.iterdir()] == ["a"]
    assert [path.name for path in output.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, UserError])
def test_nothing_is_left_after_an_interruption(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), output_folder(tmp_path / "run") as folder:
        (folder / "a").write_text("1")
        raise error("full")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No space left"), output_folder(tmp_path / "run"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_earlier_run_is_replaced_only_by_a_complete_one(tmp_path: Path) -> None:
    output = tmp_path / "run"
    output.mkdir()
    (output / "report.json").write_text("earlier")
    with pytest.raises(ValueError), output_folder(output):
        raise ValueError
    assert (output / "report.json").read_text() == "earlier"
    with output_folder(output) as folder:
        (folder / "report.json").write_text("later")
    assert (output / "report.json").read_text() == "later"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_foreign_files_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="not empty"):
        check_output(tmp_path, replace=False)
    with pytest.raises(UserError, match="no earlier run"):
        check_output(tmp_path, replace=True)
    (tmp_path / "report.json").write_text("{}")
    check_output(tmp_path, replace=True)


def test_output_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for output in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(UserError, match="file"):
            check_output(output, replace=False)


def test_a_name_too_long_for_the_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name another folder"):
        check_output(tmp_path / ("x" * 300), replace=False)
    with pytest.raises(UserError, match="name another folder"):
        check_output(tmp_path / ("x" * 300) / "below", replace=True)


def test_stopped_while_the_new_run_moves_in_the_earlier_one_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "run"
    output.mkdir()
    (output / "report.json").write_text("earlier")
    rename = Path.rename

    def stopped(path: Path, target: Path) -> Path:
        if (path / "new").exists():
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt), output_folder(output) as folder:
        (folder / "new").write_text("later")
    assert (output / "report.json").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
