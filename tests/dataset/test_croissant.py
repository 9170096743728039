# SPDX-License-Identifier: GPL-3.0-or-later
"""mlcroissant, the reference implementation, finds croissant.json valid and reads by it."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batch.dataset.run_folder import RunFolder
from batch.dataset.shard_file import read_shard
from batch.run import main
from facegen_addon.png import decode_png
from tests.dataset.synthetic_run import SyntheticPlan, SyntheticRun

mlcroissant = pytest.importorskip("mlcroissant")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = SyntheticRun(size=64, faceless={5}).write(tmp_path_factory.mktemp("croissant") / "data")
    assert main(["dataset", "merge", str(run.path)]) == 0
    return run


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mlcroissant takes archives of the same name for the same ones, and keeps them."""
    from mlcroissant._src.operation_graph.operations import extract

    monkeypatch.setattr(extract, "EXTRACT_PATH", extract.epath.Path(tmp_path / "extract"))


def issues(data_set: Any) -> Any:
    return data_set.metadata.ctx.issues


def test_it_is_valid_but_for_what_its_publisher_adds(run: RunFolder) -> None:
    found = issues(mlcroissant.Dataset(str(run.path / "croissant.json")))
    assert not found.errors
    wanting = {re.search(r"/(\w+)\" is recommended", text)[1] for text in found.warnings}
    assert wanting == {"citeAs", "datePublished"}


def test_it_describes_every_file(run: RunFolder) -> None:
    content = json.loads((run.path / "croissant.json").read_text())
    assert content["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    files = {f["contentUrl"]: f for f in content["distribution"] if f["@type"] == "cr:FileObject"}
    assert set(files) == {f"data-00000{n}.tar" for n in range(3)} | {"table.parquet"}
    for name, facts in files.items():
        data = (run.path / name).read_bytes()
        assert facts["sha256"] == hashlib.sha256(data).hexdigest()
        assert facts["contentSize"] == f"{len(data)} B"


def test_the_page_s_code_reads_the_records(
    project: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    page = (project / "docs" / "dataset.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(import mlcroissant.*?)^```", page, flags=re.M | re.S)
    monkeypatch.chdir(run.path.parent)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/dataset.md", "exec"), names)
    assert len(capsys.readouterr().out.splitlines()) == 7
    record, plan = names["record"], SyntheticPlan()
    assert record["samples/key"] == b"000006"
    assert record["samples/pose.yaw"] == np.degrees(plan.shot(6, 0).view.yaw)
    assert np.array_equal(np.float32(record["samples/achieved"]), plan.achieved(6))
    assert record["samples/parameter.strong"] == plan.shot(6, 0).parameters[0]


def test_images_are_found_by_their_keys(run: RunFolder) -> None:
    data_set = mlcroissant.Dataset(str(run.path / "croissant.json"))
    records = {r["images/key"]: r["images/image"] for r in data_set.records(record_set="images")}
    assert sorted(records) == [f"{index:06d}".encode() for index in range(7)]
    written = dict(read_shard(run.tar(1)))["000004"]["png"]
    assert np.array_equal(np.array(records[b"000004"]), decode_png(written))


@pytest.mark.parametrize(
    "kind",
    [
        {"labels": False},
        {"count": 2},
        {"failed": {1}},
        {"failed": {0, 1, 2}},
        {"image_format": "jpeg", "faceless": {0, 1, 2}},
        {"faceless": range(7)},
    ],
)
def test_other_runs_are_valid_too_and_all_their_records_load(
    tmp_path: Path, kind: dict[str, Any]
) -> None:
    run = SyntheticRun(**kind).write(tmp_path / "data")
    assert main(["dataset", "merge", str(run.path)]) in (0, 3)
    data_set = mlcroissant.Dataset(str(run.path / "croissant.json"))
    assert not issues(data_set).errors
    there = [i for i in range(kind.get("count", 7)) if i not in kind.get("failed", ())]
    for name in ("samples", "images"):
        keys = [int(record[f"{name}/key"]) for record in data_set.records(record_set=name)]
        assert sorted(keys) == there
