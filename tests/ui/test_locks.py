# SPDX-License-Identifier: GPL-3.0-or-later
"""Padlocks in the Head panel: what they keep, and how they are drawn."""

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.head.head_object import PARAMETERS_KEY, HeadObject
from facegen_addon.scene.head.locks import locked
from facegen_addon.ui import face_panel, properties
from tests.ui.panels import OF_A_HEAD, RecordingLayout, draw_panels

TABLE = load_head_model("anny").table


@pytest.fixture
def head() -> bpy.types.Object:
    assert bpy.ops.facegen.add_head(model="anny", subdivision=0) == {"FINISHED"}
    return bpy.context.view_layer.objects.active


def locked_names(head: bpy.types.Object) -> set[str]:
    return {TABLE.names[column] for column in np.flatnonzero(locked(head, TABLE))}


def group_names(group: str) -> set[str]:
    return {TABLE.names[column] for column in TABLE.columns(group)}


def test_a_slider_locks_and_unlocks(head: bpy.types.Object) -> None:
    assert bpy.ops.facegen.toggle_lock(name="age") == {"FINISHED"}
    assert locked_names(head) == {"age"}
    assert bpy.ops.facegen.toggle_lock(name="age") == {"FINISHED"}
    assert not locked_names(head)


def test_a_group_locks_what_is_not_locked_yet(head: bpy.types.Object) -> None:
    bpy.ops.facegen.toggle_lock(name="age")
    bpy.ops.facegen.toggle_lock(group="phenotype")
    assert locked_names(head) == group_names("phenotype")
    bpy.ops.facegen.toggle_lock(group="phenotype")
    assert not locked_names(head)
    bpy.ops.facegen.toggle_lock()
    assert locked_names(head) == set(TABLE.names)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [({"name": "nobody"}, "unknown parameter 'nobody'"), ({"group": "hat"}, "unknown group 'hat'")],
)
def test_what_is_not_there_cannot_be_locked(
    head: bpy.types.Object, chosen: dict[str, str], message: str
) -> None:
    with pytest.raises(RuntimeError, match=message):
        bpy.ops.facegen.toggle_lock(**chosen)
    assert not locked_names(head)


def test_locking_needs_a_head() -> None:
    assert not bpy.ops.facegen.toggle_lock.poll()


def test_reset_leaves_locked_sliders_alone(head: bpy.types.Object) -> None:
    values = properties.sliders_of(head)
    values.age, values.weight, values.jawOpen = 0.9, 0.8, 0.7
    bpy.ops.facegen.toggle_lock(name="age")
    bpy.ops.facegen.reset_sliders(group="phenotype")
    assert (values.age, values.weight, values.jawOpen) == pytest.approx((0.9, 0.5, 0.7))
    bpy.ops.facegen.reset_sliders()
    expected = TABLE.default()
    expected[TABLE.index("age")] = np.float32(0.9)
    assert head[PARAMETERS_KEY].to_list() == expected.tolist()
    with pytest.raises(RuntimeError, match="unknown group 'hat'"):
        bpy.ops.facegen.reset_sliders(group="hat")


def test_a_locked_slider_moves_by_hand_and_by_keyframes(head: bpy.types.Object) -> None:
    bpy.ops.facegen.toggle_lock(name="jawOpen")
    values, column = properties.sliders_of(head), TABLE.index("jawOpen")
    path = f"{properties.sliders_name('anny')}.jawOpen"
    for frame, value in ((1, 0.25), (11, 1.0)):
        values.jawOpen = value
        assert head[PARAMETERS_KEY][column] == value
        assert head.keyframe_insert(path, frame=frame)
    bpy.context.scene.frame_set(1)
    assert head[PARAMETERS_KEY][column] == 0.25


def test_a_copy_keeps_the_locks_as_its_own(head: bpy.types.Object) -> None:
    bpy.ops.facegen.toggle_lock(group="ears")
    bpy.ops.object.duplicate()
    copy = bpy.context.view_layer.objects.active
    assert copy != head and locked_names(copy) == group_names("ears")
    bpy.ops.facegen.toggle_lock(group="ears")
    assert not locked_names(copy)
    assert locked_names(head) == group_names("ears")
    assert HeadObject.of(copy).head_id != HeadObject.of(head).head_id


class Row(RecordingLayout):
    """A stand-in for UILayout that notes padlocks, and which sliders are grey."""

    def __init__(self, log: list[tuple[str, str]]) -> None:
        super().__init__(log)
        self.active, self.enabled = True, True

    def prop(self, data: object, name: str, **options: object) -> None:
        self.log.append(("slider" if self.active else "grey slider", name))

    def operator(self, name: str, icon: str = "NONE", **options: object) -> object:
        if name == "facegen.toggle_lock":
            self.log.append(("padlock", icon))
        return type("Properties", (), {})()

    def label(self, **options: object) -> None:
        pass

    def row(self, **options: object) -> "Row":
        return Row(self.log)

    def panel(self, idname: str, **options: object) -> tuple["Row", "Row"]:
        return self.row(), self.row()

    column = row


def drawn(search: str) -> list[tuple[str, str]]:
    log: list[tuple[str, str]] = []
    bpy.context.window_manager.facegen.search = search
    panels = (face_panel.FACEGEN_PT_face,) if search else OF_A_HEAD
    draw_panels(Row(log), *panels)
    kinds = ("slider", "grey slider", "padlock")
    settings = ("search", "show_all", "view", "years", "gaze", "sideways", "upwards")
    return [entry for entry in log if entry[0] in kinds and entry[1] not in settings]


def test_padlocks_are_drawn_closed_and_their_sliders_grey(head: bpy.types.Object) -> None:
    assert drawn("jaw open") == [
        ("padlock", "UNLOCKED"),
        ("slider", "jawOpen"),
        ("padlock", "UNLOCKED"),
    ]
    bpy.ops.facegen.toggle_lock(name="jawOpen")
    assert drawn("jaw open")[1:] == [("grey slider", "jawOpen"), ("padlock", "LOCKED")]


def test_the_padlock_of_a_section_is_closed_when_all_of_it_is(head: bpy.types.Object) -> None:
    open_padlocks = [entry for entry in drawn("") if entry == ("padlock", "UNLOCKED")]
    bpy.ops.facegen.toggle_lock(section="face/Cheeks")
    still_open = [entry for entry in drawn("") if entry == ("padlock", "UNLOCKED")]
    # Asymmetries are out of sight.
    assert len(open_padlocks) - len(still_open) == 1 + len(TABLE.columns("cheeks")) // 2
