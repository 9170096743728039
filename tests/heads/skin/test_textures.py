"""Skin over the texels of a layout, and the maps that a renderer makes it of."""

import numpy as np

from facegen_addon.heads.skin.details import KINDS
from facegen_addon.heads.skin.layout import rasterised, with_gutter
from facegen_addon.heads.skin.textures import (
    DEPTHS,
    FINE_RANGE,
    FineWeights,
    MeshSkin,
    SkinTextures,
)

from .anny_skin import MEAN, SIZE, mesh_skin, textures

TEXTURES = textures()


def test_an_image_shows_skin_on_the_head_alone() -> None:
    image = TEXTURES.image(TEXTURES.codes(MEAN))
    assert image.shape == (SIZE, SIZE, 3)
    assert (image[TEXTURES.inside] > 0.0).all()
    assert (image[~TEXTURES.inside] == 0.0).all()
    np.testing.assert_array_equal(TEXTURES.codes(MEAN), TEXTURES.codes(MEAN))


def test_details_are_the_same_wherever_they_are_computed() -> None:
    again = SkinTextures(mesh_skin().layout(SIZE))
    np.testing.assert_array_equal(again.albedo(MEAN), TEXTURES.albedo(MEAN))
    np.testing.assert_array_equal(again.height(MEAN), TEXTURES.height(MEAN))


def test_lines_and_pores_are_as_deep_as_they_are_asked_to_be() -> None:
    def roughly(**changes: float) -> float:
        return float(TEXTURES.height({**MEAN, **changes}).std())

    assert TEXTURES.height(MEAN).max() <= 0.0
    assert TEXTURES.height(MEAN).min() > -2.0 * sum(DEPTHS.values())
    assert roughly(skin_lines=0.0) < roughly(skin_lines=0.5) < roughly(skin_lines=1.0)
    assert roughly(skin_pores=0.0) < roughly(skin_pores=1.0)


def test_more_marks_come_and_none_goes() -> None:
    marks = TEXTURES.marks
    assert set(np.unique(marks.kind)) == set(range(len(KINDS)))
    few, many = (marks.strength(np.full(3, share), 0.3) for share in (0.2, 0.8))
    assert (many >= few - 1e-6).all()
    assert many.sum() > 2.0 * few.sum() > 0.0
    assert marks.strength(np.zeros(3), 0.3).sum() < 0.01 * few.sum()


def test_another_pattern_has_other_marks() -> None:
    first, second = (TEXTURES.marks.strength(np.full(3, 0.3), pattern) for pattern in (0.1, 0.6))
    assert np.corrcoef(first, second)[0, 1] < 0.3
    ratio = first.sum() / second.sum()
    assert 0.5 < ratio < 2.0


def test_freckles_pale_on_dark_skin() -> None:
    fair, dark = (FineWeights.of({**MEAN, "skin_melanin": melanin}).fade for melanin in (0.0, 1.0))
    assert fair == 1.0
    assert dark < 0.5


def test_lines_of_the_old_are_dark_enough_for_portraits_and_those_of_the_young_are_not() -> None:
    def darkest(lines: float) -> float:
        """Log of light that the most lined thousandth of a skin has lost."""
        drawn, bare = (
            TEXTURES.albedo({**MEAN, "skin_lines": value}).mean(1) for value in (lines, 0.0)
        )
        return float(np.quantile(np.log(drawn / bare), 0.001))

    assert darkest(0.05) > -0.04  # thirty years
    assert -0.9 < darkest(0.7) < -0.3  # seventy


def test_young_skin_is_no_wax() -> None:
    """Every skin is uneven within millimetres, and pores of the nose are dark."""
    nose = TEXTURES.points.regions["nose"] > 0.3
    cheek = TEXTURES.points.regions["cheeks"] > 0.5
    for region in (nose, cheek):
        assert TEXTURES.mottling[region].std() > 0.03
    pores, light = TEXTURES.relief["pores"][nose], TEXTURES.mottling[nose]
    assert np.corrcoef(pores, light)[0, 1] > 0.1


def test_vertices_and_fine_maps_make_the_whole_skin() -> None:
    """Without marks, lines and beard, which the renderer adds as this does: to a few percent."""
    values = {**MEAN, "skin_freckles": 0.0, "skin_spots": 0.0, "skin_moles": 0.0}
    values |= {"skin_lines": 0.0, "beard_shadow": 0.0, "skin_age": 0.9}
    mesh = mesh_skin()
    maps = mesh.fine_maps(TEXTURES)
    weights = [1.0, *FineWeights.of(values).components]
    light = (maps.colour - 0.5) * 2.0 * FINE_RANGE @ weights
    coarse = np.log(mesh.vertices.albedo(values))[mesh.faces]
    held = with_gutter(rasterised(mesh.corners, coarse, SIZE))
    made = held + light[..., None]
    whole = np.log(TEXTURES.image(TEXTURES.albedo(values), 1.0))
    skin = TEXTURES.image(TEXTURES.points.position[:, 1] < -0.09) > 0.5
    skin &= TEXTURES.image(TEXTURES.points.regions["mouth"]) < 0.01
    without = (held - whole)[skin].std()
    error = (made - whole)[skin].std()
    assert error < 0.05
    assert error < 0.8 * without


def test_fine_maps_are_codes() -> None:
    maps = mesh_skin().fine_maps(TEXTURES)
    for image in (maps.colour, maps.relief, maps.marks):
        assert image.shape == (SIZE, SIZE, 4)
        assert image.dtype == np.float32
        assert ((image >= 0.0) & (image <= 1.0)).all()


def test_a_mesh_of_other_texture_coordinates_has_the_same_skin() -> None:
    mesh = mesh_skin()
    # Turned by a quarter, as a mesh may be that holds its face upright.
    turned = np.stack([1.0 - mesh.corners[..., 1], mesh.corners[..., 0]], axis=-1)
    other = MeshSkin(mesh.faces, turned, mesh.corners, len(mesh.vertices.position))
    skin = SkinTextures(other.layout(SIZE))
    image = np.rot90(skin.image(skin.codes(MEAN)), -1)
    both = np.isfinite(rasterised(mesh.corners, mesh.corners, SIZE)[..., 0])
    same = TEXTURES.image(TEXTURES.codes(MEAN))
    assert np.quantile(np.abs(image - same)[both], 0.99) < 0.02
