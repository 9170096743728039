# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel's buttons and sliders of colour take, as ratios in one run: `make bench`.

    python -m tools.bench_panel
    python -m tools.bench_panel --times 40

Colours: from setting a slider to skin and hair being complete, beside writing the colours of all
vertices anew, which any way has to. New Face: beside appending that very head from a file. Ours and
theirs in turn, so that a machine that slows down slows both alike. Without a window: what a window
draws is the same for both.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

import bpy
import numpy as np

import facegen_addon
from facegen_addon.choices import DISTRIBUTIONS
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.scene.head import completion
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.terminal.process import run_process
from facegen_addon.ui.properties import sliders_of
from tools.bench_sliders import evaluate
from tools.timing import print_ratio, timed

MODEL = "person"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=20)
    times = max(3, parser.parse_args().times)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    facegen_addon.register()
    try:
        bench_colours(4 * times)
        bpy.ops.wm.read_factory_settings(use_empty=True)
        with tempfile.TemporaryDirectory(prefix="facegen-bench-") as folder:
            bench_new_face(times, Path(folder))
    finally:
        completion.set_waiting(False)
        facegen_addon.unregister()
    return 0


def bench_colours(moves: int) -> None:
    """One slider of colour moved, of a random head."""
    model, rng = load_head_model(MODEL), np.random.default_rng(0)
    head = HeadObject.create(model, bpy.context.collection)
    (start,) = model.sample_prior(rng, 1)
    head.set_parameters(start)
    completion.set_waiting(False)
    skin, values = head.mesh_object.data, sliders_of(head.mesh_object)
    attribute = skin.color_attributes[0]
    colours = np.ones(4 * len(skin.vertices), np.float32)
    attribute.data.foreach_get("color", colours)

    def move(name: str, value: float) -> None:
        setattr(values, name, value)
        evaluate(head.mesh_object)

    def write() -> None:
        attribute.data.foreach_set("color", colours)
        skin.update()
        evaluate(head.mesh_object)

    columns = colours_alone(model)
    ours, theirs = [], []
    for column in rng.choice(columns, moves):
        low, high = model.table.minimum[column], model.table.maximum[column]
        step = partial(move, model.table.names[column], float(rng.uniform(low, high)))
        ours.append(timed(step)[0])
        theirs.append(timed(write)[0])
    name = f"{MODEL}, one of {len(columns)} sliders of colour alone, skin and hair"
    print_ratio(name, ours, "colours of all vertices", theirs)


def colours_alone(model: HeadModel) -> list[int]:
    """Columns of what changes colours, but neither the shape nor how hair grows."""
    start, found = model.table.default(), []
    for column, name in enumerate(model.table.names):
        row = start.copy()
        low, high = model.table.minimum[column], model.table.maximum[column]
        row[column] = low if start[column] - low > high - start[column] else high
        shapes = name in model.shape_parameters or model.hair_style(row) != model.hair_style(start)
        if name in model.colour_parameters and not shapes:
            found.append(column)
    return found


def bench_new_face(times: int, folder: Path) -> None:
    """Another face at a click, the second and after."""
    ours, theirs = [], []
    file = folder / "head.blend"
    for seed in range(times + 1):
        press = partial(
            bpy.ops.facegen.new_face, model=MODEL, seed=seed, distribution=DISTRIBUTIONS[0]
        )
        ours.append(timed(press)[0])
        head = {bpy.context.active_object, *bpy.context.active_object.children_recursive}
        bpy.data.libraries.write(str(file), head)
        for left in list(bpy.data.objects):
            bpy.data.objects.remove(left)
        theirs.append(timed(partial(append, file))[0])
        for left in list(bpy.data.objects):
            bpy.data.objects.remove(left)
    print_ratio("New Face", ours[1:], "the same head appended from a file", theirs[1:])


def append(file: Path) -> None:
    """Put all objects of a file into the scene."""
    with bpy.data.libraries.load(str(file)) as (there, here):
        here.objects = there.objects
    for found in here.objects:
        bpy.context.collection.objects.link(found)
    bpy.context.view_layer.update()


if __name__ == "__main__":
    run_process(main, "bench_panel")
