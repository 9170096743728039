# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of random numbers: what earlier versions drew from the same seeds is drawn for ever."""

import re
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.random_streams import random_stream


@pytest.mark.parametrize(
    ("parts", "numbers"),
    [
        ((7, "heads"), [7, 104, 101, 97, 100, 115]),
        (("shot", 7, 3, 0), [115, 104, 111, 116, 7, 3, 0]),
        ((0, 1 << 21), [0, 2097152]),
        ((5, np.int64(2)), [5, 2]),
        ((0, "é"), [0, 195, 169]),
    ],
)
def test_a_stream_is_what_its_parts_say(parts: tuple[int | str, ...], numbers: list[int]) -> None:
    expected = np.random.default_rng(numbers).integers(1 << 62, size=4)
    np.testing.assert_array_equal(random_stream(*parts).integers(1 << 62, size=4), expected)


@pytest.mark.parametrize("seed", [0, 1, 20261125, 1 << 31, 1 << 40])
def test_a_seed_alone_draws_what_numpy_draws_from_it(seed: int) -> None:
    """So that what was drawn before there was one way to derive streams is drawn still."""
    expected = np.random.default_rng(seed).integers(1 << 62, size=4)
    np.testing.assert_array_equal(random_stream(seed).integers(1 << 62, size=4), expected)


@pytest.mark.parametrize("folder", ["facegen_addon", "batch", "models"])
def test_there_is_one_way_to_derive_streams(project: Path, folder: str) -> None:
    others = re.compile(
        r"default_rng\(|SeedSequence|RandomState|random\.seed|^import random$", re.M
    )
    found = [
        str(path.relative_to(project))
        for path in (project / folder).rglob("*.py")
        if others.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["facegen_addon/random_streams.py"] * (folder == "facegen_addon")


def test_streams_of_other_names_and_orders_differ() -> None:
    draws = {int(random_stream(*p).integers(1 << 62)) for p in ((1, "a"), ("a", 1), (1, "b"), (1,))}
    assert len(draws) == 4
