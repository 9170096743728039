# SPDX-License-Identifier: GPL-3.0-or-later
"""A frozen TensorFlow graph (GraphDef) as plain data, read without TensorFlow."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .protobuf import Value, read_fields, read_varints

_DTYPES = {1: np.dtype("<f4"), 3: np.dtype("<i4")}


@dataclass
class Node:
    """One operation: what it reads, and the attributes that an inference graph needs.

    numbers: the attributes that are lists of whole numbers or one float; text: those of bytes.
    """

    name: str = ""
    op: str = ""
    inputs: list[str] = field(default_factory=list)
    lists: dict[str, list[int]] = field(default_factory=dict)
    floats: dict[str, float] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)
    value: NDArray[np.generic] | None = None  # of a Const


def read_graph(data: bytes) -> list[Node]:
    """The nodes of a GraphDef, each after those that it reads; the output comes last.

    ValueError if the bytes are none.
    """
    nodes = {}
    try:
        for number, value in read_fields(memoryview(data)):
            if number == 1:
                node = _read_node(_message(value))
                nodes[node.name] = node
        sorter = graphlib.TopologicalSorter({name: node.inputs for name, node in nodes.items()})
        return [nodes[name] for name in sorter.static_order()]
    except LookupError as error:
        raise ValueError(f"a part is missing: {error}") from None


def _read_node(message: memoryview) -> Node:
    node = Node()
    for number, value in read_fields(message):
        if number == 1:
            node.name = _text(value)
        elif number == 2:
            node.op = _text(value)
        elif number == 3 and not _text(value).startswith("^"):  # ^: to be run before, not read
            node.inputs.append(_text(value).split(":")[0])
        elif number == 5:
            _read_attribute(node, dict(read_fields(_message(value))))
    return node


def _read_attribute(node: Node, entry: dict[int, Value]) -> None:
    """Enter one key and its value, of the kinds that Node has a place for."""
    key = _text(entry[1])
    for number, value in read_fields(_message(entry[2])):
        if number == 1:
            node.lists[key] = list(_repeated(_message(value), 3))
        elif number == 2:
            node.text[key] = _text(value)
        elif number == 4:
            node.floats[key] = float(np.frombuffer(_message(value), "<f4")[0])
        elif number == 8:
            node.value = _read_tensor(_message(value))


def _read_tensor(message: memoryview) -> NDArray[np.generic]:
    """A TensorProto: its values stand in a block of bytes, or one by one, or one for all."""
    fields = dict(read_fields(message))
    dtype = _DTYPES[_number(fields[1])]
    shape = _read_shape(_message(fields[2])) if 2 in fields else []
    if 4 in fields:
        return np.frombuffer(_message(fields[4]), dtype).reshape(shape)
    if dtype.kind == "f":
        chunks = [_message(value) for number, value in read_fields(message) if number == 5]
        values = np.frombuffer(b"".join(chunks), dtype)
    else:
        values = np.array(list(_repeated(message, 7)), dtype)
    return np.full(shape, values[0]) if values.size == 1 else values.reshape(shape)


def _read_shape(message: memoryview) -> list[int]:
    """The sizes in a TensorShapeProto; a dimension of size 0 stands there empty."""
    dimensions = [_message(value) for number, value in read_fields(message) if number == 2]
    return [_number(dict(read_fields(dimension)).get(1, 0)) for dimension in dimensions]


def _repeated(message: memoryview, wanted: int) -> Iterator[int]:
    """A repeated whole-number field, packed or not."""
    for number, value in read_fields(message):
        if number == wanted:
            yield from [value] if isinstance(value, int) else read_varints(value)


def _message(value: Value) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message is expected")
    return value


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise ValueError("a message where a number is expected")
    return value


def _text(value: Value) -> str:
    return bytes(_message(value)).decode("utf-8", "replace")
