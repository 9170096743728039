# SPDX-License-Identifier: GPL-3.0-or-later
"""Hugging Face's datasets and WebDataset open what was written, as the data set's card says."""

import itertools
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batch.dataset.run_folder import RunFolder
from batch.dataset.shard_file import read_shard
from batch.run import main
from facegen_addon.png import encode_png
from tests.dataset.synthetic_run import SyntheticPlan, SyntheticRun, decode_npy
from tests.toy_head import TABLE

pytest.importorskip("webdataset")  # and what else is in requirements/test-dataset.txt

KINDS = {
    "plain": SyntheticRun(),
    "not all faces": SyntheticRun(faceless={1, 5, 6}, checked={2, 6}),
    "no face among the first": SyntheticRun(faceless=range(6), checked={6}),
    "jpeg": SyntheticRun(faceless={0}, checked={0, 5}, image_format="jpeg"),
    "no labels": SyntheticRun(labels=False, faceless={2}),
    "not guided": SyntheticRun(plan=SyntheticPlan(guided=False), faceless={3}),
    "one shard": SyntheticRun(count=3, faceless={2}),
    "first shard empty": SyntheticRun(failed={0, 1, 2}, faceless={4}),
    "middle shard empty": SyntheticRun(failed={3, 4, 5}, faceless={6}),
    "some failed": SyntheticRun(failed={1, 6}, attempts={2: 3}, checked={5}),
}
MERGED = "merged of two folders"


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The package, which finds no network and leaves nothing in the user's folder."""

    def refuse(*_: Any) -> None:
        raise AssertionError("datasets went online")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
        patch.setattr(socket.socket, "connect", refuse)
        yield pytest.importorskip("datasets")


@pytest.fixture(scope="module", params=[*KINDS, MERGED])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SyntheticRun, RunFolder]:
    """A closed run, in a folder called data, and how it was made."""
    folder = tmp_path_factory.mktemp("readers")
    kind = KINDS.get(request.param, SyntheticRun(faceless={0, 4}, checked={5}))
    if request.param == MERGED:
        parts = [
            kind.write(folder / str(n), shards).path for n, shards in enumerate([(0, 2), (1,)])
        ]
        closed = main(["dataset", "merge", *map(str, parts), "--output", str(folder / "data")])
    else:
        closed = main(["dataset", "merge", str(kind.write(folder / "data").path)])
    assert closed == (3 if kind.failed else 0)
    return kind, RunFolder.open(folder / "data")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A closed run of which the first and the last sample show no face."""
    run = SyntheticRun(faceless={0, 6}).write(tmp_path_factory.mktemp("small") / "data")
    assert main(["dataset", "merge", str(run.path)]) == 0
    return run


def there(kind: SyntheticRun) -> list[int]:
    """The samples that were not given up."""
    return [index for index in range(kind.count) if index not in kind.failed]


def types(value: Any) -> Any:
    """The types in plain data; those of a list are one."""
    if isinstance(value, dict):
        return {name: types(entry) for name, entry in value.items()}
    if isinstance(value, list):
        inner = [types(entry) for entry in value]
        assert inner and all(one == other for one, other in itertools.pairwise(inner))
        return [inner[0]]
    return type(value)


def code(page: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch, text: str) -> dict[str, Any]:
    """Run the page's piece of code that has a text, beside the data set; the names it leaves."""
    pieces = re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.M | re.S)
    (piece,) = [piece for piece in pieces if text in piece]
    monkeypatch.chdir(run.path.parent)
    names: dict[str, Any] = {}
    exec(compile(piece, str(page), "exec"), names)
    return names


def test_all_samples_have_the_same_members_and_types(made: tuple[SyntheticRun, RunFolder]) -> None:
    kind, run = made
    samples = dict(s for n in range(run.shard_count) for s in read_shard(run.tar(n)))
    assert list(map(int, samples)) == there(kind)
    assert len({tuple(members) for members in samples.values()}) == 1
    records = [json.loads(members["json"]) for members in samples.values()]
    assert all(types(record) == types(records[0]) for record in records)
    assert "NoneType" not in str(types(records[0]))
    for record, members in zip(records, samples.values(), strict=True):
        achieved = decode_npy(members["achieved.npy"])
        assert achieved.shape == (512,) and achieved.dtype == np.float32
        face_seen = record["index"] not in kind.faceless
        assert record["face_seen"] is face_seen is not bool(np.isnan(achieved).all())
        assert decode_npy(members["requested.npy"]).shape == (512,)
        assert (record["cosine_distance"] >= 0) == (face_seen and kind.plan.guided)
        assert record["label_check"]["done"] == (record["index"] in kind.checked)


@pytest.mark.parametrize("streaming", [True, False])
def test_datasets_opens_every_config_of_the_card(
    datasets: Any, made: tuple[SyntheticRun, RunFolder], streaming: bool
) -> None:
    kind, run = made
    folder = str(run.path)
    assert datasets.get_dataset_config_names(folder) == ["images"]
    assert datasets.get_dataset_split_names(folder, "images") == ["train"]
    samples = datasets.load_dataset(folder, "images", split="train", streaming=streaming)
    rows = list(samples)
    assert [int(row["__key__"]) for row in rows] == there(kind)
    image = "jpg" if kind.image_format == "jpeg" else "png"
    labels = ["segmentation.png", "depth.png", "normals.png", "uv.png"] if kind.labels else []
    for name in (image, *labels):
        assert isinstance(samples.features[name], datasets.Image)
        assert {row[name].size for row in rows} == {(64, 64)}
    assert not any(entry is None for row in rows for entry in row.values())
    for row in rows:
        index = row["json"]["index"]
        expected = np.full(512, np.nan)
        if index not in kind.faceless:
            expected = kind.plan.achieved(index)
        assert np.array_equal(np.float32(row["achieved.npy"]), np.float32(expected), equal_nan=True)
        parameters = list(row["json"]["parameters"].values())
        assert parameters == list(kind.plan.shot(index, row["json"]["attempt"]).parameters)


@pytest.mark.parametrize("streaming", [True, False])
def test_datasets_opens_the_table(
    datasets: Any, made: tuple[SyntheticRun, RunFolder], streaming: bool
) -> None:
    kind, run = made
    table = datasets.load_dataset(
        str(run.path), data_files="table.parquet", split="train", streaming=streaming
    )
    rows = list(table)
    assert [row["index"] for row in rows] == there(kind)
    assert {table.features[f"parameter.{name}"].dtype for name in TABLE.names} == {"float64"}
    assert table.features["cosine_distance"].dtype == "float64"
    lacking = {row["index"] for row in rows if row["achieved"] is None}
    assert lacking == set(kind.faceless) & set(there(kind))


def test_the_card_s_code_for_datasets_runs(
    datasets: Any,
    made: tuple[SyntheticRun, RunFolder],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kind, run = made
    names = code(run.path / "README.md", run, monkeypatch, "import load_dataset")
    assert len(names["table"]) == len(list(names["samples"])) == len(there(kind))
    assert f"{there(kind)[0]:06d} (64, 64) " in capsys.readouterr().out


def seen_by_loaders(
    page: Path,
    run: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    machines: int,
    workers: int,
) -> list[int]:
    """What the page's code sees in all processes of all machines; workers 0: no loader."""
    for rank, worker in itertools.product(range(machines), range(max(workers, 1))):
        if machines > 1:
            monkeypatch.setenv("WORLD_SIZE", str(machines))
            monkeypatch.setenv("RANK", str(rank))
        if workers:
            monkeypatch.setenv("NUM_WORKERS", str(workers))
            monkeypatch.setenv("WORKER", str(worker))
        code(page, run, monkeypatch, "split_by_node")
    keys = re.findall(r"^(\d{6}) ", capsys.readouterr().out, flags=re.M)
    return sorted(map(int, keys))


LOADERS = [(1, 0), (1, 2), (1, 3), (1, 5), (2, 0), (2, 2), (4, 1)]
"""Machines and processes of each; there are three shards at most."""


@pytest.mark.parametrize(("machines", "workers"), LOADERS)
def test_loaders_share_the_samples_by_the_card_s_code(
    made: tuple[SyntheticRun, RunFolder],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    machines: int,
    workers: int,
) -> None:
    kind, run = made
    page = run.path / "README.md"
    assert seen_by_loaders(page, run, monkeypatch, capsys, machines, workers) == there(kind)


@pytest.mark.parametrize(("machines", "workers"), LOADERS)
def test_loaders_share_the_samples_by_the_page_s_code(
    project: Path,
    small: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    machines: int,
    workers: int,
) -> None:
    page = project / "docs" / "dataset.md"
    assert seen_by_loaders(page, small, monkeypatch, capsys, machines, workers) == list(range(7))


def test_the_page_s_code_for_datasets_runs(
    datasets: Any,
    project: Path,
    small: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = code(project / "docs" / "dataset.md", small, monkeypatch, "import datasets")
    keys = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert keys == names["faces"]["key"] == [f"{index:06d}" for index in range(1, 6)]


@pytest.mark.parametrize("recipe", ["ok", "odd"])
def test_rendered_data_sets_open(
    datasets: Any, project: Path, shared_cases: Path, tmp_path: Path, recipe: str
) -> None:
    """Those whose records had null beside a check, and latents in some samples only."""
    pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")
    shutil.copy(shared_cases / "hf_types" / f"{recipe}.toml", tmp_path)
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    (tmp_path / "bg_ok").mkdir()
    (tmp_path / "bg_ok" / "noise.png").write_bytes(encode_png(picture))
    options = ["--recipe", str(tmp_path / f"{recipe}.toml"), "--output", str(tmp_path / "data")]
    options += ["--count", "6", "--shard-size", "4", "--seed", "3", "--device", "CPU"]
    made = subprocess.run(
        [
            sys.executable,
            project / "batch" / "run.py",
            "dataset",
            "make",
            *options,
            "--workers",
            "1",
        ],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    for streaming in (True, False):
        rows = list(
            datasets.load_dataset(str(tmp_path / "data"), split="train", streaming=streaming)
        )
        assert [int(row["__key__"]) for row in rows] == list(range(6))
        seen = [bool(np.isfinite(row["achieved.npy"]).all()) for row in rows]
        assert seen == [row["json"]["face_seen"] for row in rows]
        assert set(seen) == ({True} if recipe == "ok" else {True, False})
        checked = {row["json"]["label_check"]["done"] for row in rows}
        assert checked == ({True, False} if recipe == "ok" else {False})


def test_the_table_of_an_earlier_format_opens_as_its_card_says(
    datasets: Any, tmp_path: Path
) -> None:
    run = SyntheticRun(format=1, faceless={6}, checked={6}).write(tmp_path / "data")
    assert main(["dataset", "merge", str(run.path)]) == 0
    assert datasets.get_dataset_config_names(str(run.path)) == ["samples"]
    assert len(datasets.load_dataset(str(run.path), "samples", split="train")) == 7
