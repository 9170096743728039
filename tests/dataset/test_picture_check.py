# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that a recipe names: every kind decoded before a run begins, all bad ones named."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from batch.dataset import picture_check
from batch.dataset.picture_check import check_pictures, check_same_files
from batch.dataset.recipe import Recipe
from facegen_addon.errors import UserError
from facegen_addon.scene.render import picture_file
from tests.picture_kinds import exr_rgb, hdr, png16, quarters, see_through, stored, turned

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8))
RGB = Image.fromarray(quarters())
GREY = RGB.convert("L")
LIGHT = np.full((8, 16, 3), (1.0, 0.5, 0.25), np.float32)
WIDE = Image.fromarray(np.zeros((2, 9000, 3), np.uint8))
JPEG, PNG = stored(NOISE, "JPEG", quality=95), stored(NOISE, "PNG")
PROGRESSIVE = stored(NOISE, "JPEG", quality=95, progressive=True)


def spoiled(value: float) -> np.ndarray:
    """A light with one other pixel."""
    light = LIGHT.copy()
    light[3, 4] = value
    return light


GOOD = {
    "rgb.png": stored(RGB, "PNG"),
    "grey.png": stored(GREY, "PNG"),
    "grey16.png": png16(quarters()[..., :1].astype(np.uint16) * 257),
    "rgb16.png": png16(quarters().astype(np.uint16) * 257),
    "rgba16.png": png16(see_through().astype(np.uint16) * 257),
    "rgba.png": stored(Image.fromarray(see_through()), "PNG"),
    "la.png": stored(Image.fromarray(see_through()).convert("LA"), "PNG"),
    "palette.png": stored(RGB.convert("P"), "PNG"),
    "palette_transparent.png": stored(RGB.convert("P"), "PNG", transparency=0),
    "bit.png": stored(GREY.convert("1"), "PNG"),
    "one_pixel.png": stored(RGB.crop((0, 0, 1, 1)), "PNG"),
    "wide.png": stored(WIDE, "PNG"),
    "grey.jpg": stored(GREY, "JPEG"),
    "cmyk.jpg": stored(RGB.convert("CMYK"), "JPEG"),
    "progressive.jpg": PROGRESSIVE,
    "turned.jpg": turned(6, "JPEG"),
    "turned.png": turned(6, "PNG"),
    "UPPER.JPG": JPEG,
    "more.jpeg": JPEG + b"a film of the moment, \xff\xda\x00",
    "ä ö 名前 #%&;.png": PNG,
}
BAD = {
    "half.jpg": (JPEG[: len(JPEG) // 2], "ends early"),
    "no_end.jpg": (JPEG[:-2], "ends early"),
    "progressive.jpg": (PROGRESSIVE[: len(PROGRESSIVE) // 2], "ends early"),
    "closed.jpg": (PROGRESSIVE[: len(PROGRESSIVE) // 2] + b"\xff\xd9", "cannot be decoded"),
    "head.jpg": (JPEG[:30], "ends early"),
    "start.png": (PNG[:60], "ends early"),
    "no_end.png": (PNG[:-6], "ends early"),
    "flipped.png": (PNG[:900] + bytes([PNG[900] ^ 255]) + PNG[901:], "cannot be decoded"),
    "empty.png": (b"", "is empty"),
    "text.jpg": (b"hello", "is no .jpg file, or damaged"),
    "page.jpg": (b"\n<!DOCTYPE html>", "is a web page (HTML) saved under this name"),
    "pointer.png": (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    "drawing.png": (b"<svg/>", "is an SVG or other XML, not a .png; rename or convert it"),
    "webp.jpg": (stored(RGB, "WEBP"), "is a WebP, not a .jpg; rename or convert it"),
    "tiff.png": (stored(RGB, "TIFF"), "is a TIFF, not a .png"),
    "gif.png": (stored(RGB, "GIF"), "is a GIF, not a .png"),
    "jpeg.png": (JPEG, "is a JPEG, not a .png"),
}
GOOD_LIGHTS = {
    "rgb.hdr": hdr(LIGHT),
    "RGB.EXR": exr_rgb(LIGHT),
    "grey.exr": exr_rgb(LIGHT[..., :1], ("Y",)),
    "rgba.exr": exr_rgb(np.dstack([LIGHT, np.zeros((8, 16))]), ("R", "G", "B", "A")),
    "depth_too.exr": exr_rgb(np.dstack([LIGHT, np.ones((8, 16))]), ("R", "G", "B", "Z")),
    "ringing.exr": exr_rgb(spoiled(-0.01)),
}
BAD_LIGHTS = {
    "black.hdr": (hdr(LIGHT * 0), "is black"),
    "black.exr": (exr_rgb(LIGHT * 0), "is black"),
    "negative.exr": (exr_rgb(-LIGHT), "is negative everywhere"),
    "mostly.exr": (exr_rgb(spoiled(-1e6)), "is more negative than positive"),
    "nan.exr": (exr_rgb(spoiled(np.nan)), "has pixels that are infinite or no numbers"),
    "infinite.exr": (exr_rgb(spoiled(np.inf)), "has pixels that are infinite or no numbers"),
    "depth.exr": (exr_rgb(LIGHT[..., :1], ("Z",)), "save the layer that lights as RGB"),
    "half.exr": (exr_rgb(LIGHT)[:900], "cannot be decoded"),
    "head.exr": (exr_rgb(LIGHT)[:100], "cannot be decoded"),
    "half.hdr": (hdr(LIGHT)[:200], "cannot be decoded"),
    "xyze.hdr": (hdr(LIGHT, "32-bit_rle_xyze"), "cannot be decoded"),
    "png.hdr": (PNG, "is a PNG, not a .hdr"),
    "layers.exr": (exr_rgb(LIGHT, ("diffuse.R", "diffuse.G", "diffuse.B")), "save the layer"),
}

Make = Callable[..., Recipe]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A recipe of background pictures and HDRIs."""

    def build(pictures: dict[str, bytes], lights: dict[str, bytes] | None = None) -> Recipe:
        text = ""
        for folder, key, files in (
            ("walls", "background]\npictures", pictures),
            ("sky", "light]\nhdri", lights or {}),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            for name, data in files.items():
                (tmp_path / folder / name).write_bytes(data)
            text += f"[{key} = '{folder}'\n" if files else ""
        (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
        return Recipe.read(str(tmp_path / "mine.toml"))

    return build


@pytest.fixture(params=["OpenImageIO", "Blender"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either decoder: that of today's Blender, and that of one without OpenImageIO in Python."""
    if request.param == "Blender":
        pytest.importorskip("bpy")
        monkeypatch.setattr(picture_file, "_openimageio", lambda: None)
    elif picture_file._openimageio() is None:
        pytest.skip("this Blender has no OpenImageIO in Python")
    return str(request.param)


def test_good_pictures_of_every_kind_pass(make: Make, decoder: str) -> None:
    check_pictures(make(GOOD, GOOD_LIGHTS))


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_named(
    make: Make, decoder: str, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data, flaw = BAD[name]
    if (decoder, name) == ("Blender", "closed.jpg"):
        pytest.skip("Blender itself shows a JPEG that ends in time whatever it lacks")
    with pytest.raises(UserError) as error:
        check_pictures(make({"rgb.png": GOOD["rgb.png"], name: data}))
    assert f"1 of 2 pictures cannot be used (walls/{name} {flaw}" in str(error.value)
    assert str(error.value).endswith("repair them, or take them out of their folder")
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""  # libpng has something to say of each, too


@pytest.mark.parametrize("name", BAD_LIGHTS)
def test_an_environment_that_lights_nothing_is_named(make: Make, decoder: str, name: str) -> None:
    data, flaw = BAD_LIGHTS[name]
    with pytest.raises(UserError, match="1 of 2 pictures") as error:
        check_pictures(make({}, {"rgb.hdr": GOOD_LIGHTS["rgb.hdr"], name: data}))
    assert f"sky/{name} " in str(error.value)
    assert flaw in str(error.value)


def test_an_environment_that_is_stored_turned_is_named(make: Make) -> None:
    with pytest.raises(UserError, match="is stored turned or mirrored"):
        check_pictures(make({}, {"a.hdr": hdr(LIGHT, size="+Y {0} +X {1}")}))


def test_all_bad_ones_are_named_at_once(make: Make) -> None:
    bad = {name: data for name, (data, _) in BAD.items()}
    with pytest.raises(UserError) as error:
        check_pictures(make({**GOOD, **bad}, {"black.hdr": BAD_LIGHTS["black.hdr"][0]}))
    count, message = len(bad) + 1, str(error.value)
    assert f"mine.toml: {count} of {len({**GOOD, **bad}) + 1} pictures cannot be used" in message
    assert "sky/black.hdr is black; walls/closed.jpg" in message and "\n" not in message
    assert f"and {count - 3} more" in message


def test_what_is_no_file(make: Make, tmp_path: Path) -> None:
    """A folder is no picture; a link that leads nowhere was meant to be one."""
    make({"rgb.png": GOOD["rgb.png"]})
    walls = tmp_path / "walls"
    (walls / "folder.png").mkdir()
    (walls / "linked.png").symlink_to("rgb.png")
    recipe = Recipe.read(str(tmp_path / "mine.toml"))
    assert recipe.background.pictures.names == ("linked.png", "rgb.png")
    check_pictures(recipe)
    (walls / "gone.png").symlink_to("nowhere.png")
    with pytest.raises(UserError, match=r"walls/gone\.png is a link to a file that is not there"):
        check_pictures(Recipe.read(str(tmp_path / "mine.toml")))


def test_what_may_not_be_read(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "locked.png":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    recipe = make({"locked.png": b"", "rgb.png": GOOD["rgb.png"]})
    with pytest.raises(UserError, match=r"locked.png cannot be read \(Permission denied\)"):
        check_pictures(recipe)


def test_names_that_cannot_be_written(make: Make, tmp_path: Path) -> None:
    make({"rgb.png": GOOD["rgb.png"]})
    for name in (b"line\nbreak.png", b"latin\xe4.png"):
        with open(os.path.join(os.fsencode(tmp_path / "walls"), name), "wb") as file:
            file.write(GOOD["rgb.png"])
    with pytest.raises(UserError, match=r"2 of 3 .*has a name that cannot be written") as error:
        check_pictures(Recipe.read(str(tmp_path / "mine.toml")))
    assert "\n" not in str(error.value) and str(error.value).isprintable()


def test_the_cases(shared_cases: Path, tmp_path: Path) -> None:
    for table, key, folder, flaw in (
        ("background", "pictures", "damaged_picture", "a.png ends early"),
        ("background", "pictures", "pictures/trunc", "a.jpg ends early"),
        ("light", "hdri", "hdris/black", "a.hdr is black"),
        ("light", "hdri", "hdris/exr_layers", "save the layer that lights as RGB"),
    ):
        recipe = tmp_path / "mine.toml"
        recipe.write_text(f"[{table}]\n{key} = '{shared_cases / folder}'\n", encoding="utf-8")
        with pytest.raises(UserError, match=flaw):
            check_pictures(Recipe.read(str(recipe)))


def test_changed_files_of_a_run_are_named_with_their_hashes(make: Make, tmp_path: Path) -> None:
    files = {name: GOOD[name] for name in ("rgb.png", "grey.png", "bit.png")}
    noted = make(files).as_mapping()
    check_same_files(make(files), noted, Path("out"))
    (tmp_path / "walls" / "bit.png").unlink()
    changed = make({"rgb.png": GOOD["la.png"], "grey.png": GOOD["grey.png"], "z.png": PNG})
    (tmp_path / "walls" / "bit.png").unlink(missing_ok=True)
    with pytest.raises(UserError) as error:
        check_same_files(changed, noted, Path("out"))
    for name, what in (("rgb.png", "was changed"), ("bit.png", "is gone")):
        sha256 = hashlib.sha256(GOOD[name]).hexdigest()
        assert f"walls/{name} {what}, restore the file of sha256 {sha256}" in str(error.value)
    assert "walls/z.png is new, take it out; then --resume goes on" in str(error.value)


def test_a_bar_is_shown_for_thousands(
    make: Make, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(picture_check, "QUIET", 0.0)
    check_pictures(make(GOOD))
    assert "decode pictures" in capfd.readouterr().err


RECIPE = """[heads]
distribution = "prior"
[image]
size = 64
samples = 1
[labels]
on = false
[background]
pictures = "walls"
share = 1.0
[accept]
face = false
"""


def test_a_run_begins_with_whole_pictures_and_goes_on_with_the_same(
    project: Path, tmp_path: Path
) -> None:
    (tmp_path / "walls").mkdir()
    for name in ("rgb.png", "grey.png"):
        (tmp_path / "walls" / name).write_bytes(GOOD[name])
    (tmp_path / "mine.toml").write_text(RECIPE, encoding="utf-8")
    out = tmp_path / "out"

    def make(*more: str) -> tuple[int, str]:
        command = [sys.executable, project / "batch/run.py", "dataset", "make"]
        command += [
            "--recipe",
            "mine.toml",
            "--count",
            "4",
            "--shard-size",
            "2",
            "--workers",
            "1",
            "--threads",
            "1",
            "--device",
            "CPU",
        ]
        command += ["--output", "out", *more]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        return ended.returncode, ended.stderr

    (tmp_path / "walls" / "half.jpg").write_bytes(BAD["half.jpg"][0])
    status, errors = make()
    assert status == 2 and errors.startswith("facegen: mine.toml: 1 of 3 pictures cannot be used")
    assert errors.count("\n") == 1 and not out.exists()
    (tmp_path / "walls" / "half.jpg").unlink()
    assert make()[0] == 0
    shard, known = out / "data-000001.tar", (out / "data-000001.tar").read_bytes()
    shard.unlink()
    (tmp_path / "walls" / "rgb.png").write_bytes(GOOD["la.png"])
    status, errors = make("--resume")
    assert status == 2 and errors.count("\n") == 1
    assert f"restore the file of sha256 {hashlib.sha256(GOOD['rgb.png']).hexdigest()}" in errors
    (tmp_path / "walls" / "rgb.png").write_bytes(GOOD["rgb.png"])
    assert make("--resume")[0] == 0
    assert shard.read_bytes() == known
