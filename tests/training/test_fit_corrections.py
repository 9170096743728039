# SPDX-License-Identifier: GPL-3.0-or-later
"""Fitting corrections on a synthetic forward mapping: they have to bring the talk's B nearer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is in the training environment only")
pytestmark = pytest.mark.torch

import torch

from facegen_addon.artifacts import load_npz, read_index
from facegen_addon.latent.sphere import cosine_distance, normalise
from facegen_addon.mapping.correction import corrections_of
from facegen_addon.mapping.inversion import inversion_cost
from models.training import fit_corrections, pairs, real_latents, render_pairs, train_backward
from models.training.talk_mapping import BASES
from tests.training.conftest import SyntheticNature
from tests.training.synthetic import SyntheticForward, SyntheticHead

MODEL = ["--model", "synthetic"]


def test_corrections_bring_the_talks_mapping_nearer(
    models: Path,
    head: SyntheticHead,
    forward: SyntheticForward,
    nature: SyntheticNature,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch.set_num_threads(1)
    people = nature.sample(np.random.default_rng(5), 300)
    monkeypatch.setattr(fit_corrections.NaturalFaces, "load", lambda: nature)
    monkeypatch.setattr(real_latents, "fit_latents", lambda: people)
    monkeypatch.setattr(fit_corrections, "people_to_learn_from", lambda count: people[:count])
    tiny = [*MODEL, "--width", "64"]
    steps: list[Callable[[], int]] = [
        lambda: render_pairs.main(["initial", *MODEL, "--count", "300"], forward),
        lambda: render_pairs.main(["pack", *MODEL]),
        lambda: train_backward.main(["surrogates", *tiny, "--epochs", "20"]),
        lambda: train_backward.main(["distil", *tiny, "--count", "100", "--epochs", "3"]),
        lambda: fit_corrections.main(["talk", *MODEL]),
        lambda: fit_corrections.main(["render", *MODEL, "--count", "100"], forward),
        lambda: fit_corrections.main(["fit", *MODEL, "--latents", "400"]),
    ]
    for step in steps:
        assert step() == 0
    arrays = load_npz("corrections_synthetic")
    assert read_index()["corrections_synthetic"]["roundtrips"] == dict.fromkeys(BASES, 100)
    check_half_done(models, forward, capsys)
    place = fit_corrections.Workplace(
        fit_corrections.make_parser().parse_args(["fit", "--model", "synthetic"])
    )
    requested = nature.sample(np.random.default_rng(9), 80)
    for base, backward in place.bases().items():
        found = corrections_of(arrays, base)
        assert list(found) == ["mean_rotation", "procrustes", "plane", "learned"]
        if not base.startswith("talk"):
            continue
        # Learned through surrogates: what it was trained to lower has to be lower for others too.
        before, after = (
            inversion_cost(
                place.backward.ensemble, backward(asked), requested, place.backward.region,
                place.backward.settings,
            )[0].mean()
            for asked in (requested, found["learned"](requested))
        )  # fmt: skip
        assert after < 0.99 * before


def check_half_done(
    models: Path, forward: SyntheticForward, capsys: pytest.CaptureFixture[str]
) -> None:
    """Heads of other people than those in their row are not fitted to."""
    folder = models / "built" / "corrections_synthetic" / "direct"
    place = fit_corrections.Workplace(fit_corrections.make_parser().parse_args(["fit", *MODEL]))
    _, heads = place.roundtrips("direct")
    later = pairs.chunk_path(folder, 1)
    # What an earlier, longer run left behind.
    pairs.write_chunk(later, heads.z[:7], heads.latents[:7], np.ones(7, bool))
    assert [len(part) for part in place.roundtrips("direct")] == [100, 100]
    later.unlink()
    # One of two processes was stopped before its first chunk was whole.
    assert fit_corrections.main(["render", *MODEL, "--count", "130"], forward) == 0
    assert [len(part) for part in place.roundtrips("direct")] == [130, 130]
    pairs.chunk_path(folder, 0).unlink()
    capsys.readouterr()
    assert fit_corrections.main(["fit", *MODEL, "--latents", "400"]) == 2
    assert "1 of 2 chunks of direct's roundtrips" in capsys.readouterr().err
    (folder / pairs.PROPOSAL).unlink()
    assert fit_corrections.main(["fit", *MODEL, "--latents", "400"]) == 2
    assert "fit_corrections.py render --model synthetic" in capsys.readouterr().err


def test_what_renders_miss_is_learned(rng: np.random.Generator) -> None:
    asked, predicted = normalise(rng.normal(size=(2, 150, 512)))
    offset = rng.normal(0, 0.02, 512)
    rendered = normalise(predicted + 0.3 * asked + offset)
    miss = fit_corrections.RenderMiss.fit(asked[:120], predicted[:120], rendered[:120])
    expected = miss.expected(asked[120:], predicted[120:])
    before = cosine_distance(predicted[120:], rendered[120:]).mean()
    assert cosine_distance(expected, rendered[120:]).mean() < 0.8 * before


def test_a_rotation_is_found_again_and_few_rows_turn_nothing_else(
    rng: np.random.Generator,
) -> None:
    a = rng.normal(size=(40, 512))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    turn = fit_corrections._procrustes(a, np.roll(a, 1, axis=1), 1e-6)
    np.testing.assert_allclose(a @ turn.T, np.roll(a, 1, axis=1), atol=0.05)
    np.testing.assert_allclose(turn @ turn.T, np.eye(512), atol=1e-4)
    still = fit_corrections._procrustes(a, a, 0.1)
    np.testing.assert_allclose(still, np.eye(512), atol=1e-4)
