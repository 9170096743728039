# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own file of real latents, `--real-latents`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.latent.real_faces import load_photos

ROWS = np.eye(512, dtype=np.float16)[:6]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"latents": ROWS[:, :128]}, r"shape \(6, 128\)"),
        ({"latents": 0 * ROWS}, "latent 0 has norm 0"),
        ({"latents": np.full(ROWS.shape, "face")}, "no numbers"),
        ({"identity": np.arange(5)}, r"identity of shape \(5,\), 6 latents"),
        ({"identity": np.zeros((6, 2), int)}, r"identity of shape \(6, 2\)"),
    ],
)
def test_a_file_that_is_no_set_of_photos_is_refused_by_name(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, **{"latents": ROWS, "identity": np.arange(6), **arrays})
    with pytest.raises(UserError, match=rf"mine\.npz: .*{message}"):
        load_photos(path)


def test_photos_are_of_unit_norm(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, latents=ROWS * np.float16(3), identity=np.arange(6))
    np.testing.assert_array_equal(load_photos(path).latents, ROWS)
