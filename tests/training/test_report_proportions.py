# SPDX-License-Identifier: GPL-3.0-or-later
"""Proportions of faces by 68 landmarks: what they are, and what they do not depend on."""

from pathlib import Path

import numpy as np
import pytest

from models.training import report_proportions
from models.training.report_proportions import MOST_TURNED, measured, table, turned, upright


def face(jaw: float = 1.0, nose: float = 0.5) -> np.ndarray:
    """A face (68, 2): the jaw is a U as deep as it is wide, the nose ends at `nose`."""
    points = np.full((68, 2), 0.5)
    angle = np.linspace(np.pi, 0.0, 17)
    points[:17] = np.stack([0.5 + jaw * np.cos(angle), 1.2 * np.sin(angle)], axis=1)
    points[[36, 45]] = [[0.0, 0.0], [1.0, 0.0]]
    points[[48, 54]] = [[0.2, 0.8], [0.8, 0.8]]
    points[33] = [0.5, nose]
    return points


def test_proportions_are_what_they_are_called() -> None:
    found = measured(np.stack([face(), face(jaw=1.2, nose=0.7)]))
    nose, nose_to_chin, height, jaw, _, mouth = found.values()
    np.testing.assert_allclose(nose, [0.5, 0.7])
    np.testing.assert_allclose(nose_to_chin, [0.7 / 1.2, 0.5 / 1.2])
    np.testing.assert_allclose(mouth, 0.6)
    # An ellipse of half axes 1 and 1.2, at 0.8 of its depth.
    np.testing.assert_allclose(jaw, 0.6, atol=0.01)
    assert height[0] == pytest.approx(1.2 / 2.0, abs=0.01)


def test_neither_size_nor_tilt_nor_place_counts() -> None:
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]])
    moved = 37.0 * face() @ turn + [120.0, 80.0]
    as_it_is, elsewhere = measured(face()[None]), measured(upright(moved[None]))
    for words, found in as_it_is.items():
        np.testing.assert_allclose(found, elsewhere[words], atol=1e-9)


def test_who_looks_aside_is_seen() -> None:
    aside = face()
    aside[30, 0] = 1.1
    assert turned(np.stack([face(), aside])) == pytest.approx([0.0, 0.611], abs=0.01)
    assert MOST_TURNED < 0.611


def test_the_table_says_means_their_difference_and_spread() -> None:
    photos = np.stack([face(nose=0.5 + shift) for shift in (-0.1, 0.0, 0.1)])
    heads = np.stack([face(nose=0.6 + shift) for shift in (-0.05, 0.0, 0.05)])
    found = table("men", photos, heads)
    assert found.title == "men: 3 photos, 3 heads"
    assert found.rows[0][1:] == ("0.500", "0.600", "+0.100 ±0.103", "0.50")


def test_a_folder_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_proportions, "Dlib", object)
    missing = tmp_path / "photos"
    assert report_proportions.main([str(missing), str(tmp_path)]) == 2
    assert str(missing) in capsys.readouterr().err
