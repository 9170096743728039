# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate Variety in Blender: heads placed or nothing at all."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from batch.options import parse_options
from facegen_addon.encoders import encoder
from facegen_addon.encoders.encoder import same_face_threshold
from facegen_addon.errors import Need, NotReached, Remedy, UserError
from facegen_addon.heads.catalogue import DEFAULT_MODEL, load_head_model
from facegen_addon.request_fields import FilePaths, OneOf, RequestField, WholeNumber, fields_of
from facegen_addon.scene.head import history
from facegen_addon.scene.head.head_object import ID_KEY, MODEL_KEY
from facegen_addon.scene.head.latents import SEED_KEY, read
from facegen_addon.scene.workflows import made_variety
from facegen_addon.scene.workflows.variety import run_variety
from facegen_addon.scene.workflows.variety_placing import COLLECTION, place_heads
from facegen_addon.ui import file_states, jobs, variety
from facegen_addon.ui.file_states import FileState
from facegen_addon.ui.variety import LABELS
from facegen_addon.variety import predicted
from facegen_addon.variety.held import Held
from facegen_addon.variety.request import VarietyRequest
from tests.ui.panels import RecordingLayout

SMALL = {"count": 3, "distance": 0.25, "distribution": "prior", "samples": 2, "size": 96}
KINDS = (
    "objects", "meshes", "scenes", "hair_curves", "images", "worlds", "cameras", "lights",
    "collections",
)  # fmt: skip


def _blocks() -> dict[str, set[str]]:
    """Names of all data, but for what stays.

    Blender keeps an image of its own for the last render, and the materials of heads keep theirs.
    """
    found = {kind: {block.name for block in getattr(bpy.data, kind)} for kind in KINDS}
    of_materials = {
        node.image.name
        for material in bpy.data.materials
        if material.name.startswith("FaceGen") and material.node_tree
        for node in material.node_tree.nodes
        if node.type == "TEX_IMAGE" and node.image
    }
    last = {image.name for image in bpy.data.images if image.type == "RENDER_RESULT"}
    found["images"] -= of_materials | last
    return found


def _heads() -> list[bpy.types.Object]:
    return sorted((o for o in bpy.data.objects if MODEL_KEY in o), key=lambda o: o.name)


def test_heads_are_placed_with_all_that_is_known_of_them() -> None:
    other = bpy.data.objects.new("Other", None)
    bpy.context.collection.objects.link(other)
    other.select_set(True)
    before = _blocks()
    assert bpy.ops.facegen.generate_variety(**SMALL, seed=7) == {"FINISHED"}
    result = made_variety.read(bpy.context.scene)
    heads = _heads()
    assert [head.name for head in heads] == ["Head 01", "Head 02", "Head 03"]
    assert len({head[ID_KEY] for head in heads}) == 3
    for head, made in zip(heads, result.heads, strict=True):
        assert head[SEED_KEY] == 7
        np.testing.assert_allclose(read(head).achieved, made.achieved, atol=1e-6)
        assert [entry.label for entry in history.history_of(head).entries] == [
            f"Variety {head.name[-2:]}"
        ]
        assert [owner.name for owner in head.users_collection] == [COLLECTION]
    assert set(bpy.context.selected_objects) == set(heads)
    assert bpy.context.view_layer.objects.active == heads[0]
    after = _blocks()
    for kind in ("scenes", "images", "worlds", "cameras", "lights"):
        assert after[kind] == before[kind]
    assert bpy.context.scene.facegen_variety.last == result.summary
    assert result.summary == f"3 heads, smallest pair {result.smallest_distance:.2f}"
    assert result.smallest_distance >= 0.25


def test_each_variety_has_a_collection_of_its_own() -> None:
    for _ in range(2):
        assert bpy.ops.facegen.generate_variety(**SMALL | {"count": 1}) == {"FINISHED"}
    names = [name for name in _blocks()["collections"] if name.startswith(COLLECTION)]
    assert len(names) == 2
    assert {len(bpy.data.collections[name].objects) for name in names} == {2}  # skin and hair
    assert bpy.context.scene.facegen_variety.last == "1 head"


@pytest.mark.parametrize("stage", ["Choosing faces", "Heads", "Placing"])
def test_stopped_half_way_nothing_is_left(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _blocks()
    seen: list[str] = []
    whole = jobs.Running.step

    def step(job: jobs.Running) -> bool:
        more = whole(job)
        seen.append(job.label)
        if job.label == stage and job.done == (0 if stage == "Choosing faces" else 2):
            raise KeyboardInterrupt
        return more

    monkeypatch.setattr(jobs.Running, "step", step)
    with pytest.raises(RuntimeError, match="KeyboardInterrupt"):
        bpy.ops.facegen.generate_variety(**SMALL)
    assert seen[-1] == stage
    assert jobs.current() is None
    assert _blocks() == before
    assert bpy.context.scene.facegen_variety.last == ""
    assert made_variety.MADE_KEY not in bpy.context.scene
    assert bpy.context.scene[made_variety.ERROR_KEY]["kind"] == "KeyboardInterrupt"


def test_an_unmet_demand_places_nothing() -> None:
    before = _blocks()
    with pytest.raises(RuntimeError, match=r"of 3 heads at distance 1.9.*; 3 heads reach 0\."):
        bpy.ops.facegen.generate_variety(**SMALL | {"distance": 1.9}, budget=4)
    error = bpy.context.scene[made_variety.ERROR_KEY]
    assert error["kind"] == "NotReached" and "of 3 heads at distance 1.9" in error["text"]
    assert isinstance(made_variety.error_of(bpy.context.scene), NotReached)
    assert _blocks() == before
    assert bpy.ops.facegen.generate_variety(**SMALL, place=False) == {"FINISHED"}
    assert made_variety.error_of(bpy.context.scene) is None


def test_without_facenet_one_line_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise UserError("facenet.onnx is missing: build it")

    monkeypatch.setattr(encoder.Encoder, "load", missing)
    before = _blocks()
    with pytest.raises(RuntimeError, match=r"Error: facenet.onnx is missing: build it\n$"):
        bpy.ops.facegen.generate_variety(**SMALL)
    assert _blocks() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "nobody"}, "nobody"),
        ({"count": 9, "budget": 3}, "budget 3"),
        ({"corrections": 1}, "choose latent"),
        ({"encoder": "sfaze"}, "'sfaze': choose facenet, sface"),
        ({"encoder": "sface", "distribution": "latent"}, "sface gives latents of 128"),
        ({"fill_gaps": [{"name": "nowhere"}], "distribution": "latent"}, "nowhere is missing"),
        ({"fill_gaps": [{"name": "a;b:c"}], "distribution": "latent"}, "Error: a;b:c is missing"),
        ({"wear": "garment=toga"}, "Error: wear: unknown garment 'toga'"),
        ({"model": "anny", "wear": "garment=crew"}, "Error: heads of model 'anny' wear nothing"),
    ],
)
def test_wrong_values_are_one_line(change: dict, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        bpy.ops.facegen.generate_variety(**SMALL | change)
    assert not _heads()


def test_by_another_encoder_operator_and_function_make_the_same_heads() -> None:
    """What the panel says of heads is of FaceNet's latents, so others are not kept with them."""
    small = SMALL | {"encoder": "sface"}
    *_, last = run_variety(VarietyRequest(**small))
    assert bpy.ops.facegen.generate_variety(**small) == {"FINISHED"}
    result = made_variety.read(bpy.context.scene)
    assert result.encoder == last.result.encoder == "sface"
    for mine, theirs in zip(last.result.heads, result.heads, strict=True):
        assert theirs.achieved.shape == (128,)
        assert mine.parameters.tobytes() == theirs.parameters.tobytes()
        assert mine.achieved.tobytes() == theirs.achieved.tobytes()
    assert result.smallest_distance >= SMALL["distance"]
    assert [read(head).achieved for head in _heads()] == [None] * 3


@pytest.mark.parametrize("name", ["distribution", "grade", "engine", "light"])
def test_unknown_choices_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match="enum"):
        bpy.ops.facegen.generate_variety(**SMALL | {name: "gauss"})


def test_handlers_of_progress_hear_every_step() -> None:
    heard: list[jobs.Progress] = []
    jobs.progress_handlers.append(heard.append)
    try:
        bpy.ops.facegen.generate_variety(**SMALL, place=False)
    finally:
        jobs.progress_handlers.remove(heard.append)
    assert not _heads()
    assert heard[-1] == jobs.Progress("Heads", 3, 3)
    assert {progress.label for progress in heard} <= set(LABELS.values())


def test_a_handler_that_fails_ends_the_job() -> None:
    def fail(progress: jobs.Progress) -> None:
        raise ValueError("no room for a bar")

    before = _blocks()
    jobs.progress_handlers.append(fail)
    try:
        with pytest.raises(RuntimeError, match="no room for a bar"):
            bpy.ops.facegen.generate_variety(**SMALL)
    finally:
        jobs.progress_handlers.remove(fail)
    assert jobs.current() is None and _blocks() == before


def test_a_remedy_comes_back_with_the_error_that_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The panel's words are in the text; the command line has others for the same need."""
    need = Need(Remedy.BUILD_ENCODER, "facenet")

    def missing(*_: object, **__: object) -> None:
        raise UserError("facenet.onnx is missing", need)

    monkeypatch.setattr(encoder.Encoder, "load", missing)
    with pytest.raises(RuntimeError):
        bpy.ops.facegen.generate_variety(**SMALL)
    assert "preferences" in bpy.context.scene[made_variety.ERROR_KEY]["text"]
    error = made_variety.error_of(bpy.context.scene)
    assert isinstance(error, UserError)
    assert (str(error), error.need) == ("facenet.onnx is missing", need)


def test_placing_stopped_removes_what_it_placed() -> None:
    *_, last = run_variety(VarietyRequest(**SMALL))
    before = _blocks()
    placing = place_heads(last.result, bpy.context.collection, bpy.context.scene.cursor.location)
    next(placing)
    next(placing)
    assert len(_heads()) == 2
    placing.close()
    assert _blocks() == before


def test_a_summary_of_one_head_has_no_pair() -> None:
    *_, last = run_variety(VarietyRequest(**SMALL | {"count": 1}))
    assert last.result.smallest_distance is None
    assert last.result.summary == "1 head"


def test_guided_thoughts_can_be_stopped() -> None:
    """Refining in a thread: Esc does not wait for all of it, and no thread is left."""
    request = VarietyRequest(model=DEFAULT_MODEL, count=40, distance=0.5, size=64, samples=1)
    events = run_variety(request)
    assert next(events).stage == "sample"
    assert next(events).stage == "sample"
    events.close()


def test_settings_are_kept_with_the_scene(tmp_path) -> None:
    settings = bpy.context.scene.facegen_variety
    settings.count, settings.distance = 5, 0.4
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert bpy.context.scene.facegen_variety.count == 16
    bpy.ops.wm.open_mainfile(filepath=path)
    assert bpy.context.scene.facegen_variety.count == 5
    assert bpy.context.scene.facegen_variety.distance == pytest.approx(0.4)


FIELDS = fields_of(VarietyRequest)


def _properties() -> dict[str, bpy.types.Property]:
    return dict(bpy.ops.facegen.generate_variety.get_rna_type().properties)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_panel_command_line_and_request_have_the_same_fields(field: RequestField) -> None:
    """Default and range or names of each, wherever it is asked for."""
    found = _properties()[field.name]
    assert found.description.lower().startswith(field.help.lower())
    if not isinstance(field, FilePaths):
        assert found.default == field.default
    if isinstance(field, OneOf):
        assert tuple(found.enum_items.keys()) == field.names
    if isinstance(field, WholeNumber):
        low = field.default if field.unset else field.low
        assert (found.hard_min, found.hard_max) == (low, field.high)
    if not field.unset:
        assert getattr(VarietyRequest(), field.name) == field.default
        assert getattr(parse_options([]), field.name) == field.default


def test_the_panel_takes_any_distance_that_the_command_line_takes() -> None:
    """Blender's numbers are of single precision."""
    distance = _properties()["distance"]
    assert distance.hard_min == 0.0
    assert 1.9999 < distance.hard_max < 2.0
    assert VarietyRequest(distance=distance.hard_max).distance == distance.hard_max


def test_without_facenet_heads_are_apart_by_prediction_and_the_panel_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise UserError("facenet.onnx is missing: build it")

    monkeypatch.setattr(encoder.Encoder, "load", missing)
    monkeypatch.setattr(file_states, "facenet", lambda: FileState(False, "not found"))
    asked = {"count": 3, "distance": 0.2, "grade": "direct", "predicted": True}
    assert bpy.ops.facegen.generate_variety(**asked, seed=7) == {"FINISHED"}
    heads = _heads()
    assert [head.name for head in heads] == ["Head 01", "Head 02", "Head 03"]
    for head in heads:
        assert read(head).requested is not None and read(head).achieved is None
        assert head[SEED_KEY] == 7
    assert set(bpy.context.selected_objects) == set(heads)
    assert made_variety.MADE_KEY not in bpy.context.scene
    assert bpy.context.scene.facegen_variety.last == "3 heads, 0.20 apart as predicted"
    button = SimpleNamespace()
    variety.ask_button(button, bpy.context, "latent")
    assert button.predicted
    described = bpy.types.FACEGEN_OT_generate_variety.description(
        bpy.context, SimpleNamespace(predicted=True, distance=0.6)
    )
    assert described.startswith("Generate heads") and "95% of pairs will be 0.60" in described
    shown: list[str] = []
    column = SimpleNamespace(label=lambda text, **_: shown.append(text))
    layout: Any = SimpleNamespace(column=lambda **_: column)
    variety.draw_guarantee(layout, 0.0)
    told = list(predicted.guarantee(same_face_threshold()))
    assert shown[: len(told)] == told and shown[len(told)].startswith("Blender is offline")


def test_stopped_half_way_a_variety_by_prediction_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = _blocks()
    whole = jobs.Running.step

    def step(job: jobs.Running) -> bool:
        more = whole(job)
        if job.label == "Placing":
            raise KeyboardInterrupt
        return more

    monkeypatch.setattr(jobs.Running, "step", step)
    asked = {"count": 2, "distance": 0.2, "grade": "direct", "predicted": True}
    with pytest.raises(RuntimeError, match="KeyboardInterrupt"):
        bpy.ops.facegen.generate_variety(**asked)
    assert _blocks() == before


def test_what_is_locked_on_the_active_head_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Held | None] = []

    def noted(request: VarietyRequest, held: Held | None = None) -> Iterator[None]:
        seen.append(held)
        raise UserError("enough")
        yield

    monkeypatch.setattr(variety, "run_variety", noted)
    bpy.ops.facegen.add_head(model="anny", subdivision=0)
    head = bpy.context.active_object
    bpy.ops.facegen.toggle_lock(section="face/Nose")
    for asked in ({"model": "anny"}, {"model": "anny", "keep_locked": False}, {"model": "person"}):
        with pytest.raises(RuntimeError, match="enough"):
            bpy.ops.facegen.generate_variety(distribution="prior", **asked)
    first, *others = seen
    assert first is not None and others == [None, None]
    assert first.parameters.tolist() == head["facegen_parameters"].to_list()
    assert first.locked.sum() == len(load_head_model("anny").table.columns("nose"))
    bpy.ops.facegen.toggle_lock(section="face/Nose")
    with pytest.raises(RuntimeError, match="enough"):
        bpy.ops.facegen.generate_variety(distribution="prior", model="anny")
    assert seen[-1] is None


def test_what_is_asked_first_stands_first_and_the_rest_is_folded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Folded(RecordingLayout):
        """As a new user sees it."""

        def panel(self, idname: str, **options: object) -> tuple[RecordingLayout, object]:
            super().panel(idname, **options)
            return self, None if options.get("default_closed") else self

    settings = bpy.context.scene.facegen_variety
    monkeypatch.setattr(file_states, "facenet", lambda: FileState(False, "not found"))
    log: list[tuple[str, str]] = []
    variety._draw_settings(Folded(log), settings)
    assert [name for kind, name in log if kind == "prop"] == ["count", "distance", "seed"]
    log.clear()
    variety._draw_settings(RecordingLayout(log), settings)
    fields = {field.name for field in variety._ON_PANEL}
    assert {name for kind, name in log if kind == "prop"} == fields
    settings.distribution = "prior"
    log.clear()
    variety._draw_button(RecordingLayout(log), bpy.context, settings)
    assert ("label", "Without FaceNet: Real Faces alone") in log, "why the button is grey"
