# SPDX-License-Identifier: GPL-3.0-or-later
"""A head model that was added by one file and one entry works in Blender as the others do."""

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.heads import catalogue
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.render.head_renderer import HeadRenderer
from facegen_addon.ui.properties import sliders_of
from tests.heads.sphere_head import SphereHead


@pytest.fixture(autouse=True)
def model() -> Iterator[SphereHead]:
    """The model, in the catalogue."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(catalogue.HEAD_MODELS, SphereHead.name, SphereHead)
        catalogue.forget_models()
        yield catalogue.load_head_model(SphereHead.name)  # type: ignore[misc]
    catalogue.forget_models()


@pytest.fixture
def head(model: SphereHead) -> HeadObject:
    assert bpy.ops.facegen.add_head(model=model.name, subdivision=0) == {"FINISHED"}
    return HeadObject.of(bpy.context.view_layer.objects.active)


def positions(mesh: bpy.types.Mesh) -> np.ndarray:
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", flat)
    return flat.reshape(-1, 3)


def colours(mesh: bpy.types.Mesh) -> np.ndarray:
    flat = np.empty(4 * len(mesh.vertices), np.float32)
    mesh.attributes["facegen_colour"].data.foreach_get("color", flat)
    return flat.reshape(-1, 4)[:, :3]


def test_every_parameter_is_a_slider_that_moves_what_it_should(
    model: SphereHead, head: HeadObject, rng: np.random.Generator
) -> None:
    values, mesh, table = sliders_of(head.mesh_object), head.mesh_object.data, model.table
    for column in rng.permutation(len(table)):
        name = table.names[column]
        before, painted = positions(mesh), colours(mesh)
        setattr(values, name, rng.uniform(table.minimum[column], table.maximum[column]))
        parameters = head.parameters
        assert np.abs(positions(mesh) - model.forward(parameters)[0]).max() < 1e-6
        np.testing.assert_array_equal(colours(mesh), model.appearance(parameters).vertex_colour)
        if name not in model.shape_parameters:
            assert np.array_equal(positions(mesh), before), name
        if name not in model.colour_parameters:
            assert np.array_equal(colours(mesh), painted), name
    last = head.parameters
    found = positions(mesh), colours(mesh)
    head.set_parameters(last)
    assert np.array_equal(found[0], positions(mesh)) and np.array_equal(found[1], colours(mesh))


@pytest.mark.parametrize("distribution", ["prior", "uniform"])
def test_heads_are_drawn_from_every_distribution_that_needs_no_latents(
    model: SphereHead, head: HeadObject, distribution: str
) -> None:
    before = head.parameters
    assert bpy.ops.facegen.sample_head(distribution=distribution, seed=3) == {"FINISHED"}
    assert (head.parameters != before).sum() > 20
    model.table.validate(head.parameters)


@pytest.mark.parametrize("kind", ["obj", "glb"])
def test_it_is_exported(model: SphereHead, head: HeadObject, tmp_path: Path, kind: str) -> None:
    values = sliders_of(head.mesh_object)
    values.smile, values.turn = 0.5, 0.3
    path = tmp_path / f"egg.{kind}"
    options = {"shape_keys": True, "armature": True} if kind == "glb" else {}
    done = bpy.ops.facegen.export_heads(filepath=str(path), format=kind, **options)
    assert done == {"FINISHED"} and path.stat().st_size > 10_000


def test_it_is_rendered(model: SphereHead) -> None:
    settings = RenderSettings(samples=2, size=96, device="CPU")
    wide = model.table.default()
    wide[model.table.index("width")] = 1.2
    with HeadRenderer(model, settings) as renderer:
        first, second = renderer.render(model.table.default()), renderer.render(wide)
    assert first.image.std() > 10
    face = [np.ptp(rendered.points[:, 0]) for rendered in (first, second)]
    assert face[1] == pytest.approx(1.2 * face[0], rel=0.05)
    assert (first.image != second.image).any(2).mean() > 0.2
