# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos are refused before they are decoded, in a line that says what to do."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegen_addon.errors import UserError
from facegen_addon.photo.photo_header import check_photo
from tests.picture_kinds import HEIGHT, WIDTH, quarters, stored


def noise(side: int = 120) -> Image.Image:
    """A picture that no compression makes small."""
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 255, (side, side, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
def test_a_photos_format_and_size_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo"  # told by content
    path.write_bytes(stored(Image.fromarray(quarters()), kind))
    header = check_photo(path)
    assert (header.format, header.width, header.height) == (kind, WIDTH, HEIGHT)


def test_a_webp_tells_how_it_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.webp"
    path.write_bytes(stored(noise(), "WEBP", exif=exif))
    assert check_photo(path).turn == 6


def _animated(kind: str) -> bytes:
    return stored(noise(), kind, save_all=True, append_images=[noise(120).rotate(90)])


REFUSED = {
    "cut.jpg": (stored(noise(), "JPEG")[:3000], "cut short"),
    "end.jpg": (stored(noise(), "JPEG")[:-2], "cut short"),
    "cut.png": (stored(noise(), "PNG")[:3000], "cut short"),
    "cut.webp": (stored(noise(), "WEBP")[:2000], "cut short"),
    "cmyk.jpg": (stored(noise().convert("CMYK"), "JPEG"), "CMYK"),
    "moving.png": (_animated("PNG"), "animated"),
    "moving.webp": (_animated("WEBP"), "animated"),
    "old.gif": (stored(noise().convert("P"), "GIF"), "GIF"),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "HEIC"),
    "text.jpg": (b"no picture at all", "no picture"),
    "empty.png": (b"", "empty"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_photo_is_refused_in_a_line(tmp_path: Path, name: str) -> None:
    data, reason = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UserError, match=reason) as caught:
        check_photo(path)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_huge_picture_is_refused_by_its_header(tmp_path: Path) -> None:
    data = bytearray(stored(noise(), "PNG"))
    data[16:24] = (40_000).to_bytes(4, "big") * 2
    path = tmp_path / "huge.png"
    path.write_bytes(data)
    with pytest.raises(UserError, match="40000 x 40000 pixels"):
        check_photo(path)


def test_a_photo_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing\.jpg is missing"):
        check_photo(tmp_path / "missing.jpg")
