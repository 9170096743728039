# SPDX-License-Identifier: GPL-3.0-or-later
import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from batch.contact_sheet import contact_sheet
from batch.lettering import draw_text, text_width
from facegen_addon.errors import UserError
from facegen_addon.png import decode_png, encode_png

KINDS = [((), np.uint8), ((3,), np.uint8), ((), np.uint16), ((3,), np.uint16)]
any_kind = pytest.mark.parametrize(("channels", "dtype"), KINDS)


def _noise(seed: int, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@any_kind
@given(height=st.integers(1, 20), width=st.integers(1, 20), seed=st.integers(0, 99))
def test_png_is_read_back_unchanged(
    channels: tuple[int, ...], dtype: type[np.generic], height: int, width: int, seed: int
) -> None:
    image = _noise(seed, (height, width, *channels), dtype)
    again = decode_png(encode_png(image))
    assert np.array_equal(again, image) and again.dtype == dtype


@any_kind
def test_others_read_the_same(channels: tuple[int, ...], dtype: type[np.generic]) -> None:
    image = _noise(5, (13, 11, *channels), dtype)
    data = encode_png(image)
    if (channels, dtype) != ((3,), np.uint16):  # Pillow knows no RGB of 16 bits
        assert np.array_equal(np.array(Image.open(io.BytesIO(data))), image)
    cv2 = pytest.importorskip("cv2")
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert read.dtype == dtype
    assert np.array_equal(read[..., ::-1] if channels else read, image)


def test_images_are_encoded_as_they_always_were() -> None:
    """Shards of earlier runs and the same runs today have the same bytes."""
    columns, rows = np.meshgrid(np.arange(40), np.arange(30))
    image = np.stack([6 * columns, 8 * rows, columns * rows % 256], axis=-1).astype(np.uint8)
    header = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000280000001e0802000000")
    rows_as_kept = np.diff(image.astype(int), axis=1, prepend=np.zeros((30, 1, 3), int))
    raw = b"".join(b"\x01" + row.astype(np.uint8).tobytes() for row in rows_as_kept % 256)
    data = encode_png(image)
    assert data.startswith(header)
    start = data.index(b"IDAT") + 4
    assert data[start:].startswith(zlib.compress(raw, 6))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 4), np.int16),
        np.zeros((1, 4, 4, 3), np.uint8),
    ],
)
def test_png_refuses_other_arrays(image: np.ndarray) -> None:
    with pytest.raises(ValueError):
        encode_png(image)


@any_kind
def test_every_damage_to_a_png_is_noticed(
    channels: tuple[int, ...], dtype: type[np.generic]
) -> None:
    data = encode_png(_noise(1, (3, 4, *channels), dtype))
    for place in range(len(data)):
        broken = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
        with pytest.raises(UserError, match=r"^000007\.png is no whole PNG as FaceGen writes it"):
            decode_png(broken, "000007.png")
    for end in range(len(data)):
        with pytest.raises(UserError):
            decode_png(data[:end])
    with pytest.raises(UserError, match="something follows"):
        decode_png(data + b"more")


@pytest.mark.parametrize("mode", ["RGBA", "P", "1", "LA"])
def test_pngs_of_others_are_refused(mode: str) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (4, 4)).save(buffer, "PNG")
    with pytest.raises(UserError, match="is no whole PNG as FaceGen writes it"):
        decode_png(buffer.getvalue())


@pytest.mark.parametrize("character", "0123456789.↔")
def test_every_glyph_leaves_ink_inside_its_cell(character: str) -> None:
    image = np.zeros((60, 120, 3), np.uint8)
    draw_text(image, character, 10, 10, 40, (255, 255, 255))
    rows, columns = np.nonzero(image[..., 0])
    assert len(rows) > 20
    assert rows.min() >= 8 and rows.max() <= 52
    assert columns.min() >= 8 and columns.max() <= 10 + text_width(character, 40) + 2


def test_digits_differ_from_one_another() -> None:
    drawn = []
    for digit in "0123456789":
        image = np.zeros((40, 40, 3), np.uint8)
        draw_text(image, digit, 5, 5, 30, (255, 255, 255))
        drawn.append(image.astype(int))
    for i, a in enumerate(drawn):
        for b in drawn[:i]:
            assert np.abs(a - b).mean() > 5


def test_contact_sheet_shows_every_image_and_caption(rng: np.random.Generator) -> None:
    images = [np.full((96, 96, 3), value, np.uint8) for value in rng.permutation(200)[:7]]
    sheet = contact_sheet(images, [0.6] * 6 + [float("nan")])
    for image in images:
        assert (sheet == image[0, 0]).all(axis=2).sum() >= 96 * 96
    # The strips differ: with a distance, and without one.
    with_distance = contact_sheet(images[:1], [0.6])
    without = contact_sheet(images[:1], [float("nan")])
    assert (with_distance != without).any()


def test_contact_sheet_shows_the_numbers_that_are_given() -> None:
    images = [np.zeros((96, 96, 3), np.uint8)] * 2
    nan = [float("nan")] * 2
    usual = contact_sheet(images, nan)
    assert np.array_equal(contact_sheet(images, nan, numbers=[0, 1]), usual)
    assert not np.array_equal(contact_sheet(images, nan, numbers=[0, 7]), usual)


def test_contact_sheet_of_many_heads_stays_small() -> None:
    images = [np.zeros((512, 512, 3), np.uint8)] * 50
    sheet = contact_sheet(images, [0.5] * 50, maximum_pixels=200_000)
    assert sheet.shape[0] * sheet.shape[1] < 240_000
