# SPDX-License-Identifier: GPL-3.0-or-later
"""Each test starts from Blender's empty file, with a data folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

import facegen_addon
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.mapping import influence
from facegen_addon.mapping.influence import Influence, InfluenceSettings, SliderInfluence
from facegen_addon.scene.render.portrait import encode_jpeg


@pytest.fixture(autouse=True)
def empty_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty file, the add-on registered while the test runs."""
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "data"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    facegen_addon.register()
    yield
    facegen_addon.unregister()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Influence of two sliders of the Anny head, as the command would leave it."""
    monkeypatch.setattr(influence, "read_index", dict)  # no committed figures
    model = load_head_model("anny")
    picture = encode_jpeg(np.full((96, 96, 3), 90, np.uint8))
    sliders = tuple(
        SliderInfluence(
            name, 0.1, is_std, np.array([distance] * 2, np.float32), 0.8, 3.0, -1.0, 1.0,
            picture, picture,
        )
        for name, is_std, distance in (("age", True, 0.031), ("jawOpen", False, 0.001))
    )  # fmt: skip
    digest = influence.table_digest(model.table)
    noise = np.array([0.002, 0.004], np.float32)
    figures = Influence("anny", InfluenceSettings(), "made up", digest, noise, sliders)
    influence.save(figures, influence.influence_folder() / "anny.npz")
