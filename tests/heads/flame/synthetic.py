# SPDX-License-Identifier: GPL-3.0-or-later
"""Small random heads in FLAME's layout, and pickles of them as Python 2 with chumpy wrote them."""

import io
import pickle
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

JOINTS = 5
SPARSE_FORMS = ("csc", "csr", "coo")


def flame_table(
    rng: np.random.Generator, vertices: int = 60, identity: int = 7, expression: int = 4
) -> dict[str, NDArray[Any]]:
    """The keys of a distributed file, with random numbers of sensible sizes."""
    shares = rng.random((vertices, JOINTS)) * (rng.random((vertices, JOINTS)) > 0.4)
    shares[:, 1] += 0.1
    regressor = rng.random((JOINTS, vertices)) * (rng.random((JOINTS, vertices)) > 0.8)
    regressor[:, 0] += 0.1
    return {
        "v_template": rng.normal(0.0, 0.1, (vertices, 3)),
        "f": rng.integers(vertices, size=(2 * vertices, 3)).astype(np.uint32),
        "shapedirs": rng.normal(0.0, 2e-3, (vertices, 3, identity + expression)),
        "posedirs": rng.normal(0.0, 1e-3, (vertices, 3, 9 * (JOINTS - 1))),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "weights": shares / shares.sum(1, keepdims=True),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], range(JOINTS)], np.uint32),
        "facegen_shape_components": np.array(identity),
    }


def npz_bytes(table: Mapping[str, Any]) -> bytes:
    """A table as an .npz."""
    buffer = io.BytesIO()
    np.savez(buffer, **table)
    return buffer.getvalue()


def python2_flame(table: Mapping[str, NDArray[Any]], protocol: int = 2) -> bytes:
    """A FLAME file as distributed: bases in chumpy arrays, the regressor sparse, text besides."""
    with python2_modules() as modules:
        chumpy = modules["chumpy.ch"].Ch
        wrapped: dict[str, Any] = dict(table, bs_style="lbs", bs_type="lrotmin")
        for key in ("v_template", "shapedirs", "weights"):
            wrapped[key] = chumpy(x=table[key])
        posedirs = table["posedirs"]
        wrapped["posedirs"] = modules["chumpy.reordering"].Select(
            a=chumpy(x=posedirs.ravel()),
            idxs=np.arange(posedirs.size),
            preferred_shape=posedirs.shape,
        )
        wrapped["J_regressor"] = sparse(modules, "csc", table["J_regressor"])
        return python2_pickle(wrapped, protocol)


def sparse(modules: Mapping[str, Any], form: str, dense: NDArray[Any], module: str = "") -> Any:
    """A stand-in for a scipy matrix with the state that scipy gives it."""
    row, column = np.nonzero(dense if form != "csc" else dense.T)
    if form == "csc":
        row, column = column, row
    state: dict[str, Any] = {"_shape": dense.shape, "data": dense[row, column], "maxprint": 50}
    if form == "coo":
        state |= {"row": row.astype(np.int32), "col": column.astype(np.int32)}
    else:
        major, minor = (column, row) if form == "csc" else (row, column)
        counts = np.bincount(major, minlength=dense.shape[form == "csc"])
        state |= {
            "indices": minor.astype(np.int32),
            "indptr": np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        }
    kind = getattr(modules[module or f"scipy.sparse.{form}"], f"{form}_matrix")
    return kind(**state)


@contextmanager
def python2_modules() -> Iterator[dict[str, Any]]:
    """chumpy's and scipy's modules by name, with classes that hold state only, for pickling."""
    names = {"chumpy.ch": ["Ch"], "chumpy.reordering": ["Select"]}
    for form in SPARSE_FORMS:
        names |= {f"scipy.sparse.{p}{form}": [f"{form}_matrix"] for p in ("", "_")}
    parents = ("chumpy", "scipy", "scipy.sparse")
    modules: dict[str, Any] = {name: ModuleType(name) for name in (*parents, *names)}
    for module, classes in names.items():
        for name in classes:
            members = {"__module__": module, "__init__": _take_state}
            setattr(modules[module], name, type(name, (), members))
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield modules
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _take_state(self: Any, **state: Any) -> None:
    # chumpy keeps a set and None besides.
    self.__dict__.update(state, _dirty_vars=set(), _itr=None)


def python2_pickle(value: Any, protocol: int = 2, core: str = "numpy.core") -> bytes:
    """A pickle with Python 2's opcodes for text, and NumPy's modules as it named them."""
    buffer = io.BytesIO()
    _Python2Pickler(buffer, protocol, fix_imports=True).dump(value)
    return buffer.getvalue().replace(b"numpy._core.", b"numpy.core.").replace(
        b"numpy.core.", core.encode() + b"."
    )  # fmt: skip


class _Python2Pickler(pickle._Pickler):
    """Writes text and bytes alike as Python 2 wrote its str."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_text(self, value: Any) -> None:
        raw = value.encode("latin-1") if isinstance(value, str) else value
        if self.proto == 0:
            text = repr(raw)[1:].encode("ascii")
            self.write(pickle.STRING + text + b"\n")
        elif len(raw) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(raw)]) + raw)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_text
