# SPDX-License-Identifier: GPL-3.0-or-later
"""Three things that people want, done with the mouse, counted, and checked by what comes of them.

`blender --python tools/window/tasks.py -- FOLDER [TASK ...]`, as tools/window/story.py is run, but
without FaceNet, which who has just installed the add-on has not. Its screenshots are those of the
artists' page.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import bpy
import numpy as np

from tools.window import chapter_opening as opening
from tools.window.buttons import (
    at,
    choose,
    enter,
    fill,
    find,
    fold_all,
    press_button,
    shown,
    sidebar,
    under_mouse,
    unfold,
)
from tools.window.hands import (
    ARGUMENTS,
    DRAWN,
    Steps,
    addon,
    check_heads,
    clear_scene,
    click,
    clicks,
    heads,
    move_newest_window,
    next_choice,
    perform,
    photograph,
    point,
    press,
    until,
    until_no_job,
)

NOWHERE = (200, 600)
PEOPLE_BELOW, LINE, SEX_BELOW = 34, 22, 37
"""Pixels from the button of the candidates to the header of People to Draw, of a line between,
which is there where no head is, and from the header to its first row."""
TARGET, LEVEL = (0.69, 19), (0.69, 229)
FILE_NAME, EXPORT = (0.3, 19), (0.9, 19)
"""Where the export dialog has these: share of a region's width, pixels from its upper edge."""
DIALOG = (88, 88)
TRIANGLES = 8000


def story() -> Steps:
    """The tasks, each in an empty scene that asks for anybody."""
    yield from opening.open_sidebar()
    for name in ARGUMENTS or TASKS:
        clear_scene()
        for asked in ("sex", "youngest", "oldest"):
            bpy.context.scene.facegen_who.property_unset(asked)
        yield DRAWN
        before, began = clicks(), time.monotonic()
        yield from TASKS[name]()
        took = time.monotonic() - began
        print(f"window: {name}, {clicks() - before} clicks, {took:.0f} s", flush=True)


def six_women() -> Steps:
    """Six women in their sixties."""
    yield from show_people()
    yield from choose("facegen_who.sex", 1, 3)
    yield from enter("facegen_who.youngest", 60)
    yield from enter("facegen_who.oldest", 70)
    photograph("task_people")
    yield from fold_all()
    yield from unfold("FACEGEN_PT_head")
    yield from press_button("count=6")
    yield from until_no_job("the six")
    yield from point(NOWHERE)
    photograph("task_six_women")
    assert len(heads()) == 6, heads()
    check_heads()
    for head in heads():
        print("window:", head.name, gender_of(head), head.facegen_person.years, flush=True)
    assert all(gender_of(head) > 0.5 for head in heads())
    ages = [head.facegen_person.years for head in heads()]
    assert 60 <= np.median(ages) < 70, ages


def older_and_angry() -> Steps:
    """This face, but angry and older."""
    yield from press_button("facegen.new_face(")
    yield from point(NOWHERE)
    photograph("task_new_face")
    (head,) = heads()
    before = named_parameters(head)
    yield from fold_all()
    yield from unfold("FACEGEN_PT_person")
    yield from enter("facegen_person.years", 75)
    yield from point(NOWHERE)
    photograph("task_older")
    yield from fold_all()
    yield from unfold("FACEGEN_PT_expression")
    yield from press_button("facegen_styles.expression")
    photograph("task_expressions")
    yield from press("a")
    yield from point(NOWHERE)
    photograph("task_angry")
    check_heads()
    after = named_parameters(head)
    print("window:", head.facegen_styles.expression, head.facegen_person.years, flush=True)
    assert head.facegen_person.years == 75
    assert head.facegen_styles.expression == "anger"
    units = set(addon("heads.expressions").UNITS)
    moved = {name for name in before if before[name] != after[name]} - units
    assert moved == {"age"}, moved


def ten_guards() -> Steps:
    """Ten guards to Unity, at most 8,000 triangles each."""
    yield from show_people()
    yield from choose("facegen_who.sex", 2, 3)
    yield from enter("facegen_variety.count", 10)
    yield from press_button("facegen.generate_variety(")
    yield from until_no_job("the guards")
    assert len(heads()) == 10, heads()
    check_heads()
    yield from point(NOWHERE)
    photograph("task_guards")
    yield from fold_all()
    yield from unfold("FACEGEN_PT_files")
    yield from press_button("format='fbx'")
    yield DRAWN
    yield from move_newest_window(DIALOG)
    yield from export_dialog()
    yield from until(lambda: len(guards()) == 10, "the files")
    yield from until_no_job("the export")
    files = guards()
    counted = [triangles_in(path) for path in files]
    print("window: triangles", counted, flush=True)
    assert max(counted) <= TRIANGLES, counted


def guards() -> list[Path]:
    """The files of the guards, in the folder that the dialog begins with."""
    return sorted(Path.home().glob("guards*.fbx"))


def export_dialog() -> Steps:
    """Say what for, how fine and under which name, and export."""
    options, names = shown("FILE_BROWSER", "TOOL_PROPS"), shown("FILE_BROWSER", "EXECUTE")
    operator = options.area.spaces.active.active_operator
    for _ in range(2):
        yield from next_choice(at(options, *TARGET))
    yield from fill(at(options, *LEVEL), "2")
    yield from fill(at(names, *FILE_NAME), "guards.fbx")
    photograph("task_export")
    assert (operator.target, operator.lod) == ("unity", 2), (operator.target, operator.lod)
    yield from click(at(names, *EXPORT))


def show_people() -> Steps:
    """Fold all but Variety, and unfold People to Draw in it, where an earlier task has not."""
    yield from fold_all()
    yield from unfold("FACEGEN_PT_variety")
    x, y = yield from find("facegen.make_candidates(")
    header = x, y + PEOPLE_BELOW + (0 if heads() else LINE)
    for _ in range(2):  # a busy machine may not have told yet what lies there
        yield from point((x, header[1] + SEX_BELOW))
        yield DRAWN
        if "facegen_who.sex" in under_mouse(sidebar()):
            return
        yield from click(header)


def gender_of(head: bpy.types.Object) -> float:
    """0: a man, 1: a woman."""
    return named_parameters(head)["gender"]


def named_parameters(head: bpy.types.Object) -> dict[str, float]:
    """Name -> value of a head's parameters."""
    model = addon("heads.catalogue").load_head_model(head["facegen_model"])
    return dict(zip(model.table.names, head["facegen_parameters"].to_list(), strict=True))


def triangles_in(path: Path) -> int:
    """Of all meshes in an FBX file, as Blender reads it."""
    before = set(bpy.data.objects)
    bpy.ops.import_scene.fbx(filepath=str(path))
    read = [o for o in set(bpy.data.objects) - before if o.type == "MESH"]
    count = sum(len(polygon.vertices) - 2 for o in read for polygon in o.data.polygons)
    for other in set(bpy.data.objects) - before:
        bpy.data.objects.remove(other)
    return count


TASKS = {"six_women": six_women, "older_and_angry": older_and_angry, "ten_guards": ten_guards}

perform(story())
