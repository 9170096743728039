# SPDX-License-Identifier: GPL-3.0-or-later
"""Where areas lie, and that a new draw of one moves it and hardly anything else."""

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.areas import AREAS, AreaRedraw, area_weights
from facegen_addon.heads.catalogue import HEAD_MODELS, load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.surface import PART_NAMES

_DRAWS = 12


@pytest.fixture(scope="module", params=tuple(HEAD_MODELS))
def model(request: pytest.FixtureRequest) -> HeadModel:
    return load_head_model(request.param)


@pytest.fixture(scope="module")
def weights(model: HeadModel) -> dict[str, np.ndarray]:
    return area_weights(model)


@pytest.fixture(scope="module")
def redraw(model: HeadModel) -> AreaRedraw:
    return AreaRedraw(model)


def standardised(model: HeadModel, redraw: AreaRedraw, parameters: np.ndarray) -> np.ndarray:
    table, columns = model.table, redraw.columns
    return (parameters[columns] - table.mean[columns]) / table.std[columns]


def with_shape(
    model: HeadModel, redraw: AreaRedraw, parameters: np.ndarray, z: np.ndarray
) -> np.ndarray:
    table, result = model.table, parameters.copy()
    result[redraw.columns] = table.mean[redraw.columns] + z * table.std[redraw.columns]
    return np.clip(result, table.minimum, table.maximum)


def test_weights_are_shares_and_each_area_has_its_own_landmarks(
    model: HeadModel, weights: dict[str, np.ndarray]
) -> None:
    vertices = model.forward(model.table.default())[0]
    landmarks = model.landmarks(vertices)
    own = {"brow": 19, "eyes": 37, "nose": 30, "mouth": 62, "jaw": 8}
    for values in weights.values():
        assert values.min() >= 0 and values.max() == pytest.approx(1)
        assert 0.02 < np.mean(values > 0.5) < 0.4
    for area, number in own.items():
        nearest = np.argmin(((vertices - landmarks[number]) ** 2).sum(1))
        assert weights[area][nearest] > 0.9
        assert weights["ears"][nearest] < 0.1


def test_areas_are_as_symmetric_as_the_head(
    model: HeadModel, weights: dict[str, np.ndarray]
) -> None:
    vertices = model.forward(model.table.default())[0]
    mirrored = vertices * np.array([-1, 1, 1], np.float32)
    sample = np.arange(0, len(vertices), 40)
    twin = [np.argmin(((vertices - mirrored[i]) ** 2).sum(1)) for i in sample]
    for values in weights.values():
        assert np.abs(values[sample] - values[twin]).mean() < 0.05


@pytest.mark.parametrize("area", AREAS)
def test_a_redraw_moves_its_area_visibly_and_the_rest_hardly(
    model: HeadModel, weights: dict[str, np.ndarray], redraw: AreaRedraw, area: str
) -> None:
    rng = np.random.default_rng(0)
    inside, outside = [], []
    face = model.surface.part < len(PART_NAMES)  # teeth follow the jaw
    for parameters in model.sample_prior(rng, _DRAWS):
        z = standardised(model, redraw, parameters)
        free = np.ones(len(z), bool)
        drawn = with_shape(model, redraw, parameters, redraw.redraw(area, z, free, rng))
        before, after = model.forward(np.stack([parameters, drawn]))
        squares = 1e6 * ((after - before).astype(np.float64) ** 2).sum(1)
        inside.append(squares[face & (weights[area] > 0.5)].mean())
        outside.append(squares[face & (weights[area] == 0)].mean())
    assert np.sqrt(np.mean(inside)) > 1.5
    assert np.sqrt(np.mean(outside)) < 0.8
    # Least for the eyes of person, whose lids stay as open as people's whatever is drawn.
    assert np.sqrt(np.mean(inside) / np.mean(outside)) > 3.5


def test_redrawn_again_and_again_a_face_stays_a_face(model: HeadModel, redraw: AreaRedraw) -> None:
    """Sliders go round the prior; a walk of 50 steps would be far beyond it."""
    rng = np.random.default_rng(1)
    z, free = np.zeros(len(redraw.columns)), np.ones(len(redraw.columns), bool)
    for _ in range(50):
        z = redraw.redraw("nose", z, free, rng)
    assert np.sqrt(np.mean(z**2)) < 1.5
    assert np.abs(z).max() < 6


def test_sliders_that_are_not_free_stay(model: HeadModel, redraw: AreaRedraw) -> None:
    rng = np.random.default_rng(2)
    z = rng.standard_normal(len(redraw.columns))
    free = rng.random(len(z)) < 0.5
    drawn = redraw.redraw("mouth", z, free, rng)
    np.testing.assert_array_equal(drawn[~free], z[~free])
    assert (drawn[free] != z[free]).all()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_free_sliders_are_enough(redraw: AreaRedraw, count: int) -> None:
    z = np.zeros(len(redraw.columns))
    free = np.arange(len(z)) < count
    drawn = redraw.redraw("jaw", z, free, np.random.default_rng(0))
    assert np.count_nonzero(drawn) <= count


def test_unknown_areas_are_refused(redraw: AreaRedraw) -> None:
    z = np.zeros(len(redraw.columns))
    with pytest.raises(UserError, match="antlers"):
        redraw.redraw("antlers", z, z == 0, np.random.default_rng(0))
