# SPDX-License-Identifier: GPL-3.0-or-later
"""Outfits as text: read, written to the last bit, and refused in one line."""

from dataclasses import replace
from pathlib import Path

import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.wear.garments import NECKLINES
from facegen_addon.heads.wear.outfit import BARE, CLOTH_COLOURS, FRAME_COLOURS, Outfit
from facegen_addon.heads.wear.outfit_text import COLOURS, NAMES, outfit_text, read_outfit


def test_words_become_an_outfit() -> None:
    outfit = read_outfit("garment=hoodie, colour = navy,glasses=round,frame_colour=gold")
    assert outfit == replace(
        BARE,
        neckline="hoodie",
        colour=CLOTH_COLOURS["navy"],
        glasses="round",
        frame=FRAME_COLOURS["gold"],
    )


def test_colours_are_names_codes_or_light() -> None:
    assert read_outfit("colour=#000000").colour == (0.0, 0.0, 0.0)
    assert read_outfit("colour=#FFffff").colour == pytest.approx((1.0, 1.0, 1.0))
    assert read_outfit("hat_colour=#bcbcbc").hat == pytest.approx((0.503,) * 3, abs=1e-3)
    assert read_outfit("second_colour=0.1 0.2  0.3").second == (0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    "outfit",
    [
        BARE,
        Outfit(),
        Outfit("scoop", (0.1 + 0.2, 1 / 3, 0.0), "checks", (1.0, 0.0, 1e-9)),
        replace(BARE, colour=(0.5, 0.5, 0.5)),
        replace(BARE, glasses="aviator", headwear="cap", hat=(0.1, 0.2, 0.3)),
    ],
)
def test_text_reads_back_to_the_last_bit(outfit: Outfit) -> None:
    assert read_outfit(outfit_text(outfit)) == outfit


def test_nothing_is_said_of_nothing_worn() -> None:
    assert outfit_text(BARE) == "" and read_outfit(" ,").is_bare
    assert BARE.for_portrait == Outfit()
    assert read_outfit("glasses=round").for_portrait.neckline == "crew"
    assert not read_outfit("glasses=round").is_bare


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("garment=toga", ["garment 'toga'", *NECKLINES]),
        ("glasses=monocle", ["glasses 'monocle'", "aviator"]),
        ("headwear=crown", ["headwear 'crown'", "beanie"]),
        ("pattern=dots", ["pattern 'dots'", "stripes"]),
        ("colour=pinkish", ["colour is 'pinkish'", "navy", "#rrggbb"]),
        ("colour=0.1 0.2 1.5", ["colour is '0.1 0.2 1.5'", "0 to 1"]),
        ("colour=nan 0 0", ["colour is 'nan 0 0'"]),
        ("colour=#12345", ["colour is '#12345'"]),
        ("frame_colour=sand", ["frame_colour is 'sand'", "gold"]),
        ("hat=cap", ["'hat=cap'", "headwear"]),
        ("hoodie", ["'hoodie'", "garment"]),
        ("garment=crew,garment=hoodie", ["garment is given twice"]),
    ],
)
def test_what_there_is_not_to_wear_is_one_line(text: str, named: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        read_outfit(text)
    assert "\n" not in str(caught.value)
    for part in named:
        assert part in str(caught.value)


def test_the_documentation_names_all_that_there_is_to_wear(project: Path) -> None:
    page = (project / "docs/command_line.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1]: line for line in page.splitlines() if line.startswith("| `")}
    for word, known in {**NAMES, **COLOURS}.items():
        (row,) = (line for words, line in rows.items() if f"`{word}`" in words)
        assert all(f"`{name}`" in row for name in known), word
