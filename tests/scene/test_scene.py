# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads as Blender objects, renders of them, and the operators, in a real bpy."""

import gc
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import bpy
import numpy as np
import pytest

import facegen_addon
from facegen_addon.artifacts import read_index
from facegen_addon.choices import ENGINES
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.errors import NotReached, RejectedSample, UserError
from facegen_addon.heads.catalogue import DEFAULT_FLAME, HEAD_MODELS, load_head_model
from facegen_addon.png import encode_png
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.head import materials
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.head.latents import LATENTS_KEY, read
from facegen_addon.scene.render.forward import ForwardMapping
from facegen_addon.scene.render.head_renderer import HeadRenderer, engine_id
from facegen_addon.scene.render.studio import Studio
from facegen_addon.scene.workflows import made_variety
from facegen_addon.scene.workflows.variety import run_variety
from facegen_addon.variety.request import VarietyRequest

MODEL = load_head_model(DEFAULT_FLAME)
GUIDED = [name for name in HEAD_MODELS if f"backward_{name}" in read_index()]
SMALL = {"samples": 2, "size": 96}


def _positions(mesh: bpy.types.Mesh) -> np.ndarray:
    values = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", values)
    return values.reshape(-1, 3)


def test_a_head_is_updated_in_place(rng: np.random.Generator) -> None:
    head = HeadObject.create(MODEL, bpy.context.collection)
    mesh, hair = head.mesh_object.data, head.hair_object.data
    parameters = MODEL.sample_prior(rng, 1)[0]
    vertices = head.set_parameters(parameters)
    assert head.mesh_object.data is mesh
    assert head.hair_object.data is hair
    np.testing.assert_array_equal(_positions(mesh), vertices)
    np.testing.assert_allclose(head.mesh_object["facegen_parameters"], parameters)
    assert len(mesh.uv_layers) == 1
    assert all(polygon.use_smooth for polygon in mesh.polygons)


def test_bad_parameters_leave_the_head_as_it_was() -> None:
    head = HeadObject.create(MODEL, bpy.context.collection)
    before = _positions(head.mesh_object.data)
    parameters = MODEL.table.default()
    parameters[3] = np.nan
    with pytest.raises(UserError, match=f"'{MODEL.table.names[3]}' of head 0 is nan"):
        head.set_parameters(parameters)
    assert np.array_equal(_positions(head.mesh_object.data), before)


@pytest.mark.parametrize(("name", "one_mass"), [("person", True), ("anny", False)])
def test_groomed_hair_is_lit_as_one_mass(name: str, one_mass: bool) -> None:
    hair = HeadObject.create(load_head_model(name), bpy.context.collection).hair_object
    assert (hair.visible_shadow, hair.visible_diffuse) == (not one_mass, not one_mass)


def test_a_head_is_found_again_by_its_id() -> None:
    head = HeadObject.create(MODEL, bpy.context.collection)
    head.mesh_object.name = "Renamed"
    assert HeadObject.find(head.head_id).mesh_object == head.mesh_object
    with pytest.raises(KeyError):
        HeadObject.find("gone")


def test_same_settings_same_pixels(rng: np.random.Generator) -> None:
    parameters = MODEL.sample_prior(rng, 2)
    images = []
    for _ in range(2):
        with HeadRenderer(MODEL, RenderSettings(**SMALL)) as renderer:
            images.append([renderer.render(row).image for row in parameters])
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0][0], images[0][1])


def test_the_order_of_heads_does_not_matter(rng: np.random.Generator) -> None:
    first, second = MODEL.sample_prior(rng, 2)
    with HeadRenderer(MODEL, RenderSettings(**SMALL)) as renderer:
        alone = renderer.render(first).image
        renderer.render(second)
        assert np.array_equal(renderer.render(first).image, alone)


def _counts(kinds: tuple[str, ...]) -> dict[str, int]:
    """Data blocks of each kind; Blender keeps an image of its own for the last render."""
    blocks = {kind: list(getattr(bpy.data, kind)) for kind in kinds}
    return {
        kind: sum(getattr(block, "type", "") != "RENDER_RESULT" for block in found)
        for kind, found in blocks.items()
    }


def test_closing_leaves_nothing_behind() -> None:
    kinds = ("objects", "scenes", "worlds", "meshes", "hair_curves", "images", "cameras", "lights")
    before = _counts(kinds)
    with HeadRenderer(MODEL, RenderSettings(**SMALL)) as renderer:
        renderer.render(MODEL.table.default())
    assert _counts(kinds) == before


def test_a_closed_renderer_ends_its_engine() -> None:
    """One that outlives its scene points to freed data: now and then, a later renderer crashed."""

    def engines() -> set[int]:
        gc.collect()
        there = (one for one in gc.get_objects() if isinstance(one, bpy.types.RenderEngine))
        return {one.as_pointer() for one in there}

    settings = RenderSettings(**SMALL)
    with HeadRenderer(MODEL, settings) as renderer:
        renderer.render(MODEL.table.default())
    always = engines()  # Blender 4.2 has two that belong to no scene
    with HeadRenderer(MODEL, settings) as renderer:
        renderer.render(MODEL.table.default())
        assert engines() - always  # kept between renders, or each would build its scene anew
    assert not engines() - always


def test_the_face_is_where_the_points_are() -> None:
    """The pupils are dark, and the crop's box holds all five points."""
    with HeadRenderer(MODEL, RenderSettings(samples=16, size=256)) as renderer:
        head = renderer.render(MODEL.table.default())
    x0, y0, x1, y1 = head.box
    assert (head.points > [x0, y0]).all()
    assert (head.points < [x1, y1]).all()
    grey = head.image.mean(2)
    for x, y in head.points[:2].round().astype(int):
        eye = grey[y - 4 : y + 5, x - 4 : x + 5].min()
        cheek = grey[y + 22 : y + 28, x - 3 : x + 4].mean()
        assert eye < 0.5 * cheek


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_render_a_face(engine: str) -> None:
    with HeadRenderer(MODEL, RenderSettings(engine=engine, samples=1, size=96)) as renderer:
        image = renderer.render(MODEL.table.default()).image
    assert image.std() > 10


def test_engine_ids_exist_in_this_blender() -> None:
    for engine in ENGINES:
        bpy.context.scene.render.engine = engine_id(engine)


def test_operator_and_function_give_the_same_heads() -> None:
    request = VarietyRequest(count=3, distance=0.3, distribution="prior", **SMALL)
    *_, last = run_variety(request)
    assert last.result is not None
    assert bpy.ops.facegen.generate_variety(
        count=3, distance=0.3, distribution="prior", keep_images=True, **SMALL
    ) == {"FINISHED"}
    outcome = made_variety.read(bpy.context.scene)
    for mine, theirs in zip(last.result.heads, outcome.heads, strict=True):
        assert mine.parameters.tobytes() == theirs.parameters.tobytes()
        assert np.array_equal(mine.image, theirs.image)
    placed = [o for o in bpy.context.scene.objects if LATENTS_KEY in o]
    assert len(placed) == 3
    np.testing.assert_allclose(read(placed[0]).achieved, outcome.heads[0].achieved, atol=1e-7)


@pytest.mark.parametrize("angle", [1.6, 3.1])
def test_a_head_that_shows_no_face_is_rejected(angle: float) -> None:
    """Seen from the side or from behind: a picture there is, but no face for the encoder."""
    parameters = MODEL.table.default()
    parameters[MODEL.table.index("global_orient_y")] = angle
    face_only = HeadRenderer(MODEL, RenderSettings(**SMALL, face_only=True))
    with face_only, pytest.raises(RejectedSample, match="does not show its face"):
        face_only.render(parameters)
    with HeadRenderer(MODEL, RenderSettings(**SMALL)) as renderer:
        assert renderer.render(parameters).image.any()


@pytest.mark.parametrize("name", GUIDED)
def test_guided_heads_keep_their_distance_as_measured_anew(name: str) -> None:
    request = VarietyRequest(
        model=name, count=4, distance=0.4, distribution="latent", seed=3, samples=4, size=160
    )
    *_, last = run_variety(request)
    heads = last.result.heads
    with HeadRenderer(load_head_model(name), request.render_settings()) as renderer:
        again = ForwardMapping(renderer, Encoder.load()).embed_heads(
            np.stack([head.parameters for head in heads])
        )
    distances = 1.0 - again @ again.T
    assert distances[np.triu_indices(4, 1)].min() >= 0.4 - 1e-5
    assert all(head.requested is not None for head in heads)


def test_an_unmet_demand_says_what_was_reached() -> None:
    request = VarietyRequest(count=3, distance=1.9, distribution="prior", budget=4, **SMALL)
    with pytest.raises(
        NotReached,
        match=r"of 3 heads at distance 1.9 in other crops after 4 renders; 3 heads reach 0\.",
    ):
        list(run_variety(request))


def test_adding_a_head_is_undoable_data() -> None:
    assert bpy.ops.facegen.add_head(model="anny", subdivision=0) == {"FINISHED"}
    head = bpy.context.view_layer.objects.active
    assert head["facegen_model"] == "anny"
    assert not head.modifiers


def test_register_twice_and_back() -> None:
    facegen_addon.unregister()
    facegen_addon.register()
    facegen_addon.unregister()
    facegen_addon.register()
    assert hasattr(bpy.types, "FACEGEN_OT_generate_variety")


def test_a_render_that_a_full_disk_cut_off_is_no_rejected_sample(tmp_path: Path) -> None:
    path = tmp_path / "facegen-1" / "head.png"
    path.parent.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path.write_bytes(encode_png(noise)[:3000])
    studio = cast(Studio, SimpleNamespace(_files={}))
    with pytest.raises(UserError, match=f"{tmp_path}.*TMPDIR"):
        Studio.read(studio, path)
    path.write_bytes(encode_png(noise))
    np.testing.assert_array_equal(Studio.read(studio, path), noise)


@pytest.mark.parametrize("model_name", ["open_flame", "person", "open_person"])
def test_the_solid_viewport_shows_skin_and_dark_hair(model_name: str) -> None:
    """By material skin is the same for all heads; by object and by attribute each head's own."""
    model = load_head_model(model_name)
    head = HeadObject.create(model, bpy.context.collection)
    parameters = model.table.default().copy()
    for name, value in (("hair_melanin", 1.0), ("hair_grey", 0.0), ("skin_melanin", 0.2)):
        parameters[model.table.index(name)] = value
    head.set_parameters(parameters)
    assert head.hair_object is not None
    skin, hair = (o.data.materials[0].diffuse_color for o in (head.mesh_object, head.hair_object))
    assert skin[0] > skin[1] > skin[2] > 3.0 * hair[0]
    look = model.appearance(parameters)
    of_skin = look.vertex_colour[model.surface.vertices_of("skin")].mean(0)
    np.testing.assert_allclose(head.mesh_object.color[:3], of_skin, atol=1e-5)
    np.testing.assert_allclose(head.hair_object.color[:3], look.hair, atol=1e-5)
    assert head.mesh_object.data.attributes.active_color_name == materials.COLOUR


@pytest.mark.parametrize("model_name", ["open_flame", "person"])
def test_by_material_hair_is_dark_fair_or_grey_as_the_head_is(model_name: str) -> None:
    """Solid mode's default; of strands Blender 5 shows the material by attribute, too."""
    model = load_head_model(model_name)
    column = model.table.index
    looks = {"black": (1.0, 0.0), "fair": (0.1, 0.0), "white": (1.0, 1.0)}
    shown = {}
    for name, (melanin, grey) in looks.items():
        head = HeadObject.create(model, bpy.context.collection)
        parameters = model.table.default().copy()
        parameters[[column("hair_melanin"), column("hair_grey")]] = melanin, grey
        head.set_parameters(parameters)
        assert head.hair_object is not None
        shown[name] = np.array(head.hair_object.data.materials[0].diffuse_color[:3])
        assert np.abs(shown[name] - head.hair_object.color[:3]).max() < 0.15, name
    assert shown["black"].max() < 0.06 < 0.2 < shown["fair"][0]
    assert shown["white"].min() > 0.25, "grey strands among the others"
    assert shown["fair"][0] > 1.5 * shown["fair"][2], "yellow, not grey"


def test_a_material_of_ones_own_on_hair_stays() -> None:
    model = load_head_model("person")
    head = HeadObject.create(model, bpy.context.collection)
    assert head.hair_object is not None
    slots = head.hair_object.data.materials
    own = slots[0].copy()
    slots[0] = own
    parameters = model.table.default().copy()
    parameters[model.table.index("hair_melanin")] = 0.0
    head.set_parameters(parameters)
    assert slots[0] == own
