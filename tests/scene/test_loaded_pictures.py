# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures from files as they are rendered: upright, seen through, and those that are meant."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import DEFAULT_FLAME, load_head_model
from facegen_addon.labels.shot import Background, Light, Shot, View
from facegen_addon.scene.render import picture_file
from facegen_addon.scene.render.picture_file import picture_traits
from facegen_addon.scene.render.sample_renderer import SampleRenderer, SampleSettings
from tests.picture_kinds import (
    HEIGHT,
    WIDTH,
    exr_rgb,
    hdr,
    png16,
    quarters,
    see_through,
    stored,
    turned,
)

MODEL = load_head_model(DEFAULT_FLAME)
SETTINGS = SampleSettings(samples=1, width=96, height=64, device="CPU", labels=False)
FAR = View(focal_length=36.0, distance=1.6)
BLUE = (0.0, 0.0, 1.0)
TRANSPARENT = {
    "rgba": stored(Image.fromarray(see_through()), "PNG"),
    "rgba16": png16(see_through().astype(np.uint16) * 257),
    "palette": stored(Image.fromarray(see_through()).quantize(8), "PNG"),
    "la": stored(Image.fromarray(see_through()).convert("LA"), "PNG"),
    "la16": png16(np.asarray(Image.fromarray(see_through()).convert("LA")).astype(np.uint16) * 257),
}


@pytest.fixture
def renderer() -> Iterator[SampleRenderer]:
    with SampleRenderer(MODEL, SETTINGS) as found:
        yield found


def _behind(renderer: SampleRenderer, background: Background, light: Light) -> np.ndarray:
    """The image (H, W, 3), the head far away in its middle."""
    return renderer.render(Shot(MODEL.table.default(), FAR, light, background)).image.astype(int)


def _shown(
    renderer: SampleRenderer, path: Path, data: bytes, light: Light | None = None
) -> np.ndarray:
    path.write_bytes(data)
    return _behind(renderer, Background(str(path), BLUE), light or Light())


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_stands_as_exif_says(renderer: SampleRenderer, tmp_path: Path, kind: str) -> None:
    """It fills the frame and is cut as the upright one is."""
    upright = _shown(renderer, tmp_path / f"1.{kind}", turned(1, kind))
    for orientation in range(2, 9):
        path = tmp_path / f"{orientation}.{kind}"
        image = _shown(renderer, path, turned(orientation, kind))
        edge = image[[2, 2, -3, -3], [2, -3, 2, -3]]
        assert np.abs(edge - [[220, 0, 0], [0, 220, 0], [0, 0, 220], [220, 220, 0]]).max() < 8
        if kind == "PNG":  # another JPEG has other blocks
            assert np.abs(image - upright).max() <= 1


@pytest.mark.parametrize("decoder", ["OpenImageIO", "Blender"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_either_decoder_finds_the_orientation(
    tmp_path: Path, orientation: int, decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if decoder == "Blender":
        monkeypatch.setattr(picture_file, "_openimageio", lambda: None)
    for suffix, kind in (("jpg", "JPEG"), ("png", "PNG")):
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(turned(orientation, kind))
        traits = picture_traits(path)
        assert (traits.orientation, traits.is_transparent) == (orientation, False)


def test_what_is_behind_shows_through_every_kind(renderer: SampleRenderer, tmp_path: Path) -> None:
    for kind, data in TRANSPARENT.items():
        image = _shown(renderer, tmp_path / f"{kind}.png", data)
        assert np.abs(image[[2, -3], -3] - (0, 0, 255)).max() < 4, kind  # the colour drawn
        left = [[66] * 3, [25] * 3] if kind.startswith("la") else [[220, 0, 0], [0, 0, 220]]
        assert np.abs(image[[2, -3], 2] - left).max() < 4, kind


def test_an_hdri_and_a_preset_show_through(renderer: SampleRenderer, tmp_path: Path) -> None:
    sky, wall = tmp_path / "sky.hdr", tmp_path / "wall.png"
    sky.write_bytes(hdr(np.full((8, 16, 3), (1.0, 0.25, 0.0), np.float32)))
    wall.write_bytes(TRANSPARENT["rgba"])
    for light in (Light(), Light(hdri=str(sky))):
        without = _behind(renderer, Background(), light)
        image = _behind(renderer, Background(str(wall)), light)
        assert np.abs(image[2, -12:] - without[2, -12:]).max() <= 1
        assert np.abs(image[2, 2] - (220, 0, 0)).max() < 4


def test_half_of_what_is_behind_shows_through(renderer: SampleRenderer, tmp_path: Path) -> None:
    """In linear light, by the colours that are stored, not by those times alpha."""
    half = np.full((HEIGHT, WIDTH, 4), (255, 255, 255, 128), np.uint8)
    image = _shown(renderer, tmp_path / "a.png", stored(Image.fromarray(half), "PNG"))
    assert np.abs(image[2, 2] - (188, 188, 255)).max() < 4


def test_opaque_alpha_changes_nothing(renderer: SampleRenderer, tmp_path: Path) -> None:
    rgb = Image.fromarray(quarters())
    files = {"rgb": rgb, "rgba": rgb.convert("RGBA"), "palette": rgb.quantize(8)}
    images = [_shown(renderer, tmp_path / f"{n}.png", stored(i, "PNG")) for n, i in files.items()]
    images.append(
        _shown(renderer, tmp_path / "rgb16.png", png16(quarters().astype(np.uint16) * 257))
    )
    assert all(np.array_equal(image, images[0]) for image in images)


def test_the_alpha_of_an_environment_is_no_matter(renderer: SampleRenderer, tmp_path: Path) -> None:
    light = np.full((8, 16, 3), (1.0, 0.5, 0.25), np.float32)
    images = []
    for name, data in (
        ("rgb", exr_rgb(light)),
        ("rgba", exr_rgb(np.dstack([light, np.zeros((8, 16))]), ("R", "G", "B", "A"))),
    ):
        (tmp_path / f"{name}.exr").write_bytes(data)
        hdri = Light(hdri=str(tmp_path / f"{name}.exr"))
        images.append(_behind(renderer, Background(), hdri))
    assert np.array_equal(*images) and images[0][32, 48].min() > 20


def test_a_file_that_changes_during_a_run_is_named(tmp_path: Path) -> None:
    """Restored, it is what it was."""
    path = tmp_path / "wall.png"
    good = stored(Image.fromarray(quarters()), "PNG")
    path.write_bytes(good)
    sha256 = hashlib.sha256(good).hexdigest()
    with SampleRenderer(MODEL, SETTINGS, pictures={str(path): sha256}) as renderer:
        before = _shown(renderer, path, good)
        for bad in (TRANSPARENT["rgba"], good[: len(good) // 2], b""):
            with pytest.raises(UserError, match="was changed since the run began") as error:
                _shown(renderer, path, bad)
            assert f"restore the file of sha256 {sha256}, then go on" in str(error.value)
        path.unlink()
        with pytest.raises(UserError, match=f"No such file.*restore the file of sha256 {sha256}"):
            _behind(renderer, Background(str(path), BLUE), Light())
        assert np.array_equal(_shown(renderer, path, good), before)
        with pytest.raises(UserError, match=r"other.png is not one that the run began with"):
            _shown(renderer, tmp_path / "other.png", good)


def test_a_file_that_was_damaged_from_the_beginning_is_named(tmp_path: Path) -> None:
    """As runs may hold that began before pictures were decoded."""
    path = tmp_path / "wall.png"
    bad = TRANSPARENT["rgba"][:60]
    path.write_bytes(bad)
    expected = {str(path): hashlib.sha256(bad).hexdigest()}
    with (
        SampleRenderer(MODEL, SETTINGS, pictures=expected) as renderer,
        pytest.raises(UserError, match=r"damaged, as it was when the run began: .* run anew"),
    ):
        _shown(renderer, path, bad)
