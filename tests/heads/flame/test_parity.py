# SPDX-License-Identifier: GPL-3.0-or-later
"""Our FLAME and smplx's, both from one file: no vertex and no joint differs by more than 1e-5 m."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("smplx", reason="smplx is in the training environment only")

from facegen_addon.artifacts import models_directory
from facegen_addon.heads.flame.file import FlameArrays, from_arrays, read_flame_file
from tests.heads.flame.synthetic import flame_table
from tools.flame_parity import SUBSET, Pair

TOLERANCE = 1e-5
VECTORS = 500


@pytest.fixture(autouse=True)
def user_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "user"))


def assert_parity(arrays: FlameArrays, folder: Path) -> None:
    folder.mkdir()
    pair = Pair(arrays, folder)
    vertices, joints = pair.errors(pair.random(np.random.default_rng(1), VECTORS))
    assert 0.0 < vertices < TOLERANCE
    assert 0.0 < joints < TOLERANCE


@pytest.mark.parametrize("vertices", [30, 700])
def test_random_heads(vertices: int, tmp_path: Path, rng: np.random.Generator) -> None:
    table = flame_table(rng, vertices, identity=320, expression=110)
    assert_parity(from_arrays(table, "random", "", "random"), tmp_path / "smplx")


def test_the_real_subset(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / SUBSET
    if not path.exists():
        pytest.skip(f"{path} is not there")
    assert_parity(read_flame_file(path), tmp_path / "smplx")


def test_the_open_head(tmp_path: Path) -> None:
    path = models_directory() / "open_flame.npz"
    if not path.exists():
        pytest.skip("models/open_flame.npz is not made yet")
    assert_parity(read_flame_file(path), tmp_path / "smplx")
