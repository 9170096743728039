# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of training on a synthetic forward mapping: it has to find heads for latents."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is in the training environment only")
pytestmark = pytest.mark.torch

import torch

from facegen_addon.artifacts import read_index
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.inversion import InversionSettings
from facegen_addon.mapping.roundtrip import make_roundtrip
from models.training import (
    fit_surrogates,
    gaussian_process,
    pairs,
    real_latents,
    relevance,
    render_pairs,
    train_backward,
)
from tests.training.conftest import SyntheticNature
from tests.training.synthetic import SyntheticForward, SyntheticHead

TINY = ["--model", "synthetic", "--width", "64"]


@pytest.fixture
def trained(
    models: Path,
    head: SyntheticHead,
    forward: SyntheticForward,
    nature: SyntheticNature,
    monkeypatch: pytest.MonkeyPatch,
) -> BackwardMapping:
    """Everything once: initial pairs, surrogates, one round, surrogates again, distillation."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(5)
    monkeypatch.setattr(train_backward.NaturalFaces, "load", lambda: nature)
    monkeypatch.setattr(real_latents, "fit_latents", lambda: nature.sample(rng, 300))
    steps = [
        lambda: render_pairs.main(["initial", "--model", "synthetic", "--count", "800"], forward),
        lambda: train_backward.main(["surrogates", *TINY, "--epochs", "60"]),
        lambda: train_backward.main(["propose", "1", "--model", "synthetic", "--count", "200"]),
        lambda: render_pairs.main(["round", "1", "--model", "synthetic"], forward),
        lambda: train_backward.main(["surrogates", *TINY, "--epochs", "20", "--warm"]),
        lambda: train_backward.main(["distil", *TINY, "--count", "600", "--epochs", "30"]),
    ]
    for step in steps:
        assert step() == 0
    return BackwardMapping.load("synthetic", head.table)


def test_both_grades_find_their_heads(
    trained: BackwardMapping,
    head: SyntheticHead,
    forward: SyntheticForward,
    nature: SyntheticNature,
    capsys: pytest.CaptureFixture[str],
) -> None:
    requested = nature.sample(np.random.default_rng(9), 60)
    mean_head = forward(head.table.default()[None])
    refined, direct = (
        make_roundtrip(requested, trained, forward, grade).figures(head.table)
        for grade in ("refined", "direct")
    )
    baseline = float(np.median(cosine_distance(requested, mean_head)))
    assert refined["roundtrip"]["median"] < 0.35 * baseline
    assert direct["roundtrip"]["median"] < 0.6 * baseline
    assert refined["own_identity_nearest"]["raw"] > 0.95
    for figures in (refined, direct):
        assert figures["plausibility"]["rms"] <= 1.0
        assert figures["plausibility"]["group_rms"]["iris"] <= 0.6

    assert len(pairs.load_pairs("synthetic", head.table)) == 1000
    capsys.readouterr()
    assert train_backward.main(["rounds", "--model", "synthetic"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(train_backward.PROPOSAL_WEIGHTS)
    settings = read_index()["surrogate_synthetic"]["inversion"]
    assert InversionSettings.from_mapping(settings) == InversionSettings.of(head.table)


def test_stored_ensemble_agrees_with_torch() -> None:
    options = fit_surrogates.SurrogateOptions(width=32)
    mean = np.eye(512, dtype=np.float32)[0]
    networks = fit_surrogates.StackedNetworks.untrained(np.linspace(0.5, 2, 11), mean, options)
    z = np.random.default_rng(0).normal(size=(6, 11)).astype(np.float32)
    leaf = torch.from_numpy(z).requires_grad_()
    slope = torch.randn(3, 6, 512, generator=torch.Generator().manual_seed(1))
    with torch.enable_grad():
        members = networks(leaf.expand(3, -1, -1))
        (members * slope).sum().backward()
    ensemble = networks.ensemble()
    tape = ensemble.forward(z)
    np.testing.assert_allclose(tape.members, members.detach().numpy(), atol=2e-3)
    np.testing.assert_allclose(
        ensemble.backward(tape, slope.numpy()), leaf.grad.numpy(), atol=5e-3, rtol=1e-2
    )


def test_training_is_repeatable(head: SyntheticHead, forward: SyntheticForward) -> None:
    z = render_pairs.initial_heads(head, 200, seed=0)
    data = pairs.Pairs(z, forward(head.table.from_standardised(z)))
    options = fit_surrogates.SurrogateOptions(width=16, epochs=2)
    first, second = (fit_surrogates.fit_surrogates(data, options)[0] for _ in range(2))
    for a, b in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_trained_ensemble_goes_on_where_it_was() -> None:
    options, scales = fit_surrogates.SurrogateOptions(width=32), np.linspace(0.5, 2, 11)
    mean = np.eye(512, dtype=np.float32)[0]
    trained = fit_surrogates.StackedNetworks.untrained(scales, mean, options).ensemble()
    again = fit_surrogates.StackedNetworks.of(trained, scales[::-1]).ensemble()
    z = np.random.default_rng(0).normal(size=(6, 11))
    np.testing.assert_allclose(again.predict(z)[1], trained.predict(z)[1], atol=2e-3)


def test_relevance_finds_what_latents_depend_on() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 12)).astype(np.float32)
    slopes = rng.normal(size=(3, 512)) * [[2.0], [1.0], [0.5]]
    latents = np.eye(512)[0] + 0.1 * np.tanh(z[:, :3]) @ slopes
    latents /= np.linalg.norm(latents, axis=1, keepdims=True)
    found = relevance.relevance(pairs.Pairs(z, latents.astype(np.float32)))
    assert np.argsort(found)[::-1][:3].tolist() == [0, 1, 2]
    assert found[3:].max() < 0.3 * found[0]
    np.testing.assert_allclose(np.mean(found**2), relevance.ROOT_MEAN_SQUARE**2, rtol=1e-5)


def test_a_gaussian_process_knows_what_lies_between_pairs() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(500, 12)).astype(np.float32)
    slopes = rng.normal(size=(3, 512)) * [[2.0], [1.0], [0.5]]
    latents = np.eye(512)[0] + 0.1 * np.tanh(z[:, :3]) @ slopes
    latents = (latents / np.linalg.norm(latents, axis=1, keepdims=True)).astype(np.float32)
    matters = np.array([3.0, 2.0, 1.0, *[0.01] * 9])
    seen, unseen = pairs.Pairs(z[:400], latents[:400]), pairs.Pairs(z[400:], latents[400:])
    found = gaussian_process.GaussianProcess.fit(seen, matters).predict(unseen.z)
    missed = 1 - np.sum(found * unseen.latents, axis=1)
    plain = 1 - unseen.latents @ (latents[:400].mean(axis=0))
    assert np.median(missed) < 0.05 * np.median(plain)


def test_lessons_hold_pairs_twice_and_heads_between_them() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(50, 6)).astype(np.float32)
    latents = rng.normal(size=(50, 512)).astype(np.float32)
    latents /= np.linalg.norm(latents, axis=1, keepdims=True)
    options, data = fit_surrogates.SurrogateOptions(taught=3), pairs.Pairs(z, latents)
    lessons = fit_surrogates.taught_by_process(data, np.ones(6), options)
    np.testing.assert_array_equal(lessons.z[:100], np.concatenate([z, z]))
    assert len(lessons) == 250
    np.testing.assert_allclose(np.linalg.norm(lessons.latents, axis=1), 1, rtol=1e-5)
    alone = fit_surrogates.SurrogateOptions(taught=0)
    assert fit_surrogates.taught_by_process(data, np.ones(6), alone) is data
