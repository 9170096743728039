# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's operators for measuring, with a made-up F, and what the panel says."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from facegen_addon.encoders.encoder import same_face_threshold
from facegen_addon.errors import RejectedSample
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.mapping.approach import Answer
from facegen_addon.scene.head import latents
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.head.latents import Latents
from facegen_addon.scene.workflows import measure
from facegen_addon.ui import file_states, jobs, measuring
from facegen_addon.ui.file_states import FileState

MODEL = load_head_model("anny")
WEIGHT = MODEL.table.index("weight")
E = np.eye(512, dtype=np.float32)


def turned(radians: float) -> np.ndarray:
    return (np.cos(radians) * E[0] + np.sin(radians) * E[1]).astype(np.float32)


def add_head(name: str, weight: float = 0.5, known: Latents | None = None) -> bpy.types.Object:
    assert bpy.ops.facegen.add_head(model="anny", subdivision=0) == {"FINISHED"}
    mesh_object = bpy.context.view_layer.objects.active
    mesh_object.name = name
    set_weight(mesh_object, weight)
    if known is not None:
        latents.store(mesh_object, known)
    return mesh_object


def set_weight(mesh_object: bpy.types.Object, weight: float) -> None:
    head = HeadObject.of(mesh_object)
    parameters = head.parameters
    parameters[WEIGHT] = weight
    head.set_parameters(parameters)


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """F turns by as many radians as the weight, up to 0.9; B answers with a weight of 0.1."""

    @contextmanager
    def open_forward(_: object) -> Iterator[measure.Forward]:
        def embed(parameters: np.ndarray) -> np.ndarray:
            if parameters[WEIGHT] > 0.9:
                raise RejectedSample("the head does not show its face")
            return turned(float(parameters[WEIGHT]))

        yield embed

    def backward(held: np.ndarray, z: np.ndarray) -> Answer:
        parameters = MODEL.table.from_standardised(z)
        parameters[:, WEIGHT] = 0.1
        return lambda asked, _: MODEL.table.standardise(parameters)

    monkeypatch.setattr(measure, "rendered_forward", lambda device: open_forward)
    monkeypatch.setattr(measure, "loaded_backward", lambda model: backward)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [("ACTIVE", {"C"}), ("SELECTED", {"A", "C"}), ("ALL", {"A", "B", "C"})],
)
def test_the_heads_that_are_meant_are_measured(scope: str, expected: set[str]) -> None:
    objects = [add_head(name) for name in "ABC"]
    objects[0].select_set(True)
    assert bpy.ops.facegen.measure_heads(scope=scope) == {"FINISHED"}
    assert {o.name for o in objects if latents.read(o).achieved is not None} == expected
    np.testing.assert_allclose(latents.read(objects[2]).achieved, turned(0.5), atol=1e-6)


def test_correcting_moves_the_active_head_and_says_so() -> None:
    head = add_head("A", known=Latents(requested=E[0]))
    assert bpy.ops.facegen.correct_shift() == {"FINISHED"}
    known = latents.read(head)
    assert head["facegen_parameters"][WEIGHT] == pytest.approx(0.1)
    assert known.shift < known.shift_before
    assert bpy.ops.facegen.correct_shift() == {"FINISHED"}  # no nearer, and none the worse
    np.testing.assert_array_equal(latents.read(head).achieved, known.achieved)


def test_it_says_which_heads_it_will_change() -> None:
    asked = Latents(requested=E[0])
    heads = [add_head(name, known=asked if name != "B" else None) for name in "ABCDEF"]
    assert measuring.will_change(heads[:1]) == "Will change: A"
    assert measuring.will_change(heads[:3]) == "Will change: A, C"
    assert measuring.will_change(heads) == "Will change: A, C, D and 2 more"
    assert measuring.will_change(heads[1:2]) == "Changes none: no face was asked for"
    described = bpy.types.FACEGEN_OT_correct_shift.description(
        bpy.context, SimpleNamespace(scope="ALL")
    )
    assert described.startswith("Move heads nearer") and "\n" not in described
    assert described.endswith("sliders stay. Will change: A, C, D and 2 more")


def test_what_cannot_be_done_is_one_line() -> None:
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.facegen.measure_heads()
    head = add_head("A", weight=0.95)
    with pytest.raises(RuntimeError, match="head 'A': the head does not show its face"):
        bpy.ops.facegen.measure_heads()
    with pytest.raises(RuntimeError, match="no face was asked for: make heads by New Face"):
        bpy.ops.facegen.correct_shift()
    head.select_set(False)
    bpy.context.view_layer.objects.active = None
    for scope in ("ACTIVE", "SELECTED"):
        with pytest.raises(RuntimeError, match=f"no head is {scope.lower()}"):
            bpy.ops.facegen.measure_heads(scope=scope)
    with pytest.raises(RuntimeError, match="'Nobody' is not to be seen"):
        bpy.ops.facegen.select_head(name="Nobody")
    assert latents.read(head) == Latents()


def test_a_head_in_edit_mode_is_measured_but_not_corrected() -> None:
    head = add_head("A", known=Latents(requested=E[0]))
    bpy.ops.object.mode_set(mode="EDIT")
    assert bpy.ops.facegen.measure_heads() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="leave edit mode"):
        bpy.ops.facegen.correct_shift()
    bpy.ops.object.mode_set(mode="OBJECT")
    assert latents.read(head).achieved is not None


def test_others_are_measured_though_one_turns_away() -> None:
    away, straight = add_head("Away", weight=0.95), add_head("Straight")
    assert bpy.ops.facegen.measure_heads(scope="ALL") == {"FINISHED"}
    assert latents.read(away).achieved is None
    assert latents.read(straight).achieved is not None


def test_a_stopped_job_leaves_nothing_behind() -> None:
    objects = [add_head(name) for name in "AB"]
    ids = [HeadObject.of(o).head_id for o in objects]
    work = measure.measure(ids, measure.rendered_forward("CPU"))
    job = jobs.start(measuring._counted("Measuring", work, 2))
    while job.done < 2:
        assert job.step()
    jobs.stop()
    assert [latents.read(o) for o in objects] == [Latents(), Latents()]
    assert jobs.current() is None


def test_facenet_missing_is_said_and_greys_the_buttons(monkeypatch: pytest.MonkeyPatch) -> None:
    add_head("A")
    assert bpy.ops.facegen.measure_heads.poll()
    monkeypatch.setattr(file_states, "facenet", lambda: FileState(False, "FaceNet is missing"))
    assert measuring.facenet_hint().startswith("FaceNet's file cannot be used: see")
    assert not bpy.ops.facegen.measure_heads.poll()
    assert not bpy.ops.facegen.correct_shift.poll()
    missing = FileState(False, "Not found", missing=True)
    monkeypatch.setattr(file_states, "facenet", lambda: missing)
    assert "not here yet" in measuring.facenet_hint(), "a file that is not there is no fault"
    monkeypatch.setattr(file_states, "facenet", lambda: None)
    assert bpy.ops.facegen.measure_heads.poll()


def test_the_summary_of_a_measured_head() -> None:
    own = add_head("Own", known=Latents(E[0], turned(0.4), turned(0.6)))
    add_head("Twin", known=Latents(achieved=turned(0.5)))
    add_head("Far", known=Latents(achieved=turned(2.0)))
    heads = [o for o in bpy.context.scene.objects if "facegen_model" in o]
    summary = measuring.summarise(own, heads)
    assert summary.measured and summary.at_rest and summary.as_asked
    assert summary.shift == pytest.approx(1 - np.cos(0.4), abs=1e-5)
    assert summary.before == pytest.approx(1 - np.cos(0.6), abs=1e-5)
    assert (summary.nearest.name, summary.farthest.name) == ("Twin", "Far")
    assert measuring.shift_text(summary.shift) == "23° (0.079)"
    latents.store(own, Latents(E[0], turned(1.5)))
    assert 1 - np.cos(1.5) > same_face_threshold()
    assert measuring.summarise(own, heads).as_asked is False
    latents.store(own, Latents(achieved=turned(0.4)))
    alone = measuring.summarise(own, [own])
    assert alone.shift is alone.as_asked is alone.nearest is None


def test_a_head_that_moved_since_is_told_from_one_that_was_never_measured() -> None:
    head = add_head("A")
    assert measuring.summarise(head, [head]) == measuring.Summary(False, False)
    latents.store(head, Latents())
    assert measuring.summarise(head, [head]) == measuring.Summary(False, False)
    latents.store(head, Latents(requested=E[0]))
    set_weight(head, 0.3)
    assert measuring.summarise(head, [head]) == measuring.Summary(False, False)
    set_weight(head, 0.5)
    latents.store(head, Latents(achieved=E[0]))
    set_weight(head, 0.2)
    assert measuring.summarise(head, [head]) == measuring.Summary(False, True)
    set_weight(head, 0.5)
    assert measuring.summarise(head, [head]).measured


def test_a_posed_head_is_said_to_be_measured_as_posed() -> None:
    head = add_head("A")
    facegen = HeadObject.of(head)
    parameters = facegen.parameters
    parameters[MODEL.table.index("jawOpen")] = 0.5
    facegen.set_parameters(parameters)
    latents.store(head, Latents(achieved=E[0]))
    assert not measuring.summarise(head, [head]).at_rest


def test_the_panels_summary_follows_heads_and_choice() -> None:
    first = add_head("A", known=Latents(achieved=E[0]))
    second = add_head("B", known=Latents(E[0], turned(0.4)))
    context = bpy.context
    assert measuring._summary(context, first).nearest.name == "B"
    assert measuring._summary(context, first) is measuring._summary(context, first)
    assert measuring._summary(context, second).shift == pytest.approx(1 - np.cos(0.4), abs=1e-5)
    second.name = "Renamed"
    assert measuring._summary(context, first).nearest.name == "Renamed"
    bpy.data.objects.remove(second)
    assert measuring._summary(context, first).nearest is None


def test_selecting_a_neighbour() -> None:
    first, second = add_head("A"), add_head("B")
    assert bpy.ops.facegen.select_head(name="A") == {"FINISHED"}
    assert bpy.context.view_layer.objects.active == first
    assert first.select_get() and not second.select_get()


def test_what_a_scene_shows_is_saved_with_it(tmp_path: object) -> None:
    overlay = bpy.context.scene.facegen_overlay
    assert not overlay.show and overlay.show_map
    overlay.show, overlay.show_map = True, False
    path = str(tmp_path) + "/shown.blend"
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert not bpy.context.scene.facegen_overlay.show
    bpy.ops.wm.open_mainfile(filepath=path)
    overlay = bpy.context.scene.facegen_overlay
    assert overlay.show and not overlay.show_map
