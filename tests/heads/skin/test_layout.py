"""From MakeHuman's texels to those of another layout."""

import numpy as np

from facegen_addon.heads.skin.layout import Resampling, numbered, rasterised, with_gutter

SQUARE = np.array([[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]], [[0.1, 0.1], [0.9, 0.9], [0.1, 0.9]]])


def _centres(size: int) -> np.ndarray:
    rows, columns = np.indices((size, size))
    return np.stack([(columns + 0.5) / size, 1.0 - (rows + 0.5) / size], axis=-1)


def test_what_is_linear_on_triangles_is_linear_on_texels() -> None:
    image = rasterised(SQUARE, SQUARE, 20)
    centres = _centres(20)
    inside = (np.abs(centres - 0.5) < 0.4).all(-1)
    np.testing.assert_allclose(image[inside], centres[inside], atol=1e-6)
    assert np.isnan(image[~inside]).all()


def test_a_gutter_goes_on_over_the_edge() -> None:
    image = with_gutter(rasterised(SQUARE, SQUARE, 40))
    assert np.isfinite(image[1:-1, 10:-10]).all()
    assert image[1, 20, 1] == image[4, 20, 1]


def test_a_layout_like_makehumans_is_a_copy(rng: np.random.Generator) -> None:
    kept = rng.random((16, 16)) < 0.7
    maps = rng.random((int(kept.sum()), 3)).astype(np.float32)
    inner = _centres(16)[kept]
    same = Resampling.between(numbered(kept), inner)(maps)
    np.testing.assert_allclose(same, maps, atol=1e-5)


def test_between_texels_nothing_is_lost_of_what_is_linear() -> None:
    kept = np.ones((32, 32), bool)
    maps = _centres(32).reshape(-1, 2).astype(np.float32)
    uv = np.random.default_rng(1).uniform(0.2, 0.8, (100, 2))
    np.testing.assert_allclose(Resampling.between(numbered(kept), uv)(maps), uv, atol=1e-5)


def test_beyond_what_is_known_the_nearest_goes_on() -> None:
    kept = np.zeros((64, 64), bool)
    kept[20:30] = True
    maps = _centres(64)[kept][:, 1:].astype(np.float32)
    below = Resampling.between(numbered(kept), np.array([[0.5, 0.2]]))(maps)
    np.testing.assert_allclose(below, maps.min(), atol=1e-6)
