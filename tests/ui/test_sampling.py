# SPDX-License-Identifier: GPL-3.0-or-later
"""The Sample panel's operators in a real bpy: what they draw, keep, record and refuse."""

import math
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from facegen_addon.artifacts import read_index
from facegen_addon.blas_threads import one_thread
from facegen_addon.heads.catalogue import HEAD_MODELS, load_head_model
from facegen_addon.latent.sphere import angle
from facegen_addon.mapping.sampling import AREAS, HeadSampler
from facegen_addon.scene.head import history, latents
from facegen_addon.scene.head.head_object import MODEL_KEY, PARAMETERS_KEY, HeadObject
from facegen_addon.scene.head.latents import SEED_KEY, Latents
from facegen_addon.scene.head.locks import set_locked
from facegen_addon.ui import properties, sampling
from tests.ui.panels import RecordingLayout, check_call

GUIDED = [name for name in HEAD_MODELS if f"backward_{name}" in read_index()]
FINISHED = {"FINISHED"}


def add_head(model: str = "open_flame", x: float = 0.0) -> bpy.types.Object:
    assert bpy.ops.facegen.add_head(model=model, subdivision=0) == FINISHED
    mesh_object = bpy.context.view_layer.objects.active
    mesh_object.location.x = x
    return mesh_object


def parameters(mesh_object: bpy.types.Object) -> np.ndarray:
    return np.array(mesh_object[PARAMETERS_KEY])


def two_heads() -> tuple[bpy.types.Object, bpy.types.Object]:
    """Two different heads of one model, the first one active."""
    first = add_head(x=-0.5)
    assert bpy.ops.facegen.sample_head(distribution="prior", seed=1) == FINISHED
    second = add_head(x=0.5)
    assert bpy.ops.facegen.sample_head(distribution="prior", seed=2) == FINISHED
    first.select_set(True)
    bpy.context.view_layer.objects.active = first
    return first, second


def press(name: str, **values: object) -> set[str]:
    """As scripts do, by keyword."""
    return getattr(bpy.ops.facegen, name)(**values)


@pytest.mark.parametrize("distribution", ["latent", "prior", "uniform"])
@pytest.mark.parametrize("model_name", GUIDED)
def test_the_operator_draws_what_the_function_does(model_name: str, distribution: str) -> None:
    head, model = add_head(model_name), load_head_model(model_name)
    before, locks = parameters(head), np.zeros(len(model.table), bool)
    assert press("sample_head", distribution=distribution, seed=5) == FINISHED
    with one_thread():  # as operators do
        expected = HeadSampler.load(model).sample(
            distribution, before, locks, np.random.default_rng(5)
        )
    np.testing.assert_array_equal(parameters(head), expected.parameters)
    assert head[SEED_KEY] == 5
    said = {"latent": "Real Faces", "prior": "Plausible", "uniform": "Any Sliders"}[distribution]
    assert history.history_of(head).entries[-1].label == f"Drawn: {said}", "as the panel calls it"
    requested = latents.read(head).requested
    assert (requested is None) == (expected.requested is None) == (distribution != "latent")
    if requested is not None:
        np.testing.assert_allclose(requested, expected.requested, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *(("sample_head", {"distribution": kind}) for kind in ("latent", "prior", "uniform")),
        ("sample_nearby", {"angle": 0.5}),
        ("reroll_area", {"area": "nose"}),
    ],
)
def test_locked_sliders_stay_and_history_knows_the_step(
    name: str, values: dict[str, object]
) -> None:
    head = add_head()
    assert press("sample_head", distribution="prior", seed=1) == FINISHED
    before, table = parameters(head), load_head_model("open_flame").table
    kept = [*table.names[::2], "hair_melanin"]
    set_locked(head, kept, on=True)
    assert press(name, seed=3, **values) == FINISHED
    after = parameters(head)
    columns = [table.index(slider) for slider in kept]
    np.testing.assert_array_equal(after[columns], before[columns])
    assert (after != before).any()
    entries = history.history_of(head).entries
    assert len(entries) == 3  # added, sampled, this
    np.testing.assert_array_equal(entries[-1].parameters, after)
    shown = properties.sliders_of(head).shape_002
    assert shown == pytest.approx(after[table.index("shape_002")], abs=1e-6)


def test_with_no_head_one_is_added() -> None:
    bpy.context.scene.cursor.location.x = 2.0
    assert press("sample_head", distribution="prior", seed=1, model="anny") == FINISHED
    head = bpy.context.view_layer.objects.active
    assert head[MODEL_KEY] == "anny" and head.select_get()
    assert head.location.x == pytest.approx(2.0)
    assert (parameters(head) != load_head_model("anny").table.default()).any()
    bpy.context.view_layer.objects.active = None
    bpy.context.window_manager.facegen.model = "open_flame"
    assert press("sample_head", distribution="prior", seed=1) == FINISHED
    assert bpy.context.view_layer.objects.active[MODEL_KEY] == "open_flame"


def test_a_model_that_is_not_there_adds_nothing() -> None:
    with pytest.raises(RuntimeError, match="nonsense"):
        press("sample_head", model="nonsense")
    assert not bpy.data.objects


def test_nearby_starts_where_the_head_was_measured() -> None:
    head = add_head()
    measured = np.eye(512, dtype=np.float32)[0]
    latents.store(head, Latents(achieved=measured))
    assert press("sample_nearby", angle=math.radians(30), seed=1) == FINISHED
    requested = latents.read(head).requested
    assert requested is not None
    assert math.degrees(float(angle(measured, requested))) == pytest.approx(30, abs=0.01)


def test_another_angle_after_undo_is_as_if_it_had_been_the_first() -> None:
    """What Blender does when the angle is changed in the redo panel."""
    head = add_head()
    name = head.name
    bpy.ops.ed.undo_push(message="head")
    press("sample_nearby", angle=0.7, seed=1)
    expected = parameters(bpy.data.objects[name])
    bpy.ops.ed.undo_push(message="nearby")
    bpy.ops.ed.undo()
    press("sample_nearby", angle=0.1, seed=1)
    assert (parameters(bpy.data.objects[name]) != expected).any()
    bpy.ops.ed.undo_push(message="nearby")
    bpy.ops.ed.undo()
    press("sample_nearby", angle=0.7, seed=1)
    np.testing.assert_array_equal(parameters(bpy.data.objects[name]), expected)


def test_half_a_turn_is_not_too_far() -> None:
    """180 degrees are more than pi in single precision."""
    add_head()
    assert press("sample_nearby", angle=math.pi, seed=1) == FINISHED


def test_at_no_angle_nothing_changes() -> None:
    head = add_head()
    measured = np.eye(512, dtype=np.float32)[0]
    latents.store(head, Latents(achieved=measured))
    before = parameters(head)
    assert press("sample_nearby", angle=0.0, seed=1) == FINISHED
    np.testing.assert_array_equal(parameters(head), before)
    np.testing.assert_array_equal(latents.read(head).achieved, measured)


@pytest.mark.parametrize("fraction", [0.0, 0.25, 1.0])
def test_a_blend_is_a_third_head_between_the_two(fraction: float) -> None:
    first, second = two_heads()
    ends = parameters(first), parameters(second)
    assert press("blend_heads", fraction=fraction) == FINISHED
    blend = bpy.context.view_layer.objects.active
    assert blend not in (first, second)
    assert [o for o in bpy.context.selected_objects] == [blend]
    assert tuple(blend.location) == pytest.approx((0.0, 0.0, 0.0))
    np.testing.assert_array_equal(parameters(first), ends[0])
    np.testing.assert_array_equal(parameters(second), ends[1])
    if fraction in (0.0, 1.0):
        np.testing.assert_array_equal(parameters(blend), ends[int(fraction)])
    else:
        distances = [np.linalg.norm(parameters(blend) - end) for end in ends]
        assert distances[0] < distances[1]


def test_a_blend_of_neighbours_stands_beside_them() -> None:
    first, second = two_heads()
    first.location.x, second.location.x = 0.0, 0.35
    press("blend_heads", fraction=0.5)
    blend = bpy.context.view_layer.objects.active
    assert blend.location.x == pytest.approx(0.7, abs=1e-3)
    assert blend.location.y == 0.0


def test_blends_need_two_heads_of_one_model() -> None:
    head = add_head()
    with pytest.raises(RuntimeError, match="1 heads are selected"):
        press("blend_heads", fraction=0.5)
    other = add_head("anny")
    head.select_set(True)
    with pytest.raises(RuntimeError, match=r"'anny' and 'open_flame'"):
        press("blend_heads", fraction=0.5)
    third = add_head("anny")
    other.select_set(True)
    head.select_set(True)
    with pytest.raises(RuntimeError, match="3 heads are selected"):
        press("blend_heads", fraction=0.5)
    third.select_set(False)
    with pytest.raises(RuntimeError, match="one of them active"):
        press("blend_heads", fraction=0.5)
    assert sum(MODEL_KEY in o for o in bpy.data.objects) == 3


@pytest.mark.parametrize("area", AREAS)
def test_areas_are_drawn_anew(area: str) -> None:
    head = add_head()
    before = HeadObject.of(head).set_parameters(parameters(head))
    assert press("reroll_area", area=area, seed=2) == FINISHED
    after = HeadObject.of(head).set_parameters(parameters(head))
    assert np.abs(after - before).max() > 0.001
    assert history.history_of(head).entries[-1].label == f"Re-roll {area}"


def test_what_is_measured_is_void_when_the_head_changes() -> None:
    head = add_head()
    latents.store(head, Latents(achieved=np.eye(512, dtype=np.float32)[0]))
    assert press("reroll_area", area="nose", seed=2) == FINISHED
    assert latents.read(head) == Latents()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sample_head", {"distribution": "normal"}),
        ("reroll_area", {"area": "antlers"}),
        ("sample_nearby", {"angle": "wide"}),
        ("sample_head", {"seed": 1.5}),
    ],
)
def test_wrong_values_are_refused(name: str, values: dict[str, object]) -> None:
    head = add_head()
    before = parameters(head)
    with pytest.raises(TypeError):
        press(name, **values)
    np.testing.assert_array_equal(parameters(head), before)


def test_values_beyond_a_range_are_held_at_its_end() -> None:
    """Blender's own rule for the numbers of operators."""
    _, second = two_heads()
    assert press("blend_heads", fraction=7.0) == FINISHED
    blend = bpy.context.view_layer.objects.active
    np.testing.assert_array_equal(parameters(blend), parameters(second))
    assert press("sample_nearby", angle=99.0, seed=1) == FINISHED


def test_operators_need_a_head() -> None:
    for name in ("sample_nearby", "blend_heads", "reroll_area"):
        with pytest.raises(RuntimeError, match="poll"):
            press(name)


def test_an_edited_mesh_is_left_alone() -> None:
    head = add_head()
    bpy.ops.object.mode_set(mode="EDIT")
    for name in ("sample_head", "sample_nearby", "reroll_area"):
        with pytest.raises(RuntimeError, match="leave edit mode"):
            press(name, seed=1)
    bpy.ops.object.mode_set(mode="OBJECT")
    np.testing.assert_array_equal(parameters(head), load_head_model("open_flame").table.default())


def test_a_pressed_button_takes_a_new_seed() -> None:
    """Without a window Blender goes to execute at once, so the button is pressed by hand."""

    class Pressed(sampling.Draw):
        seed = 7

        def execute(self, context: object) -> set[str]:
            return FINISHED

    operators = [Pressed() for _ in range(3)]
    assert all(operator.invoke(bpy.context, None) == FINISHED for operator in operators)
    seeds = {operator.seed for operator in operators}
    assert len(seeds | {7}) == 4
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_model_without_a_mapping_is_offered_its_prior() -> None:
    assert sampling.offered_distribution("latent", trained=True) == "latent"
    assert sampling.offered_distribution("latent", trained=False) == "prior"
    assert sampling.offered_distribution("uniform", trained=False) == "uniform"


class Layout(RecordingLayout):
    """Notes also what is greyed."""

    enabled = True

    def row(self, **options: object) -> "Layout":
        super().row(**options)
        child = Layout(self.log)
        child.enabled = self.enabled
        return child

    column = row

    def grid_flow(self, **options: object) -> "Layout":
        check_call("grid_flow", **options)
        return self

    def prop_enum(self, data: object, name: str, value: str) -> None:
        assert value in data.bl_rna.properties[name].enum_items  # type: ignore[attr-defined]
        self.log.append(("choice" if self.enabled else "grey", value))

    def operator(self, name: str, **options: object) -> object:
        if not self.enabled:
            self.log.append(("grey", name))
        return super().operator(name, **options)


def panel_drawn() -> list[tuple[str, str]]:
    log: list[tuple[str, str]] = []
    sampling.FACEGEN_PT_sample.draw(SimpleNamespace(layout=Layout(log)), bpy.context)
    return log


def test_the_panel_offers_what_can_be_done() -> None:
    empty = panel_drawn()
    assert ("operator", "facegen.sample_head") in empty
    assert ("grey", "facegen.sample_nearby") in empty and ("grey", "facegen.blend_heads") in empty
    assert ("operator", "facegen.reroll_area") not in empty
    add_head()
    one = panel_drawn()
    assert one.count(("operator", "facegen.reroll_area")) == len(AREAS)
    assert [what for kind, what in one if kind == "grey"] == ["facegen.blend_heads"]
    two_heads()
    assert not [what for kind, what in panel_drawn() if kind == "grey"]


def test_the_panel_greys_latents_of_a_model_without_a_mapping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_head()
    monkeypatch.setattr(sampling, "is_trained", lambda name: False)
    shown = panel_drawn()
    assert ("grey", "latent") in shown and ("grey", "facegen.sample_nearby") in shown
    assert ("choice", "prior") in shown
    assert [text for kind, text in shown if kind == "label"] == [
        "No real faces yet: the others work",
        "Re-roll",
    ]
