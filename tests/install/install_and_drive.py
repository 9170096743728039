# SPDX-License-Identifier: GPL-3.0-or-later
"""In a Blender of its own: install the zip, enable and use it twice, and look for leftovers.

Run by test_extension.py: python install_and_drive.py ZIP; by tools/test_blender.sh: blender -b
--python install_and_drive.py -- ZIP. Prints "done" at the end.
"""

import importlib
import os
import sys
from pathlib import Path

import bpy

# isort: split
import addon_utils  # importable once bpy is imported

MODULE = "bl_ext.user_default.facegen"
RESOURCES = Path(os.environ["BLENDER_USER_RESOURCES"])


def traces() -> set[str]:
    """All that an add-on may leave in Blender: classes, operators, handlers, properties."""
    found = {f"type {name}" for name in dir(bpy.types)}
    for kind in dir(bpy.app.handlers):
        handlers = getattr(bpy.app.handlers, kind)
        if isinstance(handlers, list):
            found |= {f"{kind} {handler.__module__}.{handler.__name__}" for handler in handlers}
    for owner in ("WindowManager", "Scene", "Object", "Mesh", "Collection", "Screen"):
        found |= {f"{owner}.{name}" for name in dir(getattr(bpy.types, owner))}
    found |= {f"operator {name}" for name in dir(bpy.ops.facegen)}
    return found


def use() -> None:
    """Add a head, move it and load its B: models, wheel and preferences are all there."""
    room = importlib.import_module(f"{MODULE}.facegen_addon.mapping.backward")
    assert bpy.ops.facegen.add_head(model="anny") == {"FINISHED"}
    head = bpy.context.active_object
    before = head.data.vertices[0].co.copy()
    head.facegen_sliders_anny.age = 1.0
    assert (head.data.vertices[0].co - before).length > 1e-5
    catalogue = importlib.import_module(f"{MODULE}.facegen_addon.heads.catalogue")
    room.BackwardMapping.load("anny", catalogue.load_head_model("anny").table)
    assert Path(sys.modules["onnxruntime"].__file__).is_relative_to(RESOURCES)
    preferences = bpy.context.preferences.addons[MODULE].preferences
    assert preferences.device == "auto" and not preferences.flame_files
    assert bpy.ops.facegen.refresh_states() == {"FINISHED"}


def main() -> None:
    """Install, then enable and disable twice."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if not addon_utils.check("bl_pkg")[1]:
        addon_utils.enable("bl_pkg", default_set=True)
    before = traces()
    bpy.ops.extensions.package_install_files(
        filepath=sys.argv[-1], repo="user_default", enable_on_install=True
    )
    # The environment has an ONNX Runtime, too: the one from the zip's wheel, where Blender has put
    # it, is to be used.
    sys.path.sort(key=lambda folder: not Path(folder).is_relative_to(RESOURCES))
    for _ in range(2):
        assert MODULE in bpy.context.preferences.addons, "the zip was not enabled"
        use()
        addon_utils.disable(MODULE, default_set=True)
        left = sorted(trace for trace in traces() - before if "facegen" in trace.lower())
        assert not left, f"left behind: {left}"
        addon_utils.enable(MODULE, default_set=True)
    addon_utils.disable(MODULE, default_set=True)
    assert not {"batch", "facegen_addon", "models"} & sys.modules.keys(), "used the checkout"
    sys.stdout.write("done\n")


main()
sys.stdout.flush()
os._exit(0)  # bpy 4.2's module crashes when its process ends, even after no more than one operator
