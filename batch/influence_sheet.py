# SPDX-License-Identifier: GPL-3.0-or-later
"""What every slider does, to look at: pages of picture pairs, and a Markdown table."""

import math
from collections.abc import Callable
from typing import Annotated

import numpy as np

from batch.lettering import draw_text, text_width
from facegen_addon.arrays import ByteArray
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.mapping.influence import Influence, SliderInfluence

_BACKGROUND = (24, 26, 30)
_NAME = (236, 238, 242)
_FIGURE = (122, 200, 190)
_GAP, _STRIP, _TEXT = 12, 44, 12  # pixels: between cells, below pictures, of a line of text
_COLUMNS, _ROWS = 6, 8

Decoder = Callable[[bytes], ByteArray]


def draw_pages(
    influence: Influence, table: ParameterTable, decode: Decoder
) -> list[Annotated[ByteArray, "_ W 3"]]:
    """Pages (H, W, 3) uint8, the sliders that change a face most first.

    A cell: pictures at the lowest and the highest believable value, the slider's label, its cosine
    distance and mean displacement per step ("q" where a step is a quarter of the range).
    """
    ranked = influence.ranked()
    per_page = _COLUMNS * _ROWS
    starts = range(0, len(ranked), per_page)
    return [_page(influence, ranked[i : i + per_page], table, decode) for i in starts]


def _page(
    influence: Influence, sliders: list[SliderInfluence], table: ParameterTable, decode: Decoder
) -> ByteArray:
    pairs = [
        np.concatenate([decode(s.low_picture), decode(s.high_picture)], axis=1) for s in sliders
    ]
    height, width = pairs[0].shape[:2]
    columns = min(_COLUMNS, len(pairs))
    rows = math.ceil(len(pairs) / columns)
    page = np.empty(
        (_GAP + rows * (height + _STRIP + _GAP), _GAP + columns * (width + _GAP), 3), np.uint8
    )
    page[:] = _BACKGROUND
    for number, (slider, pair) in enumerate(zip(sliders, pairs, strict=True)):
        row, column = divmod(number, columns)
        top, left = _GAP + row * (height + _STRIP + _GAP), _GAP + column * (width + _GAP)
        page[top : top + height, left : left + width] = pair
        label = table.parameters[table.index(slider.name)].label.lower()
        y = top + height + _TEXT // 2
        _draw_fitted(page, label, left, y, width, _NAME)
        _draw_fitted(page, _figures(influence, slider), left, y + 1.5 * _TEXT, width, _FIGURE)
    return page


def _figures(influence: Influence, slider: SliderInfluence) -> str:
    unit = "std" if slider.step_is_std else "q"
    return f"{influence.cosine_words(slider)} · {slider.mean_mm:.2f} mm / {unit}"


def _draw_fitted(
    page: ByteArray,
    text: str,
    left: float,
    top: float,
    width: float,
    colour: tuple[int, int, int],
) -> None:
    """A line of text, smaller where it would not fit."""
    height = min(_TEXT, width / max(text_width(text, 1.0), 1e-9))
    draw_text(page, text, left, top + (_TEXT - height), height, colour)


def markdown_table(influence: Influence, table: ParameterTable, count: int) -> str:
    """The `count` most influential sliders as a Markdown table, with a line on how measured."""
    settings = influence.settings
    lines = [
        f"Model `{influence.model}`: {settings.heads} heads of the prior, {settings.samples}"
        f" samples a pixel; rendering noise alone makes {influence.noise_floor:.4f}. A step is one"
        " standard deviation, or a quarter of the range (q) where the prior has none.",
        "",
        "| # | slider | group | cosine distance per step | mean mm | largest mm |",
        "|--:|---|---|--:|--:|--:|",
    ]
    for rank, slider in enumerate(influence.ranked()[:count], start=1):
        parameter = table.parameters[table.index(slider.name)]
        lines.append(
            f"| {rank} | {parameter.label} | {parameter.group} | {_with_error(influence, slider)}"
            f" | {slider.mean_mm:.2f} | {slider.largest_mm:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _with_error(influence: Influence, slider: SliderInfluence) -> str:
    words = influence.cosine_words(slider)
    if not influence.is_noise(slider) and not math.isnan(slider.standard_error):
        words += f" ± {slider.standard_error:.3f}"
    return words if slider.step_is_std else f"{words} (q)"
