"""Colour and roughness of skin at the vertices of a mesh."""

import numpy as np

from facegen_addon.heads.appearance import Shade
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.skin.colour import lab_of_rgb, typology_angle
from facegen_addon.heads.skin.parameters import skin_parameters
from facegen_addon.heads.skin.points import global_colour
from facegen_addon.heads.wear.neck import neck_rings

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


def test_undertones_stay_near_the_tone() -> None:
    """Blood and carotene make nobody yellow, green or orange."""
    sliders = ("skin_redness", "skin_carotene")
    for melanin in (0.1, 0.5, 0.9):
        plain = {**MEAN, "skin_melanin": melanin}
        ends = [{**plain, a: x, b: y} for a, b in [sliders] for x in (0, 1) for y in (0, 1)]
        colours = np.array([lab_of_rgb(np.exp(global_colour(v))) for v in ends])
        assert np.ptp(colours[:, 1]) < 7.0
        assert np.ptp(colours[:, 2]) < 7.0


def _lips(**changed: float) -> np.ndarray:
    """How lips differ from cheeks and forehead in CIELAB."""
    colours = POINTS.albedo({**MEAN, **changed})
    lips, face = (colours[where].mean(0) for where in (POINTS.regions["lips"] > 0.9, FACE))
    return np.subtract(*lab_of_rgb(np.stack([lips, face])))


def test_lips_are_of_the_skins_colour() -> None:
    for melanin in np.linspace(0.0, 1.0, 5):
        lightness, red, yellow = _lips(skin_melanin=melanin, skin_african=melanin)
        assert -16.0 < lightness < -4.0
        assert 1.0 < red < 14.0
        assert abs(yellow) < 5.0
    fair, dark = (_lips(skin_melanin=m, skin_african=m) for m in (0.0, 1.0))
    assert dark[1] < 0.6 * fair[1]


def test_cheeks_and_nose_are_a_little_redder_than_the_forehead() -> None:
    red = lab_of_rgb(POINTS.albedo(MEAN))[:, 1]
    forehead = red[FACE & (POINTS.position[:, 2] > 0.765)].mean()
    for name in ("cheeks", "nose"):
        assert 1.0 < red[FACE & (POINTS.regions[name] > 0.6)].mean() - forehead < 6.0


def test_skin_is_dull_below_the_jaw() -> None:
    rough, (_, y, z) = POINTS.roughness(MEAN), POINTS.position.T
    below = (z < 0.62) & (y > -0.10) & (y < 0.0)
    assert below.any()
    assert rough[below].min() > 0.78
    assert rough[FACE].max() < 0.62


def test_below_what_is_known_places_go_on() -> None:
    """A longer neck has no streaks: nothing there repeats what lies above it."""
    person = load_head_model("person")
    points = person.skin.vertices
    rows = neck_rings(person).vertices[:3]
    assert points.known[rows[0]].max() == 0.0
    assert points.known[points.regions["cheeks"] > 0.5].min() == 1.0
    apart = points.position[rows[1:]] - points.position[rows[:-1]]
    assert np.linalg.norm(apart, axis=-1).min() > 0.002
