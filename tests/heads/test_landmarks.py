# SPDX-License-Identifier: GPL-3.0-or-later
"""The 68 landmarks: where they lie on heads, what they follow, and files of them."""

import io
import os
import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facegen_addon.errors import UserError
from facegen_addon.heads.anny.head import AnnyHead
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.correspondence import SurfacePoints
from facegen_addon.heads.landmarks import read_landmark_embedding

TRIANGLES = 500
MIRROR = np.array(
    [
        *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
        45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
        *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
    ]
)  # fmt: skip
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))  # upper, lower


@pytest.fixture(scope="module")
def model() -> AnnyHead:
    head = load_head_model("anny")
    assert isinstance(head, AnnyHead)
    return head


@pytest.fixture(scope="module")
def people(model: AnnyHead) -> NDArray[np.float32]:
    """Vertices of 100 heads of the prior (100, V, 3)."""
    return model.forward(model.sample_prior(np.random.default_rng(68), 100))


@pytest.fixture(scope="module")
def with_sliders(model: AnnyHead) -> Callable[..., NDArray[np.float32]]:
    """The mean head's landmarks (68, 3) with some sliders moved."""

    def landmarks(**values: float) -> NDArray[np.float32]:
        head = model.table.default()
        for name, value in values.items():
            head[model.table.index(name)] = value
        return model.landmarks(model.forward(head)[0])

    return landmarks


def mask_at_landmarks(model: AnnyHead, name: str) -> NDArray[np.float32]:
    embedding, surface = model.landmark_embedding, model.surface
    return (embedding.bary * surface.masks[name][surface.faces[embedding.triangle]]).sum(1)


@given(
    weights=st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3),
    triangle=st.integers(0, 3),
    batch=st.integers(1, 3),
)
def test_a_point_is_the_weighted_mean_of_its_corners(
    weights: list[float], triangle: int, batch: int
) -> None:
    bary = np.array([weights]) / np.sum(weights)
    faces = np.array([[0, 1, 2], [2, 1, 3], [4, 2, 0], [1, 4, 3]], np.uint16)
    vertices = np.random.default_rng(batch).normal(size=(batch, 5, 3)).astype(np.float32)
    points = SurfacePoints(np.array([triangle]), bary).points(vertices, faces)
    assert points.dtype == np.float32
    for head, found in zip(vertices, points, strict=True):
        np.testing.assert_allclose(found, bary @ head[faces[triangle]], atol=1e-6)


def test_left_and_right_mirror_each_other(
    model: AnnyHead, with_sliders: Callable[..., NDArray[np.float32]]
) -> None:
    template = model.landmarks(model.surface.rest_position)
    smile = with_sliders(eyeBlinkLeft=1.0, eyeBlinkRight=1.0, nose_scale_horiz_incr=0.5)
    for points in (template, with_sliders(), smile):
        np.testing.assert_allclose(points, points[MIRROR] * [-1, 1, 1], atol=1e-4)
    assert (template[[0, 17, 31, 36, 48, 60], 0] < 0).all()  # the subject's right


def test_points_lie_on_their_regions(model: AnnyHead) -> None:
    lips = mask_at_landmarks(model, "lips")
    assert (lips[48:] >= 0.45).all()
    assert (lips[60:] > 0.95).all()
    assert (lips[:48] < 0.05).all()
    brow = mask_at_landmarks(model, "brow")
    assert (brow[17:27] > 0.3).all()
    assert (brow[27:] < 0.05).all()
    assert (mask_at_landmarks(model, "ears") < 0.5).all()
    assert (mask_at_landmarks(model, "mouth") < 0.05).all()
    part = model.surface.part[model.surface.faces[model.landmark_embedding.triangle]]
    assert (part == model.surface.part_names.index("skin")).all()


def test_brows_lie_among_the_strands(model: AnnyHead) -> None:
    strands, rest = model.strands, model.surface.rest_position
    roots = (rest[model.surface.faces[strands.triangle]] * strands.bary[..., None]).sum(1)
    roots = roots[strands.region == 1]
    for point in model.landmarks(rest)[17:27]:
        assert np.linalg.norm(roots - point, axis=1).min() < 0.002


def test_lids_lie_on_the_eyeballs(model: AnnyHead, people: NDArray[np.float32]) -> None:
    points = model.landmarks(people)
    for name, lids, corner in (("eye_right", slice(36, 42), 3), ("eye_left", slice(42, 48), 0)):
        ball = people[:, model.surface.part == model.surface.part_names.index(name)]
        radius = 0.5 * np.ptp(ball[..., 2], axis=1)
        centre = 0.5 * (ball.min(1) + ball.max(1))
        centre[:, 1] = ball[..., 1].min(1) + radius  # of the right ball there is the front only
        gap = np.linalg.norm(points[:, lids] - centre[:, None], axis=2) - radius[:, None]
        assert np.abs(np.delete(gap, corner, axis=1)).max() < 0.004
        # The inner corner lies beyond the ball, where the lids meet at the nose.
        assert 0.002 < gap[:, corner].min() < gap[:, corner].max() < 0.008


def test_the_nose_ends_in_its_tip(model: AnnyHead, people: NDArray[np.float32]) -> None:
    points = model.landmarks(people)
    foremost = people[:, model.surface.masks["nose"] > 0.3, 1].min(1)
    assert (points[:, 30, 1] - foremost).max() < 0.004
    skin = people[:, model.surface.part == 0, 1].min(1)
    assert np.quantile(points[:, 30, 1] - skin, 0.95) < 0.002  # a few lips reach farther
    assert (np.diff(points[:, 27:31, 2], axis=1) < -0.004).all()
    assert (np.diff(points[:, 31:36, 0], axis=1) > 0.002).all()
    assert (points[:, 33, 2] < points[:, 30, 2] + 0.001).all()  # level where the tip hangs
    assert (points[:, 33, 2] > points[:, 51, 2]).all()


def test_the_jaw_line_runs_from_ear_to_ear_round_the_chin(
    model: AnnyHead, people: NDArray[np.float32]
) -> None:
    points = model.landmarks(people)
    line = points[:, :17] - points[:, 30:31] * [0, 0, 1]
    angle = np.unwrap(np.arctan2(line[..., 2], line[..., 0]) % (2 * np.pi))
    assert (np.diff(angle, axis=1) > np.radians(3)).all()
    assert (points[:, 8, 2] - points[..., 2].min(1)).max() < 0.003
    # Nothing of the face is wider, and both ends lie in front of the ears.
    inside = points[:, 17:]
    assert (inside[..., 0].min(1) > points[:, 0, 0]).all()
    assert (inside[..., 0].max(1) < points[:, 16, 0]).all()
    ears = people[:, model.surface.masks["ears"] > 0.5, 1]
    assert (points[:, [0, 16], 1] < ears.min(1, keepdims=True) + 0.012).all()


def test_every_face_reads_from_top_to_bottom(model: AnnyHead, people: NDArray[np.float32]) -> None:
    points = model.landmarks(people)
    for rows in ((19, 37, 41, 50, 58, 8), (24, 44, 46, 52, 56, 8), (27, 30, 51, 62, 57, 8)):
        assert (np.diff(points[:, rows, 2], axis=1) < 0).all()
    for columns in (range(17, 27), (36, 37, 38, 39, 42, 43, 44, 45), range(48, 55)):
        assert (np.diff(points[:, list(columns), 0], axis=1) > 0).all()


def test_an_opening_jaw_takes_chin_and_lower_lip_along(
    with_sliders: Callable[..., NDArray[np.float32]],
) -> None:
    closed = with_sliders()
    for opened in (with_sliders(jawOpen=1.0), with_sliders(jaw_x=0.3)):
        down = (closed - opened)[:, 2]
        assert (down[[8, 57, 66, 65, 67]] > 0.010).all()
        assert np.abs(down[[51, 62, 33, 30]]).max() < 0.003
        assert opened[62, 2] - opened[66, 2] > 0.010


def test_a_blink_closes_the_lids(with_sliders: Callable[..., NDArray[np.float32]]) -> None:
    def gaps(points: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.array([points[upper, 2] - points[lower, 2] for upper, lower in LIDS])

    assert (gaps(with_sliders()) > 0.005).all()
    assert (gaps(with_sliders(eyeBlinkLeft=1.0, eyeBlinkRight=1.0)) < 0.001).all()
    winking = gaps(with_sliders(eyeBlinkLeft=1.0))
    assert (winking[:2] > 0.005).all()  # the right eye stays open
    assert (winking[2:] < 0.001).all()


def test_smile_and_brow_move_their_own_points(
    with_sliders: Callable[..., NDArray[np.float32]],
) -> None:
    rest = with_sliders()
    smile = with_sliders(mouthSmileLeft=1.0, mouthSmileRight=1.0) - rest
    assert (smile[[48, 54], 2] > 0.005).all()
    assert smile[54, 0] > 0.003
    assert smile[48, 0] < -0.003
    raised = with_sliders(browInnerUp=1.0) - rest
    assert (raised[[21, 22], 2] > 0.003).all()
    assert np.abs(raised[48:]).max() < 0.001


def test_points_turn_with_the_head(
    model: AnnyHead, with_sliders: Callable[..., NDArray[np.float32]]
) -> None:
    rest, turned = with_sliders(), with_sliders(head_z=0.4)
    own = [*range(17, 48)]  # jaw and lips are partly the neck's
    before, after = (np.linalg.norm(p[own, None] - p[None, own], axis=2) for p in (rest, turned))
    np.testing.assert_allclose(after, before, atol=5e-4)
    assert np.linalg.norm(turned[30] - rest[30]) > 0.03


# Files.


def good() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rng = np.random.default_rng(5)
    return rng.integers(0, TRIANGLES, 68), rng.dirichlet((1.0, 1.0, 1.0), 68)


def write_npy(path: Path, table: Any) -> Path:
    np.save(path, np.array(table, dtype=object), allow_pickle=True)
    return path


def deca(triangle: NDArray[Any], bary: NDArray[Any]) -> dict[str, Any]:
    return {
        "static_lmk_faces_idx": triangle[17:],
        "static_lmk_bary_coords": bary[17:],
        "full_lmk_faces_idx": triangle[None],
        "full_lmk_bary_coords": bary[None],
    }


def same(found: SurfacePoints) -> None:
    triangle, bary = good()
    np.testing.assert_array_equal(found.triangle, triangle)
    np.testing.assert_array_equal(found.bary, bary)


def test_deca_and_npz_files_are_read(tmp_path: Path) -> None:
    triangle, bary = good()
    path = write_npy(tmp_path / "landmark_embedding.npy", deca(triangle, bary))
    same(read_landmark_embedding(path, TRIANGLES))
    for keys in (("landmark_triangle", "landmark_bary"), ("lmk_face_idx", "lmk_b_coords")):
        path = tmp_path / f"{keys[0]}.npz"
        np.savez(path, **dict(zip(keys, (triangle, bary), strict=True)))
        same(read_landmark_embedding(path, TRIANGLES))


def test_our_own_file_is_one(model: AnnyHead, project: Path) -> None:
    found = read_landmark_embedding(project / "models/anny_head.npz", len(model.surface.faces))
    np.testing.assert_array_equal(found.triangle, model.landmark_embedding.triangle)


def test_the_tensors_in_decas_file_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DECA's dynamic contour holds torch tensors; they are neither needed nor loaded."""
    loaded: list[Any] = []
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    for module, name in (("_utils", "_rebuild_tensor_v2"), ("storage", "_load_from_bytes")):
        exec(f"def {name}(*arguments): loaded.append(arguments)", {"loaded": loaded}, made := {})
        made[name].__module__ = f"torch.{module}"
        monkeypatch.setitem(sys.modules, f"torch.{module}", types.SimpleNamespace(**made))

    class Storage:
        def __reduce__(self) -> tuple[Any, ...]:
            return sys.modules["torch.storage"]._load_from_bytes, (b"\x80\x02cos\nsystem\n.",)

    class Tensor:
        def __reduce__(self) -> tuple[Any, ...]:
            arguments = Storage(), 0, (79, 17), (17, 1), False, {}
            return sys.modules["torch._utils"]._rebuild_tensor_v2, arguments

    table = deca(*good()) | {"dynamic_lmk_faces_idx": Tensor()}
    path = write_npy(tmp_path / "landmark_embedding.npy", table)
    same(read_landmark_embedding(path, TRIANGLES))
    assert loaded == []


def test_flames_own_pair_is_joined(tmp_path: Path) -> None:
    triangle, bary = good()
    static = tmp_path / "flame_static_embedding.pkl"
    static.write_bytes(
        pickle.dumps({"lmk_face_idx": triangle[17:], "lmk_b_coords": bary[17:]}, protocol=2)
    )
    with pytest.raises(UserError, match=r"51 landmarks, not 68.*flame_dynamic_embedding\.npy"):
        read_landmark_embedding(static, TRIANGLES)
    turned = np.zeros((78, 17), int), np.tile(np.eye(3)[0], (78, 17, 1))
    table = {
        "lmk_face_idx": np.concatenate([triangle[None, :17], turned[0]]),
        "lmk_b_coords": np.concatenate([bary[None, :17], turned[1]]),
    }
    beside = write_npy(tmp_path / "flame_dynamic_embedding.npy", table)
    same(read_landmark_embedding(static, TRIANGLES))
    for key, wrong in (("lmk_face_idx", triangle[:17]), ("lmk_b_coords", bary[None])):
        write_npy(beside, table | {key: wrong})
        with pytest.raises(UserError, match=rf"flame_dynamic_embedding\.npy: {key}"):
            read_landmark_embedding(static, TRIANGLES)
    write_npy(beside, {"lmk_face_idx": triangle})
    with pytest.raises(UserError, match="lacks lmk_b_coords"):
        read_landmark_embedding(static, TRIANGLES)


def changed(array: NDArray[Any], value: float) -> NDArray[Any]:
    array = array.astype(float)
    array.flat[7] = value
    return array


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, b: (t[:67], b[:67]), r"full_lmk_faces_idx is of shape \(1, 67\)"),
        (lambda t, b: (np.tile(t, 2)[:105], b), "105"),
        (lambda t, b: (t, b[:60]), r"full_lmk_bary_coords is of shape \(1, 60, 3\)"),
        (lambda t, b: (t, b[:, :2]), "full_lmk_bary_coords"),
        (lambda t, b: (changed(t, TRIANGLES), b), f"to {TRIANGLES}, expected .* 0 to 499"),
        (lambda t, b: (changed(t, -1), b), "from -1 to"),
        (lambda t, b: (changed(t, 1.5), b), "full_lmk_faces_idx"),
        (lambda t, b: (changed(t, np.nan), b), "full_lmk_faces_idx is NaN"),
        (lambda t, b: (t, changed(b, np.nan)), "full_lmk_bary_coords is NaN"),
        (lambda t, b: (t, changed(b, np.inf)), "full_lmk_bary_coords is NaN or infinite"),
        (lambda t, b: (t, b * [-1, 1, 1]), "from -.* up"),
        (lambda t, b: (t, b * 2), "1 from one in sum"),
        (lambda t, b: (t.astype(str), b), "of type <U"),
    ],
)  # fmt: skip
def test_wrong_numbers_are_named(
    change: Callable[..., tuple[Any, Any]], message: str, tmp_path: Path
) -> None:
    path = write_npy(tmp_path / "landmark_embedding.npy", deca(*change(*good())))
    with pytest.raises(UserError, match=message) as error:
        read_landmark_embedding(path, TRIANGLES)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


class Hostile:
    """Would leave a file behind if it were unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("name", ["landmark_embedding.npy", "landmark_embedding.pkl"])
def test_a_hostile_file_does_nothing(name: str, tmp_path: Path) -> None:
    mark, path = tmp_path / "mark", tmp_path / name
    table = deca(*good()) | {"static_lmk_faces_idx": Hostile(mark)}
    if path.suffix == ".npy":
        write_npy(path, table)
    else:
        path.write_bytes(pickle.dumps(table))
    with pytest.raises(UserError, match=r"asks for (posix|nt)\.system"):
        read_landmark_embedding(path, TRIANGLES)
    assert not mark.exists()


def whole_npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(deca(*good()), dtype=object), allow_pickle=True)
    return stream.getvalue()


@given(length=st.integers(0, len(whole_npy()) - 1))
def test_a_truncated_file_is_refused(length: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("cut") / "landmark_embedding.npy"
    path.write_bytes(whole_npy()[:length])
    with pytest.raises(UserError, match=r"landmark_embedding\.npy"):
        read_landmark_embedding(path, TRIANGLES)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a whole pickle"),
        (b"not a pickle at all", "not a whole pickle"),
        (b"PK\x03\x04rest", r"not a whole \.npz"),
        (b"\x93NUMPY\x01\x00\x05\x00nope\n", r"not a whole \.npy"),
        (pickle.dumps([1, 2]), "holds a list"),
        (pickle.dumps({"vertices": 1}), "holds vertices, but no landmarks"),
        (pickle.dumps({}), "no keys"),
    ],
)
def test_other_files_are_refused(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "landmark_embedding.npy"
    path.write_bytes(data)
    with pytest.raises(UserError, match=message):
        read_landmark_embedding(path, TRIANGLES)


def test_an_array_of_numbers_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "landmark_embedding.npy"
    with pytest.raises(UserError, match="is missing"):
        read_landmark_embedding(path, TRIANGLES)
    np.save(path, np.arange(68))
    with pytest.raises(UserError, match="numbers of type int64"):
        read_landmark_embedding(path, TRIANGLES)


@pytest.mark.torch
def test_real_tensors_are_passed_over(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="runs in the training environment")
    table = deca(*good()) | {
        "dynamic_lmk_faces_idx": torch.zeros((79, 17), dtype=torch.long),
        "dynamic_lmk_bary_coords": torch.zeros((79, 17, 3)),
    }
    same(read_landmark_embedding(write_npy(tmp_path / "landmark_embedding.npy", table), TRIANGLES))
