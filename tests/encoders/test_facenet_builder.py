# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceNet built by the add-on itself: the registered bytes, or one line that says why not."""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from facegen_addon import artifacts
from facegen_addon.encoders import facenet_builder
from facegen_addon.encoders.protobuf import read_fields, read_varints, write_field
from facegen_addon.encoders.tensorflow_graph import read_graph
from facegen_addon.errors import UserError

BUILD = """
import sys
for banned in ("onnx", "google", "onnxruntime", "bpy", "torch"):
    sys.modules[banned] = None
from pathlib import Path
from facegen_addon.encoders.facenet_builder import build_facenet
import hashlib
print(hashlib.sha256(build_facenet(Path(sys.argv[1]))).hexdigest())
"""


@pytest.fixture
def wheel() -> Path:
    """The carrier wheel, downloaded at set-up into models/built."""
    return artifacts.artifact_path("facenet").with_name(facenet_builder.CARRIER.wheel)


def test_bytes_are_the_registered_ones_with_numpy_alone(project: Path, wheel: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", BUILD, wheel], cwd=project, capture_output=True, text=True
    )
    assert result.stdout.strip() == artifacts.artifact("facenet").sha256, result.stderr


def test_onnxs_own_checker_finds_the_model_sound(wheel: Path) -> None:
    model = onnx.load_from_string(facenet_builder.build_facenet(wheel))
    onnx.checker.check_model(model)
    assert model.opset_import[0].version == facenet_builder.OPSET


@pytest.mark.parametrize("kind", ["text", "cut", "another wheel", "missing", "folder"])
def test_what_is_not_the_wheel_is_one_line(tmp_path: Path, wheel: Path, kind: str) -> None:
    given_file = tmp_path / "given.whl"
    if kind == "text":
        given_file.write_text("not a wheel")
    elif kind == "cut":
        given_file.write_bytes(wheel.read_bytes()[:1_000_000])
    elif kind == "another wheel":
        with zipfile.ZipFile(given_file, "w") as archive:
            archive.writestr("other/__init__.py", "")
    elif kind == "folder":
        given_file.mkdir()
    with pytest.raises(UserError, match=r"given\.whl (has sha256|is missing|cannot be)") as caught:
        facenet_builder.build_facenet(given_file)
    assert "\n" not in str(caught.value) and facenet_builder.CARRIER.wheel in str(caught.value)


def test_changed_graph_in_a_wheel_is_refused(tmp_path: Path, monkeypatch) -> None:
    """The second hash: even a wheel that passes for the right one must hold the right graph."""
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(facenet_builder.CARRIER.member, b"another graph")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    carrier = replace(facenet_builder.CARRIER, wheel_sha256=digest)
    with pytest.raises(UserError, match=r"graph_final\.pb has sha256"):
        carrier.read(wheel)


# The wire format, against protobuf's own code in `onnx` -------------------------------------------


@given(st.integers(0, 2**63 - 1))
def test_numbers_are_written_as_protobuf_does(value: int) -> None:
    written = write_field(3, value)
    assert written == onnx.AttributeProto(i=value).SerializeToString()
    assert list(read_fields(memoryview(written))) == [(3, value)]


def test_tensors_and_ports_are_written_as_onnx_does(rng: np.random.Generator) -> None:
    values = rng.normal(size=(3, 2, 1, 5)).astype(np.float32)
    ours = facenet_builder._tensor("kernel", values)
    assert ours == numpy_helper.from_array(values, "kernel").SerializeToString()
    port = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, 160, 160])
    assert facenet_builder._port("images", ["N", 3, 160, 160]) == port.SerializeToString()


def test_packed_numbers_are_read() -> None:
    assert read_varints(memoryview(b"\x01\x96\x01\x00")) == [1, 150, 0]


@pytest.mark.parametrize(
    "message",
    [b"\x0a\x05abc", b"\x08\x80", b"\x0b", b"\x0d\x00\x00", b"\xff"],
    ids=["text cut", "number cut", "unknown wire type", "float cut", "tag cut"],
)
def test_truncated_messages_are_a_value_error(message: bytes) -> None:
    with pytest.raises(ValueError):
        list(read_fields(memoryview(message)))


def test_a_graph_is_read_in_the_order_in_which_it_is_computed() -> None:
    def node(name: str, *inputs: str) -> bytes:
        fields = [write_field(1, name), write_field(2, "Relu")]
        return write_field(1, b"".join([*fields, *(write_field(3, i) for i in inputs)]))

    graph = node("last", "middle", "^control") + node("middle", "first:0") + node("first")
    assert [found.name for found in read_graph(graph)] == ["first", "middle", "last"]


@pytest.mark.parametrize(
    "node",
    [write_field(3, "absent"), write_field(5, b""), write_field(5, write_field(1, "value"))],
    ids=["input", "attribute", "value"],
)
def test_a_graph_that_lacks_a_part_is_a_value_error(node: bytes) -> None:
    with pytest.raises(ValueError, match="a part is missing"):
        read_graph(write_field(1, write_field(1, "node") + node))


@pytest.mark.parametrize("value", [-1, -(2**40)])
def test_numbers_below_zero_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match="below 0"):
        write_field(1, value)
