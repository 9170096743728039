# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped heads in the asset browser: each a file with its head and picture."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.gallery import Gallery, gallery
from facegen_addon.scene.head.head_object import MODEL_KEY, HeadObject
from facegen_addon.scene.workflows import presets
from facegen_addon.scene.workflows.asset_file import is_unsettled, settle_imported
from facegen_addon.scene.workflows.gallery_assets import gallery_folder, write_gallery
from facegen_addon.ui import gallery_assets, jobs


@pytest.fixture(autouse=True)
def two(monkeypatch: pytest.MonkeyPatch) -> Gallery:
    """The first two of the shipped heads."""
    whole = gallery()
    some = Gallery(whole.heads[:2], whole.pictures)
    monkeypatch.setattr(gallery_assets, "gallery", lambda: some)
    return some


def blocks() -> dict[str, list[str]]:
    kinds = ("objects", "meshes", "hair_curves", "collections")
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds}


def test_each_is_a_head_in_the_presets_library(two: Gallery) -> None:
    before = blocks()
    assert bpy.ops.facegen.save_gallery() == {"FINISHED"}
    assert blocks() == before
    names = [head.name for head in two.heads]
    assert sorted(f.stem for f in gallery_folder().iterdir()) == sorted(names)
    (library,) = [
        lib
        for lib in bpy.context.preferences.filepaths.asset_libraries
        if Path(lib.path) == presets.presets_folder()
    ]
    assert gallery_folder().is_relative_to(library.path)
    assert presets.preset_names() == [], "they are no presets of the user's"
    head = two.heads[0]
    bpy.ops.wm.append(directory=f"{gallery_folder() / head.name}.blend/Object/", filename=head.name)
    mesh_object = next(o for o in bpy.context.selected_objects if MODEL_KEY in o)
    if is_unsettled(mesh_object):  # Blender 4.2 tells nobody
        settle_imported(mesh_object)
    model = load_head_model(head.model)
    np.testing.assert_array_equal(HeadObject.of(mesh_object).parameters, head.row(model))


def test_the_picture_is_the_gallerys(two: Gallery) -> None:
    next(write_gallery(two))
    path = gallery_folder() / f"{two.heads[0].name}.blend"
    with bpy.data.libraries.load(str(path), assets_only=True) as (there, here):
        here.objects = there.objects
    (asset,) = here.objects
    assert min(asset.preview.image_size) >= 64
    pixels = np.array(asset.preview.image_pixels_float)
    assert pixels.std() > 0.05


def test_stopped_half_way_what_is_written_is_whole(
    two: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = jobs.Running.step

    def step(job: jobs.Running) -> bool:
        more = whole(job)
        if job.done == 1:
            raise KeyboardInterrupt
        return more

    monkeypatch.setattr(jobs.Running, "step", step)
    with pytest.raises(RuntimeError, match="KeyboardInterrupt"):
        bpy.ops.facegen.save_gallery()
    assert [f.name for f in gallery_folder().iterdir()] == [f"{two.heads[0].name}.blend"]


def test_a_folder_that_cannot_be_made_is_one_line(two: Gallery) -> None:
    presets.presets_folder().parent.mkdir(parents=True)
    presets.presets_folder().write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        next(write_gallery(two))
