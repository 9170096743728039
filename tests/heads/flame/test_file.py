# SPDX-License-Identifier: GPL-3.0-or-later
"""FLAME files: every layout reads alike, bad files are named, the cache is never in the way."""

import builtins
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.flame.file import FlameArrays, from_arrays, read_cached, read_flame_file
from tests.heads.flame.synthetic import JOINTS, flame_table, npz_bytes, python2_flame

Table = dict[str, Any]


@pytest.fixture(autouse=True)
def user_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder of this test's own."""
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "user"))
    return tmp_path / "user"


@pytest.fixture
def table(rng: np.random.Generator) -> Table:
    return flame_table(rng)


def read(tmp_path: Path, data: bytes, name: str = "head.pkl") -> FlameArrays:
    path = tmp_path / name
    path.write_bytes(data)
    return read_flame_file(path)


def assert_same(a: FlameArrays, b: FlameArrays) -> None:
    assert a.parents == b.parents
    for key in ("template", "faces", "shape_basis", "expression_basis", "pose_basis",
                "joint_regressor", "weights"):  # fmt: skip
        x, y = getattr(a, key), getattr(b, key)
        assert x.dtype == y.dtype
        assert np.array_equal(x, y), key


def test_the_arrays_are_the_file_s(table: Table, tmp_path: Path) -> None:
    flame = read(tmp_path, python2_flame(table))
    assert flame.name == "head"
    assert flame.parents == (-1, 0, 1, 1, 1)
    assert np.array_equal(flame.template, table["v_template"])
    assert np.array_equal(flame.faces, table["f"])
    bases = np.concatenate([flame.shape_basis, flame.expression_basis], axis=2)
    assert flame.shape_basis.shape[2] == 7
    assert np.array_equal(bases, table["shapedirs"].astype(np.float32))
    assert np.array_equal(flame.pose_basis, table["posedirs"].astype(np.float32))
    assert np.array_equal(flame.joint_regressor, table["J_regressor"])
    assert np.array_equal(flame.weights, table["weights"])
    assert flame.uv is None
    assert not flame.extras


def _renamed(table: Table) -> Table:
    table["faces"], table["parents"] = table.pop("f"), np.array([-1, 0, 1, 1, 1])
    del table["kintree_table"]
    return table


def _flat_posedirs(table: Table) -> Table:
    return table | {"posedirs": table["posedirs"].reshape(-1, 36).T}


def _feature_first_posedirs(table: Table) -> Table:
    return table | {"posedirs": table["posedirs"].transpose(2, 0, 1)}


@pytest.mark.parametrize("variant", [dict, _renamed, _flat_posedirs, _feature_first_posedirs])
def test_every_layout_reads_alike(
    variant: Callable[[Table], Table], table: Table, tmp_path: Path
) -> None:
    expected = read(tmp_path, python2_flame(table))
    varied = variant(dict(table))
    assert_same(read(tmp_path, npz_bytes(varied), "b.npz"), expected)
    assert_same(read(tmp_path, pickle.dumps(varied), "c.pkl"), expected)


def test_the_first_300_components_are_identity(rng: np.random.Generator) -> None:
    for components, identity in ((310, 300), (300, 300), (60, 60)):
        table = flame_table(rng, vertices=5, identity=components, expression=0)
        del table["facegen_shape_components"]
        flame = from_arrays(table, "", "", "")
        assert flame.shape_basis.shape[2] == identity
        assert flame.expression_basis.shape[2] == components - identity


def test_texture_coordinates_and_own_keys_survive_the_cache(
    table: Table, tmp_path: Path, rng: np.random.Generator
) -> None:
    table["vt"] = rng.random((30, 2))
    table["ft"] = rng.integers(30, size=table["f"].shape)
    table["facegen_names"] = np.array(["jawOpen", "é"])
    data = npz_bytes(table)
    for _ in ("from the file", "from the cache"):
        flame = read(tmp_path, data)
        assert flame.uv is not None
        assert np.array_equal(flame.uv, table["vt"].astype(np.float32)[table["ft"]])
        assert flame.extras["facegen_names"].tolist() == ["jawOpen", "é"]
        assert list(flame.extras) == ["facegen_names"]


def _with(**changes: Any) -> Callable[[Table], bytes]:
    """A file whose arrays are changed by functions of the array; None leaves a key out."""

    def make(table: Table) -> bytes:
        for key, change in changes.items():
            value = table.pop(key)
            if change is not None:
                table[key] = change(value)
        return pickle.dumps(table)

    return make


def _set(index: Any, value: float) -> Callable[[Any], Any]:
    def change(array: Any) -> Any:
        array = array.astype(np.float64)
        array[index] = value
        return array

    return change


def _zip_download(table: Table) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("FLAME2020/generic_model.pkl", python2_flame(table))
    return buffer.getvalue()


class _Hostile:
    def __reduce__(self) -> Any:
        return builtins.eval, ("open('done', 'w').close()",)


PARENTS = "expected a tree in which every parent precedes its joint"
BAD_FILES: dict[str, tuple[Callable[[Table], bytes], str]] = {
    "empty": (lambda table: b"", "is not a whole pickle of arrays"),
    "text": (lambda table: b"some words\n", "not a whole pickle"),
    "a pointer": (lambda table: b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    "a web page": (lambda table: b"<!DOCTYPE html><html>Log in</html>", "a web page"),
    "truncated pickle": (lambda table: python2_flame(table)[:-700], "not a whole pickle"),
    "truncated npz": (lambda table: npz_bytes(table)[:-700], "not a whole .npz file"),
    "damaged npz": (
        lambda table: npz_bytes(table).replace(bytes(table["weights"])[:64], bytes(64)),
        "not a whole .npz file",
    ),
    "zip as downloaded": (_zip_download, "has no 'v_template' but FLAME2020/generic_model.pkl"),
    "a list": (lambda table: pickle.dumps([1, 2]), "holds a list, not a table"),
    "hostile": (
        lambda table: pickle.dumps(table | {"v_template": _Hostile()}),
        r"asks for builtins.eval, .* refused",
    ),
    "no basis": (_with(shapedirs=None), "has no 'shapedirs' but J_regressor"),
    "no faces": (_with(f=None), "has no 'f' but "),
    "no joint tree": (_with(kintree_table=None), "has no 'kintree_table' but "),
    "template by planes": (
        _with(v_template=np.transpose),
        r"'v_template' is of shape \(3, 60\), expected numbers of shape \(V, 3\)",
    ),
    "no vertices": (_with(v_template=lambda a: a[:0]), r"'v_template' is of shape \(0, 3\)"),
    "basis of another mesh": (
        _with(shapedirs=lambda a: a[1:]),
        r"'shapedirs' is of shape \(59, 3, 11\), expected numbers of shape \(60, 3, S \+ E\)",
    ),
    "correctives of fewer joints": (
        _with(posedirs=lambda a: a[:, :, :27]),
        r"'posedirs' is of shape \(60, 3, 27\), expected numbers of shape \(60, 3, 36\)",
    ),
    "weights of another rig": (
        _with(weights=lambda a: np.pad(a, ((0, 0), (0, 19)))),
        r"'weights' is of shape \(60, 24\), expected numbers of shape \(60, 5\)",
    ),
    "face beyond the vertices": (
        _with(f=_set((3, 1), 60)),
        "'f' is from 0 to 60, expected whole numbers from 0 to 59",
    ),
    "negative face": (_with(f=_set((0, 0), -1)), "'f' is from -1 to 59"),
    "face between vertices": (_with(f=_set((0, 0), 1.5)), "'f' is .* expected whole numbers"),
    "NaN": (_with(shapedirs=_set((2, 1, 0), np.nan)), "'shapedirs' is from nan .* expected finite"),
    "infinite": (_with(J_regressor=_set((0, 1), np.inf)), "'J_regressor' is from 0 to inf"),
    "beyond float32": (_with(posedirs=_set((0, 0, 0), 1e60)), "'posedirs' is from .* to 1e.60"),
    "weights that sum to two": (
        _with(weights=lambda a: 2 * a),
        "'weights' is from .* 1 from one in sum, expected shares of one",
    ),
    "negative weights": (
        _with(weights=lambda a: a + np.array([1.5, -1.5, 0, 0, 0])),
        "'weights' is from -1.* expected shares of one",
    ),
    "parent after its joint": (_with(kintree_table=_set((0, 1), 3)), PARENTS),
    "two roots": (_with(kintree_table=_set((0, 2), -1)), PARENTS),
    "joint that is its own parent": (_with(kintree_table=_set((0, 4), 4)), PARENTS),
    "joint beyond the tree": (_with(kintree_table=_set((0, 4), 9)), PARENTS),
    "object array": (
        _with(v_template=lambda a: a.astype(object)),
        "'v_template' is of type object, expected numbers",
    ),
    "text for an array": (_with(weights=lambda a: "weights.npy"), "'weights' is of type <U11"),
    "complex numbers": (_with(v_template=lambda a: a + 0j), "not a whole pickle of arrays"),
    "ragged lists": (_with(v_template=lambda a: [[1.0], [2.0, 3.0]]), "'v_template' is lists"),
    "object array in an npz": (
        lambda table: npz_bytes(table | {"f": table["f"].astype(object)}),
        "not a whole .npz file of plain arrays",
    ),
    "more identity than components": (
        _with(facegen_shape_components=lambda a: np.array(12)),
        "'facegen_shape_components' is from 12 to 12, expected whole numbers from 0 to 11",
    ),
    "own key of objects": (
        lambda table: pickle.dumps(table | {"facegen_names": [None]}),
        "'facegen_names' is of type object",
    ),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_files_are_named_with_what_is_wrong(
    kind: str, table: Table, tmp_path: Path, user_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, message = BAD_FILES[kind]
    with pytest.raises(UserError, match=rf"head\.pkl.*{message}") as caught:
        read(tmp_path, make(table))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "done").exists()
    assert not list(user_data.rglob("*")), "a bad file must not be cached"


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.pkl is missing: give generic_model"):
        read_flame_file(tmp_path / "none.pkl")
    with pytest.raises(UserError, match="cannot be read"):
        read_flame_file(tmp_path)


def test_the_cache_is_read_instead_of_the_pickle(
    table: Table, tmp_path: Path, user_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = python2_flame(table)
    first = read(tmp_path, data)
    assert [path.name for path in user_data.rglob("*.*")] == [f"{first.sha256}.npz"]
    monkeypatch.setattr("facegen_addon.heads.flame.file.load_pickle", None)
    again = read(tmp_path, data, "other.pkl")
    assert_same(again, first)
    assert again.name == "other"
    by_hash = read_cached(first.sha256[:12])
    assert_same(by_hash, first)
    assert (by_hash.name, by_hash.sha256) == ("head", first.sha256)


@pytest.mark.parametrize("damage", [lambda data: data[:1000], lambda data: b"", lambda data: b"x"])
def test_a_damaged_cache_is_made_again_silently(
    damage: Callable[[bytes], bytes],
    table: Table,
    tmp_path: Path,
    user_data: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = python2_flame(table)
    first = read(tmp_path, data)
    (cache,) = user_data.rglob("*.npz")
    whole = cache.read_bytes()
    cache.write_bytes(damage(whole))
    with pytest.raises(UserError, match="damaged: choose the FLAME file again"):
        read_cached(first.sha256)
    assert_same(read(tmp_path, data), first)
    assert cache.stat().st_size == len(whole)
    assert_same(read_cached(first.sha256), first)
    assert not caplog.records


def test_a_folder_that_cannot_be_written_only_warns(
    table: Table, tmp_path: Path, user_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    user_data.write_text("a file where the folder should be")
    flame = read(tmp_path, python2_flame(table))
    assert len(flame.parents) == JOINTS
    assert "was not cached" in caplog.text
    assert user_data.read_text().startswith("a file")


def test_a_write_that_fails_leaves_nothing_behind(
    table: Table, tmp_path: Path, user_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    read(tmp_path, pickle.dumps(table))
    assert [path.name for path in user_data.rglob("*")] == ["flame"]


@pytest.mark.parametrize("prefix", ["", "0123", "../../x", "*", "0123456Z", "g" * 12])
def test_what_is_no_hash_is_not_looked_for(prefix: str) -> None:
    with pytest.raises(UserError, match="is not the beginning of a sha256"):
        read_cached(prefix)


def test_a_head_whose_file_was_never_read_here_says_so() -> None:
    with pytest.raises(UserError, match=r"sha256 0123456789ab\.\.\. is not known on this machine"):
        read_cached("0123456789ab")


def test_the_real_subset_is_read(shared_data: Path) -> None:
    path = shared_data / "flame" / "flame2023open_60id_f32.npz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    flame = read_flame_file(path)
    assert flame.template.shape == (5023, 3)
    assert flame.faces.shape == (9976, 3)
    assert flame.shape_basis.shape == (5023, 3, 60)
    assert flame.expression_basis.shape == (5023, 3, 0)
    assert flame.parents == (-1, 0, 1, 1, 1)
    assert_same(read_cached(flame.sha256[:12]), flame)
