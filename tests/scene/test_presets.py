# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets: JSON that reads back exactly, and an asset that is a head when it is appended."""

import json
from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.exchange.slider_file import read_slider_file, write_slider_file
from facegen_addon.scene.head import history
from facegen_addon.scene.head.head_object import ID_KEY, MODEL_KEY, HeadObject
from facegen_addon.scene.head.latents import SEED_KEY
from facegen_addon.scene.render.portrait import decode_jpeg
from facegen_addon.scene.workflows import presets
from facegen_addon.scene.workflows.asset_file import is_unsettled, settle_imported
from facegen_addon.ui import properties

MODEL = load_head_model("anny")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "presets"


@pytest.fixture
def head(rng: np.random.Generator) -> HeadObject:
    head = HeadObject.create(MODEL, bpy.context.collection, subdivision=0)
    head.set_parameters(MODEL.sample_prior(rng, 1)[0])
    return head


def gradient(model: object, parameters: np.ndarray, outfit: object) -> np.ndarray:
    """A portrait that costs nothing: red above, blue below."""
    portrait = np.zeros((32, 32, 3), np.uint8)
    portrait[:16, :, 0] = portrait[16:, :, 2] = 200
    return portrait


def save(head: HeadObject, name: str = "Anna", overwrite: bool = False) -> Path:
    return presets.save_preset(head, name, overwrite, gradient)


def blocks() -> dict[str, list[str]]:
    kinds = ("objects", "meshes", "hair_curves", "materials", "collections", "scenes", "images")
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds}


def test_a_preset_is_the_head_to_the_last_bit(head: HeadObject, folder: Path) -> None:
    path = save(head, " Anna Ölrün ")
    assert path == folder / "Anna Ölrün.json"
    expected = head.parameters
    other = HeadObject.create(MODEL, bpy.context.collection, subdivision=0)
    presets.load_preset(other, path)
    assert other.parameters.tobytes() == expected.tobytes()
    labels = [e.label for e in history.history_of(other.mesh_object).entries]
    assert labels == ["Added", "Preset Anna Ölrün"]
    assert presets.preset_names() == ["Anna Ölrün"]


def test_the_command_line_reads_presets(head: HeadObject) -> None:
    found = read_slider_file(save(head))
    assert found.model == "anny"
    assert found.rows(MODEL.table)[0].tobytes() == head.parameters.tobytes()


def test_saving_leaves_the_file_as_it_was(head: HeadObject) -> None:
    head.mesh_object.name = "Anna"  # the asset has the same name in its own file
    before, values = blocks(), head.parameters
    save(head)
    assert blocks() == before
    assert np.array_equal(head.parameters, values)


def appended(path: Path, reuse: bool = False) -> bpy.types.Object:
    bpy.ops.wm.append(
        directory=f"{path.with_suffix('.blend')}/Object/",
        filename=path.stem,
        do_reuse_local_id=reuse,
    )
    return next(o for o in bpy.context.selected_objects if MODEL_KEY in o)


def settled(mesh_object: bpy.types.Object) -> HeadObject:
    """As the panel's handler does, which Blender 4.2 does not call."""
    if is_unsettled(mesh_object):
        settle_imported(mesh_object)
        properties.adopt_heads()
    return HeadObject.of(mesh_object)


@pytest.mark.parametrize("reuse", [False, True])
def test_the_asset_is_a_head_in_another_file(head: HeadObject, reuse: bool) -> None:
    path, expected, source = save(head), head.parameters, head.head_id
    bpy.ops.wm.read_factory_settings(use_empty=True)
    first = settled(appended(path, reuse))
    bpy.ops.object.select_all(action="DESELECT")
    second = settled(appended(path, reuse))
    assert np.array_equal(first.parameters, expected)
    assert len({source, first.head_id, second.head_id}) == 3
    assert first.hair_object.users_collection and second.hair_object.users_collection
    assert first.mesh_object.data != second.mesh_object.data
    assert first.hair_object.data != second.hair_object.data
    assert first.mesh_object.asset_data is None and len(first.mesh_object.data.materials) == 2
    properties.sliders_of(second.mesh_object).weight = 0.9
    column = MODEL.table.index("weight")
    assert second.parameters[column] == pytest.approx(0.9)
    assert np.array_equal(first.parameters, expected)
    for one in (first, second):
        np.testing.assert_allclose(
            np.array([v.co for v in one.mesh_object.data.vertices]),
            MODEL.forward(one.parameters)[0],
            atol=1e-6,
        )


def test_a_dropped_head_has_no_history_of_another_that_is_gone(head: HeadObject) -> None:
    path = save(head)
    first = settled(appended(path, False))
    history.record(first, "Known")
    bpy.data.objects.remove(first.hair_object)
    bpy.data.objects.remove(first.mesh_object)
    bpy.ops.object.select_all(action="DESELECT")
    second = settled(appended(path, False))
    assert history.history_of(second.mesh_object).entries == []
    assert second.hair_object is not None


def test_a_loaded_preset_has_not_the_seed_of_the_head_before(head: HeadObject) -> None:
    path = save(head)
    head.set_parameters(MODEL.table.default())
    head.mesh_object[SEED_KEY] = 7
    presets.load_preset(head, path)
    seeds = [entry.seed for entry in history.history_of(head.mesh_object).entries]
    assert SEED_KEY not in head.mesh_object and seeds == [7, None]


def test_the_asset_has_a_thumbnail_and_says_what_it_is(head: HeadObject) -> None:
    path = save(head)
    getattr(bpy.app.handlers, "blend_import_post", []).clear()  # to see it as it is in the file
    with bpy.data.libraries.load(str(path.with_suffix(".blend")), assets_only=True) as (
        there,
        here,
    ):
        assert there.objects == ["Anna"]
        here.objects = ["Anna"]
    asset = here.objects[0]
    assert asset.asset_data.description == "FaceGen head of model anny"
    assert {tag.name for tag in asset.asset_data.tags} == {"FaceGen", "anny"}
    assert tuple(asset.preview.image_size) == (32, 32)
    pixels = np.array(asset.preview.image_pixels_float).reshape(32, 32, 4)
    np.testing.assert_allclose(pixels[31, 0], [200 / 255, 0, 0, 1], atol=0.01)  # above
    np.testing.assert_allclose(pixels[0, 0], [0, 0, 200 / 255, 1], atol=0.01)
    assert ID_KEY in asset and history.HISTORY_KEY not in asset


def test_the_portrait_is_of_the_head(head: HeadObject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "_PORTRAIT_SIZE", 64)
    monkeypatch.setattr(presets, "_PORTRAIT_SAMPLES", 1)
    portrait = presets.render_portrait(MODEL, head.parameters, device="CPU")
    assert portrait.shape == (64, 64, 3) and portrait.std() > 10
    path = presets.save_preset(head, "Anna", render=lambda *_: portrait)
    jpeg = presets.read_preset(path).portrait
    assert jpeg is not None
    assert np.abs(decode_jpeg(jpeg).astype(int) - portrait).mean() < 10


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("..", "full stop"),
        (".hidden", "full stop"),
        ("Con", "'Con' stands for a device"),
        ("nul.old", "'nul.old' stands for a device"),
        ("a/b", "'/' in it"),
        ("..\\up", r"'\\\\' in it"),
        ("a\nb", r"'\\n' in it"),
        ("a\0", r"'\\x00' in it"),
        ("\ud800", r"'\\ud800' in it"),
        ("x" * 300, r"'x{20}\.\.\.' is too long; give at most 63"),
        ("ö" * 32, "too long"),
    ],
)
def test_names_that_cannot_be(head: HeadObject, folder: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        save(head, name)
    assert "\n" not in str(caught.value)
    assert not folder.exists()


def test_a_name_that_is_taken(head: HeadObject, rng: np.random.Generator) -> None:
    path, before = save(head), head.parameters
    head.set_parameters(MODEL.sample_prior(rng, 1)[0])
    with pytest.raises(UserError, match="there is a preset 'Anna'; choose Overwrite"):
        save(head)
    assert np.array_equal(presets.read_preset(path).parameters(MODEL), before)
    save(head, overwrite=True)
    assert np.array_equal(presets.read_preset(path).parameters(MODEL), head.parameters)


def test_what_fails_leaves_nothing_behind(head: HeadObject, folder: Path) -> None:
    def failing(model: object, parameters: np.ndarray, outfit: object) -> np.ndarray:
        raise UserError("no light")

    before = blocks()
    with pytest.raises(UserError, match="no light"):
        presets.save_preset(head, "Anna", render=failing)
    folder.parent.mkdir()
    folder.write_text("a file where the folder should be")
    with pytest.raises(UserError, match="cannot be written"):
        save(head)
    assert blocks() == before


def test_files_that_are_no_presets(head: HeadObject, tmp_path: Path) -> None:
    fine = save(head).read_text()
    nan = json.loads(fine)
    nan["heads"][0]["weight"] = float("nan")
    far = json.loads(fine)
    far["heads"][0]["weight"] = 7.0
    alien = json.loads(fine)
    alien["heads"][0]["horns"] = 1.0
    texts = {
        fine[:100]: "is not a slider file",
        "": "is not a slider file",
        "[1, 2]": "is not a slider file",
        '{"heads": []}': "is not a slider file",
        json.dumps(nan): "'weight' of head 0 is nan",
        json.dumps(far): "'weight' of head 0 is 7",
        json.dumps(alien): "unknown parameter 'horns'",
    }
    before = head.parameters
    path = tmp_path / "bad.json"
    for text, message in texts.items():
        path.write_text(text)
        with pytest.raises(UserError, match=message) as caught:
            presets.load_preset(head, path)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"none\.json"):
        presets.load_preset(head, tmp_path / "none.json")
    write_slider_file(path, MODEL, np.tile(before, (2, 1)))
    with pytest.raises(UserError, match="holds 2 heads; a preset holds one"):
        presets.load_preset(head, path)
    assert np.array_equal(head.parameters, before)
    assert not history.history_of(head.mesh_object).entries


def test_a_damaged_portrait_does_not_spoil_the_head(head: HeadObject) -> None:
    path = save(head)
    for preview in ("@@", 7, None):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"preview": preview}))
        assert presets.read_preset(path).portrait is None
        presets.load_preset(head, path)


def test_another_model_and_another_version(head: HeadObject) -> None:
    path = save(head)
    flame = HeadObject.create(load_head_model("open_flame"), bpy.context.collection)
    with pytest.raises(UserError, match=r"model 'anny', the active head of 'open_flame'; add it"):
        presets.load_preset(flame, path)
    assert not presets.read_preset(path).is_of_another_version(MODEL)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"digest": "0"}))
    assert presets.read_preset(path).is_of_another_version(MODEL)


def test_deleting(head: HeadObject, folder: Path) -> None:
    save(head)
    presets.delete_preset("Anna")
    assert not list(folder.iterdir())
    with pytest.raises(UserError, match="there is no preset 'Anna'"):
        presets.delete_preset("Anna")


def test_one_asset_library_whatever_is_saved() -> None:
    libraries = bpy.context.preferences.filepaths.asset_libraries
    count = len(libraries)
    presets.offer_library(bpy.context.preferences)
    presets.offer_library(bpy.context.preferences)
    assert len(libraries) == count + 1
    assert Path(libraries[-1].path) == presets.presets_folder()
    libraries.remove(libraries[-1])
