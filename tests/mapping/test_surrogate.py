# SPDX-License-Identifier: GPL-3.0-or-later
"""The surrogate ensemble: unit outputs, hand-written gradient, storage, damaged files."""

from pathlib import Path

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.mapping.surrogate import SurrogateEnsemble
from models.training.register import register

INPUTS, WIDTH, OUTPUTS, MEMBERS = 7, 16, 512, 3


def random_arrays(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = [(INPUTS, WIDTH), (WIDTH, WIDTH), (WIDTH, OUTPUTS)]
    weights = {
        f"weight_{i}": rng.normal(0, s[0] ** -0.5, (MEMBERS, *s)) for i, s in enumerate(shapes)
    }
    biases = {f"bias_{i}": rng.normal(0, 0.1, (MEMBERS, 1, s[1])) for i, s in enumerate(shapes)}
    return weights | biases


@pytest.fixture
def ensemble() -> SurrogateEnsemble:
    return SurrogateEnsemble.from_arrays(random_arrays())


def test_predictions_have_unit_norm(ensemble: SurrogateEnsemble) -> None:
    mean, members = ensemble.predict(np.random.default_rng(1).normal(size=(5, INPUTS)))
    assert members.shape == (MEMBERS, 5, OUTPUTS)
    np.testing.assert_allclose(np.linalg.norm(members, axis=2), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(mean, axis=1), 1, atol=1e-5)


def test_gradient_agrees_with_finite_differences(ensemble: SurrogateEnsemble) -> None:
    rng = np.random.default_rng(2)
    z, slope = rng.normal(size=(4, INPUTS)), rng.normal(size=(MEMBERS, 4, OUTPUTS))
    gradient = ensemble.backward(ensemble.forward(z), slope)
    step = 1e-2
    for column in range(INPUTS):
        shift = step * (np.arange(INPUTS) == column)
        above, below = ensemble.forward(z + shift).members, ensemble.forward(z - shift).members
        expected = ((above - below).astype(np.float64) * slope).sum(axis=(0, 2)) / (2 * step)
        np.testing.assert_allclose(gradient[:, column], expected, atol=2e-3, rtol=2e-3)


def test_large_inputs_stay_finite(ensemble: SurrogateEnsemble) -> None:
    tape = ensemble.forward(np.full((1, INPUTS), -1e4))
    assert np.isfinite(tape.members).all()
    assert np.isfinite(ensemble.backward(tape, tape.members)).all()


def test_half_precision_storage_keeps_predictions(
    ensemble: SurrogateEnsemble,
) -> None:
    stored = SurrogateEnsemble.from_arrays(ensemble.arrays())
    z = np.random.default_rng(3).normal(size=(6, INPUTS))
    cosine = np.sum(stored.predict(z)[0] * ensemble.predict(z)[0], axis=1)
    assert cosine.min() > 1 - 1e-5


@pytest.mark.parametrize(
    "change",
    [
        {"weight_1": np.zeros((MEMBERS, WIDTH + 1, WIDTH))},
        {"weight_1": np.zeros((MEMBERS, WIDTH, WIDTH + 1))},
        {"weight_2": np.zeros((MEMBERS - 1, WIDTH, OUTPUTS))},
        {"bias_0": np.zeros((MEMBERS, WIDTH))},
        {"bias_2": np.full((MEMBERS, 1, OUTPUTS), np.nan)},
    ],
)
def test_wrong_arrays_are_refused(change: dict[str, np.ndarray]) -> None:
    with pytest.raises(UserError, match="not a surrogate ensemble"):
        SurrogateEnsemble.from_arrays(random_arrays() | change)


def test_missing_array_is_refused() -> None:
    arrays = random_arrays()
    del arrays["bias_1"]
    with pytest.raises(UserError, match="bias_1"):
        SurrogateEnsemble.from_arrays(arrays)


def test_truncated_artifact_is_refused(
    ensemble: SurrogateEnsemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGEN_MODELS", str(tmp_path))
    path = tmp_path / "ensemble.npz"
    np.savez(path, **ensemble.arrays())
    register("surrogate_small", path, licence="-", source="-", recipe="test")
    assert SurrogateEnsemble.load("small").inputs == INPUTS
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UserError, match="truncated"):
        SurrogateEnsemble.load("small")
