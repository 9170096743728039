# SPDX-License-Identifier: GPL-3.0-or-later
"""A model's fine maps are made once for a user, and again where anything has changed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.heads.skin import fine_maps as module
from facegen_addon.heads.skin.fine_maps import FineMaps, kept_maps
from facegen_addon.user_folder import user_folder

MESH = (np.arange(6), np.ones(3))


class Maker:
    """Makes maps of noise, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0
        self.maps = FineMaps(*np.random.default_rng(1).random((3, 8, 8, 4), np.float32))

    def __call__(self) -> FineMaps:
        self.calls += 1
        return self.maps


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Maker]:
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "data"))
    yield Maker()


def _same(first: FineMaps, second: FineMaps) -> None:
    for name in ("colour", "relief", "marks"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_maps_are_made_once_and_alike(make: Maker) -> None:
    made = kept_maps(MESH, make)
    _same(made, kept_maps(MESH, make))
    assert make.calls == 1
    assert np.abs(made.relief - make.maps.relief).max() <= 0.5 / 255 + 1e-6
    assert made.colour.dtype == np.float32


def test_another_mesh_has_its_own(make: Maker) -> None:
    kept_maps(MESH, make)
    kept_maps((MESH[0], MESH[1] * 2.0), make)
    assert make.calls == 2


def test_other_code_or_statistics_make_them_anew(
    make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_maps(MESH, make)
    monkeypatch.setattr(module, "_code", lambda: "changed")
    kept_maps(MESH, make)
    monkeypatch.setattr(np, "__version__", "0")
    kept_maps(MESH, make)
    assert make.calls == 3


@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_a_damaged_copy_is_made_again(make: Maker, content: bytes) -> None:
    made = kept_maps(MESH, make)
    (path,) = (user_folder() / "skin").iterdir()
    path.write_bytes(content)
    _same(made, kept_maps(MESH, make))
    _same(made, kept_maps(MESH, make))
    assert make.calls == 2


def test_a_folder_that_cannot_be_written_costs_time_alone(
    make: Maker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "file"))
    kept_maps(MESH, make)
    kept_maps(MESH, make)
    assert make.calls == 2
