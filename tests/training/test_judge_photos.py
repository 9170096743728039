# SPDX-License-Identifier: GPL-3.0-or-later
"""What landmark networks say of photos, likened to what others read off these."""

import numpy as np

from facegen_addon.photo.landmark_network import FaceReading
from models.training.landmarks.judge_photos import JudgedPhoto, attribute_rows

_POINTS = np.zeros((68, 2))


def _photo(read: list[float]) -> JudgedPhoto:
    picture = np.zeros((8, 8, 3), np.uint8)
    return JudgedPhoto(picture, np.zeros((5, 2)), _POINTS, _POINTS, _POINTS, np.array(read))


def _reading(gender: float, age: float) -> FaceReading:
    parameters = {"gender": gender, "age": age}
    return FaceReading(_POINTS, np.ones(68), (0.0, 0.0, 0.0), parameters, parameters)


def test_parameters_agree_with_photos_where_they_follow_them() -> None:
    women, ages = np.arange(24) % 2, np.linspace(20, 70, 24)
    photos = [_photo([float(w), a, 50 + a / 9]) for w, a in zip(women, ages, strict=True)]
    photos.append(_photo([np.nan] * 3))  # off which nothing was read
    following = [_reading(0.1 + 0.8 * w, (a - 20) / 60) for w, a in zip(women, ages, strict=True)]
    against = [_reading(0.9 - 0.8 * w, (70 - a) / 60) for w, a in zip(women, ages, strict=True)]
    said = {"following": [*following, following[0]], "against": [*against, against[0]]}
    rows = {row[0]: row[1:] for row in attribute_rows(photos, said)}
    assert rows["following"][0].startswith("1.00") and rows["following"][1].startswith("1.00")
    assert rows["against"][0].startswith("0.00") and rows["against"][1].startswith("-1.00")
    assert not list(attribute_rows(photos[:3], {"few": following[:3]}))
