# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels come back from their members within the rounding that is promised."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.dataset.members import LABEL_SUFFIXES, MAXIMUM_DEPTH, label_members, read_labels
from facegen_addon.errors import UserError
from facegen_addon.labels.label_check import check_labels
from facegen_addon.labels.maps import CLASSES, LabelMaps, LandmarkLabels
from facegen_addon.latent.sphere import normalise
from facegen_addon.png import encode_png
from tests.labels.sphere import sphere_scene


def random_labels(seed: int, height: int, width: int) -> tuple[LabelMaps, LandmarkLabels]:
    """Labels without any sense, all values that there may be."""
    rng = np.random.default_rng(seed)
    shape = (height, width)
    valid = rng.random(shape) < 0.7
    normals = normalise(rng.standard_normal((*shape, 3))) * (rng.random(shape) < 0.7)[..., None]
    maps = LabelMaps(
        segmentation=rng.integers(0, len(CLASSES), shape, np.uint8),
        depth=(rng.uniform(0.0, MAXIMUM_DEPTH, shape) * valid).astype(np.float32),
        normals=normals.astype(np.float32),
        uv=(rng.random((*shape, 2)) * valid[..., None]).astype(np.float32),
        uv_valid=valid,
    )
    count = 68 + int(rng.integers(0, 20))
    landmarks = LandmarkLabels(
        world=rng.standard_normal((count, 3)),
        pixels=rng.uniform(-10, 500, (count, 2)),
        depth=rng.uniform(0.3, 6, count),
        visibility=rng.integers(0, 3, count, np.uint8),
    )
    return maps, landmarks


@given(seed=st.integers(0, 10_000), height=st.integers(1, 12), width=st.integers(1, 12))
def test_labels_come_back(seed: int, height: int, width: int) -> None:
    maps, landmarks = random_labels(seed, height, width)
    again, points = read_labels(label_members(maps, landmarks))
    assert np.array_equal(again.segmentation, maps.segmentation)
    assert np.array_equal(again.uv_valid, maps.uv_valid)
    assert np.abs(again.depth - maps.depth).max() < 0.000051
    assert ((again.depth == 0) == (maps.depth < 0.00005)).all()
    assert np.abs(again.normals - maps.normals).max() < 3e-5
    lengths = np.linalg.norm(again.normals, axis=-1)
    assert np.allclose(lengths, np.where(maps.normals.any(-1), 1.0, 0.0), atol=1e-6)
    assert np.abs(again.uv - maps.uv).max() < 8e-6
    for name in ("world", "pixels", "depth"):
        single = getattr(landmarks, name).astype(np.float32)
        assert np.array_equal(getattr(points, name), single)
    assert np.array_equal(points.visibility, landmarks.visibility)
    for read, written in ((again, maps), (points, landmarks)):
        for name, array in vars(written).items():
            assert getattr(read, name).dtype == array.dtype, name


def test_what_comes_back_still_agrees_with_itself() -> None:
    maps, camera, landmarks = sphere_scene()
    again, points = read_labels(label_members(maps, landmarks))
    check = check_labels(again, camera, points)
    assert check.problems == () and check.landmarks_checked > 30


def test_equal_labels_make_equal_bytes() -> None:
    members, again = (label_members(*random_labels(3, 9, 7)) for _ in range(2))
    assert tuple(members) == LABEL_SUFFIXES and members == again
    assert label_members(*random_labels(4, 9, 7)) != members


def test_landmarks_carry_no_time_of_day() -> None:
    maps, _, landmarks = sphere_scene(size=64)
    data = label_members(maps, landmarks)["landmarks.npz"]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("depth", [6.56, 1e6, np.inf, np.nan])
def test_what_is_too_far_for_16_bits_is_an_error(depth: float) -> None:
    maps, landmarks = random_labels(0, 4, 4)
    far = maps.depth.copy()
    far[1, 2] = depth
    with pytest.raises(UserError, match=r"more than the 6\.55 m that depth labels can say"):
        label_members(replace(maps, depth=far), landmarks)


def _npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


POINTS = {
    "world": np.zeros((68, 3), np.float32),
    "pixels": np.zeros((68, 2), np.float32),
    "depth": np.zeros(68, np.float32),
    "visibility": np.zeros(68, np.uint8),
}


@pytest.mark.parametrize(
    ("suffix", "data", "message"),
    [
        ("depth.png", b"no PNG", "depth.png is no whole PNG"),
        ("depth.png", encode_png(np.zeros((4, 4), np.uint8)), "depth.png holds .* uint8"),
        ("normals.png", encode_png(np.zeros((4, 4), np.uint16)), "normals.png holds"),
        ("uv.png", encode_png(np.ones((4, 4, 3), np.uint16)), "blue of uv.png"),
        ("uv.png", encode_png(np.zeros((4, 5, 3), np.uint16)), "differ in size"),
        ("segmentation.png", encode_png(np.full((4, 4), 13, np.uint8)), "class 13, 12 at most"),
        ("landmarks.npz", b"PK", "landmarks.npz is not a whole .npz"),
        ("landmarks.npz", _npz(world=np.zeros(3)), "landmarks.npz holds world"),
        ("landmarks.npz", _npz(**POINTS | {"depth": np.float32(1)}), "world is"),
        ("landmarks.npz", _npz(**POINTS | {"depth": np.zeros(68)}), "depth is .* float64"),
        (
            "landmarks.npz",
            _npz(**POINTS | {"depth": np.full(68, np.nan, np.float32)}),
            "depth has NaN",
        ),
        (
            "landmarks.npz",
            _npz(**POINTS | {"visibility": np.full(68, 3, np.uint8)}),
            "visibility 3, 2 at most",
        ),
        (
            "landmarks.npz",
            _npz(**{name: array[:67] for name, array in POINTS.items()}),
            r"world is \(67, 3\)",
        ),
    ],
)
def test_wrong_members_are_named(suffix: str, data: bytes, message: str) -> None:
    members = label_members(*random_labels(0, 4, 4))
    with pytest.raises(UserError, match=f"^data.tar: 000007: .*{message}"):
        read_labels(members | {suffix: data}, "data.tar: 000007")


@pytest.mark.parametrize("suffix", LABEL_SUFFIXES)
def test_a_missing_member_is_named(suffix: str) -> None:
    members = label_members(*random_labels(0, 4, 4))
    del members[suffix]
    with pytest.raises(UserError, match=f"^the sample has no {suffix}"):
        read_labels(members)
