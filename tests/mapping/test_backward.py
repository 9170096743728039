# SPDX-License-Identifier: GPL-3.0-or-later
"""The backward mapping on a synthetic head model: cost, bounds, grades, refusals."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.checked import checked_latents
from facegen_addon.latent.selection import largest_selection
from facegen_addon.latent.sphere import cosine_distance_matrix
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.inversion import InversionSettings, TrustRegion, inversion_cost, invert
from facegen_addon.mapping.screening import propose_variety, spread
from facegen_addon.mapping.surrogate import SurrogateEnsemble
from tests.anybody import Anybody
from tests.training.synthetic import synthetic_table

TABLE = synthetic_table(16)
SETTINGS = InversionSettings.of(TABLE)
PRECISION = np.eye(16) + 0.3 * np.ones((16, 16))
REGION = TrustRegion.of(TABLE, SETTINGS, PRECISION)


def small_ensemble(inputs: int = 16, members: int = 3) -> SurrogateEnsemble:
    """Members that differ a little from one another, as trained ones do."""
    rng = np.random.default_rng(0)
    sizes = [inputs, 24, 24, 512]
    arrays = {}
    for i, (a, b) in enumerate(pairwise(sizes)):
        weight = rng.normal(0, a**-0.5, (1, a, b)) + rng.normal(0, 0.1 * a**-0.5, (members, a, b))
        bias = rng.normal(0, 0.3, (1, 1, b))
        arrays |= {f"weight_{i}": weight, f"bias_{i}": np.repeat(bias, members, axis=0)}
    return SurrogateEnsemble.from_arrays(arrays)


class LinearNetwork:
    """An ONNX session's interface around the ensemble's linear regression."""

    def __init__(self, ensemble: SurrogateEnsemble) -> None:
        z = np.random.default_rng(8).normal(0, 0.5, (600, ensemble.inputs))
        self._weights = np.linalg.lstsq(ensemble.predict(z)[0], z, rcond=1e-2)[0]

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="latents")]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(shape=["N", self._weights.shape[1]])]

    def run(self, names: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [feed["latents"] @ self._weights]


@pytest.fixture(scope="module")
def backward() -> BackwardMapping:
    ensemble = small_ensemble()
    return BackwardMapping.assemble(TABLE, ensemble, REGION, SETTINGS, LinearNetwork(ensemble))  # type: ignore[arg-type]


def reachable_latents(backward: BackwardMapping, n: int, seed: int = 1) -> np.ndarray:
    z = REGION.project(np.random.default_rng(seed).normal(size=(n, 16)))
    return backward.predicted(z)


@pytest.mark.parametrize("own_weight", [False, True])
def test_cost_gradient_agrees_with_finite_differences(own_weight: bool) -> None:
    ensemble, rng = small_ensemble(), np.random.default_rng(2)
    z = rng.normal(0, 1.5, (5, 16))
    latents = ensemble.predict(rng.normal(size=(5, 16)))[0]
    weight = rng.uniform(0.5, 4, 5) if own_weight else None

    def cost(at: np.ndarray) -> np.ndarray:
        return inversion_cost(ensemble, at, latents, REGION, SETTINGS, weight)[0]

    gradient, step = inversion_cost(ensemble, z, latents, REGION, SETTINGS, weight)[1], 1e-2
    for column in range(16):
        shift = step * (np.arange(16) == column)
        expected = (cost(z + shift) - cost(z - shift)) / (2 * step)
        np.testing.assert_allclose(gradient[:, column], expected, atol=2e-3)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_projection_keeps_every_bound_and_leaves_the_inside_alone(seed: int, size: float) -> None:
    z = REGION.project(np.random.default_rng(seed).normal(0, size, (4, 16)))
    assert (z >= REGION.low - 1e-6).all() and (z <= REGION.high + 1e-6).all()
    for columns, bound in REGION.balls:
        assert np.sqrt(np.mean(z[:, columns] ** 2, axis=1)).max() <= bound + 1e-5
    np.testing.assert_allclose(REGION.project(z), z, atol=1e-6)


def test_bounded_groups_are_the_issues() -> None:
    bounds = {tuple(columns): bound for columns, bound in REGION.balls}
    for name in ("skull", "forehead", "ears", "iris"):
        assert bounds[tuple(TABLE.guided_groups()[name])] == 0.6
    assert bounds[tuple(range(16))] == 1.0


def test_heads_that_break_correlations_cost_more() -> None:
    """The precision of REGION forbids what all parameters do together."""
    ensemble, latents = small_ensemble(), np.eye(512, dtype=np.float32)[:2]
    together = 1.2 * np.ones(16)
    z = np.stack([together, together * np.resize([1, -1], 16)])
    free = InversionSettings.of(TABLE, correlation_weight=0)
    extra = [inversion_cost(ensemble, z, latents, REGION, s)[0] for s in (SETTINGS, free)]
    costs = extra[0] - extra[1]
    assert costs[0] > 10 * costs[1] > 0


def test_precision_of_another_model_is_refused() -> None:
    with pytest.raises(UserError, match="guides 16 parameters"):
        TrustRegion.of(TABLE, SETTINGS, np.eye(15))


def test_unknown_bounded_group_is_refused() -> None:
    with pytest.raises(UserError, match="antlers"):
        TrustRegion.of(TABLE, InversionSettings(group_rms={"antlers": 0.6}), PRECISION)


def test_refined_grade_finds_reachable_latents(backward: BackwardMapping) -> None:
    wanted = reachable_latents(backward, 20)
    distance = {
        grade: 1 - np.sum(backward.predicted(backward.standardised(wanted, grade)) * wanted, axis=1)
        for grade in ("direct", "refined")
    }
    assert np.median(distance["refined"]) < 0.5 * np.median(distance["direct"])


def test_heads_do_not_depend_on_their_company(backward: BackwardMapping) -> None:
    wanted = reachable_latents(backward, 140)
    together = backward.parameters(wanted)
    np.testing.assert_allclose(backward.parameters(wanted[130:]), together[130:], atol=1e-4)
    np.testing.assert_array_equal(backward.parameters(wanted), together)


def test_parameters_are_valid_and_at_rest(backward: BackwardMapping) -> None:
    parameters = TABLE.validate(backward.parameters(reachable_latents(backward, 3)))
    np.testing.assert_array_equal(parameters[:, TABLE.index("yaw")], 0)


def test_disagreement_weight_trades_distance_for_agreement() -> None:
    ensemble = small_ensemble()
    wanted = np.random.default_rng(3).normal(size=(30, 512))
    wanted = (wanted / np.linalg.norm(wanted, axis=1, keepdims=True)).astype(np.float32)

    def disagreement(weight: float) -> float:
        start = np.random.default_rng(4).normal(size=(30, 16))
        z = invert(ensemble, wanted, start, REGION, SETTINGS, np.full(30, weight))
        mean = ensemble.predict(z)[1].mean(axis=0)
        return float(np.mean(1 - np.sum(mean**2, axis=1)))

    assert disagreement(20.0) < disagreement(0.0)


def test_progress_ends_at_all_heads(backward: BackwardMapping) -> None:
    seen: list[tuple[int, int]] = []
    backward.parameters(reachable_latents(backward, 150), progress=lambda *s: seen.append(s))
    assert seen[-1] == (150, 150) and len(seen) > 1


@pytest.mark.parametrize(
    ("latents", "named"),
    [
        (np.ones((2, 128)), "128"),
        (np.full((1, 512), np.nan), "nan"),
        (np.zeros((3, 512)), "latent 0"),
        (np.ones((2, 2, 512)), "shape"),
        (np.full(512, "far"), "no numbers"),
    ],
)
def test_unusable_latents_are_refused(latents: np.ndarray, named: str) -> None:
    with pytest.raises(UserError, match=named):
        checked_latents(latents)


def test_no_latents_are_no_error() -> None:
    assert checked_latents(np.zeros((0, 512))).shape == (0, 512)


def test_other_lengths_are_normalised_with_a_notice(caplog: pytest.LogCaptureFixture) -> None:
    np.testing.assert_allclose(checked_latents(np.full(512, 3.0)), 512**-0.5, atol=1e-6)
    assert "normalised" in caplog.text


def test_unknown_grade_is_refused(backward: BackwardMapping) -> None:
    with pytest.raises(UserError, match="refined, direct"):
        backward.parameters(np.ones((1, 512)), "finest")  # type: ignore[arg-type]


def test_parts_of_different_models_are_refused() -> None:
    with pytest.raises(UserError, match="17"):
        BackwardMapping.assemble(
            TABLE,
            small_ensemble(),
            REGION,
            SETTINGS,
            LinearNetwork(small_ensemble(17)),  # type: ignore[arg-type]
        )


class Nature(Anybody):
    """Latents that the heads of the small model can reach."""

    def __init__(self, backward: BackwardMapping) -> None:
        self._backward = backward

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return self._backward.predicted(0.3 * rng.normal(size=(n, 16)))


def test_spreading_pushes_predicted_heads_apart(backward: BackwardMapping) -> None:
    wanted = Nature(backward).sample(np.random.default_rng(6), 8)
    z = backward.standardised(wanted)

    def closest(heads: np.ndarray) -> float:
        distances = cosine_distance_matrix(backward.predicted(heads))
        return float(distances[np.triu_indices(8, 1)].min())

    assert closest(spread(backward, wanted, z, 0.3, Anybody.kept)[1]) > closest(z) + 0.05


def test_proposal_holds_more_different_heads_than_plain_samples(backward: BackwardMapping) -> None:
    nature, n = Nature(backward), 20
    proposal = propose_variety(backward, nature, np.random.default_rng(7), n, 0.4)  # type: ignore[arg-type]
    plain = backward.predicted(backward.standardised(nature.sample(np.random.default_rng(7), n)))

    def apart(latents: np.ndarray) -> int:
        return len(largest_selection(cosine_distance_matrix(latents), 0.4))

    assert proposal.parameters.shape == (n, len(TABLE))
    assert apart(proposal.predicted) > apart(plain)
    again = propose_variety(backward, nature, np.random.default_rng(7), n, 0.4)  # type: ignore[arg-type]
    np.testing.assert_array_equal(again.parameters, proposal.parameters)


def test_nobody_is_answered_without_brows_that_are_seen() -> None:
    """However little of them a network or descent asks for; other models' brows are as ever."""
    table = load_head_model("person").table
    width = len(table.guided)
    region = TrustRegion.of(table, InversionSettings(), np.eye(width))
    rows = table.from_standardised(region.project(np.full((1, width), -9.0)))
    assert rows[0, table.index("brow_density")] > 0.49
    assert rows[0, table.index("brow_thickness")] > 0.29
    others = load_head_model("anny").table
    bounds = TrustRegion.of(others, InversionSettings(), np.eye(len(others.guided))).low
    assert np.array_equal(bounds, others.guided_bounds()[0].astype(np.float32))
