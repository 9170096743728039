"""What models/skin.npz says of MakeHuman's skins."""

import numpy as np

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.skin.colour import PIGMENTS, typology_angle
from facegen_addon.heads.skin.layout import Resampling
from facegen_addon.heads.skin.statistics import COMPONENTS, skin_statistics

SKINS = skin_statistics()
FACE = (
    (SKINS.position[:, 1] < -0.1)
    & (SKINS.position[:, 2] > 0.66)
    & (sum(SKINS.regions[name] for name in ("lips", "orbit", "mouth", "scalp")) < 0.05)
)


def test_it_was_made_of_the_twenty_skins() -> None:
    assert len(SKINS.names) == len(set(SKINS.names)) + 2 == 20  # two young ones have a second
    assert SKINS.amounts.shape == (20, len(COMPONENTS))
    african = np.array(["african" in name for name in SKINS.names])
    assert (SKINS.amounts[:, COMPONENTS.index("african")] == african).all()
    angles = typology_angle(np.exp(SKINS.tones))
    assert angles[african].max() < -30.0 < 10.0 < angles[~african].min()


def test_components_beyond_age_sex_and_ancestry_are_in_standard_deviations() -> None:
    """Over the skins and their mirror images, in which the third, asymmetry, has the other sign."""
    scores = SKINS.amounts[:, COMPONENTS.index("variation_1") :]
    np.testing.assert_allclose(np.sqrt((scores**2).mean(0)), 1.0, atol=0.02)
    np.testing.assert_allclose(scores[:, :2].mean(0), 0.0, atol=0.02)


def test_a_skins_tone_is_that_of_its_face() -> None:
    for amounts in SKINS.amounts:
        middle = np.median(SKINS.skin(amounts)[FACE] @ PIGMENTS, axis=0)
        assert np.abs(middle).max() < 0.1


def test_lips_are_redder_than_the_face_and_old_skin_is_less_even() -> None:
    lips = SKINS.regions["lips"] > 0.8
    assert SKINS.mean[lips, 1].mean() > SKINS.mean[FACE, 1].mean() + 0.1
    young, old = np.zeros((2, 8), np.float32)
    old[:2] = 1.0
    assert SKINS.skin(old)[FACE].std() > 1.3 * SKINS.skin(young)[FACE].std()


def test_islands_agree_where_they_meet() -> None:
    surface = load_head_model("anny").surface
    skin = surface.part[surface.faces[:, 0]] == 0
    vertex = surface.faces[skin].ravel()
    uv = surface.uv[skin].reshape(-1, 2).astype(np.float64)
    parts = np.concatenate([SKINS.mean, *SKINS.components], axis=1)
    light = Resampling.between(SKINS.texels, uv)(parts)
    low, high = (np.full((vertex.max() + 1, parts.shape[1]), end) for end in (np.inf, -np.inf))
    np.minimum.at(low, vertex, light)
    np.maximum.at(high, vertex, light)
    apart = (high - low)[np.unique(vertex)]
    assert np.quantile(apart, 0.999) < 0.12
    assert parts.std() > 0.05
