# SPDX-License-Identifier: GPL-3.0-or-later
"""What a head of the scene wears: it follows the head, is saved, copied and taken off again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.exchange.slider_file import read_slider_file
from facegen_addon.heads.named_styles import styled
from facegen_addon.heads.wear.fitting import Fitting
from facegen_addon.heads.wear.glasses import glasses
from facegen_addon.heads.wear.outfit import BARE, NONE, Outfit
from facegen_addon.heads.wear.outfit_text import outfit_text, read_outfit
from facegen_addon.scene.exchange.slider_import import export_sliders, import_sliders
from facegen_addon.scene.head import completion, worn
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.head.objects import remove_with_data
from facegen_addon.scene.head.stray_hair import remove_stray_hair
from facegen_addon.scene.workflows import presets
from facegen_addon.scene.workflows.asset_file import is_unsettled, settle_imported

MODEL = load_head_model("person")
ALL = read_outfit("garment=v_neck, colour=red, glasses=round, headwear=cap")
NAMES = {"bust": "Bust", "clothes": "Clothes", "glasses": "Glasses", "headwear": "Headwear"}


@pytest.fixture
def head() -> HeadObject:
    return HeadObject.create(MODEL, bpy.context.collection, subdivision=0)


def points(block: bpy.types.ID) -> np.ndarray:
    rows = np.empty(3 * len(block.attributes["position"].data), np.float32)
    block.attributes["position"].data.foreach_get("vector", rows)
    return rows.reshape(-1, 3)


def worn_by(head: HeadObject) -> dict[str, bpy.types.Object]:
    return worn.parts_of(head.mesh_object, head.head_id)


def other_head() -> np.ndarray:
    return MODEL.sample_prior(np.random.default_rng(5), 1)[0]


def expected_glasses(parameters: np.ndarray) -> np.ndarray:
    vertices = MODEL.forward(parameters)[0]
    return glasses(Fitting.of(MODEL, vertices, parameters), ALL.glasses).vertices


def test_a_head_wears_nothing_until_it_is_told(head: HeadObject) -> None:
    assert head.outfit == BARE and not head.worn
    assert worn.WEAR_KEY not in head.mesh_object


def test_what_is_worn_are_objects_of_their_own_that_come_off_again(head: HeadObject) -> None:
    loose = points(head.hair_object.data)
    head.wear(ALL)
    parts = worn_by(head)
    assert set(parts) == set(NAMES)
    for part in parts.values():
        assert part.parent == head.mesh_object and all(part.data.materials)
        assert part.users_collection == head.mesh_object.users_collection
    assert len({m for part in parts.values() for m in part.data.materials}) >= 5
    assert np.abs(points(head.hair_object.data) - loose).max() > 0.005  # flat below the cap
    head.wear(BARE)
    assert not worn_by(head) and not head.worn and worn.WEAR_KEY not in head.mesh_object
    np.testing.assert_array_equal(points(head.hair_object.data), loose)
    assert not [o for o in bpy.data.objects if o.name in NAMES.values()]


def test_long_hair_lies_on_what_is_worn_and_hangs_again(head: HeadObject) -> None:
    head.set_parameters(styled(MODEL, head.parameters, "hair", "Long Straight"))
    hung = points(head.hair_object.data)
    lying = {}
    for neckline in ("crew", "hoodie", "crew"):
        head.wear(replace(ALL, neckline=neckline, headwear=NONE))
        lies = points(head.hair_object.data)
        assert np.abs(lies - hung).max() > 0.002
        np.testing.assert_array_equal(lies, lying.setdefault(neckline, lies))
    assert np.abs(lying["crew"] - lying["hoodie"]).max() > 0.002
    head.wear(BARE)
    np.testing.assert_array_equal(points(head.hair_object.data), hung)


def test_colours_are_kept_while_nothing_is_worn(head: HeadObject) -> None:
    head.wear(replace(BARE, colour=(0.5, 0.25, 0.0)))
    assert head.outfit.colour == (0.5, 0.25, 0.0) and not head.worn


@pytest.mark.parametrize("waiting", [False, True])
def test_parts_follow_the_head(head: HeadObject, waiting: bool) -> None:
    head.wear(ALL)
    head.move_to(head.parameters)  # the first move sets all
    wanted = other_head()
    head.move_to(wanted, complete=not waiting)
    if waiting:
        completion.complete_all()
    parts = worn_by(head)
    np.testing.assert_allclose(points(parts["glasses"].data), expected_glasses(wanted), atol=1e-6)
    moved = {name: points(part.data) for name, part in parts.items()}
    hair = points(head.hair_object.data)
    head.set_parameters(wanted)
    for name, part in parts.items():
        np.testing.assert_array_equal(points(part.data), moved[name])
    np.testing.assert_array_equal(points(head.hair_object.data), hair)


def test_the_bust_has_the_skin_of_the_head(head: HeadObject) -> None:
    head.wear(ALL)

    def colour() -> np.ndarray:
        data = worn_by(head)["bust"].data.attributes["facegen_colour"].data
        return np.array([row.color[:3] for row in data]).mean(0)

    before, parameters = colour(), head.parameters
    column = MODEL.table.index("skin_melanin")
    parameters[column] = MODEL.table.maximum[column]
    head.move_to(parameters)
    dark = colour()
    parameters[column] = MODEL.table.minimum[column]
    head.move_to(parameters)
    assert np.abs(dark - colour()).min() > 0.05 and not np.array_equal(before, dark)


def test_a_part_that_was_deleted_stays_away_until_something_is_chosen(head: HeadObject) -> None:
    head.wear(ALL)
    remove_with_data(worn_by(head)["glasses"])
    again = HeadObject.of(head.mesh_object)
    again.set_parameters(other_head())
    assert set(worn_by(again)) == set(NAMES) - {"glasses"}
    again.wear(ALL)
    assert set(worn_by(again)) == set(NAMES)


def test_own_materials_and_edited_shapes_do_no_harm(head: HeadObject) -> None:
    head.wear(ALL)
    clothes = worn_by(head)["clothes"]
    own = bpy.data.materials.new("Own")
    clothes.data.materials[0] = own
    worn_by(head)["bust"].data.clear_geometry()
    head.set_parameters(other_head())
    head.wear(replace(ALL, neckline="hoodie"))
    assert worn_by(head)["clothes"].data.materials[0] == own


def test_a_copy_has_clothes_of_its_own(head: HeadObject) -> None:
    head.wear(ALL)
    bpy.context.view_layer.objects.active = head.mesh_object
    for part in (head.mesh_object, head.hair_object, *head.worn):
        part.select_set(True)
    bpy.ops.object.duplicate(linked=True)
    copy = HeadObject.of(bpy.context.view_layer.objects.active)
    assert copy.head_id != head.head_id and set(worn_by(copy)) == set(NAMES)
    before = points(worn_by(head)["glasses"].data)
    copy.set_parameters(other_head())
    np.testing.assert_array_equal(points(worn_by(head)["glasses"].data), before)
    assert not set(worn_by(copy).values()) & set(worn_by(head).values())


def test_a_deleted_heads_clothes_go_with_it(head: HeadObject) -> None:
    head.wear(ALL)
    bpy.data.objects.remove(head.mesh_object)
    remove_stray_hair()
    assert not list(bpy.data.objects)


def test_saved_and_opened_again(head: HeadObject, tmp_path: Path) -> None:
    head.wear(ALL)
    head_id = head.head_id
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "worn.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "worn.blend"))
    again = HeadObject.find(head_id)
    assert again.outfit == ALL and set(worn_by(again)) == set(NAMES)
    again.set_parameters(other_head())
    np.testing.assert_allclose(
        points(worn_by(again)["glasses"].data), expected_glasses(other_head()), atol=1e-6
    )


@pytest.mark.parametrize("text", ["garment=toga", 7])
def test_an_outfit_of_another_version_is_nothing_worn(head: HeadObject, text: object) -> None:
    head.mesh_object[worn.WEAR_KEY] = text
    head.set_parameters(other_head())
    assert head.outfit == BARE


def test_other_models_wear_nothing() -> None:
    anny = HeadObject.create(load_head_model("anny"), bpy.context.collection)
    with pytest.raises(UserError, match="'anny' wear nothing; choose model 'person'"):
        anny.wear(ALL)
    assert worn.WEAR_KEY not in anny.mesh_object and len(bpy.data.objects) == 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "data"))
    yield tmp_path


def save(head: HeadObject, name: str) -> Path:
    seen: list[Outfit] = []

    def render(model: object, parameters: np.ndarray, outfit: Outfit) -> np.ndarray:
        seen.append(outfit)
        return np.zeros((32, 32, 3), np.uint8)

    path = presets.save_preset(head, name, render=render)
    assert seen == [head.outfit]
    return path


def test_presets_say_what_is_worn_and_old_ones_leave_it(head: HeadObject, folder: Path) -> None:
    bare = save(head, "Bare")
    head.wear(ALL)
    dressed = save(head, "Dressed")
    old = folder / "old.json"
    text = bare.read_text(encoding="utf-8")
    assert ' "wear"' in text
    old.write_text(text.replace(' "wear"', ' "of_old"'), encoding="utf-8")
    presets.load_preset(head, old)
    assert head.outfit == ALL
    presets.load_preset(head, bare)
    assert head.outfit == BARE and not head.worn
    presets.load_preset(head, dressed)
    assert head.outfit == ALL and set(worn_by(head)) == set(NAMES)


def test_an_asset_comes_dressed(head: HeadObject, folder: Path) -> None:
    head.wear(ALL)
    path = save(head, "Ada")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.append(directory=f"{path.with_suffix('.blend')}/Object/", filename="Ada")
    mesh_object = bpy.data.objects["Ada"]
    if is_unsettled(mesh_object):
        settle_imported(mesh_object)
    again = HeadObject.of(mesh_object)
    assert again.outfit == ALL and set(worn_by(again)) == set(NAMES)
    assert all(part.users_collection for part in again.worn)


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_slider_files_say_what_is_worn(head: HeadObject, tmp_path: Path, suffix: str) -> None:
    other = HeadObject.create(MODEL, bpy.context.collection, subdivision=0)
    plain, path = tmp_path / f"plain.{suffix}", tmp_path / f"worn.{suffix}"
    export_sliders(plain, [head, other])
    assert read_slider_file(plain).wear is None
    head.wear(ALL)
    export_sliders(path, [head, other])
    assert read_slider_file(path).wear == (outfit_text(ALL), "")
    first, second = import_sliders(path, "person", bpy.context.collection, Vector())
    assert first.outfit == ALL and second.outfit == BARE


def test_a_slider_file_that_says_it_wrongly_is_refused_by_name(
    head: HeadObject, tmp_path: Path
) -> None:
    head.wear(ALL)
    path = tmp_path / "worn.json"
    export_sliders(path, [head])
    text, count = path.read_text(encoding="utf-8"), len(bpy.data.objects)
    for wrong, message in (
        (text.replace("v_neck", "toga"), r"worn\.json: wear: unknown garment 'toga'"),
        (text.replace('"wear": [', '"wear": ["",'), r"worn\.json: wear has 2 values for 1 heads"),
    ):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(UserError, match=message):
            import_sliders(path, "person", bpy.context.collection, Vector())
    assert len(bpy.data.objects) == count
