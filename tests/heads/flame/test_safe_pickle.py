# SPDX-License-Identifier: GPL-3.0-or-later
"""Pickles of arrays are read as they are; whatever else a pickle asks for does not happen."""

import builtins
import contextlib
import copyreg
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
from facegen_addon.heads.flame import safe_pickle
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
        (b"S'os.system'\n(S'touch done'\ntR.", "'str' object is not callable"),
        (b"\x80\x02S'os.system'\n(S'touch done'\nt\x81.", "'str' object is not callable"),
        (b"cnumpy\ndtype\n(S'f8'\ntR(tR.", "'_Dtype' object is not callable"),
        (b"\x80\x05\x97.", "out-of-band"),
    ],
)  # fmt: skip
def test_every_opcode_that_calls_is_refused(
    data: bytes, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=name):
        load(data)
    assert not Path("done").exists()


def test_what_other_code_registered_by_number_is_refused() -> None:
    copyreg.add_extension("os", "getpid", 1)
    try:
        assert pickle.loads(b"\x82\x01.") is os.getpid  # from now on in the process's cache
        with pytest.raises(UserError, match="an object from outside the file"):
            load(b"\x82\x01)R.")
    finally:
        copyreg.remove_extension("os", "getpid", 1)


NAMED = sorted(safe_pickle.NAMES)


@pytest.mark.parametrize("name", NAMED)
def test_a_file_sets_no_attribute_of_the_reader(name: tuple[str, str]) -> None:
    module, function = name
    target = f"c{module}\n{function}\n".encode()
    slots = target + b"(N}S'__defaults__'\n)stb."  # BUILD with a state of slots
    for data in (slots, target + b"}S'state'\nI1\nsb.", target + b"(S'f8'\nto)b."):
        before = vars(safe_pickle.NAMES[name]).copy()
        with pytest.raises(UserError):
            load(data)
        assert vars(safe_pickle.NAMES[name]) == before
        assert getattr(safe_pickle.NAMES[name], "__defaults__", None) != ()


def _sparse_of(form: str = "coo", **state: Any) -> bytes:
    one, zero = np.ones(1), np.zeros(1, int)
    state = {"_shape": (1, 1), "data": one, "row": zero, "col": zero, "indices": zero, **state}
    with python2_modules() as modules:
        matrix = getattr(modules[f"scipy.sparse.{form}"], f"{form}_matrix")(**state)
        return python2_pickle(matrix)


# Whose five differences sum to 1, all but the last 2**62: so many columns has each of five rows.
_WRAPPED = np.array([0, 1, 2, 3, 4], np.int64) << 62
_WRAPPED = np.append(_WRAPPED, 1)


def _python2_object(name: str, state: bytes) -> bytes:
    """An object of class `name`, whose state is an opcode program."""
    return b"\x80\x02c" + name.replace(" ", "\n").encode() + b"\n)\x81" + state + b"b."


_HUGE = struct.pack("<Q", 2**60)
# A tuple of twice the one before, 60 times; a list of a thousand times the one before, four times.
_DOUBLED = b")" + b"2\x86" * 60
_THOUSANDS = b"]" + (b"q\x010(" + b"h\x01" * 1000 + b"l") * 4
_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n)R"
BOMBS = {
    "a string that is not there": b"\x80\x04\x8e" + _HUGE + b"x.",
    "a bytearray that is not there": b"\x80\x05\x96" + _HUGE + b"x.",
    "a memo of four thousand million": b"Nr\xff\xff\xff\xffh\x01.",
    "lists in lists": b"]" * 100_000 + b"a" * 99_999 + b"0.",
    "tuples in tuples as a key": b"}" + b")" + b"\x85" * 1_000_000 + b"Ns.",
    "tuples in tuples": b")" + b"\x85" * 100_000 + b".",
    "a list that holds itself": b"]q\x00h\x00a.",
    "a huge sparse matrix": _sparse_of(_shape=(10**6, 10**6)),
    "a sparse matrix with an index beyond": _sparse_of(_shape=(0, 0)),
    "a sparse matrix of long texts": _sparse_of(_shape=(99, 99), data=np.array(["a" * 9999])),
    "sparse rows of 2**62 columns": _sparse_of("csr", _shape=(5, 5), indptr=_WRAPPED),
    "sparse columns that descend": _sparse_of("csc", _shape=(2, 2), indptr=np.array([0, 2, 1])),
    "a tuple doubled as a key": b"}" + _DOUBLED + b"Ns.",
    "a tuple doubled as a table's key": b"(" + _DOUBLED + b"Nd.",
    "a tuple doubled in a set": b"\x80\x04\x8f(" + _DOUBLED + b"\x90.",
    "a tuple doubled in a frozen set": b"\x80\x04(" + _DOUBLED + b"\x91.",
    "a tuple doubled as a shape": _ARRAY + b"(I1\n" + _DOUBLED + b"NI00\nS''\ntb.",
    "a tuple doubled as a dtype": b"cnumpy\ndtype\n(" + _DOUBLED + b"tR.",
    "a tuple doubled as an encoding": b"c_codecs\nencode\n(Va\n" + _DOUBLED + b"tR.",
    "lists of a thousand lists": _THOUSANDS + b".",
    "chumpy of lists": _python2_object("chumpy.ch Ch", b"}S'x'\n" + _THOUSANDS + b"s"),
    "chumpy of texts": _python2_object("chumpy.ch Ch", b"}S'x'\n(S'ab'\nS'c'\nls"),
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


# Programs that leave one value each on the stack, and those made of others.
LEAVES = [
    *(f"c{module}\n{name}\n".encode() for module, name in NAMED),
    b"N", b"I0\n", b"I3\n", b"K\x01", b"G\0\0\0\0\0\0\0\0", b"C\x08\0\0\0\0\0\0\xf0\x3f",
    b"S'f8'\n", b"S'<'\n", b"S'x'\n", b"S'C'\n", b"Vlatin1\n",
    b"\x8f", b"}", b"]", b")", b"h\0", b"I1\nQ", b"\x97",
]  # fmt: skip
MAKE = [
    b"(%sl", b"(%st", b"(%sd", b"(%s\x91", b"}(%su", b"\x8f(%s\x90", b"](%se",  # containers
    b"(%so", b"c_codecs\nencode\n(%stR", b"cnumpy\ndtype\n(%stR",  # calls
    b"cchumpy.ch\nCh\n)R}(S'x'\n%sub", b"(%s0", b"%s2\x86", b"%s\x85", b"%sq\0", b"%s\x98",
]  # fmt: skip
CALL = [b"%s%sR", b"%s%s\x85R", b"%s%s\x81", b"%s%sb", b"%s%sa", b"%sN%ss", b"(%s%st", b"(%s%so"]
PROGRAMS = st.recursive(
    st.sampled_from(LEAVES),
    lambda programs: st.one_of(
        st.builds(
            lambda form, parts: form.replace(b"%s", b"".join(parts)),
            st.sampled_from(MAKE),
            st.lists(programs, max_size=5),
        ),
        st.builds(
            lambda form, first, second: form % (first, second),
            st.sampled_from(CALL), programs, programs,
        ),
    ),
    max_leaves=30,
)  # fmt: skip


@given(PROGRAMS)
def test_any_program_of_opcodes_ends_in_plain_values_or_is_refused(program: bytes) -> None:
    before = {name: dict(vars(builder)) for name, builder in safe_pickle.NAMES.items()}
    with contextlib.suppress(UserError):
        _assert_plain(load(b"\x80\x05" + program + b"."))
    assert {name: dict(vars(builder)) for name, builder in safe_pickle.NAMES.items()} == before


def _assert_plain(value: Any) -> None:
    if type(value) is dict:
        value = [part for pair in value.items() for part in pair]
    if type(value) in (list, tuple):
        for part in value:
            _assert_plain(part)
    else:
        kinds = (str, bytes, int, float, bool, type(None), np.dtype, np.ndarray, np.generic)
        assert isinstance(value, kinds)


FLIPPED = python2_flame(flame_table(np.random.default_rng(0), vertices=3, identity=1, expression=1))


def test_tensors_are_skipped_where_that_was_asked_for_and_refused_elsewhere() -> None:
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\n(S'x'\ntRtR"
    data = b"(S'a'\nI1\nS'b'\n" + tensor + b"d."
    assert load_pickle(data, FILE, skip_tensors=True) == {"a": 1, "b": None}
    with pytest.raises(UserError, match=r"asks for torch\._utils\._rebuild"):
        load(data)
