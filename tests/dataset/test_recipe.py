# SPDX-License-Identifier: GPL-3.0-or-later
"""Recipes: what is read, what is refused and how, and that they are written as they are read."""

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch.dataset.distribution import Fixed, Uniform
from batch.dataset.plan import Plan
from batch.dataset.recipe import RECIPES, Recipe, describe, population_unsaid
from batch.dataset.recipe_fit import check_model
from batch.dataset.recipe_tables import NEEDS, People, WearTable
from batch.dataset.toml_text import toml_table
from facegen_addon.choices import LIGHT_PRESETS, WORLD_PRESETS
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import HEAD_MODELS, load_head_model
from facegen_addon.heads.exchange.slider_file import RUN_FILE, write_slider_file
from tests.toy_head import ToyHead

HDR = b"#?RADIANCE\n"
EXR = b"\x76\x2f\x31\x01"
PNG = b"\x89PNG\r\n\x1a\n"
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes mine.toml."""

    def write_recipe(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_recipe


def read(path: Path) -> Recipe:
    return Recipe.read(str(path))


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("model", HEAD_MODELS)
def test_named_recipes_fit_every_model(name: str, model: str) -> None:
    check_model(Recipe.read(name), load_head_model(model))


def test_named_recipes_do_what_they_say() -> None:
    minimal, photos = Recipe.read("minimal"), Recipe.read("photos")
    assert not minimal.labels.on and minimal.expression.neutral == 1.0
    assert minimal.camera == Recipe().camera and minimal.gaze == Recipe().gaze
    assert photos.labels.on and photos.camera.yaw.bounds == (-45.0, 45.0)
    assert photos.camera.pitch.bounds == (-20.0, 20.0)
    assert photos.camera.roll.bounds == (-12.0, 12.0)
    assert photos.camera.distance.bounds == (0.4, 3.0)
    assert dict(photos.light.presets).keys() > set(WORLD_PRESETS)


def test_an_empty_file_is_the_default_recipe(write: Write) -> None:
    assert read(write("")) == Recipe()
    assert read(write("\ufeff[image]\nsize = [64, 128]")).image.size == (64, 128)


def test_light_presets_are_those_of_the_scene() -> None:
    pytest.importorskip("bpy")
    from facegen_addon.scene.render.lights import LIGHTS

    assert tuple(LIGHTS) == LIGHT_PRESETS, WORLD_PRESETS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("camra = 1", r"no table \[camra\], perhaps 'camera' is meant"),
        ("[pizza]", r"no table \[pizza\]; there are \[heads\], .*\[accept\]"),
        ("camera = 5", r"camera is 5; give a table of keys, \[camera\]"),
        ("[[camera]]\nyaw = 1", r"give a table of keys, \[camera\]"),
        ("yaw = 5", r"yaw stands outside of its table; put it below \[camera\]"),
        ("[camera]\nyow = 5", r"\[camera\] has no key 'yow', perhaps 'yaw' is meant.*pitch"),
        ("[image]\nyaw = 5", r"\[image\] has no key 'yaw', but \[camera\] has"),
        ("[heads]\nviews = 0", r"\[heads\] views is 0; give a whole number from 1 to 10000"),
        ("[heads]\nviews = 1.5", "whole number"),
        ("[heads]\nviews = true", "whole number"),
        ("[heads]\nviews = 1979-05-27", r"views is datetime.date\(1979, 5, 27\); give a whole"),
        ("[heads]\ndistribution = 'Latent'", "one of latent, prior, uniform, perhaps 'lat"),
        ("[heads]\ndistribution = ['prior']", "one of latent, prior, uniform"),
        ("[heads]\nencoder = 'facnet'", "perhaps 'facenet'"),
        ("[heads]\ngrade = 'best'", "one of refined, direct"),
        (
            "[people]\nsex = 'girl'",
            r"\[people\] sex 'girl' is unknown; choose from any",
        ),
        ("[people]\nsex = 3", "a word in quotes, or a table of weights"),
        ("[people]\nsex = {}", "a word in quotes, or a table of weights"),
        ("[people]\nsex = {woman = 0}", "at least one weight above 0"),
        ("[people]\nsex = {woman = -1, man = 2}", "a number from 0 to 1e"),
        ("[people]\nage = '8:12'", r"\[people\] age '8:12' leaves 18 to 80 years"),
        ("[people]\nage = {'20:40' = 1, '30:50' = 1}", "30:50 overlaps another range"),
        ("[people]\nskin = 'green'", "dark, medium, fair or a range"),
        ("[people]\npopulation = 'all'", "one of as-found, balanced"),
        ("[heads]\ndistribution = 'prior'\n[people]\nsex = 'man'", "the others ask nobody"),
        ("[heads]\nsource = ''", "a text in quotes"),
        ("[heads]\nsource = 'nothing.npz'", r"\[heads\] source: .*nothing.npz is missing"),
        ("[heads]\nsource = 'a'\ndistribution = 'prior'", "source and distribution are both given"),
        ("[image]\nsize = 32", r"\[image\] size is 32; give pixels from 64 to 4096"),
        ("[image]\nsize = [64]", r"one number or \[width, height\]"),
        ("[image]\nsize = [64, 5000]", r"one number or \[width, height\]"),
        ("[image]\nsize = [64.0, 64]", r"one number or \[width, height\]"),
        ("[image]\nformat = 'jpg'", "one of png, jpeg"),
        ("[image]\nquality = 101", "1 to 100"),
        ("[image]\nengine = 'cycles'", "perhaps 'CYCLES'"),
        ("[image]\nengine = 'WORKBENCH'", r"engine is 'WORKBENCH'; give CYCLES or EEVEE"),
        ("[image]\nsamples = 0", "1 to 4096"),
        ("[labels]\non = 1", "true or false"),
        ("[labels]\ndense = 4001", "0 to 4000"),
        ("[labels]\ncheck = 25", r"\[labels\] check is 25; give a number from 0 to 1"),
        ("[labels]\ncheck = nan", "a number from 0 to 1"),
        ("[labels]\ncheck = '1'", "a number from 0 to 1"),
        ("[camera]\nyaw = 'left'", r"\[camera\] yaw is 'left'; give a number, \{uniform"),
        ("[camera]\nyaw = {uniform = [-200, 0]}", "-180 to 180; it reaches from -200 to 0"),
        ("[camera]\npitch = {normal = [0, 40]}", "-90 to 90; it reaches from -120 to 120"),
        ("[camera]\ndistance = 0", "numbers from 0.3 to 100"),
        ("[camera]\nyaw = {uniform = [0, 1], normal = [0, 1]}", "yaw is"),
        ("[camera]\nframing = 0.3\nfocal_length = 50", r"\[camera\] focal_length and framing are"),
        ("[light]\npresets = ['studo']", r"presets is 'studo'; .*perhaps 'studio'"),
        ("[light]\npresets = []", "at least one name"),
        ("[light]\npresets = {studio = 0}", "at least one name with a weight above 0"),
        ("[light]\npresets = {studio = -1}", "a number from 0 to 1e"),
        ("[light]\npresets = {studio = 'much'}", "a number from 0 to 1e"),
        ("[light]\npresets = 'studio'", "a list of names in quotes"),
        ("[light]\npresets = ['studio', 'studio']", "each name once"),
        ("[light]\nstrength = 0", "numbers from 0.01 to 100"),
        ("[light]\nhdri_share = 0.7", r"hdri_share is 0.7; give hdri, too"),
        ("[light]\nrotation = 90", "give hdri, too"),
        ("[background]\nshare = 1.0", "give pictures, too"),
        ("[background]\ncolours = 'green'", r"colours is 'green'; give \"preset\""),
        ("[expression]\nactive = 4", "numbers from 1 to 3"),
        ("[expression]\nkinds = ['smiel']", "perhaps 'smile'"),
        ("[expression]\nonly = 'jawOpen'", "a list of names in quotes"),
        ("[expression]\nonly = ['jawOpen']\navoid = ['jawOpen']", "give other names than only has"),
        ("[gaze]\nyaw = 90", "numbers from -60 to 60"),
        ("[gaze]\nat_camera = true", "a number from 0 to 1"),
        ("[parameters]\njaw_pose_x = 'open'", r"\[parameters\] jaw_pose_x is 'open'; give a num"),
        ("[accept]\nattempts = 0", "1 to 1000"),
        ("[accept]\nroundtrip = 3", "0 to 2"),
        ("[accept]\nface = 'yes'", "true or false"),
        ("[camera]\nyaw = [" + "1, " * 500 + "]", r"yaw is \[1, 1, .*\.\.\.; give"),
    ],
)
def test_wrong_recipes_say_where_and_what_to_give(write: Write, text: str, message: str) -> None:
    path = write(text)
    with pytest.raises(UserError, match=message) as caught:
        read(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ") and "\n" not in line and len(line) < 600


def test_files_that_are_no_recipes(tmp_path: Path, write: Write) -> None:
    with pytest.raises(UserError, match=r"mine.toml is not valid TOML: .*line 2"):
        read(write("[camera]\nyaw = = 5\n"))
    with pytest.raises(UserError, match=r"line 3"):
        read(write("[camera]\nyaw = 5\nyaw = 6\n"))
    with pytest.raises(UserError, match="nested too deep"):
        read(write("a = " + "[" * 5000 + "]" * 5000))
    (tmp_path / "latin.toml").write_bytes(b"[camera]\n# caf\xe9\n")
    with pytest.raises(UserError, match=r"latin.toml: line 2 is not UTF-8"):
        read(tmp_path / "latin.toml")
    with pytest.raises(UserError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(UserError, match=r"is missing: name a recipe's \.toml file"):
        read(tmp_path / "none.toml")
    with pytest.raises(UserError, match=r"perhaps 'portraits'.*minimal, photos, portraits"):
        Recipe.read("portrait")


def shares() -> st.SearchStrategy[float]:
    return st.floats(0, 1)


def distributions(low: float, high: float) -> st.SearchStrategy[Any]:
    """Of numbers in a range."""
    number = st.floats(low, high)
    ends = st.tuples(number, number).map(sorted)
    return st.one_of(
        number,
        ends.map(lambda pair: {"uniform": pair}),
        st.lists(number, min_size=1, max_size=3).map(lambda values: {"choice": values}),
        ends.map(
            lambda pair: {
                "normal": [(pair[0] + pair[1]) / 2, pair[1] - pair[0] + 0.01],
                "within": [pair[0], pair[1] + 0.01] if pair[1] < high else [pair[0] - 0.01, high],
            }
        ).filter(lambda value: low <= value["within"][0] and value["within"][1] <= high),
    )


TABLES = st.fixed_dictionaries(
    {},
    optional={
        "heads": st.fixed_dictionaries(
            {},
            optional={
                "distribution": st.sampled_from(["latent", "prior", "uniform"]),
                "grade": st.sampled_from(["refined", "direct"]),
                "views": st.integers(1, 10_000),
            },
        ),
        "image": st.fixed_dictionaries(
            {
                "size": st.integers(64, 4096)
                | st.lists(st.integers(64, 4096), min_size=2, max_size=2)
            },
            optional={"format": st.sampled_from(["png", "jpeg"]), "quality": st.integers(1, 100)},
        ),
        "labels": st.fixed_dictionaries({}, optional={"on": st.booleans(), "check": shares()}),
        "camera": st.fixed_dictionaries(
            {"yaw": distributions(-180, 180)},
            optional={"focal_length": distributions(5, 5000), "shift_x": distributions(-0.5, 0.5)},
        ),
        "light": st.fixed_dictionaries(
            {
                "presets": st.lists(st.sampled_from(LIGHT_PRESETS), min_size=1, unique=True)
                | st.dictionaries(st.sampled_from(LIGHT_PRESETS), st.floats(0.1, 9), min_size=1)
            }
        ),
        "background": st.fixed_dictionaries(
            {
                "colours": st.just("preset")
                | distributions(0, 1)
                | st.lists(distributions(0, 1), min_size=3, max_size=3)
                | st.lists(st.lists(shares(), min_size=3, max_size=3), min_size=1).map(
                    lambda colours: {"choice": colours}
                )
            }
        ),
        "expression": st.fixed_dictionaries(
            {"only": st.lists(st.text(), unique=True, max_size=3)},
            optional={"neutral": shares(), "kinds": st.just(["smile", "wink"])},
        ),
        "parameters": st.dictionaries(st.text(), distributions(-5, 5), max_size=3),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(TABLES)
def test_recipes_are_written_as_they_are_read(write: Write, tables: dict[str, Any]) -> None:
    recipe = read(write("\n".join(toml_table(name, table) for name, table in tables.items())))
    again = read(write(recipe.to_toml()))
    assert again == recipe
    plain = json.loads(json.dumps(recipe.as_mapping()))
    assert plain == again.as_mapping()
    assert json.dumps(plain) == json.dumps(again.as_mapping())  # 1 is not 1.0 to a digest
    assert Recipe.from_mapping(plain) == recipe


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)


@given(TEXTS, st.dictionaries(TEXTS, PLAIN, max_size=4))
def test_toml_is_read_back_by_python(name: str, table: dict[str, Any]) -> None:
    assert tomllib.loads(toml_table(name, table)) == {name: table}


@pytest.fixture
def pictured(tmp_path: Path, write: Write) -> Path:
    """A recipe with folders of pictures beside it."""
    (tmp_path / "sky").mkdir()
    (tmp_path / "walls").mkdir()
    for name, data in (("b.hdr", HDR), ("a.EXR", EXR), (".hidden.hdr", HDR), ("notes.txt", b"x")):
        (tmp_path / "sky" / name).write_bytes(data)
    for name, data in (("1.png", PNG), ("2.jpg", b"\xff\xd8\xff"), ("3.JPEG", b"\xff\xd8\xff")):
        (tmp_path / "walls" / name).write_bytes(data)
    (tmp_path / "sky" / "more.hdr").mkdir()
    return write("[light]\nhdri = 'sky'\n[background]\npictures = 'walls'\nshare = 1.0\n")


def test_pictures_are_known_by_name_and_content(pictured: Path, tmp_path: Path) -> None:
    recipe = read(pictured)
    assert list(recipe.files()) == ["a.EXR", "b.hdr", "1.png", "2.jpg", "3.JPEG"]
    assert all(path.is_file() for path in recipe.files().values())
    plain = recipe.as_mapping()
    assert list(plain["light"]["hdri"]) == ["a.EXR", "b.hdr"]
    assert re.fullmatch("[0-9a-f]{64}", plain["background"]["pictures"]["1.png"])
    assert str(tmp_path) not in json.dumps(plain)
    assert 'hdri = "sky"' in recipe.to_toml()
    assert "sky (2 files)" in describe(recipe)


def test_equal_pictures_elsewhere_are_an_equal_recipe(pictured: Path, tmp_path: Path) -> None:
    recipe = read(pictured)
    moved = tmp_path.with_name(f"{tmp_path.name}_moved")
    tmp_path.rename(moved)
    elsewhere = read(moved / "mine.toml")
    assert elsewhere == recipe and elsewhere.files() != recipe.files()
    (moved / "sky" / "b.hdr").write_bytes(HDR + b"changed")
    assert read(moved / "mine.toml") != recipe
    moved.rename(tmp_path)


def test_the_recipe_of_a_run_finds_its_pictures_by_its_file(pictured: Path) -> None:
    plain = json.loads(json.dumps(read(pictured).as_mapping()))
    with pytest.raises(UserError, match=r"names files by \[light\] hdri, \[background\] pictures"):
        Recipe.from_mapping(plain)
    assert Recipe.from_mapping(plain, pictured) == read(pictured)
    plain["camera"]["yaw"] = 5.0
    with pytest.raises(UserError, match=r"mine.toml is not the recipe of the run: \[camera\]"):
        Recipe.from_mapping(plain, pictured)


def test_folders_without_pictures_are_refused(pictured: Path, tmp_path: Path) -> None:
    for name in ("a.EXR", "b.hdr"):
        (tmp_path / "sky" / name).unlink()
    with pytest.raises(UserError, match=r"hdri 'sky': .* has no .hdr, .exr in it"):
        read(pictured)
    (tmp_path / "sky").rename(tmp_path / "ski")
    with pytest.raises(UserError, match=r"hdri 'sky': .*No such file.*relative to the recipe"):
        read(pictured)
    (tmp_path / "sky").write_bytes(b"")
    with pytest.raises(UserError, match=r"hdri 'sky': .*Not a directory"):
        read(pictured)


@pytest.mark.parametrize("name", ["heads.npz", "heads.json", "run"])
def test_heads_of_a_source(tmp_path: Path, write: Write, name: str) -> None:
    model = load_head_model("open_flame")
    heads = model.sample_prior(np.random.default_rng(0), 3)
    file = tmp_path / name / RUN_FILE if name == "run" else tmp_path / name
    write_slider_file(file, model, heads)
    recipe = read(write(f"[heads]\nsource = '{name}'"))
    check_model(recipe, model)
    np.testing.assert_array_equal(recipe.source_heads(model.table), heads)
    assert recipe.heads.distribution is None and not recipe.heads.is_guided
    assert list(recipe.as_mapping()["heads"]["source"]) == [file.name]
    assert read(write(recipe.to_toml())) == recipe
    with pytest.raises(UserError, match=r"\[heads\] source"):
        check_model(recipe, load_head_model("anny"))


def test_a_source_of_another_model_is_refused(tmp_path: Path, write: Write) -> None:
    model = load_head_model("open_flame")
    content = {"model": "flame_1234", "heads": [{"shape_001": 1.0}]}
    (tmp_path / "heads.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="has heads of flame_1234, not of open_flame"):
        check_model(read(write("[heads]\nsource = 'heads.json'")), model)
    (tmp_path / "heads.json").write_text("{}")
    with pytest.raises(UserError, match=r"mine.toml: \[heads\] source: .*is not a slider file"):
        check_model(read(write("[heads]\nsource = 'heads.json'")), model)


@pytest.mark.parametrize(
    ("model", "text", "message"),
    [
        ("open_flame", "[parameters]\njaw_pose_y = 0.2", "reaches from 0.2 to 0.2; give numbers"),
        (
            "open_flame",
            "[parameters]\njaw_pos_x = 0.2",
            "no slider of open_flame, perhaps 'jaw_pose_x'",
        ),
        ("anny", "[parameters]\nshape_001 = 0", "no slider of anny"),
        ("open_flame", "[expression]\nonly = ['jawopen']", "only has 'jawopen'.*perhaps 'jawOpen'"),
        ("open_flame", "[expression]\navoid = ['x']", "avoid has 'x', no expression slider"),
        (
            "open_flame",
            "[expression]\nkinds = ['blink']\navoid = ['eyeBlinkLeft', 'eyeBlinkRight']",
            "leave nothing to draw",
        ),
        ("open_flame", "[gaze]\npitch = {uniform = [-10, 40]}", "pitch turns .* -55 to 35 degrees"),
        ("anny", "[gaze]\nyaw = {uniform = [-50, 10]}", "yaw turns .* from -45 to 45 degrees"),
    ],
)
def test_what_a_model_cannot_do_is_refused(
    write: Write, model: str, text: str, message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        check_model(read(write(text)), load_head_model(model))
    assert str(caught.value).startswith(f"{write(text)}: [")


def test_a_model_without_expressions_and_eyes(write: Write) -> None:
    toy: Any = ToyHead()
    with pytest.raises(UserError, match="toy has no expressions; give 1"):
        check_model(read(write("")), toy)
    still = "[expression]\nneutral = 1\n"
    check_model(read(write(still)), toy)
    with pytest.raises(UserError, match="the eyes of toy do not turn"):
        check_model(read(write(still + "[gaze]\nat_camera = 0.1")), toy)


def test_the_description_shows_every_key_that_counts() -> None:
    recipe = replace(Recipe.read("photos"), parameters={"jaw_pose_x": Uniform(0.0, 0.2)})
    text = describe(recipe)
    for name, table in recipe.as_mapping().items():
        assert re.search(rf"^{name} ", text, re.MULTILINE), name
        for key, value in table.items():
            means_nothing = key in ("hdri_share", "share") or value in (None, [])
            assert bool(re.search(rf"^[a-z ]+  {key}  ", text, re.MULTILINE)) != means_nothing, key
    assert "normal 0 +- 20, within -45 to 45 degrees" in text
    assert max(map(len, text.splitlines())) <= 100


def test_wear_is_said_only_where_it_is_chosen(write: Write) -> None:
    assert "wear" not in Recipe().as_mapping()
    assert "[wear]" not in Recipe().to_toml()
    chosen = read(write("[wear]\nglasses = {none = 3, round = 1}"))
    assert chosen.as_mapping()["wear"]["glasses"] == {"none": 3.0, "round": 1.0}
    with pytest.raises(UserError, match=r"\[wear\] differs"):
        Recipe.from_mapping(chosen.as_mapping(), write(""))


def documented(project: Path) -> dict[str, dict[str, str]]:
    """Table -> key -> default, as docs/dataset_recipe.md has them."""
    tables: dict[str, dict[str, str]] = {}
    text = (project / "docs/dataset_recipe.md").read_text(encoding="utf-8")
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        name = section[1 : section.index("]")]
        rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", section, re.MULTILINE)
        tables[name] = {key: default.strip("` ") for key, default in rows}
    return tables


def test_the_documented_keys_are_the_accepted_ones(project: Path) -> None:
    full = Recipe(wear=WearTable(colours="any"))
    accepted = {name: list(table) for name, table in full.as_mapping().items()}
    accepted["people"] = [key.name for key in fields(People)]
    assert {name: sorted(keys) for name, keys in documented(project).items()} == {
        name: sorted(keys) for name, keys in accepted.items()
    }


def test_the_documented_defaults_are_those(project: Path, write: Write) -> None:
    for name, defaults in documented(project).items():
        for key, default in defaults.items():
            if default not in ("", "all"):
                assert read(write(f"[{name}]\n{key} = {default}")) == Recipe(), (name, key)


def test_the_documented_ranges_are_those(project: Path, write: Write) -> None:
    """Of every key whose row says "low to high": both are accepted, and nothing beyond."""
    text = (project / "docs/dataset_recipe.md").read_text(encoding="utf-8")
    checked = 0
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        table = section[1 : section.index("]")]
        rows = re.findall(r"^\| `(\w+)` \|[^|]*\|[^|]*?(-?[\d.]+) to (-?[\d.]+)", section, re.M)
        for key, low, high in rows:
            if (table, key) in NEEDS:
                continue
            step = 0.01 if "." in low + high else 1
            for value in (low, high):
                read(write(f"[{table}]\n{key} = {value}"))
            for value in (float(low) - step, float(high) + step):
                wrong = f"{value:g}" if step < 1 else f"{value:.0f}"
                with pytest.raises(UserError, match=rf"\[{table}\] {key} is"):
                    read(write(f"[{table}]\n{key} = {wrong}"))
            checked += 1
    assert checked >= 25


def test_every_documented_example_is_a_recipe(project: Path, write: Write, tmp_path: Path) -> None:
    text = (project / "docs/dataset_recipe.md").read_text(encoding="utf-8")
    (tmp_path / "hdris").mkdir()
    (tmp_path / "hdris" / "sky.hdr").write_bytes(HDR)
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    recipe = read(write(example))
    check_model(recipe, load_head_model("open_flame"))
    assert recipe.camera.framing == Fixed(0.28)


def test_tables_of_a_recipe_are_frozen() -> None:
    for table in fields(Recipe()):
        value = getattr(Recipe(), table.name)
        if hasattr(value, "__dataclass_params__"):
            assert value.__dataclass_params__.frozen


def test_people_are_drawn_by_the_shares_of_the_recipe(write: Write) -> None:
    recipe = read(write("[people]\nsex = {woman = 3, man = 1}\nage = '30:40'\nskin = '35:80'"))
    population = recipe.people.drawn_from()
    assert sorted(population.shares) == [0.25, 0.75]
    assert {group.age for group in population.groups} == {(30.0, 40.0)}
    again = Recipe.from_mapping(json.loads(json.dumps(recipe.as_mapping())))
    assert again.people == recipe.people
    balanced = read(write("[people]\npopulation = 'balanced'\nsex = 'woman'")).people.drawn_from()
    assert len(balanced.groups) == 12 and np.isclose(sum(balanced.shares), 1.0)


def test_a_recipe_draws_a_balanced_population_unless_it_says_another(write: Write) -> None:
    plain = read(write("[heads]\nviews = 2"))
    assert plain.people == People("balanced")
    assert plain.as_mapping()["people"]["population"] == "balanced"
    as_found = read(write("[people]\npopulation = 'as-found'"))
    assert as_found.people.drawn_from().is_everybody
    for recipe in (plain, as_found):
        assert Recipe.from_mapping(json.loads(json.dumps(recipe.as_mapping()))) == recipe
        assert read(write(recipe.to_toml())) == recipe
    prior = read(write("[heads]\ndistribution = 'prior'"))
    assert "people" not in prior.as_mapping() and "[people]" not in prior.to_toml()


def test_what_was_made_before_there_were_populations_means_what_it_meant(write: Write) -> None:
    """Runs and resolved recipes that say nothing of people drew them as faces were found."""
    plain = read(write("[heads]\nviews = 2"))
    recorded = {name: table for name, table in plain.as_mapping().items() if name != "people"}
    before = Recipe.from_mapping(recorded)
    assert before.people.drawn_from().is_everybody
    assert before.as_mapping() == recorded
    path = write("[heads]\nviews = 2")
    assert Recipe.from_mapping(recorded, path) == before
    resolved, people = plain.to_toml().split("[people]")
    tables = people.split("\n\n", 1)[1]
    assert read(write(resolved + tables)) == before
    assert population_unsaid(recorded) == "as-found"
    assert population_unsaid(plain.as_mapping()) == "balanced"


PROBE: dict[str, Any] = {
    "name": "smiling", "encoder": "facenet", "offset": 0.0, "range": [-30.0, 30.0],
    "direction": 10 * np.random.default_rng(0).standard_normal(512),
    "levels": ["little", "much"], "level_bounds": [-30.0, 0.0, 30.0],
}  # fmt: skip


def test_a_probe_of_ones_own_asks_for_people(write: Write, tmp_path: Path) -> None:
    np.savez(tmp_path / "smiling.npz", **PROBE)
    path = write(
        "[people]\nprobe = 'smiling.npz'\nprobed = {little = 1, '5:10' = 3}\nsex = 'woman'"
    )
    recipe = read(path)
    population = recipe.people.drawn_from()
    assert len(population.groups) == 24 and np.isclose(sum(population.shares), 1.0)
    shares = {group.own: 0.0 for group in population.groups}
    for group, share in zip(population.groups, population.shares, strict=True):
        shares[group.own] += share
    assert shares == {(-30.0, 0.0): pytest.approx(0.25), (5.0, 10.0): pytest.approx(0.75)}
    mapping = json.loads(json.dumps(recipe.as_mapping()))
    assert list(mapping["people"]["probe"]) == ["smiling.npz"]
    assert Recipe.from_mapping(mapping, path) == recipe
    with pytest.raises(UserError, match="names files by"):
        Recipe.from_mapping(mapping)
    assert read(write(recipe.to_toml())) == recipe
    plan = Plan(recipe, load_head_model("open_flame"), seed=0)
    latent = plan.requested(0)
    assert latent is not None
    reading = float(latent @ PROBE["direction"])
    assert -30 <= reading < 0 or 5 <= reading < 10
    np.savez(tmp_path / "smiling.npz", **PROBE | {"offset": 1.0})
    with pytest.raises(UserError, match=r"\[people\] differs"):
        Recipe.from_mapping(mapping, path)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("probe = 'lost.npz'\nprobed = 'much'", r"\[people\] probe: .*lost\.npz"),
        ("probe = 'smiling.npz'", r"\[people\] probed is \[\]; give what the probe has to read"),
        ("probed = 'much'", r"\[people\] probed is .*give probe, too"),
        (
            "probe = 'smiling.npz'\nprobed = 'loud'",
            "'loud' is no range of smiling; give little, much",
        ),
        ("probe = 'smiling.npz'\nprobed = {'0:2' = 1, '1:3' = 1}", "1:3 overlaps another range"),
        ("probe = 'other.npz'\nprobed = '0:1'", "latents of encoder 'sface'"),
    ],
)
def test_probes_there_cannot_be(write: Write, tmp_path: Path, keys: str, says: str) -> None:
    np.savez(tmp_path / "smiling.npz", **PROBE)
    np.savez(tmp_path / "other.npz", **PROBE | {"encoder": "sface"})
    with pytest.raises(UserError, match=says) as error:
        read(write(f"[people]\n{keys}"))
    assert "\n" not in str(error.value)
