# SPDX-License-Identifier: GPL-3.0-or-later
from pathlib import Path

import numpy as np
import pytest

from batch.reference import load_reference
from facegen_addon.errors import UserError
from facegen_addon.latent.sphere import normalise


@pytest.fixture
def real_file(tmp_path: Path, rng: np.random.Generator) -> Path:
    """1,100 people, two photos each."""
    path = tmp_path / "real.npz"
    latents = normalise(rng.normal(size=(2200, 512))).astype(np.float16)
    np.savez(path, latents=latents, identity=np.repeat(np.arange(1100), 2).astype(np.int32))
    return path


def test_real_people_are_the_reference_where_there_are_any(real_file: Path) -> None:
    reference = load_reference(real_file, 16)
    assert len(reference.yardstick) == 16 and len(reference.latents) == 984
    assert "984 real people" in reference.note and "real.npz" in reference.note
    # Nobody is both measured against and measured.
    assert (reference.latents @ reference.yardstick.T).max() < 0.9
    np.testing.assert_allclose(reference.moments.mean, reference.latents.mean(0), atol=1e-6)


def test_large_runs_leave_half_of_the_people_as_reference(real_file: Path) -> None:
    reference = load_reference(real_file, 10_000)
    assert len(reference.yardstick) == len(reference.latents) == 500


def test_without_real_people_the_density_stands_in_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGEN_SHARED", str(tmp_path))
    reference = load_reference(None, 16)
    assert "no file of real latents" in reference.note
    assert reference.latents.shape == (984, 512) and reference.yardstick.shape == (16, 512)
    assert reference.moments.covariance.shape == (512, 512)


def test_a_truncated_file_is_the_users_error(real_file: Path) -> None:
    real_file.write_bytes(real_file.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"real\.npz"):
        load_reference(real_file, 16)
