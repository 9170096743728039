# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of slider values: the authoring parameters of N heads by name.

``.npz``: ``names`` (P,), ``parameters`` (N, P) and ``model``, as `generate` writes them; or
``parameters`` alone in the table's order; or one key a name, (N,) each. ``.json``: ``{"model": ...,
"heads": [{name: value, ...}, ...]}``. Names left out stand at the table's mean.
``wear``, in either, is what each head wears, as `outfit_text` says it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ...arrays import FloatArray
from ...artifacts import read_file, read_npz
from ...atomic_file import replacing
from ...errors import UserError
from ..head_model import HeadModel
from ..parameters import ParameterTable
from ..wear.outfit import Outfit
from ..wear.outfit_text import outfit_text, read_outfit

SUFFIXES = (".npz", ".json")
RUN_FILE = "heads.npz"
"""The slider file in the folder that `generate` makes."""

_REMEDY = "give a file that import-flame or generate wrote"


@dataclass(frozen=True)
class SliderFile:
    """Content of a slider file: the model's name, if given, and columns by name or all (N, P).

    wear: what each of N heads wears, as text; None where the file does not say it.
    """

    path: Path
    model: str | None
    content: Mapping[str, Any] | Annotated[FloatArray, "N P"]
    wear: tuple[str, ...] | None = None

    def outfits(self, count: int) -> list[Outfit] | None:
        """What each of ``count`` heads wears; None where the file does not say it.

        UserError names the file if it says so of another number of heads, or of unknown things.
        """
        if self.wear is None:
            return None
        if len(self.wear) != count:
            raise UserError(
                f"{self.path}: wear has {len(self.wear)} values for {count} heads; give one a head"
            )
        try:
            return [read_outfit(text) for text in self.wear]
        except UserError as error:
            raise error.within(f"{self.path}: wear") from None

    def rows(self, table: ParameterTable) -> Annotated[FloatArray, "N P"]:
        """The values of a model's table (N, P), checked; UserError names file and parameter."""
        try:
            if isinstance(self.content, Mapping):
                return table.validate(self._placed(table, self.content))
            return table.validate(self.content)
        except UserError as error:
            raise error.within(str(self.path)) from None

    def _placed(self, table: ParameterTable, columns: Mapping[str, Any]) -> FloatArray:
        arrays = {name: _column(value, name) for name, value in columns.items()}
        counts = {len(array) for array in arrays.values()}
        if len(counts) != 1 or 0 in counts:
            raise UserError(
                f"the names have {' and '.join(map(str, sorted(counts))) or 'no'} values; expected"
                " one a head for every name"
            )
        rows = np.tile(table.default(), (counts.pop(), 1))
        for name, array in arrays.items():
            rows[:, table.index(name)] = array
        return rows


def read_slider_file(path: Path) -> SliderFile:
    """Read a slider file, or the folder of a `generate` run; UserError if it is neither."""
    path = Path(path)
    if os.path.isdir(path):  # False, too, where the disk or its rights say no
        path = path / RUN_FILE
    if path.suffix == ".json":
        return _from_json(path)
    arrays = read_npz(path)
    model = str(arrays.pop("model")) if "model" in arrays else None
    wear = _texts(np.atleast_1d(arrays.pop("wear")).tolist()) if "wear" in arrays else None
    if "parameters" not in arrays:
        return SliderFile(path, model, arrays, wear)
    if "names" not in arrays:
        return SliderFile(path, model, _matrix(arrays["parameters"], path), wear)
    values = _matrix(arrays["parameters"], path)
    names = [str(name) for name in np.atleast_1d(arrays["names"])]
    if len(names) != values.shape[1]:
        raise UserError(
            f"{path} has {len(names)} names for {values.shape[1]} parameters: {_REMEDY}"
        )
    return SliderFile(path, model, dict(zip(names, values.T, strict=True)), wear)


def write_slider_file(
    path: Path,
    model: HeadModel,
    values: Annotated[FloatArray, "N P"],
    wear: Sequence[Outfit] | None = None,
    **notes: Any,
) -> None:
    """Write the slider values (N, P) of a model to a .npz or .json file, complete or not at all.

    ``wear``: what each head wears, if that is to be kept. ``notes``, plain data, go into a
    .json beside the values; readers of sliders pass over them.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path} does not end in {' or '.join(SUFFIXES)}; name such a file")
    names = model.table.names
    worn = {} if wear is None else {"wear": [outfit_text(outfit) for outfit in wear]}
    with replacing(path) as partial:
        if path.suffix == ".npz":
            np.savez(
                partial,
                names=np.array(names),
                parameters=values,
                model=np.array(model.name),
                **worn,
            )
        else:
            heads = [dict(zip(names, row, strict=True)) for row in values.tolist()]
            text = json.dumps({"model": model.name, "heads": heads, **worn, **notes}, indent=1)
            partial.write_text(text + "\n", encoding="utf-8")


def _from_json(path: Path) -> SliderFile:
    try:
        content = json.loads(read_file(path, _REMEDY))
        heads = content["heads"]
        columns = {name: [head[name] for head in heads] for name in heads[0]}
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        raise UserError(
            f"{path} is not a slider file, {{'model': ..., 'heads': [{{name: value}}]}} with the"
            f" same names for every head: {_REMEDY}"
        ) from None
    model = content.get("model")
    wear = content.get("wear")
    worn = None if wear is None else _texts(wear if isinstance(wear, list) else [wear])
    return SliderFile(path, str(model) if model else None, columns, worn)


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, values))


def _matrix(values: Any, path: Path) -> FloatArray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2) or not array.size:
        raise UserError(
            f"{path}: parameters is of type {array.dtype} and shape {array.shape}; expected numbers"
            " (N, P)"
        )
    return np.atleast_2d(array.astype(np.float64))


def _column(value: Any, name: str) -> FloatArray:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or array.ndim > 1:
        raise UserError(
            f"{name!r} is of type {array.dtype} and shape {array.shape}; expected one number a head"
        )
    return np.atleast_1d(array.astype(np.float64))
