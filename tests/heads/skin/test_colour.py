"""Tones of skin, from the fairest to the darkest."""

import numpy as np

from facegen_addon.heads.skin import colour

TONES = np.exp([colour.tone(melanin) for melanin in np.linspace(0.0, 1.0, 41)])


def test_the_typology_angle_falls_with_melanin_over_the_range_of_people() -> None:
    angles = colour.typology_angle(TONES)
    assert (np.diff(angles) < 0.0).all()
    assert angles[0] > 60.0
    assert angles[-1] < -50.0
    # In proportion: a step of the slider is a step for the eye wherever it is.
    assert np.ptp(np.diff(angles)) < 2.0


def test_tones_are_colours_that_a_screen_can_show() -> None:
    assert (TONES > 0.0).all()
    assert (TONES < 1.0).all()
    assert (np.diff(TONES, axis=1) < 0.0).all()  # red above green above blue, as skin is


def test_chroma_grows_with_melanin_and_falls_again() -> None:
    chroma = np.hypot(*colour.lab_of_rgb(TONES)[:, 1:].T)
    assert 5 < chroma.argmax() < 30
    assert chroma[-1] < 0.7 * chroma.max()


def test_lab_and_codes_are_undone(rng: np.random.Generator) -> None:
    rgb = rng.uniform(0.0, 1.0, (50, 3))
    np.testing.assert_allclose(colour.rgb_of_lab(colour.lab_of_rgb(rgb)), rgb, atol=1e-6)
    np.testing.assert_allclose(colour.linear_of_srgb(colour.srgb_of_linear(rgb)), rgb, atol=1e-9)
    np.testing.assert_allclose(colour.lab_of_rgb(np.ones(3)), [100.0, 0.0, 0.0], atol=1e-4)
