# SPDX-License-Identifier: GPL-3.0-or-later
"""Import and export of FLAME parameter files inside Blender."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.exchange.flame_codes import read_parameters
from facegen_addon.heads.exchange.flame_sliders import import_sliders
from facegen_addon.scene.exchange.flame_export import export_heads
from facegen_addon.scene.exchange.flame_import import import_heads
from facegen_addon.scene.head.head_object import MODEL_KEY, HeadObject


@pytest.fixture
def codes(tmp_path: Path, rng: np.random.Generator) -> Path:
    """DECA's file of three heads, zero beyond its tenth components."""
    path = tmp_path / "deca.npz"
    np.savez(
        path,
        shape=np.pad(rng.uniform(-2, 2, (3, 10)), ((0, 0), (0, 90))),
        exp=np.zeros((3, 50)),
        pose=np.array([[0.0, 0.2, 0.0, 0.3, 0.0, 0.0]] * 3),
    )
    return path


def _heads() -> list[HeadObject]:
    return [HeadObject.of(o) for o in bpy.data.objects if MODEL_KEY in o]


def test_the_operator_adds_what_the_function_reads(codes: Path) -> None:
    bpy.context.scene.cursor.location = (1.0, 2.0, 3.0)
    assert bpy.ops.facegen.import_flame(filepath=str(codes)) == {"FINISHED"}
    heads = _heads()
    expected = import_sliders(codes, load_head_model("open_flame")).values
    assert len(heads) == len(expected) == 3
    np.testing.assert_array_equal([head.parameters for head in heads], expected)
    places = {tuple(head.mesh_object.location) for head in heads}
    assert (1.0, 2.0, 3.0) in places and len(places) == 3


def test_what_is_imported_is_exported_again(tmp_path: Path, codes: Path) -> None:
    bpy.ops.facegen.import_flame(filepath=str(codes))
    for head in _heads():
        head.mesh_object.select_set(True)
    output = tmp_path / "out.json"
    assert bpy.ops.facegen.export_flame(filepath=str(output), convention="deca") == {"FINISHED"}
    found = read_parameters(output)
    assert found.convention == "deca"
    expected = read_parameters(codes).parameters
    by_first = np.argsort(found.parameters.betas[:, 0]), np.argsort(expected.betas[:, 0])
    for name, value in expected.as_mapping().items():
        mine = found.parameters.as_mapping()[name][by_first[0]]
        np.testing.assert_allclose(mine, value[by_first[1]], atol=1e-6)


def test_a_bad_file_adds_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", alpha=np.ones(3))
    with pytest.raises(RuntimeError, match="keys alpha, none of which"):
        bpy.ops.facegen.import_flame(filepath=str(tmp_path / "a.npz"))
    with pytest.raises(UserError, match="'anny' has no FLAME parameters"):
        import_heads(tmp_path / "a.npz", load_head_model("anny"), bpy.context.collection)
    assert not _heads()


def test_heads_that_cannot_be_exported_together(tmp_path: Path) -> None:
    output = tmp_path / "out.npz"
    with pytest.raises(RuntimeError, match="no head is selected"):
        bpy.ops.facegen.export_flame(filepath=str(output))
    anny = HeadObject.create(load_head_model("anny"), bpy.context.collection)
    flame = HeadObject.create(load_head_model("open_flame"), bpy.context.collection)
    assert not bpy.ops.facegen.export_flame.poll(), "the button is grey as those beside it"
    with pytest.raises(UserError, match="different models, anny, open_flame"):
        export_heads(output, [anny, flame], "plain")
    with pytest.raises(UserError, match="'anny' has no FLAME parameters"):
        export_heads(output, [anny], "plain")
    assert not output.exists()
