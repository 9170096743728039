# SPDX-License-Identifier: GPL-3.0-or-later
"""A small FLAME file, and a head model made of it in the catalogue."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from facegen_addon.heads import catalogue
from facegen_addon.heads.flame.file import read_flame_file
from facegen_addon.heads.flame.head import FlameHead
from tests.heads.flame.synthetic import flame_table


@pytest.fixture
def flame_file(tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A random model with UVs; its cache lies below the test's folder."""
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "user"))
    table = flame_table(rng)
    uv = {"vt": rng.random((11, 2)), "ft": rng.integers(0, 11, table["f"].shape)}
    path = tmp_path / "model.npz"
    np.savez(path, **table, **uv)
    return path


@pytest.fixture
def toy_head(flame_file: Path, monkeypatch: pytest.MonkeyPatch) -> FlameHead:
    """The head model "toy": seven shapes, four expressions, and nothing to dress it with."""
    model = FlameHead("toy", read_flame_file(flame_file), cast(Any, None))
    monkeypatch.setitem(catalogue.HEAD_MODELS, model.name, lambda: model)
    catalogue.forget_models()
    return model
