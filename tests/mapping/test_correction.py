# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents asked for anew, compensated for the shift of a first render."""

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.latent.sphere import angle, exp_map, normalise
from facegen_addon.mapping.correction import compensated


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
