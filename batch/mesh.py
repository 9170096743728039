# SPDX-License-Identifier: GPL-3.0-or-later
"""`mesh`: parameters to meshes, without Blender."""

import argparse
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Annotated

import numpy as np

from batch.command_line import OneLineParser, check_output_file
from batch.obj import ObjWriter
from facegen_addon.arrays import Float32Array, FloatArray, Int32Array
from facegen_addon.atomic_file import replacing
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import DEFAULT_FLAME, is_flame_file, load_head_model
from facegen_addon.heads.exchange.flame_codes import for_model, read_parameters
from facegen_addon.heads.exchange.slider_file import read_slider_file
from facegen_addon.heads.flame.dressing import to_flame, to_house
from facegen_addon.heads.flame.file import read_flame_file
from facegen_addon.heads.flame.model import Flame, FlameParameters, clamp_pose
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.terminal.copies import with_program
from facegen_addon.terminal.progress import QUIET, ProgressBar

HEADS_AT_ONCE = 64  # 10,000 heads would take 0.6 GB for their vertices alone
SUFFIXES = (".npz", ".obj")
_EXAMPLES = """\
FILE.npz holds vertices (N, V, 3), joints (N, J, 3), both in metres, and faces (T, 3). FILE.obj is
one head; several become FILE_0000.obj, FILE_0001.obj and so on.

Parameters of a FLAME model: smplx's names (betas, expression, global_orient, neck_pose, jaw_pose,
leye_pose, reye_pose, transl), rows are heads, or whatever import-flame reads: what is recognised,
ignored and doubtful is said on standard error. Parameters of `anny` and other models: their
sliders, as `parameters` (N, P) or one key a name.

examples:
  {program} mesh --model open_flame --parameters heads.npz --output meshes.npz
  {program} mesh --model generic_model.pkl --parameters deca.npz --output head.obj
  {program} mesh --model person --parameters out/demo/heads.npz --output demo.obj
  {program} mesh --model flame2023.pkl --set age=60 --set nose_width=28 --output older.obj
"""


_Arrays = tuple[Float32Array, Float32Array]


@dataclass(frozen=True)
class Meshes:
    """N heads to be computed a few at a time.

    faces (F, C) of C corners; uv (F, C, 2) or None; compute: a slice of the N heads -> vertices
    (K, V, 3) and joints (K, J, 3), metres, in the coordinates of `system`.
    """

    count: int
    faces: Annotated[Int32Array, "T 3"]
    uv: Annotated[Float32Array, "T 3 2"] | None
    compute: Callable[[slice], _Arrays]
    system: str


def main(arguments: Sequence[str]) -> int:
    """Run `mesh`; UserError for a wrong value, and then no file is written."""
    options = _parser().parse_args(arguments)
    check_output_file(options.output, SUFFIXES)
    if options.coordinates not in _INTO:
        raise UserError(
            f"unknown --coordinates {options.coordinates!r}; choose from {', '.join(_INTO)}"
        )
    if options.parameters is None and not options.set:
        raise UserError("give heads: --parameters FILE, or --set NAME=VALUE for the mean one")
    wanted = dict(map(_setting, options.set))
    meshes = load_meshes(options.model, options.parameters, options.exact_pose, wanted)
    write = _write_npz if options.output.suffix == ".npz" else _write_obj
    bar = ProgressBar(quiet=QUIET)
    try:
        write(options.output, meshes, _chunks(meshes, options.coordinates, bar))
    finally:
        bar.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="mesh",
        description="Compute the meshes of heads from their parameters, without Blender.",
        epilog=with_program(_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--model", default=DEFAULT_FLAME, help=f"head model or file; default: {DEFAULT_FLAME}")
    add("--parameters", type=Path, help="file of parameters, rows are heads")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="age, sex, nose_width or another characteristic of a FLAME model's heads; repeatable",
    )
    add("--output", type=Path, required=True, help="file to write: .npz or .obj")
    add(
        "--coordinates",
        default="flame",
        help="flame: Y up, facing +Z (the default); blender: Z up, facing -Y",
    )
    add(
        "--exact-pose",
        action="store_true",
        help="leave neck, jaw and eye angles beyond what joints can do as they are",
    )
    return parser


def _setting(text: str) -> tuple[str, float]:
    """The characteristic and the value of one --set; UserError if it is none."""
    name, separator, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        what = f"{value!r} is not a number" if separator else "it is not NAME=VALUE"
        raise UserError(f"--set {text}: {what}; give, for instance, age=60") from None


def load_meshes(
    model: str, parameters: Path | None, exact_pose: bool, wanted: Mapping[str, float]
) -> Meshes:
    """The heads of a parameter file, or the mean head, with these characteristics.

    Angles beyond the joints' limits are clamped with a warning. UserError if the model or the file
    cannot be read, or the model has no such characteristics.
    """
    if is_flame_file(model) and not wanted:  # the geometry alone: it needs no hair or UVs
        return _flame_meshes(Flame(read_flame_file(Path(model))), parameters, exact_pose)
    head = load_head_model(model)
    if wanted and head.characteristics is None:
        raise UserError(f"--set is for FLAME models: {head.name} has parameters of such names")
    if head.flame_sliders is not None:
        return _flame_meshes(
            head.flame_sliders.flame, parameters, exact_pose, _setter(head, wanted)
        )
    assert parameters is not None, "there are no settings"
    return _slider_meshes(head, parameters)


def _setter(head: HeadModel, wanted: Mapping[str, float]) -> Callable[[FloatArray], FloatArray]:
    """What gives heads of these components (N, S) the wanted characteristics: (N, K)."""
    known = head.characteristics

    def with_wanted(betas: FloatArray) -> FloatArray:
        if known is None or not wanted:
            return betas
        rows = np.tile(head.table.default(), (len(betas), 1))
        rows[:, known.columns[: betas.shape[1]]] = betas
        return np.stack([known.changed(row, wanted) for row in rows])[:, known.columns]

    return with_wanted


def _slider_meshes(head: HeadModel, file: Path) -> Meshes:
    rows = read_slider_file(file).rows(head.table)
    return Meshes(
        count=len(rows),
        faces=head.surface.polygons,
        uv=head.surface.polygon_uv,
        compute=lambda part: (head.forward(rows[part]), head.joints(rows[part])),
        system="blender",
    )


def _flame_meshes(
    flame: Flame,
    file: Path | None,
    exact_pose: bool,
    described: Callable[[FloatArray], FloatArray] = lambda betas: betas,
) -> Meshes:
    parameters = FlameParameters.from_mapping({"betas": np.zeros((1, 1))})
    if file is not None:
        parameters = _read_flame_parameters(flame, file, exact_pose)
    parameters = replace(parameters, betas=described(parameters.betas))
    values = parameters.as_mapping()

    def compute(part: slice) -> _Arrays:
        mesh = flame.forward(FlameParameters(**{name: v[part] for name, v in values.items()}))
        return mesh.vertices, mesh.joints

    return Meshes(
        count=len(parameters.betas),
        faces=flame.arrays.faces,
        uv=flame.arrays.uv,
        compute=compute,
        system="flame",
    )


def _read_flame_parameters(flame: Flame, file: Path, exact_pose: bool) -> FlameParameters:
    """FLAME's parameters of a file; what is to be said of them is said on standard error."""
    imported = read_parameters(file)
    try:
        parameters, cut = for_model(imported, flame.arrays)
    except UserError as error:
        raise error.within(str(file)) from None
    notes = imported.notes + cut
    if notes or imported.warnings or imported.convention != "plain":
        notes = [f"convention: {imported.convention}", *notes]
    for line in notes:
        print(f"facegen: {line}", file=sys.stderr)
    for line in imported.warnings:
        print(f"facegen: warning: {line}", file=sys.stderr)
    if not exact_pose:
        parameters, warnings = clamp_pose(parameters)
        for line in warnings:
            print(f"facegen: warning: {line}", file=sys.stderr)
    return parameters


_INTO: dict[str, Callable[[Float32Array], Float32Array]] = {
    "flame": to_flame,
    "blender": to_house,
}
"""The other system's coordinates (..., 3) in the named one's."""


def _chunks(meshes: Meshes, coordinates: str, bar: ProgressBar) -> Iterator[_Arrays]:
    """Vertices and joints of a few heads at a time, in the demanded coordinates."""
    for start in range(0, meshes.count, HEADS_AT_ONCE):
        vertices, joints = meshes.compute(slice(start, start + HEADS_AT_ONCE))
        if coordinates != meshes.system:
            vertices, joints = _INTO[coordinates](vertices), _INTO[coordinates](joints)
        yield vertices, joints
        bar.update("mesh", min(start + HEADS_AT_ONCE, meshes.count), meshes.count)


def _write_npz(output: Path, meshes: Meshes, chunks: Iterator[_Arrays]) -> None:
    """The heads as arrays, vertices written as they are computed."""
    with replacing(output) as partial, zipfile.ZipFile(partial, "w") as archive:
        joints = []
        with archive.open("vertices.npy", "w", force_zip64=True) as stream:
            for number, (vertices, some_joints) in enumerate(chunks):
                if number == 0:
                    _write_header(stream, (meshes.count, *vertices.shape[1:]), vertices.dtype)
                stream.write(np.ascontiguousarray(vertices).tobytes())
                joints.append(some_joints)
        for name, array in (("joints", np.concatenate(joints)), ("faces", meshes.faces)):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)


def _write_header(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> None:
    """The head of a .npy file whose numbers follow bit by bit."""
    description = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(
        stream, {"descr": description, "fortran_order": False, "shape": shape}
    )


def _write_obj(output: Path, meshes: Meshes, chunks: Iterator[_Arrays]) -> None:
    """One file a head; none of them appears before all are complete."""
    writer = ObjWriter(meshes.faces, meshes.uv)
    heads = (vertices for some_vertices, _ in chunks for vertices in some_vertices)
    with ExitStack() as stack:
        for number, vertices in enumerate(heads):
            path = output if meshes.count == 1 else _numbered(output, number)
            partial = stack.enter_context(replacing(path))
            with partial.open("w", encoding="ascii") as stream:
                writer.write(stream, vertices)


def _numbered(output: Path, number: int) -> Path:
    return output.with_name(f"{output.stem}_{number:04d}{output.suffix}")
