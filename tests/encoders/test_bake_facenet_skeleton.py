# SPDX-License-Identifier: GPL-3.0-or-later
"""The skeleton of FaceNet's file: translated from TensorFlow's graph, cut at its weights."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facegen_addon import artifacts
from facegen_addon.encoders.facenet_builder import CARRIER, SKELETON, fill_skeleton
from models.training import bake_facenet_skeleton as baking


def graph_of(*nodes: dict[str, object]) -> bytes:
    """A frozen graph of nodes given by their fields."""
    return baking._message_class("Graph")(node=list(nodes)).SerializeToString()


def constant(**tensor: object) -> bytes:
    value = {"key": "value", "value": {"tensor": tensor}}
    return graph_of({"name": "constant", "op": "Const", "attr": [value]})


def test_the_committed_skeleton_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = artifacts.load_npz(SKELETON)
    wheel = artifacts.artifact_path("facenet").with_name(CARRIER.wheel)
    (tmp_path / "index.json").write_text("{}")
    monkeypatch.setenv("FACEGEN_MODELS", str(tmp_path))
    assert baking.main(["--wheel", str(wheel)]) == 0
    baked = artifacts.load_npz(SKELETON)
    assert list(baked) == list(committed)
    for name, array in committed.items():
        np.testing.assert_array_equal(baked[name], array)
    entry = json.loads((tmp_path / "index.json").read_text())[SKELETON]
    assert entry["recipe"] == Path(baking.__file__).name


def test_what_is_not_the_wheel_is_one_line_and_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACEGEN_MODELS", str(tmp_path))
    assert baking.main(["--wheel", str(tmp_path / "none.whl")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("bake_facenet_skeleton: ") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_graph_is_read_in_the_order_in_which_it_is_computed() -> None:
    graph = graph_of(
        {"name": "last", "op": "Relu", "input": ["middle", "^control"]},
        {"name": "middle", "op": "Relu", "input": ["first:0"]},
        {"name": "first", "op": "Placeholder"},
    )
    assert list(baking.read_graph(graph)) == ["first", "middle", "last"]


def test_constants_are_read_however_they_stand_there() -> None:
    """In a block, one by one, or one for all; a size of 0 says nothing."""
    shape = {"dim": [{"size": 2}, {"size": 2}]}
    numbers = np.arange(4, dtype="<f4").reshape(2, 2)
    for graph, expected in (
        (constant(dtype=1, shape=shape, content=numbers.tobytes()), numbers),
        (constant(dtype=1, shape=shape, floats=[0, 1, 2, 3]), numbers),
        (constant(dtype=1, shape=shape, floats=[7]), np.full((2, 2), 7, "<f4")),
        (constant(dtype=3, ints=[3]), np.array(3, "<i4")),
    ):
        (node,) = baking.read_graph(graph).values()
        assert node.values.dtype == expected.dtype
        np.testing.assert_array_equal(node.values, expected)


def test_an_operation_that_nobody_translates_is_named() -> None:
    nodes = baking.read_graph(
        graph_of({"name": "a", "op": "Softmax", "input": ["b"]}, {"name": "b"})
    )
    with pytest.raises(ValueError, match="a: operation Softmax"):
        baking._Layers({"a": nodes["a"]})


def test_a_model_is_cut_at_its_long_tensors_and_filled_again(rng: np.random.Generator) -> None:
    kernels = rng.normal(size=(3, 5, 7, 11)).astype("<f4")  # TensorFlow's: H, W, I, O
    biases = rng.normal(size=20).astype("<f4")
    ones = np.ones(20, "<f4")
    tensors = {"kernels": kernels.transpose(3, 2, 0, 1), "ones": ones, "biases": biases}
    port = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Relu", ["x"], ["y"])], "toy", [port], [port],
            [numpy_helper.from_array(values, name) for name, values in tensors.items()],
        )
    )  # fmt: skip
    graph = b"#" + biases.tobytes() + b"##" + kernels.tobytes()
    skeleton = baking.cut(model, graph)
    assert skeleton["holes"][:, 1:].tolist() == [[83, 3, 5, 7, 11], [1, 1, 1, 1, 20]]
    text = skeleton["text"].tobytes()
    assert ones.tobytes() in text and len(text) < 300
    filled = fill_skeleton(text, skeleton["holes"], graph)
    assert onnx.load_from_string(filled) == model
