# SPDX-License-Identifier: GPL-3.0-or-later
"""Our sliders against the official add-on's way, one shape key per component: ratios in one run.

    python -m tools.bench_sliders             40 moves a line
    python -m tools.bench_sliders --moves 100

From setting one slider to the evaluated mesh being up to date, ours and theirs in turn, so that a
machine that slows down slows both alike. Both meshes have the same vertices, faces and attributes
and no modifiers, and each move changes one component by as much. FLAME: random numbers in the size
of the official file, 5,023 vertices and 300 + 100 components.

In a window, strands follow after the redraw that shows the skin (head/completion.py); the other
lines have them in, too, which the official way has none of, and subdivision on both sides.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial

# Before NumPy starts its threads.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import bpy
import numpy as np

import facegen_addon
from facegen_addon.arrays import FloatArray, IntArray
from facegen_addon.heads import catalogue
from facegen_addon.heads.appearance_parameters import appearance_parameters
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.flame.dressing import Dressing
from facegen_addon.heads.flame.file import from_arrays
from facegen_addon.heads.flame.head import FlameHead
from facegen_addon.heads.flame.open_head import open_flame
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.scene.head import completion
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.terminal.process import run_process
from facegen_addon.ui.properties import sliders_of
from tools.timing import print_ratio, timed

VERTICES, IDENTITY, EXPRESSION, JOINTS = 5023, 300, 100, 5
OFFICIAL = "a shape key for each component"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--moves", type=int, default=40)
    moves = max(5, parser.parse_args().moves)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    facegen_addon.register()
    try:
        for model in (random_flame(), load_head_model("anny"), load_head_model("person")):
            bench_model(model, moves)
    finally:
        completion.set_waiting(False)
        facegen_addon.unregister()
    return 0


def random_flame() -> FlameHead:
    """The open head's surface, filled up to FLAME's size, with random components."""
    rng = np.random.default_rng(0)
    dressing = _filled_up(load_head_model(catalogue.DEFAULT_FLAME))
    arrays = {
        "v_template": dressing.surface.rest_position,
        "f": dressing.surface.faces,
        "shapedirs": rng.normal(0.0, 1e-3, (VERTICES, 3, IDENTITY + EXPRESSION)),
        "posedirs": rng.normal(0.0, 1e-3, (VERTICES, 3, 9 * (JOINTS - 1))),
        "J_regressor": np.eye(JOINTS, VERTICES),
        "weights": np.eye(JOINTS)[rng.integers(JOINTS, size=VERTICES)],
        "parents": np.array([-1, 0, 1, 1, 1]),
    }
    model = FlameHead("random_flame", from_arrays(arrays, "random", "", "random"), dressing)
    catalogue.HEAD_MODELS[model.name] = lambda: model  # where heads look for their models
    return model


def _filled_up(donor: HeadModel) -> Dressing:
    """The donor's dressing with more vertices, in a strip of triangles."""
    surface, count = donor.surface, len(donor.surface.rest_position)
    rows = np.arange(VERTICES) % count
    strip = np.arange(count, VERTICES - 2)[:, None] + [0, 1, 2]
    faces = np.concatenate([surface.faces, strip]).astype(np.int32)
    filled = replace(
        surface,
        faces=faces,
        uv=surface.uv[np.arange(len(faces)) % len(surface.faces)],
        **{name: getattr(surface, name)[rows] for name in ("part", "rest_position", "gaze")},
        masks={name: values[rows] for name, values in surface.masks.items()},
        fields={name: values[rows] for name, values in surface.fields.items()},
    )
    _, dressing = open_flame()
    return replace(dressing, surface=filled)


def bench_model(model: HeadModel, moves: int) -> None:
    """Three lines for a random head of this model, all of whose components are set."""
    rng = np.random.default_rng(0)
    columns = geometric_columns(model)
    start = model.table.default()
    low, high = model.table.minimum[columns], model.table.maximum[columns]
    start[columns] = low + (high - low) * rng.uniform(0.2, 0.8, len(columns))
    for complete, subdivision, count, name in (
        (False, 0, moves, "skin"),
        (True, 0, moves, "skin and hair"),
        (True, 1, max(5, moves // 4), "skin and hair, subdivided once"),
    ):
        ours = our_slider(model, start, subdivision)
        theirs = official_slider(model, start, columns, subdivision)
        completion.set_waiting(not complete)
        seconds: tuple[list[float], list[float]] = ([], [])
        for column in rng.choice(columns, count):
            value = float(rng.uniform(model.table.minimum[column], model.table.maximum[column]))
            for move, spent in zip((ours, theirs), seconds, strict=True):
                spent.append(timed(partial(move, model.table.names[column], value))[0])
            completion.complete_all()  # what a window does after the redraw
        print_ratio(
            f"{model.name}, one of {len(columns)} sliders, {name}", seconds[0], OFFICIAL, seconds[1]
        )
        for left in list(bpy.data.objects):
            bpy.data.objects.remove(left)


def geometric_columns(model: HeadModel) -> IntArray:
    """The sliders of identity and expression: FLAME's components, Anny's phenotypes and shapes."""
    table = model.table
    looks = {row.name for row in appearance_parameters()} | {"facial_hair"}
    shapes = [row.group != "pose" and row.name not in looks for row in table.parameters]
    return np.flatnonzero(shapes)


def our_slider(model: HeadModel, start: FloatArray, subdivision: int) -> Callable[..., None]:
    """Moves one slider of a head that stands at ``start`` (P,)."""
    head = HeadObject.create(model, bpy.context.collection, subdivision)
    head.set_parameters(start)
    mesh_object, values = head.mesh_object, sliders_of(head.mesh_object)
    first = model.table.names[geometric_columns(model)[0]]
    setattr(values, first, getattr(values, first))  # the first move gets everything ready

    def move(name: str, value: float) -> None:
        setattr(values, name, value)
        evaluate(mesh_object)

    return move


def official_slider(
    model: HeadModel, start: FloatArray, columns: IntArray, subdivision: int
) -> Callable[..., None]:
    """Moves one shape key of the same mesh, whose keys stand where the sliders do."""
    head = HeadObject.create(model, bpy.context.collection, subdivision)
    mesh_object, table = head.mesh_object, model.table
    bpy.data.objects.remove(head.hair_object)
    mesh_object.shape_key_add(name="Basis", from_mix=False)
    for column in columns:
        row = table.default()
        row[column] += 1.0  # beyond some ranges: the keys' values are what matters
        key = mesh_object.shape_key_add(name=table.names[column], from_mix=False)
        key.data.foreach_set("co", model.forward(row)[0].ravel())
        key.slider_min, key.slider_max = table.minimum[column] - 1.0, table.maximum[column]
        key.value = start[column] - table.mean[column]
    keys = mesh_object.data.shape_keys.key_blocks

    def move(name: str, value: float) -> None:
        keys[name].value = value - table.mean[table.index(name)]
        evaluate(mesh_object)

    return move


def evaluate(mesh_object: bpy.types.Object) -> None:
    """Bring the evaluated mesh up to date and touch it."""
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    _ = mesh_object.evaluated_get(depsgraph).data.vertices[0].co


if __name__ == "__main__":
    run_process(main, "bench_sliders")
