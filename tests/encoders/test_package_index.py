# SPDX-License-Identifier: GPL-3.0-or-later
"""The package index is the user's choice, pip's setting, or the default of the pip at hand."""

import importlib.util
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from facegen_addon.encoders import package_index
from facegen_addon.encoders.package_index import index_address, project_page
from facegen_addon.errors import UserError

_SOURCE = 'class PackageIndex:\n    pass\n\n\nPyPI = PackageIndex("https://index.test/", x="y")\n'


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip has no settings."""
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_CONFIG_FILE", raising=False)
    monkeypatch.setattr(package_index, "_settings_files", lambda: [tmp_path / "pip.conf"])


def without_pip(monkeypatch: pytest.MonkeyPatch, **found: Path) -> None:
    """A Python that knows these packages alone."""

    def find(name: str) -> Any:
        places = [str(found[name])] if name in found else None
        return SimpleNamespace(submodule_search_locations=places) if places else None

    monkeypatch.setattr(importlib.util, "find_spec", find)
    monkeypatch.setattr("sysconfig.get_config_var", lambda _: None)


def test_pips_own_default_is_read() -> None:
    from pip._internal.models.index import PyPI

    assert index_address() == PyPI.simple_url.rstrip("/")


def test_the_wheel_that_python_brings_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "_bundled").mkdir()
    with zipfile.ZipFile(tmp_path / "_bundled" / "pip-1.whl", "w") as wheel:
        wheel.writestr("pip/_internal/models/index.py", _SOURCE)
    without_pip(monkeypatch, ensurepip=tmp_path)
    assert index_address() == "https://index.test/simple"
    assert project_page("x==1.0") == "https://index.test/project/x/1.0/#files"


def test_a_choice_counts_more_than_pips_settings_and_these_than_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://mirror.test/%40/simple/\n")
    assert index_address() == "https://mirror.test/%40/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "http://inside.test/simple")
    assert index_address() == "http://inside.test/simple"
    assert index_address("https://chosen.test/simple/") == "https://chosen.test/simple"


def test_damaged_settings_are_passed_over(tmp_path: Path) -> None:
    before = index_address()
    for text in (b"no settings", b"\xff\xfe", b"[global]\nindex-url =\n"):
        (tmp_path / "pip.conf").write_bytes(text)
        assert index_address() == before


def test_without_pip_an_address_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    without_pip(monkeypatch)
    with pytest.raises(UserError, match="enter the index's address in FaceGen's preferences"):
        index_address()
    assert project_page("x==1.0") == ""


@pytest.mark.parametrize("address", ["file:///etc", "mirror.test/simple", "ftp://mirror.test"])
def test_only_addresses_of_the_web_are_taken(address: str) -> None:
    with pytest.raises(UserError, match="is no address of the web: begin with https://"):
        index_address(address)
