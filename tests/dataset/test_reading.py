# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/dataset.md says how data sets are read: its code runs, and reads what was written."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batch.dataset.members import read_labels
from batch.dataset.pictures import CLASS_COLOURS
from batch.dataset.run_folder import RunFolder
from batch.dataset.shard_file import read_shard
from batch.run import main
from facegen_addon.labels.maps import CLASSES
from facegen_addon.png import decode_png
from tests.dataset.synthetic_run import SyntheticPlan, SyntheticRun
from tests.toy_head import TABLE

pytest.importorskip("webdataset")  # and what else is in requirements/test-dataset.txt


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = SyntheticRun().write(tmp_path_factory.mktemp("reading") / "data")
    assert main(["dataset", "merge", str(run.path)]) == 0
    return run


@pytest.fixture
def page(project: Path) -> str:
    return (project / "docs" / "dataset.md").read_text(encoding="utf-8")


@pytest.fixture
def execute(page: str, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the page's piece of code that has a certain text; the names that it leaves."""
    monkeypatch.chdir(run.path.parent)

    def execute(text: str) -> dict[str, Any]:
        (code,) = [code for code in pieces(page) if text in code and "split_by_node" not in code]
        names: dict[str, Any] = {}
        exec(compile(code, "docs/dataset.md", "exec"), names)
        return names

    return execute


def pieces(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page, flags=re.M | re.S)


def test_webdataset_finds_every_sample(execute: Any, capsys: pytest.CaptureFixture[str]) -> None:
    names = execute("import webdataset")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [f"{index:06d}" for index in range(7)]
    plan = SyntheticPlan()
    assert np.array_equal(names["parameters"], plan.shot(6, 0).parameters)
    assert np.array_equal(names["achieved"], plan.achieved(6))
    assert names["points"]["world"].shape == (73, 3)


def test_the_standard_library_finds_every_member(
    execute: Any, run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    names = execute("itertools.groupby")
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert names["sample"] == dict(read_shard(run.tar(0)))["000002"]


def test_opencv_reads_the_maps_as_they_are(execute: Any, run: RunFolder) -> None:
    names = execute("import cv2")
    key, members = next(read_shard(run.tar(0)))
    maps, _ = read_labels(members)
    assert key == "000000"
    assert np.array_equal(names["image"], decode_png(members["png"]))
    assert np.array_equal(names["segmentation"], maps.segmentation)
    assert names["depth"].max() > 1.0 and np.allclose(names["depth"], maps.depth, atol=1e-6)
    assert np.allclose(names["normals"], maps.normals, atol=3e-5)
    assert np.allclose(names["uv"][..., :2], maps.uv, atol=1e-6)
    assert np.array_equal(names["uv"][..., 2] == 1.0, maps.uv_valid)


def test_the_table_is_read_by_pyarrow(execute: Any) -> None:
    names = execute("import pyarrow")
    assert names["parameters"].shape == (7, len(TABLE)) and names["achieved"].shape == (7, 512)
    assert np.array_equal(names["achieved"][3], SyntheticPlan().achieved(3))
    assert names["different"].num_rows == 7


def test_the_table_is_read_by_pandas(execute: Any) -> None:
    names = execute("import pandas")
    yaws = np.degrees([SyntheticPlan().shot(index, 0).view.yaw for index in range(7)])
    frontal = [f"{index:06d}" for index in np.flatnonzero(np.abs(yaws) < 15.0)]
    assert 0 < len(frontal) < 7 and list(names["frontal"]["key"]) == frontal


def test_the_convention_of_the_camera_holds(execute: Any) -> None:
    names = execute("np.transpose(camera")
    assert names["rays"].shape == (73, 3)


def test_every_piece_of_code_is_run(page: str) -> None:
    """By the tests above, those on Croissant by test_croissant, on loaders by test_readers."""
    assert len(pieces(page)) == 9


def test_the_classes_are_those_of_the_page(page: str) -> None:
    found = re.findall(r"\| (\d+) \| (\w+)[^|]* \| `#(\w{6})` \|", page)
    expected = [
        (str(value), name, "".join(f"{part:02x}" for part in CLASS_COLOURS[name]))
        for value, name in enumerate(CLASSES)
    ]
    assert sorted(found, key=lambda row: int(row[0])) == expected
    assert tuple(CLASS_COLOURS) == CLASSES
