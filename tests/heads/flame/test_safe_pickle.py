# SPDX-License-Identifier: GPL-3.0-or-later
"""Pickles of arrays are read as they are; whatever else a pickle asks for does not happen."""

import builtins
import contextlib
import os
import pickle
import struct
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegen_addon.errors import UserError
from facegen_addon.heads.flame.safe_pickle import load_pickle
from tests.heads.flame.synthetic import (
    SPARSE_FORMS,
    flame_table,
    python2_flame,
    python2_modules,
    python2_pickle,
    sparse,
)

FILE = Path("model.pkl")
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def load(data: bytes) -> Any:
    return load_pickle(data, FILE)


@given(
    dtype=st.sampled_from(["f4", "f8", ">f8", "i1", "i4", "u4", ">u2", "b1", "S3", "U2", "O"]),
    shape=st.lists(st.integers(0, 4), max_size=3),
    order=st.sampled_from("CF"),
    protocol=st.sampled_from(PROTOCOLS),
)
def test_arrays_come_back_as_they_were(
    dtype: str, shape: list[int], order: str, protocol: int
) -> None:
    size = int(np.prod(shape, dtype=int))
    array = np.arange(size).astype(dtype).reshape(shape).copy(order)  # type: ignore[call-overload]
    found = load(pickle.dumps(array, protocol))
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert (found == array).all()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_come_back(protocol: int) -> None:
    values = {"n": None, "t": (1, 2.5, True), "l": [b"\0\xff", b""], "u": "é", "i": 2**80}
    found = load(pickle.dumps(values, protocol))
    assert found == values
    more = {"set": {3}, "frozen": frozenset({4}), "o": OrderedDict(a=1), "scalar": np.float32(2.5)}
    found = load(pickle.dumps(more, protocol))
    assert found == {"set": [3], "frozen": [4], "o": {"a": 1}, "scalar": 2.5}
    assert found["scalar"].dtype == np.float32


@pytest.mark.parametrize("core", ["numpy.core", "numpy._core"])
@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_python_2_wrote_bytes_as_text(protocol: int, core: str) -> None:
    array = np.arange(300, dtype=np.float64).reshape(3, 100) - 150
    found = load(python2_pickle({"a": array, "s": array[1, 2]}, protocol, core))
    assert np.array_equal(found["a"], array)
    assert found["s"] == array[1, 2]


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_flame_needs_neither_chumpy_nor_scipy(
    protocol: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = flame_table(rng)
    data = python2_flame(table, protocol)
    assert b"chumpy.ch" in data
    for name in ("chumpy", "scipy"):
        monkeypatch.setitem(sys.modules, name, None)  # `import scipy` now raises ImportError
    found = load(data)
    assert found["bs_style"] == "lbs"
    for key, array in table.items():
        assert np.array_equal(found[key], array), key


@given(
    form=st.sampled_from(SPARSE_FORMS),
    prefix=st.sampled_from(["", "_"]),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    seed=st.integers(0, 2**32 - 1),
)
def test_sparse_matrices_come_back_dense(
    form: str, prefix: str, shape: tuple[int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=shape) * (rng.random(shape) > 0.5)
    with python2_modules() as modules:
        data = python2_pickle(sparse(modules, form, dense, f"scipy.sparse.{prefix}{form}"))
    assert np.array_equal(load(data), dense)


@pytest.mark.parametrize("form", SPARSE_FORMS)
def test_scipy_itself_agrees(form: str, rng: np.random.Generator) -> None:
    scipy_sparse = pytest.importorskip("scipy.sparse", reason="scipy is a test requirement")
    dense = rng.normal(size=(4, 6)) * (rng.random((4, 6)) > 0.6)
    for kind in ("matrix", "array"):
        matrix = getattr(scipy_sparse, f"{form}_{kind}")(dense)
        assert np.array_equal(load(pickle.dumps(matrix)), dense)


class Reduced:
    """Pickles as the given parts: function, arguments, perhaps a state."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


# Each makes a file called "done" in the current folder when it is unpickled as pickles are.
MARK = "open('done', 'w').close()"
EVAL = Reduced(builtins.eval, (MARK,))
HOSTILE = {
    "os.system": (Reduced(os.system, ("touch done",)), r"(posix|nt)\.system"),
    "eval": (EVAL, r"(__builtin__|builtins)\.eval"),
    "exec": (Reduced(builtins.exec, (MARK,)), r"\.exec"),
    "subprocess": (Reduced(subprocess.call, (["touch", "done"],)), r"(subprocess|commands)\.call"),
    "in an array's place": ({"v_template": [(EVAL,)]}, r"\.eval"),
    "in admitted arguments": (Reduced(OrderedDict, ([("key", EVAL)],)), r"\.eval"),
    "in an admitted state": (Reduced(np.dtype, ("f8",), (3, "<", EVAL)), r"\.eval"),
    "a pickle inside": (Reduced(pickle.loads, (pickle.dumps(EVAL),)), r"pickle\.loads"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pickles_are_refused_by_name_and_do_nothing(
    kind: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    value, name = HOSTILE[kind]
    with pytest.raises(UserError, match=rf"model\.pkl asks for \S*{name}.*refused"):
        load(pickle.dumps(value, protocol))
    assert not Path("done").exists()


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_same_pickles_act_when_unpickled_as_usual(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(HOSTILE[kind][0])
    with contextlib.suppress(Exception):  # what comes after the deed does not matter
        pickle.loads(data)
    assert Path("done").exists()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"(S'touch done'\nios\nsystem\n.", "os.system"),
        (b"(cos\nsystem\nS'touch done'\no.", "os.system"),
        (b"cos\nsystem\n(S'touch done'\ntR.", "os.system"),
        (b"\x80\x02cos\nsystem\n(U\ntouch donet\x81.", "os.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\ntouch done\x85R.", "os.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\reval.__call__\x93.", "builtins.eval.__call__"),
        (b"cnumpy\nload\n(S'done'\ntR.", "numpy.load"),
        (b"Pdone\n.", "outside the file"),
        (b"U\x04doneQ.", "outside the file"),
        (b"\x82\x01.", "outside the file"),
        (b"S'os.system'\n(S'touch done'\ntR.", "a call of a str"),
        (b"cnumpy\ndtype\n(S'f8'\ntR(tR.", "a call of a _Dtype"),
    ],
)  # fmt: skip
def test_every_opcode_that_calls_is_refused(
    data: bytes, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"asks for .*{name}"):
        load(data)
    assert not Path("done").exists()


def _sparse_of(shape: tuple[int, int]) -> bytes:
    state = {"_shape": shape, "data": np.ones(1), "row": np.zeros(1, int), "col": np.zeros(1, int)}
    with python2_modules() as modules:
        matrix = modules["scipy.sparse.coo"].coo_matrix(**state)
        return python2_pickle(matrix)


_HUGE = struct.pack("<Q", 2**60)
BOMBS = {
    "a string that is not there": b"\x80\x04\x8e" + _HUGE + b"x.",
    "a bytearray that is not there": b"\x80\x05\x96" + _HUGE + b"x.",
    "a memo of four thousand million": b"Nr\xff\xff\xff\xffh\x01.",
    "lists in lists": b"]" * 100_000 + b"a" * 99_999 + b"0.",
    "tuples in tuples as a key": b"}" + b")" + b"\x85" * 1_000_000 + b"Ns.",
    "tuples in tuples": b")" + b"\x85" * 100_000 + b".",
    "a list that holds itself": b"]q\x00h\x00a.",
    "a huge sparse matrix": _sparse_of((10**6, 10**6)),
    "a sparse matrix with an index beyond": _sparse_of((0, 0)),
    "an array that its bytes do not fill": pickle.dumps(np.zeros(9)).replace(b"K\x09", b"K\x0a"),
    "no dtype": b"cnumpy\ndtype\n(S'O,V9'\ntR.",
}  # fmt: skip


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_do_not_go_off(kind: str) -> None:
    with pytest.raises(UserError, match=r"model\.pkl is not a whole pickle of arrays"):
        load(BOMBS[kind])


def test_a_small_file_cannot_ask_for_many_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    text, copies = bytes(2**16), 100
    dtype = b"cnumpy\ndtype\nS'u1'\n\x85Rp1\n"
    array = b"cnumpy.core.multiarray\n_reconstruct\n)R(I1\n(I65536\ntg1\nI00\ng0\ntb"
    data = b"(T" + struct.pack("<i", len(text)) + text + b"p0\n" + dtype + array * copies + b"l."
    assert len(load(data)) == 2 + copies
    monkeypatch.setattr("facegen_addon.heads.flame.safe_pickle.MAX_BYTES", copies * len(text) - 1)
    with pytest.raises(UserError, match="arrays of more than"):
        load(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for start in (b"", b"\x80\x02", b"\x80\x04"):
        try:
            load(start + data)
        except UserError as error:
            assert "\n" not in str(error)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_flipped_byte_raises_no_other_error(position: int, value: int) -> None:
    data = bytearray(FLIPPED)
    data[position % len(data)] = value
    try:
        load(bytes(data))
    except UserError as error:
        assert "\n" not in str(error)


FLIPPED = python2_flame(flame_table(np.random.default_rng(0), vertices=3, identity=1, expression=1))


def test_tensors_are_skipped_where_that_was_asked_for_and_refused_elsewhere() -> None:
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\n(S'x'\ntRtR"
    data = b"(S'a'\nI1\nS'b'\n" + tensor + b"d."
    assert load_pickle(data, FILE, skip_tensors=True) == {"a": 1, "b": None}
    with pytest.raises(UserError, match=r"asks for torch\._utils\._rebuild"):
        load(data)
