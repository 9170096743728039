# SPDX-License-Identifier: GPL-3.0-or-later
"""Distances between different real people, by shares of their pairs."""

from dataclasses import replace

import pytest

from facegen_addon.encoders.encoder import find_encoder
from facegen_addon.encoders.people import people_distance
from facegen_addon.errors import UserError


@pytest.mark.parametrize("name", ["facenet", "sface"])
def test_thresholds_lie_where_one_pair_in_a_thousand_does(name: str) -> None:
    encoder = find_encoder(name)
    assert people_distance(encoder, 0.001) == pytest.approx(encoder.threshold, abs=0.02)
    shares = (0.001, 0.0015, 0.01, 0.3, 0.5)
    distances = [people_distance(encoder, share) for share in shares]
    assert distances == sorted(distances) and distances[-1] < 1.0


def test_what_was_not_measured_is_refused() -> None:
    encoder = find_encoder("facenet")
    with pytest.raises(UserError, match=r"shares from 0\.001 to 0\.5 are known"):
        people_distance(encoder, 0.0001)
    with pytest.raises(UserError, match=r"mine-.* are not known; demand a distance"):
        people_distance(replace(encoder, name="mine", registered=False), 0.01)
