# SPDX-License-Identifier: GPL-3.0-or-later
"""Tensors are read as they were saved, without torch; what lies about them is refused."""

import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegen_addon.errors import UserError
from facegen_addon.heads.exchange.parameter_files.containers import parse
from tests.heads.exchange.parameter_files.torch_bytes import (
    STORAGES,
    Storage,
    Tensor,
    archive,
    legacy,
    pickled,
    tensor,
)

FILE = Path("a.pt")
FORMS: dict[str, Callable] = {"archive": archive, "legacy": legacy, "pickle": pickled}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", STORAGES)
def test_tensors_come_back(form: str, dtype: str, rng: np.random.Generator) -> None:
    array = (9 * rng.random((3, 4))).astype(dtype)
    content = {"a": tensor(array, "0"), "n": {"b": tensor(array[0], "1")}, "x": [1, "text"]}
    found = parse(FORMS[form](content), FILE)
    assert found["a"].dtype == array.dtype and found["x"] == [1, "text"]
    np.testing.assert_array_equal(found["a"], array)
    np.testing.assert_array_equal(found["n"]["b"], array[0])


@pytest.mark.parametrize("form", FORMS)
def test_views_of_one_storage(form: str) -> None:
    numbers = Storage(np.arange(12, dtype=np.float32), "0")
    views = {
        "transposed": Tensor(numbers, (4, 3), (1, 4)),
        "row": Tensor(numbers, (4,), (1,), 8),
        "number": Tensor(numbers, (), (), 5),
        "nothing": Tensor(numbers, (0, 7), (7, 1)),
    }
    found = parse(FORMS[form](views), FILE)
    np.testing.assert_array_equal(found["transposed"], np.arange(12).reshape(3, 4).T)
    np.testing.assert_array_equal(found["row"], np.arange(8, 12))
    assert found["number"] == 5 and found["nothing"].shape == (0, 7)


@pytest.mark.torch
@pytest.mark.parametrize("zipped", [False, True])
def test_torch_itself_agrees(rng: np.random.Generator, tmp_path: Path, zipped: bool) -> None:
    torch = pytest.importorskip("torch", reason="torch is in the training environment only")
    whole = torch.tensor(rng.random((5, 6)).astype(np.float32))
    tensors = {"a": whole, "t": whole.T[1:3], "p": torch.nn.Parameter(whole), "h": whole.half()}
    torch.save(tensors, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    for data in ((tmp_path / "a.pt").read_bytes(), pickle.dumps(tensors)):
        found = parse(data, FILE)
        for key, value in tensors.items():
            np.testing.assert_array_equal(found[key], value.detach().numpy())


_FEW = Storage(np.arange(4, dtype=np.float32), "0")
LIES = {
    "beyond the end": Tensor(_FEW, (5,), (1,)),
    "an offset beyond": Tensor(_FEW, (1,), (1,), 4),
    "a stride beyond": Tensor(_FEW, (2,), (4,)),
    "a negative offset": Tensor(_FEW, (2,), (1,), -2),
    "a negative stride": Tensor(_FEW, (2,), (-1,), 3),
    "strides that repeat": Tensor(_FEW, (10**9,), (0,)),
    "fewer strides": Tensor(_FEW, (2, 2), (1,)),
    "no numbers": Tensor("storage", (2,), (1,)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lie", LIES)
def test_a_tensor_that_is_none(form: str, lie: str) -> None:
    content = {"shape": LIES[lie], "exp": tensor(np.ones(4, np.float32))}
    with pytest.raises(UserError, match=r"a\.pt: torch tensors need torch.*\.cpu\(\)\.numpy\(\)"):
        parse(FORMS[form](content), FILE)


_DOUBLED = b")" + b"2\x86" * 60  # a tuple of twice the one before, 60 times


def test_a_storage_without_a_name() -> None:
    whole = legacy({"a": tensor(np.ones(3, np.float32))})
    keys = pickle.dumps(["0"], 2)
    data = whole.replace(keys, b"\x80\x02(" + _DOUBLED + b"l.")
    assert data != whole
    with pytest.raises(UserError, match="torch tensors need torch"):
        parse(data, FILE)


def test_files_within_files_within_files() -> None:
    named = b"ctorch.storage\n_load_from_bytes\n"
    data = b"\x80\x02N."
    for _ in range(6):  # each asks a thousand times for the one before
        inner = legacy(None).replace(b"\x80\x02N.", data)
        asked = b"c_codecs\nencode\n(X" + struct.pack("<I", len(inner)) + inner
        data = b"\x80\x02(" + asked + b"Vlatin1\ntRq\x00" + (named + b"h\x00\x85R") * 1000 + b"l."
    with pytest.raises(UserError, match="torch tensors need torch"):
        parse(data, FILE)


def test_an_archive_is_unpacked_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {key: tensor(np.zeros(1000), key) for key in "ab"}
    monkeypatch.setattr("facegen_addon.heads.exchange.parameter_files.torch_file.MAX_BYTES", 9000)
    assert parse(archive({"a": arrays["a"], "again": arrays["a"]}), FILE)["again"].shape == (1000,)
    with pytest.raises(UserError, match="torch tensors need torch"):
        parse(archive(arrays), FILE)


def test_numbers_of_another_machine() -> None:
    with pytest.raises(UserError, match="torch tensors need torch"):
        parse(archive({"a": tensor(np.ones(3, np.float32))}, b"big"), FILE)


_WHOLE = {form: make({"a": tensor(np.arange(6, dtype=np.float32))}) for form, make in FORMS.items()}


@given(form=st.sampled_from(list(FORMS)), position=st.integers(0, 2000), value=st.integers(0, 255))
def test_a_flipped_byte_raises_no_other_error(form: str, position: int, value: int) -> None:
    data = bytearray(_WHOLE[form])
    data[position % len(data)] = value
    try:
        parse(bytes(data), FILE)
    except UserError as error:
        assert "\n" not in str(error)


@given(form=st.sampled_from(list(FORMS)), length=st.integers(0, 2000))
def test_a_truncated_file_raises_no_other_error(form: str, length: int) -> None:
    data = _WHOLE[form][: length % len(_WHOLE[form])]
    with pytest.raises(UserError):
        parse(data, FILE)
