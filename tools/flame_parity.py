# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceGen's FLAME against the smplx package's on the same file, as a Markdown table.

    .venv-recipes/bin/python -m tools.flame_parity                 the models there are
    .venv-recipes/bin/python -m tools.flame_parity flame2023.pkl   others

Each file is written anew with 300 + 100 components, because smplx reads only 10 + 10 of a file with
fewer; those that a file lacks are random, 0.1 mm a standard deviation. Both then read that file.
"""

import argparse
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import smplx
import torch
from numpy.typing import NDArray

from facegen_addon.arrays import Float32Array, FloatArray
from facegen_addon.artifacts import models_directory
from facegen_addon.heads.flame.file import FlameArrays, from_arrays, read_flame_file
from facegen_addon.heads.flame.model import POSES, Flame, FlameMesh, FlameParameters
from facegen_addon.heads.flame.safe_pickle import load_pickle
from facegen_addon.terminal.process import run_process

IDENTITY, EXPRESSION = 300, 100  # fixed in smplx
SUBSET = Path("flame", "flame2023open_60id_f32.npz")


def main() -> int:
    """Compare every model and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--vectors", type=int, default=500)
    options = parser.parse_args()
    print("| model | vertices | vectors | largest vertex error, m | largest joint error, m |")
    print("|---|---|---|---|---|")
    for path in options.files or default_files():
        with tempfile.TemporaryDirectory() as folder:
            pair = Pair(read_flame_file(path), Path(folder))
        vertices, joints = pair.errors(pair.random(np.random.default_rng(0), options.vectors))
        count = len(pair.ours.arrays.template)
        print(f"| {path.stem} | {count:,} | {options.vectors} | {vertices:.1e} | {joints:.1e} |")
    return 0


def default_files() -> list[Path]:
    """The committed open head and the real FLAME subset, where they are."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    subset = Path(os.environ.get("FACEGEN_SHARED", beside)) / "data" / SUBSET
    return [path for path in (models_directory() / "open_flame.npz", subset) if path.exists()]


class Pair:
    """Our FLAME and smplx's, both read from one padded file."""

    def __init__(self, arrays: FlameArrays, folder: Path) -> None:
        """Write the padded file into an empty folder and read it twice."""
        path = folder / "FLAME_NEUTRAL.pkl"
        path.write_bytes(pickle.dumps(padded(arrays), protocol=2))
        table = load_pickle(path.read_bytes(), path)  # as read_flame_file does, but not cached
        landmark = {"lmk_face_idx": np.zeros(1, np.int64), "lmk_b_coords": np.eye(1, 3)}
        (folder / "flame_static_embedding.pkl").write_bytes(pickle.dumps(landmark))
        self.ours = Flame(from_arrays(table, arrays.name, arrays.sha256, str(path)))
        self._theirs = smplx.FLAME(
            str(folder), num_betas=IDENTITY, num_expression_coeffs=EXPRESSION
        )

    def random(self, rng: np.random.Generator, count: int) -> FlameParameters:
        """Heads with all components, turns of all joints, and places."""
        values = {
            "betas": rng.standard_normal((count, IDENTITY)),
            "expression": rng.standard_normal((count, EXPRESSION)),
            "transl": rng.uniform(-0.5, 0.5, (count, 3)),
        }
        poses = {name: rng.normal(0.0, 0.4, (count, 3)) for name in POSES}
        return FlameParameters.from_mapping(values | poses, self.ours.arrays)

    def theirs(self, tensors: dict[str, torch.Tensor]) -> Any:
        """smplx's output for N heads, without gradients, as in use."""
        with torch.no_grad():
            return self._theirs(**tensors)

    def errors(self, parameters: FlameParameters) -> tuple[float, float]:
        """Largest distance of a vertex and of a joint, metres."""
        ours = self.ours.forward(parameters)
        theirs = self.theirs(as_tensors(parameters))
        joints = theirs.joints[:, : ours.joints.shape[1]]  # landmarks follow them
        reference = FlameMesh(theirs.vertices.numpy(), joints.numpy())
        return (
            float(np.linalg.norm(ours.vertices - reference.vertices, axis=-1).max()),
            float(np.linalg.norm(ours.joints - reference.joints, axis=-1).max()),
        )


def as_tensors(parameters: FlameParameters) -> dict[str, torch.Tensor]:
    """The parameters as smplx takes them."""
    return {
        name: torch.tensor(rows, dtype=torch.float32)
        for name, rows in parameters.as_mapping().items()
    }


def padded(arrays: FlameArrays) -> dict[str, NDArray[Any]]:
    """A file's table with 300 + 100 components."""
    rng = np.random.default_rng(0)
    return {
        "v_template": arrays.template,
        "f": arrays.faces.astype(np.uint32),
        "shapedirs": np.concatenate(
            [
                _padded(arrays.shape_basis, IDENTITY, rng),
                _padded(arrays.expression_basis, EXPRESSION, rng),
            ],
            axis=2,
        ),
        "posedirs": arrays.pose_basis.astype(np.float64),
        "J_regressor": arrays.joint_regressor,
        "weights": arrays.weights,
        "kintree_table": np.array([arrays.parents, range(len(arrays.parents))]),
    }


def _padded(basis: Float32Array, count: int, rng: np.random.Generator) -> FloatArray:
    """(V, 3, K) -> (V, 3, count): cut, or followed by random components of 0.1 mm."""
    more = rng.normal(0.0, 1e-4, (*basis.shape[:2], max(0, count - basis.shape[2])))
    return np.concatenate([basis[:, :, :count], more], axis=2)


if __name__ == "__main__":
    run_process(main, "flame_parity")
