# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders as real RNA properties, and the panel around them, in a real bpy."""

import logging
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

import facegen_addon
from facegen_addon.errors import UserError
from facegen_addon.heads import catalogue
from facegen_addon.heads.areas import AREAS
from facegen_addon.heads.catalogue import HEAD_MODELS, load_head_model
from facegen_addon.heads.characteristics import WHOLE
from facegen_addon.heads.plain_words import words_of
from facegen_addon.heads.sections import EXPRESSION, FACE, HAIR, WHO, Section, sections
from facegen_addon.scene.head import completion, head_object
from facegen_addon.scene.head.head_object import MODEL_KEY, PARAMETERS_KEY, HeadObject
from facegen_addon.ui import properties, slider_rows, thumbnails
from tests.ui.panels import RecordingLayout, draw_panels

MODELS = tuple(HEAD_MODELS)


def add_head(model: str = "anny") -> bpy.types.Object:
    assert bpy.ops.facegen.add_head(model=model, subdivision=0) == {"FINISHED"}
    return bpy.context.view_layer.objects.active


def positions(mesh_object: bpy.types.Object) -> np.ndarray:
    values = np.empty(3 * len(mesh_object.data.vertices), np.float32)
    mesh_object.data.attributes["position"].data.foreach_get("vector", values)
    return values.reshape(-1, 3)


def attributes(mesh_object: bpy.types.Object) -> dict[str, bytes]:
    """All that a slider may change, as bytes: of the mesh and of its hair."""
    kinds = {"FLOAT_VECTOR": ("vector", 3), "FLOAT_COLOR": ("color", 4), "FLOAT": ("value", 1)}
    found = {}
    for data in (mesh_object.data, mesh_object.children[0].data):
        for attribute in data.attributes:
            if attribute.data_type in kinds:
                key, width = kinds[attribute.data_type]
                values = np.empty(width * len(attribute.data), np.float32)
                attribute.data.foreach_get(key, values)
                found[f"{data.name} {attribute.name}"] = values.tobytes()
    return found


def sliders(mesh_object: bpy.types.Object) -> bpy.types.PropertyGroup:
    found = properties.sliders_of(mesh_object)
    assert found is not None
    return found


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_is_a_slider_with_its_range(model: str) -> None:
    values = sliders(add_head(model))
    for parameter in load_head_model(model).table.parameters:
        rna = values.bl_rna.properties[parameter.name]
        assert rna.name == words_of(parameter).label
        assert rna.hard_min == pytest.approx(parameter.minimum)
        assert rna.hard_max == pytest.approx(parameter.maximum)
        assert getattr(values, parameter.name) == pytest.approx(parameter.mean)


def test_a_slider_moves_the_mesh_as_its_parameter_does() -> None:
    head = add_head()
    model = load_head_model("anny")
    sliders(head).weight = 0.9
    parameters = np.array(head[PARAMETERS_KEY])
    assert parameters[model.table.index("weight")] == pytest.approx(0.9)
    np.testing.assert_array_equal(positions(head), model.forward(parameters)[0])


@pytest.mark.parametrize("model_name", MODELS)
def test_moving_sliders_one_by_one_ends_where_setting_all_at_once_does(
    model_name: str, rng: np.random.Generator
) -> None:
    """One slider of each group, there and back, against a head made anew."""
    head = add_head(model_name)
    model, values = load_head_model(model_name), sliders(head)
    table = model.table
    columns = [rng.choice(table.columns(group)) for group in table.groups] * 2
    for column in columns:
        low, high = table.minimum[column], table.maximum[column]
        setattr(values, table.names[column], rng.uniform(low, high))
    moved, parameters = positions(head), np.array(head[PARAMETERS_KEY])
    everything = attributes(head)
    HeadObject.of(head).set_parameters(parameters)
    np.testing.assert_array_equal(moved, positions(head))
    assert attributes(head) == everything


@pytest.fixture
def waiting() -> Iterator[None]:
    """Heads are completed in a later moment, as in a window."""
    completion.set_waiting(True)
    yield
    completion.set_waiting(False)


@pytest.mark.parametrize("model_name", MODELS)
def test_skin_follows_at_once_and_all_of_the_head_in_the_next_moment(
    model_name: str, rng: np.random.Generator, waiting: None
) -> None:
    head = add_head(model_name)
    model, values = load_head_model(model_name), sliders(head)
    table = model.table
    values.skin_melanin = 0.3  # the first move gets ready, and is complete
    hair = attributes(head)[f"{head.children[0].data.name} position"]
    for column in [rng.choice(table.columns(group)) for group in table.groups * 2]:
        low, high = table.minimum[column], table.maximum[column]
        setattr(values, table.names[column], rng.uniform(low, high))
        parameters = np.array(head[PARAMETERS_KEY])
        evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
        at_once = positions(evaluated)
        np.testing.assert_allclose(at_once, model.forward(parameters)[0], atol=1e-6)
    assert attributes(head)[f"{head.children[0].data.name} position"] == hair
    assert bpy.app.timers.is_registered(completion.complete_all)
    completion.complete_all()
    everything = attributes(head)
    HeadObject.of(head).set_parameters(parameters)
    assert attributes(head) == everything


@pytest.mark.parametrize("reader", ["save", "render", "undo", "unregister"])
def test_nobody_reads_a_head_that_is_not_complete(
    reader: str, tmp_path: Path, waiting: None
) -> None:
    head = add_head()
    sliders(head).jawOpen = 0.2
    completion.complete_all()
    sliders(head).jawOpen = 0.9
    name, parameters = head.name, np.array(head[PARAMETERS_KEY])
    before = attributes(head)
    if reader == "save":
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "head.blend"))
    elif reader == "render":
        render_small()
    elif reader == "undo":  # back to a moment between skin and strands
        bpy.ops.ed.undo_push(message="between")
        sliders(head).weight = 0.9
        completion.complete_all()
        bpy.ops.ed.undo_push(message="later")
        bpy.ops.ed.undo()
    else:
        facegen_addon.unregister()
        facegen_addon.register()
    head = bpy.data.objects[name]
    np.testing.assert_array_equal(np.array(head[PARAMETERS_KEY]), parameters)
    read = attributes(head)
    assert read != before
    HeadObject.of(head).set_parameters(parameters)
    assert attributes(head) == read


def render_small(**options: bool) -> None:
    """The scene in 64 pixels and one sample of Cycles; with a camera, if it has none."""
    scene = bpy.context.scene
    if scene.camera is None:
        scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
        scene.camera.location, scene.camera.rotation_euler = (0, -1, 0.05), (np.pi / 2, 0, 0)
        bpy.context.collection.objects.link(scene.camera)
        scene.world = bpy.data.worlds.new("World")
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.render.resolution_x = scene.render.resolution_y = 64
    bpy.ops.render.render(**options)


def test_only_what_changed_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    head = add_head()
    values = sliders(head)
    values.age = 0.8
    calls: list[str] = []
    for name in ("_write_shape", "_write_strands", "_write_hair_colours"):
        monkeypatch.setattr(HeadObject, name, lambda self, *rest, name=name: calls.append(name))
    values.skin_melanin = 0.7
    assert calls == ["_write_hair_colours"]
    calls.clear()
    values.hair_length = 0.9
    assert calls == ["_write_strands"]
    calls.clear()
    values.hair_density = 0.9  # it darkens the scalp, too
    assert calls == ["_write_hair_colours", "_write_strands"]
    calls.clear()
    values.jawOpen = 0.5
    assert calls == ["_write_shape", "_write_strands"]


def test_sliders_show_what_code_sets(rng: np.random.Generator) -> None:
    head = add_head()
    model = load_head_model("anny")
    parameters = model.sample_prior(rng, 1)[0]
    HeadObject.of(head).set_parameters(parameters)
    shown = [getattr(sliders(head), name) for name in model.table.names]
    np.testing.assert_allclose(shown, parameters, rtol=1e-6, atol=1e-7)
    assert head[PARAMETERS_KEY].to_list() == parameters.tolist()


def test_ends_of_ranges_survive_single_precision() -> None:
    """0.8 is larger in single precision than in double, beyond a range that ends there."""
    head = add_head()
    sliders(head).jaw_x = 0.8
    column = load_head_model("anny").table.index("jaw_x")
    assert head[PARAMETERS_KEY][column] == 0.8


def test_keyframes_animate_the_mesh() -> None:
    head = add_head()
    scene, path = bpy.context.scene, f"{properties.sliders_name('anny')}.jawOpen"
    for frame, value in ((1, 0.0), (11, 1.0)):
        sliders(head).jawOpen = value
        assert head.keyframe_insert(path, frame=frame)
    model = load_head_model("anny")
    column = model.table.index("jawOpen")
    found = []
    for frame in (1, 6, 11):
        scene.frame_set(frame)
        found.append(head[PARAMETERS_KEY][column])
        parameters = model.table.default()
        parameters[column] = found[-1]
        np.testing.assert_array_equal(positions(head), model.forward(parameters)[0])
    assert found == pytest.approx([0.0, 0.5, 1.0], abs=1e-4)


def test_blender_does_not_draw_while_it_renders_heads_that_are_animated() -> None:
    """They are written in the render's thread."""
    head, scene = add_head(), bpy.context.scene
    scene.frame_set(2)
    assert not scene.render.use_lock_interface
    head.keyframe_insert(f"{properties.sliders_name('anny')}.jawOpen", frame=1)
    scene.frame_set(3)
    assert scene.render.use_lock_interface


def test_a_rendered_animation_moves_the_head(tmp_path: Path) -> None:
    head, scene = add_head(), bpy.context.scene
    path = f"{properties.sliders_name('anny')}.jawOpen"
    for frame, value in ((1, 0.0), (2, 1.0)):
        sliders(head).jawOpen = value
        head.keyframe_insert(path, frame=frame)
    scene.frame_start, scene.frame_end = 1, 2
    scene.render.filepath = str(tmp_path / "frame_")
    scene.render.image_settings.file_format = "PNG"
    render_small(animation=True)
    first, second = (loaded_pixels(file) for file in sorted(tmp_path.glob("frame_*.png")))
    # Noise has the same seed in both: what differs is the head.
    assert (np.abs(first - second).max(-1) > 0.05).sum() > 10


def loaded_pixels(file: Path) -> np.ndarray:
    image = bpy.data.images.load(str(file))
    values = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(-1, 4)


def test_a_driver_moves_the_mesh() -> None:
    head = add_head()
    control = bpy.data.objects.new("Control", None)
    bpy.context.collection.objects.link(control)
    driver = sliders(head).driver_add("weight").driver
    variable = driver.variables.new()
    variable.type = "TRANSFORMS"
    variable.targets[0].id = control
    driver.expression = variable.name
    control.location.x = 0.95
    bpy.context.view_layer.update()
    column = load_head_model("anny").table.index("weight")
    assert head[PARAMETERS_KEY][column] == pytest.approx(0.95)


def test_undo_and_then_a_slider() -> None:
    """Undo replaces Blender's objects and takes the parameters back; sliders go on from there."""
    head = add_head()
    model = load_head_model("anny")
    head_id, name = head["facegen_id"], head.name
    bpy.ops.ed.undo_push(message="head")
    sliders(head).weight = 0.9
    bpy.ops.ed.undo_push(message="weight")
    bpy.ops.ed.undo()
    head = bpy.data.objects[name]
    assert head["facegen_id"] == head_id
    assert sliders(head).weight == pytest.approx(0.5)
    sliders(head).age = 0.9
    parameters = model.table.default()
    parameters[model.table.index("age")] = np.float32(0.9)
    np.testing.assert_array_equal(positions(head), model.forward(parameters)[0])


def test_a_copy_of_a_head_is_a_head_of_its_own() -> None:
    head = add_head()
    copy, hair = head.copy(), head.children[0].copy()
    copy.data, hair.data, hair.parent = head.data.copy(), hair.data.copy(), copy
    for added in (copy, hair):
        bpy.context.collection.objects.link(added)
    bpy.context.view_layer.update()
    before = positions(head)
    sliders(copy).weight = 1.0
    np.testing.assert_array_equal(positions(head), before)
    assert np.abs(positions(copy) - before).max() > 1e-4
    assert copy["facegen_id"] != head["facegen_id"]


def test_a_head_without_hair_still_moves() -> None:
    head = add_head()
    bpy.data.objects.remove(head.children[0])
    before = positions(head)
    sliders(head).weight = 1.0
    assert np.abs(positions(head) - before).max() > 1e-4


def test_tooltips_carry_the_influence(measured: None) -> None:
    rna = sliders(add_head()).bl_rna.properties
    assert rna["age"].description == (
        "Age: young to old.\nAge, from 0.4 to 1.\n"
        "Influence: 0.031 cosine distance and 0.8 mm per standard deviation"
    )
    assert rna["jawOpen"].description.endswith(
        "Influence: 0.001 (noise: 0.003) cosine distance and 0.8 mm per quarter of the range"
    )
    assert rna["neck_x"].description == "Neck rotation x, from -46 to 46 degrees"


def test_the_touched_slider_has_pictures(measured: None) -> None:
    head = add_head()
    sliders(head).age = 0.6
    assert bpy.context.window_manager.facegen.slider == "age"
    assert thumbnails.icons("anny", "age") is not None
    assert thumbnails.icons("anny", "jawOpen") is None
    assert bpy.ops.facegen.show_slider(name="jawOpen") == {"FINISHED"}
    # Without a window icons have no numbers, but their pictures are loaded.
    icons = {key: icon for key, icon in thumbnails._collection.items() if key.startswith("slider")}
    assert [tuple(icon.image_size) for icon in icons.values()] == [(96, 96)] * 4


def test_damaged_figures_leave_sliders_without_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data" / "influence").mkdir(parents=True)
    (tmp_path / "data" / "influence" / "anny.npz").write_bytes(b"no archive")
    head = add_head()
    assert "Influence" not in sliders(head).bl_rna.properties["neck_x"].description
    assert "anny.npz" in caplog.text


def test_search_finds_by_every_word() -> None:
    table = load_head_model("anny").table
    everything = np.ones(len(table), np.bool_)

    def names(search: str, viewed: np.ndarray = everything) -> tuple[list[str], int]:
        rows, others = slider_rows.found(table, search, viewed)
        return [parameter.name for parameter in rows], others

    assert names("jaw OPEN") == (["jawOpen"], 0)
    assert names("jaw OPEN", ~everything) == ([], 1)
    assert len(names("nose")[0]) >= len(table.columns("nose"))
    assert names("nothing of the kind") == ([], 0)


def test_long_sections_show_their_first_sliders_and_asymmetries_last() -> None:
    table = load_head_model("person").table
    viewed = np.ones(len(table), np.bool_)
    ears, mouth = Section(FACE, "Ears"), Section(FACE, "Mouth")
    shown, more = slider_rows.section_rows(table, ears, viewed, show_all=False)
    assert (len(shown), more) == (11, 11)
    everything, more = slider_rows.section_rows(table, ears, viewed, show_all=True)
    assert (len(everything), more) == (22, 0) and everything[:11] == shown
    shown, more = slider_rows.section_rows(table, mouth, viewed, show_all=False)
    assert (len(shown), more) == (slider_rows.FIRST, 22 - slider_rows.FIRST)
    viewed[table.columns("mouth")[1:]] = False
    shown, more = slider_rows.section_rows(table, mouth, viewed, show_all=False)
    assert ([p.name for p in shown], more) == ([table.names[table.columns("mouth")[0]]], 0)


def test_reset_of_a_group_and_of_all() -> None:
    head = add_head()
    values = sliders(head)
    values.age, values.jawOpen = 0.9, 0.7
    assert bpy.ops.facegen.reset_sliders(group="expression") == {"FINISHED"}
    assert (values.age, values.jawOpen) == pytest.approx((0.9, 0.0))
    assert bpy.ops.facegen.reset_sliders() == {"FINISHED"}
    table = load_head_model("anny").table
    assert head[PARAMETERS_KEY].to_list() == table.default().tolist()


def test_reset_needs_a_head() -> None:
    assert not bpy.ops.facegen.reset_sliders.poll()


def test_a_saved_file_opens_with_its_sliders(tmp_path: Path) -> None:
    head = add_head()
    sliders(head).weight = 0.8
    name, before = head.name, positions(head)
    path = str(tmp_path / "heads.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    facegen_addon.unregister()  # as in a new Blender: no sliders are registered yet
    bpy.ops.wm.read_factory_settings(use_empty=True)
    facegen_addon.register()
    assert properties.model_sliders("anny") is None
    bpy.ops.wm.open_mainfile(filepath=path)
    head = bpy.data.objects[name]
    np.testing.assert_array_equal(positions(head), before)
    assert sliders(head).weight == pytest.approx(0.8)
    sliders(head).weight = 0.2
    assert not np.array_equal(positions(head), before)


def test_a_missing_model_is_said_and_its_data_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    head = add_head()
    sliders(head).weight = 0.8
    name, parameters = head.name, head[PARAMETERS_KEY].to_list()
    path = str(tmp_path / "heads.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    facegen_addon.unregister()
    facegen_addon.register()

    def gone(name: str) -> None:
        raise UserError("flame_abc is not in the cache: open its FLAME file again")

    with monkeypatch.context() as without:
        without.setattr(head_object, "load_head_model", gone)
        with caplog.at_level(logging.ERROR):
            bpy.ops.wm.open_mainfile(filepath=path)
        assert "open its FLAME file again" in caplog.text
        assert "open its FLAME file again" in properties.missing_model("anny")
        with pytest.raises(RuntimeError, match="open its FLAME file again"):
            bpy.ops.facegen.load_sliders()
        bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=path)
    assert bpy.data.objects[name][PARAMETERS_KEY].to_list() == parameters
    assert sliders(bpy.data.objects[name]).weight == pytest.approx(0.8)
    assert properties.missing_model("anny") == ""


def test_a_head_of_another_version_of_its_model_is_said(caplog: pytest.LogCaptureFixture) -> None:
    head = add_head()
    head[PARAMETERS_KEY] = [0.0, 1.0]
    properties.adopt_heads()
    assert "made with another version" in properties.missing_model("anny")
    assert head[PARAMETERS_KEY].to_list() == [0.0, 1.0]


@pytest.mark.parametrize("subdivided", [False, True])
def test_sliders_leave_an_edited_mesh_alone(subdivided: bool) -> None:
    """In edit mode, and for good where vertices were added there; the panel says why."""
    head = add_head()
    name = head.name
    bpy.ops.object.mode_set(mode="EDIT")
    if subdivided:
        bpy.ops.mesh.select_all(action="SELECT")
        bpy.ops.mesh.subdivide()
        bpy.ops.object.mode_set(mode="OBJECT")
    before = head[PARAMETERS_KEY].to_list()
    sliders(head).weight = 0.9
    assert head[PARAMETERS_KEY].to_list() == before
    reason = "no longer fits" if subdivided else "leave edit mode"
    with pytest.raises(RuntimeError, match=reason):
        bpy.ops.facegen.reset_sliders()
    text = " ".join(text for kind, text in drawn() if kind == "label")
    assert reason in text.lower()
    if not subdivided:
        bpy.ops.object.mode_set(mode="OBJECT")
        sliders(bpy.data.objects[name]).weight = 0.8
        assert bpy.data.objects[name][PARAMETERS_KEY].to_list() != before


def test_models_are_suggested() -> None:
    """All of them while nothing new is typed, so that a click shows what there is."""
    context = bpy.context
    assert properties.suggest_models(None, context, "anny")[0] == "anny"
    assert set(properties.suggest_models(None, context, "anny")) == set(MODELS)
    assert properties.suggest_models(None, context, "flam") == ["open_flame"]
    assert properties.suggest_models(None, context, "/my/file.pkl") == []


def test_add_head_says_what_is_no_model() -> None:
    with pytest.raises(RuntimeError, match="unknown head model 'nobody'"):
        bpy.ops.facegen.add_head(model="nobody")


def test_the_flame_file_chosen_is_the_next_model(tmp_path: Path) -> None:
    assert bpy.ops.facegen.choose_flame_file(filepath=str(tmp_path / "my.pkl")) == {"FINISHED"}
    assert bpy.context.window_manager.facegen.model == str(tmp_path / "my.pkl")


@pytest.mark.slow
def test_a_users_flame_file_has_sliders(tmp_path: Path, shared_data: Path) -> None:
    file = shared_data / "flame" / "flame2023open_60id_f32.npz"
    head = add_head(str(file))
    assert head[MODEL_KEY].startswith("flame_")
    before = positions(head)
    sliders(head).shape_001 = 2.0
    assert np.abs(positions(head) - before).max() > 1e-3


def test_register_twice_undoes_everything() -> None:
    add_head()
    name = properties.sliders_name("anny")
    assert hasattr(bpy.types.Object, name)
    handlers = our_handlers()
    assert {"render_init", "save_pre", "undo_post", "frame_change_post"} <= handlers.keys()
    for _ in range(2):
        facegen_addon.unregister()
        assert not hasattr(bpy.types.Object, name)
        assert not hasattr(bpy.types.WindowManager, "facegen")
        assert not hasattr(bpy.types, "FACEGEN_PT_head")
        assert not our_handlers()
        assert not head_object._listeners
        assert not bpy.app.timers.is_registered(properties.adopt_heads)
        facegen_addon.register()
    assert our_handlers() == handlers


def our_handlers() -> dict[str, int]:
    """How many of Blender's handlers of each kind are the add-on's."""
    kinds = {name: getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)}
    ours = {
        name: sum(getattr(h, "__module__", "").startswith("facegen_addon") for h in kind)
        for name, kind in kinds.items()
        if isinstance(kind, list)
    }
    return {name: count for name, count in ours.items() if count}


def drawn_wholly() -> list[tuple[str, str]]:
    """All sections with all that is in them."""
    settings = bpy.context.window_manager.facegen
    settings.show_all = True
    try:
        return drawn()
    finally:
        settings.show_all = False


def drawn() -> list[tuple[str, str]]:
    log: list[tuple[str, str]] = []
    draw_panels(RecordingLayout(log))
    return log


def test_the_panel_without_a_head_offers_to_add_one() -> None:
    assert ("operator", "facegen.add_head") in drawn()
    assert [name for kind, name in drawn() if kind == "panel"] == ["FACEGEN_people"]


@pytest.mark.parametrize("model", MODELS)
def test_the_panel_draws_groups_search_and_pictures(model: str, measured: None) -> None:
    head = add_head(model)
    table = load_head_model(model).table
    panels_drawn = [text for kind, text in drawn() if kind == "panel"]
    influence_drawn = ["FACEGEN_influence"] if model == "anny" else []
    of_flame = model in ("open_flame", "open_person")
    measures = [f"FACEGEN_measures_{area}" for area in (WHOLE, *AREAS)] if of_flame else []
    who, face, hair, expression = (
        [f"FACEGEN_{model}_{section.key}" for section in sections(table, panel)]
        for panel in (WHO, FACE, HAIR, EXPRESSION)
    )
    of_face = [*influence_drawn, *measures, *face, "FACEGEN_short_lists"]
    assert panels_drawn == ["FACEGEN_people", *who, *of_face, *hair, *expression]
    assert all(
        parameter.name in {name for _, name in drawn_wholly()} for parameter in table.parameters
    )
    settings = bpy.context.window_manager.facegen
    settings.search = "melanin"
    assert {text for kind, text in drawn() if kind == "prop"} >= {"skin_melanin", "hair_melanin"}
    settings.search = "nose width"
    assert (("prop", "nose_width") in drawn()) == of_flame
    settings.search = ""
    if model == "anny":
        # The most influential at first, so that nothing below moves when a slider is touched.
        before = drawn()
        assert ("label", "Influence: Age") in before
        assert ("label", "Per standard deviation:") in before
        assert ("label", "Cosine distance 0.031") in before
        assert ("label", "Skin moves 0.8 mm") in before
        assert len([kind for kind, _ in before if kind == "icon"]) == 2
        sliders(head).jawOpen = 0.2
        after = drawn()
        assert ("label", "Influence: Jaw Open") in after
        assert [kind for kind, _ in after] == [kind for kind, _ in before]
        # Only measured sliders have a button that shows what they do.
        assert len([name for _, name in before if name == "facegen.show_slider"]) == 2


def test_only_what_was_moved_can_be_reset() -> None:
    head = add_head()
    table = load_head_model("anny").table
    sliders(head).age = 0.9
    parameters, none = head[PARAMETERS_KEY].to_list(), np.zeros(len(table), np.bool_)
    everything = np.arange(len(table))
    assert slider_rows.moved(table, parameters, none, everything)
    assert slider_rows.moved(table, parameters, none, table.columns("phenotype"))
    assert not slider_rows.moved(table, parameters, none, table.columns("expression"))
    assert not slider_rows.moved(table, parameters, ~none, everything)
    bpy.ops.facegen.reset_sliders()
    assert not slider_rows.moved(table, head[PARAMETERS_KEY].to_list(), none, everything)


def test_the_panel_says_when_sliders_are_missing() -> None:
    add_head()
    properties._sliders.pop("anny")
    delattr(bpy.types.Object, properties.sliders_name("anny"))
    assert ("operator", "facegen.load_sliders") in drawn()
    assert bpy.ops.facegen.load_sliders() == {"FINISHED"}
    assert ("operator", "facegen.load_sliders") not in drawn()


def test_the_catalogue_default_is_the_panels() -> None:
    assert bpy.context.window_manager.facegen.model == catalogue.DEFAULT_MODEL
