# SPDX-License-Identifier: GPL-3.0-or-later
"""The fit behind the face crop: it finds a known map, and the committed one again from photos."""

from pathlib import Path

import numpy as np
import pytest

from facegen_addon import artifacts
from facegen_addon.encoders.face_crop import enlarge_box
from models.training import fit_face_crop


def test_fit_recovers_a_known_map(rng: np.random.Generator) -> None:
    """Boxes made from landmarks by a mirror-symmetric rule, at any place and scale."""
    face = np.array([[-1, -1], [1, -1], [0, 0], [-0.8, 1], [0.8, 1]])
    scale = rng.uniform(5, 50, (200, 1, 1))
    points = (face + rng.normal(0, 0.15, (200, 5, 2))) * scale + rng.uniform(0, 500, (200, 1, 2))
    centre, eyes = points.mean(axis=1), points[:, 1, 0] - points[:, 0, 0]
    half = np.stack([eyes, 1.4 * eyes], axis=1)
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    coefficients = fit_face_crop.fit(points, boxes)
    found = fit_face_crop.predict_crop(coefficients, points)
    overlap = fit_face_crop.intersection_over_union(found, enlarge_box(boxes))
    assert np.median(overlap) > 0.97


def test_shrinking_a_crop_undoes_enlarging_a_box() -> None:
    """The half pixel is the mean of what truncation takes away."""
    box = np.array([[40.0, 30.0, 100.0, 120.0]])
    np.testing.assert_allclose(fit_face_crop.shrink_crop(enlarge_box(box) - 0.5), box)


def test_intersection_over_union() -> None:
    box = np.array([[0.0, 0.0, 2.0, 2.0]] * 3)
    others = np.array([[0.0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]])
    overlap = fit_face_crop.intersection_over_union(box, others)
    np.testing.assert_allclose(overlap, [1, 1 / 3, 0])


def test_missing_photos_are_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit_face_crop.main(["--photos", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "photos.csv cannot be read" in error and error.count("\n") == 1


@pytest.mark.torch
@pytest.mark.slow
def test_recipe_makes_the_committed_coefficients_again(
    shared_data: Path,
) -> None:
    """In the training environment, which has faceie; a hundredth of a pixel at most apart."""
    committed = artifacts.load_npz("face_box")["coefficients"]
    figures = artifacts.artifact("face_box").facts
    faces = fit_face_crop.detect(shared_data / "lfw")
    boxes = fit_face_crop.shrink_crop(faces.crops)
    np.testing.assert_allclose(fit_face_crop.fit(faces.points, boxes), committed, atol=1e-4)
    for name, figure in fit_face_crop.figures(faces)["held_out"].items():
        assert figure == pytest.approx(figures["held_out"][name], abs=0.002)
