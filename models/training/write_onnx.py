# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the direct network as ONNX, node by node, so that equal weights give equal bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

_OPSET, _IR_VERSION = 17, 8


def write_direct_network(network: nn.Sequential, path: Path) -> None:
    """`network` is a scale followed by linear layers with SiLU between them; latents -> z."""
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    scale = np.float32(network[0].factor)
    nodes, constants, flow = [], [], "latents"
    for i, layer in enumerate(linear):
        weight = layer.weight.detach().numpy() * (scale if i == 0 else np.float32(1))
        constants += [
            numpy_helper.from_array(weight, f"weight_{i}"),
            numpy_helper.from_array(layer.bias.detach().numpy(), f"bias_{i}"),
        ]
        last = i == len(linear) - 1
        out = "z" if last else f"linear_{i}"
        nodes.append(helper.make_node("Gemm", [flow, f"weight_{i}", f"bias_{i}"], [out], transB=1))
        if not last:
            nodes.append(helper.make_node("Sigmoid", [out], [f"gate_{i}"]))
            nodes.append(helper.make_node("Mul", [out, f"gate_{i}"], [f"hidden_{i}"]))
            flow = f"hidden_{i}"
    graph = helper.make_graph(
        nodes, "direct",
        [_port("latents", linear[0].in_features)], [_port("z", linear[-1].out_features)],
        constants,
    )  # fmt: skip
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _port(name: str, width: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])
