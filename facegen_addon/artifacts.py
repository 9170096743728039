# SPDX-License-Identifier: GPL-3.0-or-later
"""The artifacts under `models/`: found by name in `models/index.json`, read if their hash fits.

NumPy and the standard library only, so that every room may use it; ONNX Runtime is loaded by the
one function that needs it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import AnyArray
from .errors import Need, Remedy, UserError
from .impostors import describe_impostor
from .onnx_runtime import onnx_runtime
from .user_folder import user_folder

if TYPE_CHECKING:
    from .onnx_runtime import InferenceSession

CPU_PROVIDERS = ("CPUExecutionProvider",)
CUDA_PROVIDER = "CUDAExecutionProvider"

DAMAGED_ARCHIVE = (
    ValueError,
    OSError,
    EOFError,
    TypeError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and zipfile raise for a damaged archive, and for a lone .npy (TypeError)."""

USER_MODEL_PREFIX = "flame_"
"""Head models in users' own FLAME files are called this and the beginning of the file's sha256."""

# Large weights of others are built at set-up below this folder and never committed.
BUILT_FOLDER = "built"

_RESTORE = Need(Remedy.RESTORE)


@dataclass(frozen=True)
class Artifact:
    """One entry of `models/index.json`.

    `facts` holds the whole entry: licence, source, recipe, shapes and free keys such as
    "threshold".
    """

    name: str
    path: Path
    sha256: str
    facts: dict[str, Any]

    @property
    def remedy(self) -> Need:
        """The remedy when the file is missing or damaged."""
        if _is_built(self.facts):
            return Need(Remedy.BUILD_ENCODER, self.name)
        if self.path.is_relative_to(user_models()):
            return Need(Remedy.RETRAIN, _untrained_model(self.name))
        return _RESTORE

    def read(self) -> bytes:
        """The file's bytes, their sha256 checked; UserError if missing, truncated or another's."""
        data = read_file(self.path, self.remedy)
        expected = self.facts["bytes"]
        if len(data) < expected:
            raise UserError(
                f"{self.path} is truncated, {len(data)} of {expected} bytes", self.remedy
            )
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise UserError(
                f"{self.path} does not have the sha256 {self.sha256[:12]}... that"
                " models/index.json expects",
                self.remedy,
            )
        return data


def models_directory() -> Path:
    """Folder of the artifacts: environment variable FACEGEN_MODELS, else `models` of this tree.

    That is beside this package in a checkout and in Blender's extension, inside of it where pip
    installed it.
    """
    override = os.environ.get("FACEGEN_MODELS")
    if override:
        return Path(override)
    package = Path(__file__).resolve().parent
    installed = package / "models"
    return installed if installed.is_dir() else package.parent / "models"


def user_models() -> Path:
    """Folder of the user's own artifacts, and of FaceNet where the add-on built it."""
    return user_folder() / "models"


def models_folder(model: str) -> Path:
    """Folder of the artifacts of one head model: those of a user's own file with the user."""
    return user_models() if model.startswith(USER_MODEL_PREFIX) else models_directory()


def index_path(path: Path) -> Path:
    """The index that an artifact at ``path`` belongs into; UserError if it lies in no such folder.

    Symbolic links are followed.
    """
    for folder in (models_directory(), user_models()):
        if path.resolve().is_relative_to(folder.resolve()):
            return folder / "index.json"
    raise UserError(f"{path} does not lie below {models_directory()}: write the artifact there")


def read_index() -> dict[str, dict[str, Any]]:
    """`models/index.json`: artifact name -> entry. UserError if it is missing or not JSON."""
    return read_index_file(models_directory() / "index.json")


def read_index_file(path: Path) -> dict[str, dict[str, Any]]:
    """Entries of the index at ``path``."""
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise UserError(
            f"{path} is missing, or FACEGEN_MODELS points at a folder without it", _RESTORE
        ) from None
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error})", _RESTORE) from None
    if not isinstance(index, dict):
        raise UserError(f"{path} is not an index", _RESTORE)
    return index


_TRAINED = ("backward", "corrections", "influence", "ranking", "surrogate")
_UNFINISHED = ("person", "open_person")
"""Head models of FaceGen's own some of whose artifacts are yet to be made."""


def artifact(name: str) -> Artifact:
    """The entry called `name`, the project's or the user's own.

    UserError that lists the names there are if it is unknown.
    """
    index, folder = read_index(), models_directory()
    own = user_models() / "index.json"
    if name not in index and own.exists():
        index, folder = {**index, **read_index_file(own)}, own.parent
    model = _untrained_model(name)
    if name not in index and model:
        raise UserError(f"nothing has been trained for {model} yet", Need(Remedy.TRAIN, model))
    if name not in index:
        raise UserError(f"unknown artifact {name!r}: models/index.json has {', '.join(index)}")
    entry = index[name]
    missing = {"file", "sha256", "bytes", "recipe"} - entry.keys()
    if missing:
        raise UserError(f"models/index.json: {name!r} lacks {', '.join(sorted(missing))}", _RESTORE)
    path = folder / entry["file"]
    if _is_built(entry) and not path.exists() and (user_models() / entry["file"]).exists():
        path = user_models() / entry["file"]
    return Artifact(name, path, entry["sha256"], entry)


def _untrained_model(name: str) -> str:
    """The head model that an artifact would be trained for; empty if it is no such artifact."""
    of_user = "".join(name.partition(USER_MODEL_PREFIX)[1:])
    role, _, model = name.partition("_")
    return of_user or (model if role in _TRAINED and model in _UNFINISHED else "")


def _is_built(entry: dict[str, Any]) -> bool:
    """Whether each user builds this artifact: with the project, else in their own folder."""
    return bool(entry["file"].startswith(BUILT_FOLDER + "/"))


def artifact_path(name: str) -> Path:
    """Path of the artifact called `name`, whether or not the file is there yet."""
    return artifact(name).path


def load_npz(name: str) -> dict[str, AnyArray]:
    """The arrays of the registered `.npz` called `name`, its hash checked."""
    entry = artifact(name)
    return parse_npz(entry.read(), entry.path, entry.remedy)


def read_npz(path: Path | str) -> dict[str, AnyArray]:
    """The arrays of a user's own `.npz`; UserError if missing, truncated, pickled or not finite."""
    path = Path(path)
    remedy = "give another file, or make this one again"
    arrays = parse_npz(read_file(path, remedy), path, remedy)
    for key, array in arrays.items():
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            raise UserError(f"{path}: array {key!r} holds NaN or infinite values: {remedy}")
    return arrays


def load_onnx(
    name: str, *, threads: int = 0, providers: Iterable[str] = CPU_PROVIDERS
) -> InferenceSession:
    """A session on the registered `.onnx` called `name`, its hash checked."""
    entry = artifact(name)
    return open_onnx(entry.read(), entry.path, threads=threads, providers=providers)


def open_onnx(
    data: bytes, path: Path, *, threads: int = 0, providers: Iterable[str] = CPU_PROVIDERS
) -> InferenceSession:
    """A session on a model's bytes; `path` is named in errors, 0 threads means one per core."""
    # Loaded here: the rooms without ONNX Runtime use this module too.
    runtime, wanted = onnx_runtime(), list(providers)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Threads that wait asleep: beside a renderer this takes half the time of waiting awake.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session: InferenceSession = runtime.InferenceSession(data, options, providers=wanted)
    # ONNX Runtime raises a dozen unrelated types for a damaged file, all below Exception.
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} is not a usable ONNX model ({reason}): give another file, or make this one"
            " again"
        ) from None
    # Where a driver or a library is missing, it would go on on the CPU without a word.
    if wanted[0] not in session.get_providers():
        raise UserError(
            f"ONNX Runtime has {wanted[0]}, but it does not start: its driver, CUDA or cuDNN is"
            " missing or of another version; put that right, or choose the device cpu"
        )
    return session


def providers_of(device: str) -> tuple[str, ...]:
    """What ONNX Runtime is to run on: "cpu" or "cuda"; UserError if it is not available."""
    if device == "cpu":
        return CPU_PROVIDERS
    if device != "cuda":
        raise UserError(f"unknown encoder device {device!r}: choose cpu or cuda")
    runtime = onnx_runtime()
    if CUDA_PROVIDER not in runtime.get_available_providers():
        raise UserError(
            "encoder device 'cuda' is not available: install onnxruntime-gpu, or choose cpu"
        )
    if hasattr(runtime, "preload_dlls"):  # CUDA as packages of pip, where it is there so
        runtime.preload_dlls()
    return (CUDA_PROVIDER, *CPU_PROVIDERS)


def read_file(path: Path, remedy: str | Need) -> bytes:
    """A file's bytes; UserError with this remedy if it is missing or cannot be read.

    A page or a pointer that was saved in the file's place is called that, with its own remedy.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError.with_remedy(f"{path} is missing", remedy) from None
    except OSError as error:
        raise UserError.with_remedy(f"{path} cannot be read ({error.strerror})", remedy) from None
    impostor = describe_impostor(data)
    if impostor:
        raise UserError(f"{path} is {impostor}")
    return data


def parse_npz(data: bytes, path: Path, remedy: str | Need) -> dict[str, AnyArray]:
    """The arrays in an `.npz`'s bytes; UserError with this remedy if damaged or pickled."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except DAMAGED_ARCHIVE:
        fault = f"{path} is not a whole .npz file of plain arrays"
        raise UserError.with_remedy(fault, remedy) from None
