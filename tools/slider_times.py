# SPDX-License-Identifier: GPL-3.0-or-later
"""What moving one slider takes, per group of a model: medians in milliseconds, without drawing.

.venv/bin/python -m tools.slider_times [MODEL ...]
"""

from __future__ import annotations

import statistics
import sys
from functools import partial

import bpy
import numpy as np

import facegen_addon
from facegen_addon.heads.catalogue import HEAD_MODELS, load_head_model
from facegen_addon.scene.head import completion
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.terminal.process import run_process
from facegen_addon.ui.properties import sliders_of
from tools.timing import timed

MOVES = 15


def slider_times(model_name: str) -> dict[str, tuple[float, float]]:
    """Group -> median milliseconds from setting one of its sliders to the skin being written, and
    of what a window does in the next moment: strands, and skin to the last bit."""
    model = load_head_model(model_name)
    head = HeadObject.create(model, bpy.context.collection)
    values = sliders_of(head.mesh_object)
    rng = np.random.default_rng(0)
    times = {}
    completion.set_waiting(True)
    for group in model.table.groups:
        columns = model.table.columns(group)
        spent: list[tuple[float, float]] = []
        for _ in range(MOVES):
            parameter = model.table.parameters[rng.choice(columns)]
            value = rng.uniform(parameter.minimum, parameter.maximum)
            shown = timed(partial(setattr, values, parameter.name, value))[0]
            spent.append((shown, timed(completion.complete_all)[0]))
        at_once, later = (1e3 * statistics.median(column) for column in zip(*spent, strict=True))
        times[group] = at_once, later
    completion.set_waiting(False)
    return times


def main() -> int:
    """Print a line for each group of each model."""
    facegen_addon.register()
    for model_name in sys.argv[1:] or HEAD_MODELS:
        for group, (shown, later) in slider_times(model_name).items():
            print(f"{model_name:<12} {group:<12} {shown:6.1f} ms, then {later:6.1f} ms")
    facegen_addon.unregister()
    return 0


if __name__ == "__main__":
    run_process(main, "slider_times")
