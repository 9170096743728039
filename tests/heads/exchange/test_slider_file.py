# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of slider values: there and back, and refused with a reason."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.exchange.slider_file import (
    RUN_FILE,
    SUFFIXES,
    read_slider_file,
    write_slider_file,
)
from facegen_addon.heads.parameters import Parameter, ParameterTable


def _parameter(name: str, mean: float) -> Parameter:
    return Parameter(name, name, "shape", -3.0, 3.0, mean, 1.0, "", True)


TABLE = ParameterTable([_parameter("nose", 0.5), _parameter("chin", 0.0), _parameter("ear", -1.0)])
MODEL = SimpleNamespace(name="toy", table=TABLE)
ROWS = np.array([[1.0, 2.0, 0.25], [-0.1, 3.0, 1 / 3]])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_there_and_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"sliders{suffix}"
    write_slider_file(path, MODEL, ROWS)
    file = read_slider_file(path)
    assert file.model == "toy"
    np.testing.assert_array_equal(file.rows(TABLE), ROWS)


def test_a_run_of_generate_by_its_folder(tmp_path: Path) -> None:
    np.savez_compressed(
        tmp_path / RUN_FILE, names=np.array(TABLE.names), parameters=ROWS, achieved=np.eye(2)
    )
    file = read_slider_file(tmp_path)
    assert file.model is None
    np.testing.assert_array_equal(file.rows(TABLE), ROWS)


def test_rows_of_the_table_and_names_one_by_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", parameters=ROWS)
    np.testing.assert_array_equal(read_slider_file(tmp_path / "rows.npz").rows(TABLE), ROWS)
    np.savez(tmp_path / "names.npz", chin=ROWS[:, 1])
    expected = [[0.5, 2.0, -1.0], [0.5, 3.0, -1.0]]
    np.testing.assert_array_equal(read_slider_file(tmp_path / "names.npz").rows(TABLE), expected)


def test_names_may_stand_in_any_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", names=np.array(["ear", "nose"]), parameters=ROWS[:, [2, 0]])
    rows = read_slider_file(tmp_path / "a.npz").rows(TABLE)
    np.testing.assert_array_equal(rows[:, [0, 2]], ROWS[:, [0, 2]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"nostril": [1.0]}, r"a\.npz: unknown parameter 'nostril'"),
        ({"nose": [9.0]}, r"a\.npz: parameter 'nose' of head 0 is 9; give a number from -3 to 3"),
        ({"nose": [1.0], "chin": [1.0, 2.0]}, "the names have 1 and 2 values"),
        ({"nose": [[1.0]]}, r"'nose' is of type float64 and shape \(1, 1\)"),
        ({"nose": ["big"]}, "'nose' is of type <U3"),
        ({"nose": []}, "the names have 0 values"),
        ({}, "the names have no values"),
        ({"nose": [np.nan]}, "'nose' holds NaN"),
        ({"parameters": np.ones((2, 4))}, r"expected rows of 3 parameters, got shape \(2, 4\)"),
        ({"parameters": np.ones((0, 3))}, r"parameters is of type float64 and shape \(0, 3\)"),
        ({"parameters": ROWS, "names": ["nose", "chin"]}, "2 names for 3 parameters"),
    ],
)
def test_a_bad_archive_is_one_line(tmp_path: Path, content: dict, message: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **content)
    with pytest.raises(UserError, match=message) as caught:
        read_slider_file(path).rows(TABLE)
    assert "a.npz" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [[], {"heads": []}, {"heads": [1]}, {"heads": [{"nose": 1}, {"chin": 1}]}, {"nose": 1}],
)
def test_bad_json_is_one_line(tmp_path: Path, content: object) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"a\.json is not a slider file"):
        read_slider_file(path)


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"heads\.npz is missing"):
        read_slider_file(tmp_path)


def test_a_path_that_no_disk_takes_is_one_line(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        with pytest.raises(UserError, match="cannot be read"):
            read_slider_file(tmp_path / ("a" * 300 + suffix))


def test_another_suffix_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not end in \.npz or \.json"):
        write_slider_file(tmp_path / "a.txt", MODEL, ROWS)
    assert not list(tmp_path.iterdir())
