# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a landmark network as ONNX, node by node, so that equal weights give equal bytes.

Normalisations go into the convolutions before them, the learning set's scales into the last layers.
Weights are stored in half precision, which halves the file; ONNX Runtime computes in single.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from facegen_addon.arrays import Float32Array
from facegen_addon.photo.landmark_network import SIDE
from models.training.landmarks.augmentation import Standard
from models.training.landmarks.network import LATENT_SCALE, LOG_SPREADS, Block, LandmarkNet

_OPSET, _IR_VERSION = 17, 8


class _Writer:
    """Nodes and constants of a graph, in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Float32Array | float, half: bool = False) -> str:
        """A constant's name; `half`: stored in half precision."""
        name = f"constant_{len(self.constants)}"
        stored = np.asarray(value, np.float16 if half else np.float32)
        self.constants.append(numpy_helper.from_array(stored, name))
        return self.node("Cast", [name], to=TensorProto.FLOAT) if half else name

    def node(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: object) -> str:
        """Add a node; the name of its output."""
        output = output or f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def relu(self, flow: str) -> str:
        return self.node("Relu", [flow])

    def convolution(self, layers: nn.Sequential, flow: str) -> str:
        """A convolution with the normalisation behind it."""
        convolution, norm = layers
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        weight = (convolution.weight * scale[:, None, None, None]).detach().numpy()
        bias = (norm.bias - norm.running_mean * scale).detach().numpy()
        padding = convolution.padding[0]
        return self.node(
            "Conv", [flow, self.constant(weight, half=True), self.constant(bias)],
            strides=list(convolution.stride), pads=[padding] * 4,
        )  # fmt: skip

    def block(self, block: Block, flow: str) -> str:
        past = flow if block.past is None else self.convolution(block.past, flow)
        inner = self.relu(self.convolution(block.first, flow))
        return self.relu(self.node("Add", [past, self.convolution(block.second, inner)]))

    def linear(self, layer: nn.Linear, flow: str, scale: float | Float32Array = 1.0) -> str:
        weight = layer.weight.detach().numpy() * np.reshape(scale, (-1, 1))
        bias = layer.bias.detach().numpy() * scale
        inputs = [flow, self.constant(weight, half=True), self.constant(bias)]
        return self.node("Gemm", inputs, transB=1)


def write_landmark_network(
    network: LandmarkNet, standard: Standard, names: Sequence[str], path: Path
) -> None:
    """`names`: of all parameters of the head model; those that are read stand in the metadata.

    image (N, 3, SIDE, SIDE), 0 to 1, and latent (N, 512) -> points (N, K, 2), spread (N, K),
    rotation (N, 6), parameters and parameter_spread (N, Q) in the parameters' own units.
    """
    writer = _Writer()
    flow = writer.node("Mul", ["image", writer.constant(2.0)])
    flow = writer.node("Sub", [flow, writer.constant(1.0)])
    flow = writer.relu(writer.convolution(network.stem, flow))
    for block in network.blocks:
        flow = writer.block(block, flow)
    flow = writer.relu(writer.convolution(network.squeeze, flow))
    features = writer.relu(writer.linear(network.features, writer.node("Flatten", [flow])))
    latent = writer.node("Mul", ["latent", writer.constant(LATENT_SCALE)])
    who = writer.relu(writer.linear(network.of_latent, latent))
    both = writer.node("Concat", [features, who], axis=1)
    both = writer.relu(writer.linear(network.both, both))
    _heads(writer, network, standard, features, both)
    points, count = network.spread.out_features, len(standard.columns)
    graph = helper.make_graph(
        writer.nodes, "landmarks",
        [_port("image", 3, SIDE, SIDE), _port("latent", 512)],
        [
            _port("points", points, 2), _port("spread", points), _port("rotation", 6),
            _port("parameters", count), _port("parameter_spread", count),
        ],
        writer.constants,
    )  # fmt: skip
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    read = " ".join(names[column] for column in standard.columns)
    helper.set_model_props(model, {"names": read})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _heads(
    writer: _Writer, network: LandmarkNet, standard: Standard, features: str, both: str
) -> None:
    """What is said, under the names of the outputs."""
    spread: Float32Array | float = standard.spread.astype(np.float32)
    writer.node("Reshape", [writer.linear(network.points, features), _pairs(writer)], "points")
    for layer, flow, name, scale in (
        (network.spread, features, "spread", 1.0),
        (network.parameters_spread, both, "parameter_spread", spread),
    ):
        bounded = writer.node(
            "Clip",
            [writer.linear(layer, flow), *(writer.constant(x) for x in LOG_SPREADS)],
        )
        writer.node("Mul", [writer.node("Exp", [bounded]), writer.constant(scale)], name)
    writer.node("Identity", [writer.linear(network.rotation, features)], "rotation")
    values = writer.linear(network.parameters_head, both, spread)
    mean = writer.constant(standard.mean.astype(np.float32))
    writer.node("Add", [values, mean], "parameters")


def _pairs(writer: _Writer) -> str:
    name = "pairs"
    writer.constants.append(numpy_helper.from_array(np.array([0, -1, 2], np.int64), name))
    return name


def _port(name: str, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])
