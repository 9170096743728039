# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents asked for anew: by what a render shows, or by what was fitted beforehand."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.artifacts import artifact
from facegen_addon.errors import Need, Remedy, UserError
from facegen_addon.latent.sphere import angle, exp_map, normalise
from facegen_addon.mapping import correction
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.correction import (
    FEEDBACK,
    RENDER_FREE,
    PlaneTransport,
    Rotation,
    TangentNetwork,
    as_written,
    compensated,
    corrections_of,
    default_correction,
    load_correction,
    load_sampler,
)
from facegen_addon.mapping.inversion import InversionSettings, TrustRegion
from facegen_addon.mapping.perceptron import Perceptron
from tests.mapping.test_backward import LinearNetwork, small_ensemble
from tests.training.synthetic import synthetic_table


@pytest.fixture
def latents(rng: np.random.Generator) -> np.ndarray:
    return normalise(rng.standard_normal((6, 512))).astype(np.float32)


def test_a_roundtrip_without_shift_needs_no_correction(latents: np.ndarray) -> None:
    np.testing.assert_allclose(compensated(latents, latents), latents, atol=1e-6)


def test_it_leads_away_from_what_was_achieved_in_the_plane_of_both() -> None:
    s, f = np.eye(512)[0], normalise(np.eye(512)[0] + 0.5 * np.eye(512)[1])
    (t,) = compensated(s, f)
    assert t.dtype == np.float32
    np.testing.assert_allclose(t, normalise(2 * s - f), atol=1e-7)
    assert t[1] < 0 < f[1]
    assert np.abs(t[2:]).max() == 0


def test_it_undoes_a_shift_that_is_the_same_everywhere(
    latents: np.ndarray, rng: np.random.Generator
) -> None:
    """The compensating sign: with a constant small offset, the second roundtrip comes back to s;
    the talk's, s - rho, would double the shift."""
    offset = 0.1 * rng.standard_normal(512) / np.sqrt(512)

    def roundtrip(requested: np.ndarray) -> np.ndarray:
        return normalise(requested + offset)

    shift = angle(latents, roundtrip(latents))
    corrected = angle(latents, roundtrip(compensated(latents, roundtrip(latents))))
    wrong = angle(latents, roundtrip(normalise(roundtrip(latents))))
    assert (corrected < 0.1 * shift).all()
    assert (wrong > 1.9 * shift).all()


def test_opposite_latents_have_an_answer() -> None:
    s = np.eye(512)[0]
    np.testing.assert_allclose(compensated(s, -s)[0], s, atol=1e-7)


def test_latents_off_the_sphere_are_normalised_with_a_notice(
    latents: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    achieved = exp_map(latents, 0.01 * np.roll(latents, 1, axis=1))
    expected = compensated(latents, achieved)
    assert not caplog.records
    np.testing.assert_allclose(compensated(3.0 * latents, achieved), expected, atol=1e-6)
    assert "are normalised" in caplog.text


@pytest.mark.parametrize(
    ("requested", "achieved", "message"),
    [
        (np.ones((2, 128)), np.ones((2, 512)), r"shape \(2, 128\): give rows of 512"),
        (np.ones((2, 512)), np.ones((2, 128)), r"shape \(2, 128\)"),
        (np.zeros(512), np.ones(512), "latent 0 has norm 0: give finite, non-zero"),
        (np.ones(512), np.full(512, np.nan), "latent 0 has norm nan"),
        (np.ones((2, 512)), np.ones((3, 512)), "2 requested latents, 3 achieved"),
    ],
)
def test_bad_latents_are_refused(requested: np.ndarray, achieved: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        compensated(requested, achieved)


def test_as_written_the_talk_s_formula_asks_for_what_came_back(latents: np.ndarray) -> None:
    achieved = np.roll(latents, 1, axis=0)
    np.testing.assert_allclose(as_written(latents, achieved), achieved, atol=1e-6)
    assert set(FEEDBACK) == {"compensated", "as_written"}


def test_steps_add_up(latents: np.ndarray) -> None:
    """A second step starts from what was asked for, not from the latent itself."""
    achieved = np.roll(latents, 1, axis=0)
    asked = compensated(latents, achieved)
    again = compensated(latents, achieved, asked)
    np.testing.assert_allclose(again, normalise(asked + latents - achieved), atol=1e-6)
    assert np.abs(again - asked).max() > 0.01


def test_a_step_that_cancels_what_is_asked_for_keeps_it() -> None:
    s, f = np.eye(512)[0], normalise(np.eye(512)[0] + np.eye(512)[1])
    asked = normalise(f - s)
    # asked + s - f points nowhere where its length is that of s - f.
    short = compensated(s, normalise(s + asked), asked)
    assert np.isfinite(short).all()
    np.testing.assert_allclose(np.linalg.norm(short), 1, atol=1e-6)


def test_a_rotation_of_means_takes_one_mean_direction_to_the_other(latents: np.ndarray) -> None:
    other = normalise(latents + 0.3)
    turn = Rotation.of_means(latents, other)
    moved = turn(normalise(latents.mean(axis=0))[None].astype(np.float32))
    np.testing.assert_allclose(moved[0], normalise(other.mean(axis=0)), atol=1e-5)
    np.testing.assert_allclose(turn.matrix @ turn.matrix.T, np.eye(512), atol=1e-5)


def test_a_transport_ends_in_the_plane_of_renders_and_keeps_what_both_have(
    rng: np.random.Generator,
) -> None:
    axes = np.linalg.qr(rng.standard_normal((512, 6)))[0].T
    common, photos_only, renders_mean = axes[:3], axes[3:5], axes[5]
    weights = 0.1 * rng.standard_normal((50, 5))
    photos = weights @ np.concatenate([common, photos_only]) + 0.3 * axes[3]
    renders = renders_mean + 0.2 * rng.standard_normal((80, 3)) @ common
    moved = PlaneTransport.between(photos, renders, 3)(photos.astype(np.float32))
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-5)
    # Nothing of what only photos have remains; shares of what both have are as they were.
    assert np.abs(moved @ photos_only.T).max() < 1e-5
    centred = weights[:, :3] - weights[:, :3].mean(axis=0) + (renders.mean(axis=0) @ common.T)
    length = np.linalg.norm(moved @ np.stack([*common, renders_mean]).T, axis=1)
    shares = moved @ common.T / (moved @ renders_mean)[:, None]
    np.testing.assert_allclose(length, 1, atol=1e-5)
    np.testing.assert_allclose(shares, centred, atol=1e-5)


def small_network(rng: np.random.Generator) -> Perceptron:
    sizes = ((512, 16), (16, 512))
    return Perceptron(
        tuple(rng.normal(0, 0.02, size).astype(np.float32) for size in sizes),
        tuple(rng.normal(0, 0.01, size[1]).astype(np.float32) for size in sizes),
    )


def test_a_tangent_network_moves_by_the_angle_it_says(
    latents: np.ndarray, rng: np.random.Generator
) -> None:
    network = small_network(rng)
    moved = TangentNetwork(network)(latents)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-5)
    step = network.predict(latents)
    step -= np.sum(step * latents, axis=1, keepdims=True) * latents
    np.testing.assert_allclose(angle(latents, moved), np.linalg.norm(step, axis=1), atol=1e-4)


def test_a_perceptron_is_layers_with_silu_between(
    latents: np.ndarray, rng: np.random.Generator
) -> None:
    network = small_network(rng)
    hidden = latents * np.sqrt(512) @ network.weights[0] + network.biases[0]
    expected = hidden / (1 + np.exp(-hidden)) @ network.weights[1] + network.biases[1]
    np.testing.assert_allclose(network.predict(latents), expected, rtol=1e-4, atol=1e-5)


def test_what_is_stored_is_what_comes_back(latents: np.ndarray, rng: np.random.Generator) -> None:
    network, turn = small_network(rng), Rotation.of_means(latents, -latents[::-1] + 0.1)
    ends = np.stack([latents[0], latents[1]])
    arrays = {
        **network.arrays("refined/learned/"),
        "refined/procrustes/rotation": turn.matrix.astype(np.float16),
        "refined/mean_rotation/ends": ends,
        "refined/plane/means": np.roll(ends, 1, axis=1),
        "refined/plane/axes": np.eye(512)[:4],
        "direct/mean_rotation/ends": ends[::-1],
    }
    found = corrections_of(arrays, "refined")
    assert list(found) == ["mean_rotation", "procrustes", "plane", "learned"]
    np.testing.assert_allclose(found["mean_rotation"](ends[:1])[0], ends[1], atol=1e-5)
    np.testing.assert_allclose(found["procrustes"](latents), turn(latents), atol=2e-3)
    expected = TangentNetwork(network)(latents)
    np.testing.assert_allclose(found["learned"](latents), expected, atol=2e-3)
    assert list(corrections_of(arrays, "direct")) == ["mean_rotation"]


@pytest.mark.parametrize(
    ("name", "model", "grade", "message"),
    [
        ("magic", "anny", "refined", "unknown correction 'magic': choose one of none, mean_rota"),
        ("procrustes", "anny", "talk", "no correction 'procrustes' was fitted for grade 'talk'"),
        ("procrustes", "nobody", "refined", "of 'nobody' .or choose none.: unknown"),
    ],
)
def test_corrections_that_are_not_there_are_one_line(
    name: str, model: str, grade: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = {"refined/mean_rotation/ends": np.eye(512)[:2]}

    def load(artifact: str) -> dict[str, np.ndarray]:
        if artifact != "corrections_anny":
            raise UserError("unknown artifact")
        return arrays

    monkeypatch.setattr(correction, "load_npz", load)
    with pytest.raises(UserError, match=message):
        load_correction(name, model, grade)


def test_corrections_of_an_earlier_backward_mapping_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They make heads worse, and no figure would tell."""
    fitted = replace(artifact("corrections_anny"), facts={"backward": "another"})
    found = {"corrections_anny": fitted, "backward_anny": artifact("backward_anny")}
    monkeypatch.setattr(correction, "artifact", found.__getitem__)
    with pytest.raises(UserError, match=r"earlier B$") as caught:
        load_correction("learned", "anny")
    assert caught.value.need == Need(Remedy.FIT_CORRECTIONS, "anny")


@pytest.mark.parametrize("model", ["anny", "open_flame"])
def test_committed_corrections_are_of_the_committed_backward_mapping(model: str) -> None:
    for name in RENDER_FREE:
        load_correction(name, model)


def test_no_correction_needs_no_file_and_changes_nothing(latents: np.ndarray) -> None:
    assert load_correction("none", "nobody")(latents) is latents


@pytest.mark.parametrize("damage", ["lacks", "chain"])
def test_a_damaged_network_is_one_line(rng: np.random.Generator, damage: str) -> None:
    arrays = small_network(rng).arrays("n/")
    if damage == "lacks":
        del arrays["n/bias_1"]
    else:
        arrays["n/weight_1"] = arrays["n/weight_1"][:3]
    with pytest.raises(UserError, match=damage):
        Perceptron.from_arrays(arrays, "n/")


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> Path:
    """Corrections of two models in a folder of their own; those of "old" are of an earlier B."""
    path = tmp_path / "corrections.npz"
    np.savez(path, **small_network(rng).arrays("refined/learned/"))
    entry = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    entry |= {"bytes": path.stat().st_size, "recipe": "test", "licence": "", "source": ""}
    entry |= {"shapes": {}, "backward": "b", "default": {"refined": "learned"}}
    index = {f"corrections_{name}": entry for name in ("new", "old")}
    index |= {"backward_new": {**entry, "sha256": "b"}, "backward_old": {**entry, "sha256": "c"}}
    (tmp_path / "index.json").write_text(json.dumps(index))
    monkeypatch.setenv("FACEGEN_MODELS", str(tmp_path))
    return tmp_path


def test_the_default_is_what_was_settled_and_fits_the_present_b(
    registered: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert default_correction("new", "refined") == "learned"
    assert default_correction("new", "direct") == "none"
    assert default_correction("nobody", "refined") == "none"
    assert not caplog.records
    assert default_correction("old", "refined") == "none"
    assert "old is sampled without its correction" in caplog.text


def test_heads_are_sampled_with_the_default_correction(
    registered: Path, latents: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble, table = small_ensemble(8), synthetic_table(8)
    settings = InversionSettings.of(table, steps=3)
    region = TrustRegion.of(table, settings, np.eye(8))
    plain = BackwardMapping.assemble(table, ensemble, region, settings, LinearNetwork(ensemble))  # type: ignore[arg-type]
    monkeypatch.setattr(BackwardMapping, "load", lambda name, table: plain)
    sampler = load_sampler("new", table)
    moved = load_correction("learned", "new")(latents)
    np.testing.assert_array_equal(sampler.asked(latents, "refined"), moved)
    np.testing.assert_allclose(sampler.standardised(latents), plain.standardised(moved), atol=1e-5)
    np.testing.assert_array_equal(
        sampler.standardised(latents, "direct"), plain.standardised(latents, "direct")
    )
    assert load_sampler("nobody", table).corrections == {}
