# SPDX-License-Identifier: GPL-3.0-or-later
"""What annotations say of shapes is true of every call in the tests; here: that it is looked at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pytest

from facegen_addon.arrays import FloatArray
from facegen_addon.encoders.face_crop import face_box
from facegen_addon.errors import UserError
from facegen_addon.latent import sphere
from tests.shapes import check_class, checked


def add_columns(
    matrix: Annotated[FloatArray, "N 3"], weights: Annotated[FloatArray, "N"] | None
) -> tuple[Annotated[FloatArray, "N"], Annotated[FloatArray, "N+1"]]:
    """Two results, the second one longer."""
    total = matrix.sum(1) if weights is None else matrix.sum(1) * weights
    return total, np.append(total, [0.0] * (2 if total.sum() > 10 else 1))


add_columns = checked(add_columns, globals())


class Middle(NamedTuple):
    """A point."""

    point: Annotated[FloatArray, "3"]


@dataclass(frozen=True)
class Cloud:
    """Points and a weight each."""

    points: Annotated[FloatArray, "N 3"]
    weights: Annotated[FloatArray, "N"]

    @cached_property
    def heavy(self) -> Annotated[FloatArray, "M 3"]:
        """Flat, which is wrong."""
        return self.points.ravel()


check_class(Cloud)
check_class(Middle)


def test_shapes_that_agree_pass() -> None:
    total, longer = add_columns(np.ones((2, 3)), np.ones(2))
    assert (len(total), len(longer)) == (2, 3)
    add_columns(np.ones((2, 3)), None)
    Cloud(np.ones((4, 3)), np.ones(4))


@pytest.mark.parametrize(
    ("matrix", "weights"),
    [
        (np.ones((2, 4)), None),
        (np.ones((1, 2, 3)), None),
        (np.ones((2, 3)), np.ones(1)),
        (np.full((2, 3), 9.0), None),
    ],
    ids=["width", "axes", "letter", "result"],
)
def test_shapes_that_do_not_agree_are_named(matrix: FloatArray, weights: FloatArray | None) -> None:
    with pytest.raises(AssertionError, match="add_columns: "):
        add_columns(matrix, weights)


def test_dataclasses_tuples_and_properties_are_looked_at() -> None:
    with pytest.raises(AssertionError, match=r"Cloud.*weights is \(3,\)"):
        Cloud(np.ones((4, 3)), np.ones(3))
    with pytest.raises(AssertionError, match=r"Middle.*point is \(4,\)"):
        Middle(np.ones(4))
    with pytest.raises(AssertionError, match="heavy"):
        assert Cloud(np.ones((4, 3)), np.ones(4)).heavy.size


def test_the_library_is_watched() -> None:
    with pytest.raises(AssertionError, match="cosine_distance_matrix: b is"):
        sphere.cosine_distance_matrix(np.ones((2, 4)), np.ones(4))


def test_what_a_function_refuses_by_itself_is_its_own_affair() -> None:
    with pytest.raises(UserError):
        face_box(np.ones((68, 2)))


ROOT = Path(__file__).parents[1]
TREES = ("facegen_addon", "batch", "models/training")


def public_annotations(body: list[ast.stmt]) -> Iterator[ast.expr]:
    """Annotations of public functions, methods and fields, constructors included."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_annotations(node.body)
        elif isinstance(node, ast.AnnAssign):
            if isinstance(node.target, ast.Name) and not node.target.id.startswith("_"):
                yield node.annotation
        elif isinstance(node, ast.FunctionDef):
            if node.name.startswith("_") and not node.name.startswith("__"):
                continue
            given = node.args
            every = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
            yield from (one.annotation for one in every if one and one.annotation)
            if node.returns:
                yield node.returns


def unnamed_arrays(annotation: ast.expr) -> list[str]:
    """Types of arrays in an annotation that are spelled out: np.ndarray, NDArray[np.uint8].

    ``NDArray[T]`` of a type variable is not: no name can stand for it.
    """
    found = []
    for node in ast.walk(annotation):
        text = ast.unparse(node)
        if text in ("np.ndarray", "ndarray") or (
            isinstance(node, ast.Subscript)
            and ast.unparse(node.value) in ("NDArray", "npt.NDArray")
            and (isinstance(node.slice, ast.Attribute) or ast.unparse(node.slice) == "Any")
        ):
            found.append(text)
    return found


def spelled_out(source: str) -> list[str]:
    """``line: type`` of all arrays without a name in a module's public annotations."""
    annotations = public_annotations(ast.parse(source).body)
    return [f"{one.lineno}: {text}" for one in annotations for text in unnamed_arrays(one)]


def test_public_annotations_call_arrays_by_their_names() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{one}"
        for tree in TREES
        for path in sorted((ROOT / tree).rglob("*.py"))
        for one in spelled_out(path.read_text(encoding="utf-8"))
    ]
    assert not found, "use the names of facegen_addon/arrays.py"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(a: np.ndarray) -> None: ...", ["1: np.ndarray"]),
        ("def f() -> list[NDArray[np.uint8] | None]: ...", ["1: NDArray[np.uint8]"]),
        ("class C:\n    a: NDArray[Any]", ["2: NDArray[Any]"]),
        ("class C:\n    def __init__(self, *a: np.ndarray): ...", ["2: np.ndarray"]),
        ("def _f(a: np.ndarray) -> None: ...", []),
        ('def f(a: Annotated[FloatArray, "N"], b: NDArray[Real]) -> None: ...', []),
    ],
    ids=["argument", "result", "field", "constructor", "private", "named"],
)
def test_arrays_that_are_spelled_out_are_found(source: str, found: list[str]) -> None:
    assert spelled_out(source) == found
