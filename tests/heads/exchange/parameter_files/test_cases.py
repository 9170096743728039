# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that failed in the field have their right outcomes."""

from pathlib import Path

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.exchange.flame_codes import read_parameters

READ: dict[str, tuple[str, int, bool]] = {
    "batch_dims/batch3d.npz": ("deca", 4, True),
    "batch_dims/bigendian.npz": ("plain", 2, False),
    "batch_dims/compressed.npz": ("plain", 2, False),
    "batch_dims/deca15.npz": ("deca", 1, False),
    "batch_dims/degrees.npz": ("plain", 1, False),
    "batch_dims/float16.npz": ("plain", 2, False),
    "batch_dims/n1.npz": ("deca", 4, False),
    "batch_dims/rotmat.npz": ("plain", 1, False),
    "cap4d_fit/fit.npz": ("cap4d", 4, True),
    "flame_head_tracker/0.npz": ("flame-head-tracker", 1, False),
    "imavatar_flame_params/flame_params.json": ("imavatar", 3, True),
    "mat/deca.mat": ("deca", 1, False),
    "pixel3dmm_frame/00000.frame": ("pixel3dmm", 1, False),
    "smirk/smirk.npz": ("smirk", 2, False),
    "text/bom.json": ("plain", 1, False),
    "text/framesdict.json": ("deca", 1, False),
    "text/list.json": ("vector", 1, False),
    "text/listofdicts.json": ("plain", 2, False),
    "text/shape.csv": ("vector", 1, False),
    "text/strings.json": ("plain", 1, False),
    "text/utf16.json": ("plain", 1, False),
    "torch_files/deca_tensors.pkl": ("deca", 1, False),
    "torch_files/legacy.pt": ("deca", 1, False),
    "torch_files/numpy_in_torch.pt": ("deca", 1, False),
    "torch_files/tensor_in_npz.npz": ("deca", 1, False),
    "torch_files/tracked.pt": ("emoca", 1, False),
    "torch_files/tracked_frames.pt": ("emoca", 1, False),
    "vhap/flame_param": ("vhap", 3, True),
    "vhap/flame_param.npz": ("vhap", 5, True),
}
"""File or folder -> convention, number of heads, whether they are frames."""

WARNED = {
    "batch_dims/degrees.npz": ["neck_pose of head 0 is 20", "jaw_pose of head 0 is 15"],
    "cap4d_fit/fit.npz": ["expr is left out"],
    "vhap/flame_param": ["shape differs between the frames"],  # random numbers in each
}

REFUSED = {
    "batch_dims/complex.npz": "betas is of type complex64",
    "batch_dims/deca3.npz": r"pose has 3 values a head; deca has 6, the head's and the jaw's",
    "batch_dims/zeroheads.npz": r"betas has shape \(0, 100\); expected at least one head",
    "lone_arrays/expression.npy": "a motion: 50 components of expression and 3 of the jaw",
    "lone_arrays/face.npy": "a list of indices",
    "lone_arrays/l_eyelid.npy": "5,023 vertices or their offsets",
    "lone_arrays/lmks.npy": "68 landmarks in an image",
    "lone_arrays/motion106.npy": "a motion: 100 components of expression and 6 of pose",
    "lone_arrays/style.npy": "a code of style or detail",
    "models/flame2023.pkl": "a web page",
    "models/generic_model.pkl": "a Git LFS pointer",
    "models/lfs_params.npz": "a Git LFS pointer",
    "smplx_body/amass.npz": r"a whole body, SMPL\+H, as in AMASS",
    "smplx_body/smplx.npz": "a whole body, SMPL-X",
    "text/comma.json": "the text '0,5'; expected numbers; write decimals with a point",
    "text/exp.txt": "a code of expression, by its name",
    "text/nan.json": "betas of head 0 is nan at component 2",
    "torch_files/object_npz.npz": "shape is a dict that is no regular array",
}


@pytest.mark.parametrize("case", READ)
def test_read(shared_cases: Path, case: str) -> None:
    found = read_parameters(shared_cases / case)
    assert (found.convention, len(found.parameters), found.sequence) == READ[case]
    starts = WARNED.get(case, [])
    assert len(found.warnings) == len(starts)
    for line, start in zip(found.warnings, starts, strict=True):
        assert line.startswith(start)
    assert np.abs(found.parameters.betas).max() > 0.0


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(shared_cases: Path, case: str) -> None:
    with pytest.raises(UserError, match=REFUSED[case]) as caught:
        read_parameters(shared_cases / case)
    assert case in str(caught.value) and "\n" not in str(caught.value)


def test_no_case_is_left_out(shared_cases: Path) -> None:
    folders = {name.split("/")[0] for name in (*READ, *REFUSED)}
    files = {
        f"{folder}/{item.name}" for folder in folders for item in (shared_cases / folder).iterdir()
    }
    assert {name for name in files if not name.endswith("README")} == READ.keys() | REFUSED.keys()
