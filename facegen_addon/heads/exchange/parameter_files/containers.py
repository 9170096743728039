# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens parameter files of any kind, told by the first bytes: they hold tables or one array."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....artifacts import DAMAGED_ARCHIVE, parse_npz, read_file
from ....errors import UserError
from .mat_file import HDF5, is_mat, parse_mat
from .text import decoded, is_json, parse_json, parse_table
from .torch_file import load_archive, load_pickled, pickle_in

REMEDY = (
    "give a parameter file of DECA, EMOCA, MICA, metrical-tracker, Pixel3DMM, VHAP, SMIRK,"
    " flame-head-tracker, IMavatar or smplx's names"
)
NO_TENSORS = (
    "torch tensors need torch to be read; save the file again with each as .detach().cpu().numpy()"
)
_KINDS = "no .npz, .npy, .json or .pkl file, nor one of torch or MATLAB, nor a table of numbers"


def read_content(path: Path) -> Any:
    """The content of a file: a mapping, a list of them, or one array. UserError if it has none."""
    return parse(read_file(path, REMEDY), path)


def parse(data: bytes, path: Path) -> Any:
    """The content of a file's bytes; `path` is named in errors."""
    if not data:
        raise UserError(f"{path} is empty: {REMEDY}")
    if data.startswith(b"PK"):
        return _parse_archive(data, path)
    if data.startswith(b"\x93NUMPY"):
        return _parse_npy(data, path)
    if is_mat(data):
        return parse_mat(data, path)
    if HDF5 in data[:1024]:
        raise UserError(f"{path} is an HDF5 file: save its arrays as .npz; {REMEDY}")
    if data.startswith(b"\x80") or path.suffix in (".pkl", ".pickle"):
        return _parse_pickle(data, path)
    return _parse_text(data, path)


def _parse_text(data: bytes, path: Path) -> Any:
    text = decoded(data)
    if text is not None and is_json(text):
        return parse_json(text, path, REMEDY)
    table = None if text is None else parse_table(text, path)
    if table is None:
        raise UserError(f"{path} is {_KINDS}: {REMEDY}")
    return table


def _parse_archive(data: bytes, path: Path) -> Any:
    """The content of a .npz file, or of one by torch.save since torch 1.6."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if pickle_in(archive):
                return _tensors_reported(lambda: load_archive(archive, path), data, path)
            objects = _object_arrays(archive, path)
    except DAMAGED_ARCHIVE:
        objects = {}  # said by the reader of .npz files
    if objects:
        return objects
    return parse_npz(data, path, REMEDY)


def _object_arrays(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    """The members of a .npz file, if one of them is pickled; else nothing."""
    members = {name: archive.read(name) for name in archive.namelist() if name.endswith(".npy")}
    if not any(_is_pickled(data) for data in members.values()):
        return {}
    return {name.removesuffix(".npy"): _parse_npy(data, path) for name, data in members.items()}


def _is_pickled(data: bytes) -> bool:
    return _header_and_rest(data)[0].hasobject


def _header_and_rest(data: bytes) -> tuple[np.dtype[Any], bytes]:
    """The type of the numbers in a .npy file's bytes, and what follows the header."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        header = np.lib.format.read_array_header_2_0
    dtype: np.dtype[Any] = header(stream)[2]
    return dtype, stream.read()


def _parse_npy(data: bytes, path: Path) -> Any:
    """The array of a .npy file; or, from numpy.save of a dictionary, that dictionary."""
    try:
        dtype, rest = _header_and_rest(data)
        if dtype.hasobject:
            content = _parse_pickle(rest, path)
            return content.item() if np.size(content) == 1 else content
        return np.load(io.BytesIO(data), allow_pickle=False)
    except DAMAGED_ARCHIVE:
        raise UserError(f"{path} is not a whole .npy file: {REMEDY}") from None


def _parse_pickle(data: bytes, path: Path) -> Any:
    return _tensors_reported(lambda: load_pickled(data, path), data, path)


def _tensors_reported(load: Any, data: bytes, path: Path) -> Any:
    """Call `load`; its UserError becomes one with a remedy if only torch can read the tensors."""
    try:
        return load()
    except UserError:
        if b"torch" not in data:
            raise
        raise UserError(f"{path}: {NO_TENSORS}") from None


def lone_array(content: Mapping[Any, Any]) -> Any:
    """The array of a file that numpy.savez made of one without a name; None for other tables."""
    return content["arr_0"] if list(content) == ["arr_0"] else None
