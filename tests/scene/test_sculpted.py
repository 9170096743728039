# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sculpted on a head stays, whatever its sliders do."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.export.files import HeadSource, export_head
from facegen_addon.scene.export.parts import ExportSettings
from facegen_addon.scene.head import sculpted
from facegen_addon.scene.head.head_object import HeadObject
from tests.scene.exported_files import read_alone

MODEL = load_head_model("open_flame")
BUMP = slice(100, 140)


def _positions(head: HeadObject) -> np.ndarray:
    values = np.empty(3 * len(head.mesh_object.data.vertices), np.float32)
    head.mesh_object.data.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


def _sculpt(head: HeadObject, metres: float = 0.004) -> np.ndarray:
    """Push some vertices forward as a brush does; returns the offset of all."""
    offset = np.zeros((len(head.mesh_object.data.vertices), 3), np.float32)
    offset[BUMP, 1] = -metres
    moved = _positions(head) + offset
    head.mesh_object.data.vertices.foreach_set("co", moved.ravel())
    head.mesh_object.data.update()
    return offset


def _other(seed: int) -> np.ndarray:
    return MODEL.sample_prior(np.random.default_rng(seed), 1)[0]


def _new() -> HeadObject:
    head = HeadObject.create(MODEL, bpy.context.collection)
    head.set_parameters(_other(1))
    return head


def _expect(head: HeadObject, offset: np.ndarray) -> None:
    wanted = MODEL.forward(head.parameters)[0] + offset
    np.testing.assert_allclose(_positions(head), wanted, atol=3e-6)


@pytest.mark.parametrize("known", [True, False])
def test_sculpting_stays_when_sliders_move(known: bool) -> None:
    """Also where nothing is known any more of what was written, as in an opened file."""
    head = _new()
    offset = _sculpt(head)
    if not known:
        sculpted._written.clear()
    for seed in (2, 3):
        head.move_to(_other(seed), complete=False)
        _expect(head, offset)
    head.complete()
    _expect(head, offset)
    offset += _sculpt(head, 0.002)  # and more on top
    head.set_parameters(_other(4))
    _expect(head, offset)
    kept = head.sculpted()
    assert kept is not None
    np.testing.assert_allclose(kept, offset, atol=3e-6)
    assert not kept[: BUMP.start].any()


def test_hair_grows_from_the_sculpted_head() -> None:
    head = _new()
    strands = np.array([p.position[:] for p in head.hair_object.data.points])
    moved = _positions(head) + np.float32([0.0, 0.0, 0.01])
    head.mesh_object.data.vertices.foreach_set("co", moved.ravel())
    head.set_parameters(head.parameters)
    after = np.array([p.position[:] for p in head.hair_object.data.points])
    assert np.median((after - strands)[:, 2]) == pytest.approx(0.01, abs=2e-3)


def test_who_sculpts_nothing_has_nothing_kept() -> None:
    head = _new()
    for seed in range(3):
        head.move_to(_other(seed), complete=seed == 1)
    sculpted._written.clear()
    head.complete()
    head.set_parameters(_other(7))
    assert head.sculpted() is None
    assert sculpted.SCULPTED not in head.mesh_object.data.attributes
    np.testing.assert_array_equal(_positions(head), MODEL.forward(head.parameters)[0])


def test_it_can_be_removed_and_undone_with_the_file(tmp_path: Path) -> None:
    head = _new()
    offset = _sculpt(head)
    head.set_parameters(_other(2))
    head_id, path = head.head_id, str(tmp_path / "a.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    head = HeadObject.find(head_id)
    head.set_parameters(_other(3))
    _expect(head, offset)
    bpy.context.view_layer.objects.active = head.mesh_object
    assert bpy.ops.facegen.remove_sculpted() == {"FINISHED"}
    head = HeadObject.find(head_id)
    _expect(head, 0.0 * offset)
    assert head.sculpted() is None
    _sculpt(head)  # nothing was written since
    head.remove_sculpted()
    _expect(head, 0.0 * offset)


def test_a_copy_has_it_too_and_exports_do(tmp_path: Path) -> None:
    head = _new()
    offset = _sculpt(head)
    copy = head.mesh_object.copy()
    bpy.context.collection.objects.link(copy)
    other = HeadObject.of(copy)
    other.set_parameters(_other(5))
    _expect(other, offset)
    _expect(head, offset)
    settings = ExportSettings(hair="none", textures=0)
    source = HeadSource.of(head)
    wanted = MODEL.forward(head.parameters)[0] + offset
    export_head(tmp_path / "a.obj", source, settings)
    read_alone(tmp_path / "a.obj")
    found = np.concatenate(
        [
            np.array([o.matrix_world @ v.co for v in o.data.vertices])
            for o in bpy.data.objects
            if o.type == "MESH"
        ]
    )
    for vertex in wanted[BUMP][::8]:
        assert np.linalg.norm(found - vertex, axis=1).min() < 1e-4
