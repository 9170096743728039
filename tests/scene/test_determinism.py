# SPDX-License-Identifier: GPL-3.0-or-later
"""Images and labels are the same bytes, however many threads and processes make them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from batch.dataset.messages import Job
from batch.dataset.render_worker import finished
from facegen_addon.heads import catalogue
from facegen_addon.heads.catalogue import DEFAULT_FLAME, HEAD_MODELS, load_head_model
from facegen_addon.heads.flame.head import FlameHead
from facegen_addon.heads.flame.open_head import open_flame
from facegen_addon.labels.shot import Shot, View
from facegen_addon.scene.head import head_object
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.head.objects import add_subdivision
from facegen_addon.scene.render.sample_renderer import SampleRenderer, SampleSettings

ROUGH = "rough"
"""A head whose triangles do not quite agree on the texture of their corners, as those do that a
FLAME file without texture coordinates is given."""
MORE_THAN_CORES = (os.cpu_count() or 1) + 3


@pytest.fixture(autouse=True)
def rough_head(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """ROUGH as a head model of that name."""
    arrays, dressing = open_flame()
    uv = dressing.surface.uv
    off = np.random.default_rng(0).uniform(0.0, 9e-5, uv.shape)
    surface = replace(dressing.surface, uv=np.clip(uv + off, 0.0, 1.0).astype(np.float32))
    head = FlameHead(ROUGH, arrays, replace(dressing, surface=surface))
    with monkeypatch.context() as patch:
        patch.setitem(catalogue._loaded, ROUGH, head)
        yield


def _texture(mesh: bpy.types.Mesh) -> np.ndarray:
    uv = np.empty(2 * len(mesh.loops), np.float32)
    mesh.uv_layers[0].uv.foreach_get("vector", uv)
    return uv.reshape(-1, 2)


@pytest.mark.parametrize("name", [*HEAD_MODELS, ROUGH])
def test_no_texture_is_left_to_a_race(name: str) -> None:
    """Subdividing, Blender takes corners of a vertex that are all but equal for one: it has them
    equal, so that no thread writes another value there than the others."""
    mesh = HeadObject.create(load_head_model(name), bpy.context.collection).mesh_object.data
    vertices = np.empty(len(mesh.loops), np.intc)
    mesh.loops.foreach_get("vertex_index", vertices)
    order = np.argsort(vertices, kind="stable")
    vertex, uv = vertices[order], _texture(mesh)[order]
    for step in range(1, int(np.bincount(vertices).max())):
        same = vertex[step:] == vertex[:-step]
        apart = np.abs(uv[step:] - uv[:-step]).max(1)[same]
        assert not ((apart > 0) & (apart < np.float32(head_object._UV_WELD))).any()


@pytest.mark.parametrize(("apart", "values"), [(0.9, 1), (1.1, 2)])
def test_blender_takes_for_one_what_is_welded_and_no_more(apart: float, values: int) -> None:
    mesh = bpy.data.meshes.new("two")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], [], [(0, 1, 2), (0, 2, 3)])
    uv = np.array([[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]], [[0.1, 0.1], [0.9, 0.9], [0.1, 0.9]]])
    uv[1, :2] += apart * head_object._UV_WELD
    mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", uv.ravel().astype(np.float32))
    owner = bpy.data.objects.new("two", mesh)
    bpy.context.collection.objects.link(owner)
    add_subdivision(owner, 1)
    fine = owner.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    corners = np.empty(len(fine.loops), np.intc)
    fine.loops.foreach_get("vertex_index", corners)
    assert len(np.unique(_texture(fine)[corners == 0], axis=0)) == values


@pytest.mark.parametrize(
    ("name", "image_format"),
    [*((name, "PNG") for name in (*HEAD_MODELS, ROUGH)), (DEFAULT_FLAME, "JPEG")],
)
def test_threads_change_no_byte_of_a_sample(name: str, image_format: str) -> None:
    model = load_head_model(name)
    heads = model.sample_prior(np.random.default_rng(0), 2)
    shots = [Shot(heads[0], View(yaw=0.4)), Shot(heads[1], seed=1)]
    settings = SampleSettings(
        samples=1, width=64, height=64, device="CPU", image_format=image_format
    )
    found: list[set[tuple[tuple[str, bytes], ...]]] = [set() for _ in shots]
    for threads in (1, 2, MORE_THAN_CORES):
        with SampleRenderer(model, replace(settings, threads=threads)) as renderer:
            for k in (0, 1, 0, 1):
                done = finished(Job(k, 0, shots[k], False), renderer.render(shots[k]))
                members = {"image": done.image_file, **dict(done.labels)}
                found[k].add(tuple(members.items()))
    assert [len(samples) for samples in found] == [1, 1]
    assert found[0] != found[1]


def _run(project: Path, *arguments: object) -> str:
    """What the command line prints when it ends well."""
    command = [sys.executable, "batch/run.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_set_of_a_flame_file_is_the_same_bytes_on_any_threads_and_workers(
    project: Path, shared_data: Path, shared_cases: Path, tmp_path: Path
) -> None:
    """Each sample's uv.png differed in one run of five."""
    model = shared_data / "flame" / "flame2023open_60id_f32.npz"
    recipe = shared_cases / "uv_not_deterministic" / "lm60.toml"
    if not model.exists():
        pytest.skip("the FLAME 2023 Open subset is not in the research data")
    runs = []
    for workers, threads in ((1, 2), (2, MORE_THAN_CORES)):
        folder = tmp_path / f"{workers}x{threads}"
        _run(
            project,
            *("dataset", "make", "--recipe", recipe, "--model", model, "--count", 2),
            *("--device", "CPU", "--workers", workers, "--threads", threads, "--output", folder),
        )
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        runs.append({path.name: path.read_bytes() for path in files})
    assert [name for name in runs[0] if runs[0][name] != runs[1].get(name)] == []
    said = _run(project, "dataset", "verify", folder, "--model", model, "--render", 2)
    assert "✗" not in said and "render" in said
