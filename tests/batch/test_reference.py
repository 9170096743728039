# SPDX-License-Identifier: GPL-3.0-or-later
from pathlib import Path

import numpy as np
import pytest

from batch.reference import load_reference, reference_by
from facegen_addon.encoders.encoder import EncoderSource, find_encoder
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


# Other encoders -----------------------------------------------------------------------------------


def sface_file(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "by_sface.npz"
    np.savez(path, latents=normalise(rng.normal(size=(1100, 128))), identity=np.arange(1100))
    return path


def test_facenets_faces_are_no_reference_for_another_encoders_heads(real_file: Path) -> None:
    assert reference_by(find_encoder("sface"), 128, None, 16) is None
    by_facenet = reference_by(find_encoder(), 512, real_file, 16)
    assert by_facenet is not None and by_facenet.note == load_reference(real_file, 16).note


def test_an_encoders_own_real_faces_are(tmp_path: Path, rng: np.random.Generator) -> None:
    own = sface_file(tmp_path, rng)
    reference = reference_by(find_encoder("sface"), 128, own, 16)
    assert reference is not None and reference.latents.shape == (984, 128)
    assert reference.moments.covariance.shape == (128, 128)
    assert "by_sface.npz" in reference.note


@pytest.mark.parametrize(("encoder", "size", "wrong"), [("sface", 128, 512), ("facenet", 512, 128)])
def test_real_faces_of_another_width_are_refused_naming_both(
    real_file: Path, tmp_path: Path, rng: np.random.Generator, encoder: str, size: int, wrong: int
) -> None:
    path = real_file if wrong == 512 else sface_file(tmp_path, rng)
    with pytest.raises(UserError, match=rf"{path.name} has.*, {wrong}\).*gives {size} numbers"):
        reference_by(find_encoder(encoder), size, path, 16)


def test_an_encoder_of_the_same_width_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGEN_SHARED", str(tmp_path))
    other = EncoderSource("other", tmp_path / "other.onnx", "ab" * 32, {}, registered=False)
    reference = reference_by(other, 512, None, 16)
    assert reference is not None and "the heads' are of other" in reference.note
