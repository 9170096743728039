# SPDX-License-Identifier: GPL-3.0-or-later
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from batch.contact_sheet import contact_sheet
from batch.lettering import draw_text, text_width
from batch.png import encode_png


@given(height=st.integers(1, 20), width=st.integers(1, 20), seed=st.integers(0, 99))
def test_png_is_read_back_unchanged(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    assert np.array_equal(np.array(Image.open(io.BytesIO(encode_png(image)))), image)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_png_refuses_other_arrays(image: np.ndarray) -> None:
    with pytest.raises(ValueError):
        encode_png(image)


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


def test_contact_sheet_of_many_heads_stays_small() -> None:
    images = [np.zeros((512, 512, 3), np.uint8)] * 50
    sheet = contact_sheet(images, [0.5] * 50, maximum_pixels=200_000)
    assert sheet.shape[0] * sheet.shape[1] < 240_000
