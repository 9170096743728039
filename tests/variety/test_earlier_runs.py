# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents of earlier runs, read with every damage."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.latent.sphere import normalise
from facegen_addon.variety.earlier_runs import read_achieved


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("name", ["heads.npz", "roundtrip.npz"])
def test_runs_are_read_by_folder_and_by_file(tmp_path: Path, name: str) -> None:
    latents = normalise(np.random.default_rng(0).standard_normal((3, 512)))
    path = write(tmp_path / name, achieved=latents, model="anny")
    for run in (tmp_path, path):
        np.testing.assert_allclose(read_achieved(run, "anny"), latents, atol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "named"),
    [
        ({"achieved": np.eye(2, 512), "model": "open_flame"}, ["'open_flame'", "'anny'"]),
        ({"achieved": np.eye(2, 512)}, ["no achieved latents"]),
        ({"parameters": np.ones((2, 9)), "model": "anny"}, ["no achieved latents"]),
        ({"achieved": np.zeros((0, 512)), "model": "anny"}, ["no heads"]),
        ({"achieved": np.eye(2, 128), "model": "anny"}, ["(2, 128)", "512"]),
        ({"achieved": np.zeros((2, 512)), "model": "anny"}, ["norm 0"]),
        ({"achieved": np.full((2, 512), np.nan), "model": "anny"}, ["NaN"]),
        ({"achieved": np.array(["a", "b"]), "model": "anny"}, ["no numbers"]),
        ({"achieved": np.array(0.5), "model": "anny"}, ["shape"]),
        (
            {"achieved": np.eye(2, 512), "model": "anny", "usable": np.zeros(2, bool)},
            ["no heads"],
        ),
        (
            {"achieved": np.eye(2, 512), "model": "anny", "usable": np.ones(3, bool)},
            ["showed a face"],
        ),
    ],
)
def test_a_wrong_run_is_one_line_that_names_it(
    tmp_path: Path, arrays: dict[str, Any], named: list[str]
) -> None:
    write(tmp_path / "heads.npz", **arrays)
    with pytest.raises(UserError) as caught:
        read_achieved(tmp_path, "anny")
    message = str(caught.value)
    assert "\n" not in message
    for part in ["heads.npz", *named]:
        assert part in message


def test_heads_that_showed_no_face_cover_nobody(tmp_path: Path) -> None:
    """`measure` keeps their rows, with latents of zero."""
    achieved, usable = np.eye(3, 512, dtype=np.float32), np.array([True, False, True])
    achieved[1] = 0
    write(tmp_path / "roundtrip.npz", achieved=achieved, usable=usable, model="anny")
    np.testing.assert_array_equal(read_achieved(tmp_path, "anny"), achieved[usable])


def test_a_run_by_another_encoder_is_no_map_of_this_ones_heads(tmp_path: Path) -> None:
    """Of the same width, its latents would be taken for this one's."""
    latents = np.eye(2, 512, dtype=np.float32)
    write(tmp_path / "heads.npz", achieved=latents, model="anny", encoder="tiny-0123")
    np.testing.assert_array_equal(read_achieved(tmp_path, "anny", "tiny-0123"), latents)
    with pytest.raises(UserError, match=r"heads\.npz has latents of encoder 'tiny-0123', not 'fac"):
        read_achieved(tmp_path, "anny")
    write(tmp_path / "heads.npz", achieved=latents, model="anny")
    with pytest.raises(UserError, match=r"encoder 'facenet', not 'tiny-0123'"):
        read_achieved(tmp_path, "anny", "tiny-0123")


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"neither heads\.npz nor roundtrip\.npz"):
        read_achieved(tmp_path, "anny")
    with pytest.raises(UserError, match="missing"):
        read_achieved(tmp_path / "nowhere", "anny")
    (tmp_path / "heads.npz").write_bytes(b"PK no archive")
    with pytest.raises(UserError, match=r"heads\.npz is not a whole"):
        read_achieved(tmp_path, "anny")
