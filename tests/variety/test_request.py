# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of Generate Variety, checked before anything starts."""

from typing import Any

import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.wear.outfit import BARE, Outfit
from facegen_addon.variety.request import VarietyRequest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "count 0"),
        ({"count": 10_001}, "count 10001 is out of range; give a number from 1 to 10000"),
        ({"seed": -1}, "seed -1"),
        ({"budget": -1}, "budget -1"),
        ({"distance": float("nan")}, "distance nan"),
        ({"distance": 2.0}, "distance 2.0"),
        ({"distribution": "gauss"}, "'gauss'"),
        ({"grade": "rough"}, "'rough'"),
        ({"count": 9, "budget": 3}, "budget 3"),
        ({"size": 32}, "size 32 is out of range; give a number from 64 to 4096"),
        ({"light": "disco"}, "unknown light 'disco'; choose from studio"),
        ({"wear": "glasses=monocle"}, "wear: unknown glasses 'monocle'; choose from none, round"),
    ],
)
def test_bad_requests_are_named(change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        VarietyRequest(**change)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"corrections": 9}, "corrections 9"),
        ({"corrections": -1}, "corrections -1"),
        ({"corrections": 1, "distribution": "prior"}, "choose latent"),
        ({"fill_gaps": ("run",), "distribution": "uniform"}, "choose latent"),
        ({"encoder": "sfaze"}, "'sfaze': choose facenet, sface"),
        ({"apart_in": "other-worlds"}, "'other-worlds'; choose from one-render, other-crops"),
        ({"second_distance": 0.4}, "second_distance 0.4 is of no encoder; name it by second_enc"),
        ({"second_encoder": "facenet"}, "second_encoder facenet is the first encoder, too"),
        ({"second_encoder": "sfaze"}, "'sfaze': choose facenet, sface"),
        ({"second_encoder": "sface", "second_distance": 2.5}, r"second_distance 2\.5 is out of"),
        ({"people_quantile": 0.7}, r"people_quantile 0\.7 is out of range; .* from 0\.001 to 0\.5"),
        (
            {"people_quantile": 0.01, "distance": 0.3},
            r"distance 0\.3 and people_quantile 0\.01 are two demands; give one",
        ),
        ({"encoder": "nowhere.onnx", "distance": 0.3}, r"nowhere\.onnx is missing"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        VarietyRequest(**change)


def test_corrections_have_renders_of_their_own() -> None:
    assert VarietyRequest(count=3).renders == 30
    assert VarietyRequest(count=3, corrections=2).renders == 90
    assert VarietyRequest(count=3, corrections=2, budget=40).renders == 40


def test_what_is_worn_is_the_plain_garment_unless_told() -> None:
    assert VarietyRequest().outfit == BARE and BARE.for_portrait == Outfit()
    request = VarietyRequest(wear="glasses=round, garment=hoodie")
    assert (request.outfit.glasses, request.outfit.neckline) == ("round", "hoodie")


def test_the_default_distance_is_the_encoders() -> None:
    assert VarietyRequest().distance == 0.51
    assert VarietyRequest(encoder="sface").distance == 0.637
    assert VarietyRequest(encoder="sface", distance=0.2).distance == 0.2


def test_distances_stand_for_thresholds_or_for_what_people_keep() -> None:
    request = VarietyRequest(second_encoder="sface")
    assert [(one.encoder, one.distance) for one in request.demands] == [
        ("facenet", 0.51), ("sface", 0.637)
    ]  # fmt: skip
    request = VarietyRequest(second_encoder="sface", people_quantile=0.01)
    assert (request.distance, request.second_distance) == (0.618, 0.696)
    assert VarietyRequest(**vars(request)) == request  # what is settled may be given again


def test_one_render_is_compared_by_one_crop_and_pushed_no_farther() -> None:
    request = VarietyRequest(distance=0.4, apart_in="one-render")
    assert (len(request.jitters), request.hands, request.aimed_distance) == (1, (), 0.4)
    request = VarietyRequest(distance=0.4, apart_in="other-hands")
    assert len(request.jitters) == 9 and len(request.hands) == 2 and request.aimed_distance > 0.4
