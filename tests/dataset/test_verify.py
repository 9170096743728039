# SPDX-License-Identifier: GPL-3.0-or-later
"""A sound run passes; each way of being wrong is found by the check that is about it."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from batch.dataset import verify
from batch.dataset.members import label_members, read_labels
from batch.dataset.run_folder import RunFolder
from batch.run import main
from batch.shards import encode_npy
from facegen_addon.labels.shot import Shot
from facegen_addon.png import decode_png, encode_png
from tests.dataset.synthetic_run import Members, SyntheticPlan, SyntheticRun, cut, edit, flip

ALWAYS = ["run", "shards", "samples", "parameters", "latents", "images", "labels"]
CLOSED = ["index", "table", "croissant"]


@dataclass
class Outcome:
    """What verify said: names of checks that passed, problems of those that did not; the status."""

    status: int
    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    text: str = ""


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A closed run of seven samples."""
    run = SyntheticRun().write(tmp_path / "run")
    assert main(["dataset", "merge", str(run.path)]) == 0
    return run


@pytest.fixture
def look(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Runs `verify` on the synthetic plan, or another one."""

    def look(run: RunFolder, *options: str, plan: Any = None) -> Outcome:
        monkeypatch.setattr(verify, "_open_plan", lambda _: plan or SyntheticPlan())
        capsys.readouterr()
        status = main(["dataset", "verify", str(run.path), *options])
        printed = capsys.readouterr()
        outcome = Outcome(status, text=printed.out)
        for block in re.split(r"^(?=[✓✗] )", printed.out, flags=re.M)[1:]:
            mark, name, text = block.split(None, 2)
            if mark == "✓":
                outcome.passed.append(name)
            else:
                outcome.failed[name] = text
        summary = f"{len(outcome.failed)} of {len(outcome.failed) + len(outcome.passed)} checks"
        assert (summary in printed.err) == bool(outcome.failed)
        return outcome

    return look


def rewritten(
    tmp_path: Path, index: int, change: Callable[[dict[str, bytes]], Mapping[str, bytes]]
) -> RunFolder:
    """A closed run in which one sample has other members, and everything else was made of these."""
    kind = SyntheticRun()
    run = kind.write(tmp_path / "run")
    shard = index // kind.shard_size
    samples: dict[int, Members] = {i: kind.members(run, i) for i in run.indices(shard)}
    samples[index] = list(change(dict(samples[index])).items())
    kind.write_shard(run, shard, samples)
    assert main(["dataset", "merge", str(run.path)]) == 0
    return run


def test_a_sound_run_passes(run: RunFolder, look: Callable[..., Outcome]) -> None:
    outcome = look(run, "--labels", "1")
    assert outcome.passed == [*ALWAYS, *CLOSED, "seeds"] and outcome.status == 0


def test_samples_given_up_are_no_fault(tmp_path: Path, look: Callable[..., Outcome]) -> None:
    run = SyntheticRun(failed={1}, attempts={2: 3}).write(tmp_path / "run")
    assert main(["dataset", "merge", str(run.path)]) == 3
    assert look(run).status == 0


@pytest.mark.parametrize(
    "kind",
    [
        {"labels": False},
        {"plan": SyntheticPlan(guided=False)},
        {"image_format": "jpeg"},
        {"faceless": {1, 4}, "checked": {1, 2}},
        {"format": 1, "faceless": {1, 4}, "checked": {1, 2}},
        {"format": 1, "plan": SyntheticPlan(guided=False)},
    ],
)
def test_other_kinds_of_runs_pass(
    tmp_path: Path, look: Callable[..., Outcome], kind: dict[str, Any]
) -> None:
    run = SyntheticRun(**kind).write(tmp_path / "run")
    assert main(["dataset", "merge", str(run.path)]) == 0
    assert look(run, "--labels", "1", plan=kind.get("plan")).status == 0


def test_the_figures_are_those_of_the_run(run: RunFolder, look: Callable[..., Outcome]) -> None:
    printed = look(run, "--labels", "0.5", "--seeds", "3").text
    for text in (
        "3 of 3 by sha256",
        "7 of 7, 0 given up",
        "7 x 4, in their ranges",
        "14 of unit norm",
        "7 by sha256, 4 of them decoded",
        "4 of 7 samples",
        "7 rows of",
        "4 files by sha256",
        "3 samples drawn again, equal to the last bit",
    ):
        assert text in printed


def test_a_run_that_is_not_closed_fails(tmp_path: Path, look: Callable[..., Outcome]) -> None:
    outcome = look(SyntheticRun().write(tmp_path / "run"))
    assert list(outcome.failed) == CLOSED and outcome.status == 3
    assert "index.json is missing: run `dataset merge`" in outcome.failed["index"]


@pytest.mark.parametrize("harm", [cut, flip, Path.unlink])
def test_damaged_shards_are_all_named(
    run: RunFolder, look: Callable[..., Outcome], harm: Callable[[Path], None]
) -> None:
    harm(run.tar(0))
    harm(run.tar(2))
    outcome = look(run)
    assert list(outcome.failed) == ["shards"] and outcome.status == 3
    assert "2 problems" in outcome.failed["shards"]
    assert "data-000000.tar" in outcome.failed["shards"]
    assert "data-000002.tar" in outcome.failed["shards"]
    # Without whole shards there is nothing to compare the closing files with.
    assert outcome.passed == [name for name in ALWAYS if name != "shards"]


@pytest.mark.parametrize(
    ("name", "harm", "check", "message"),
    [
        ("data-000001.json", Path.unlink, "shards", "data-000001.json is missing"),
        ("data-000001.json", lambda p: edit(p, run="0"), "shards", "belongs to another run"),
        ("run.json", lambda p: edit(p, parameters=[]), "run", "its parameters are not those"),
        ("index.json", Path.unlink, "index", "index.json is missing"),
        ("index.json", lambda p: p.write_text("{"), "index", "index.json is no JSON"),
        ("index.json", lambda p: p.write_text("[]"), "index", "index.json is no table"),
        ("index.json", lambda p: edit(p, samples=8), "index", r"not of these shards \(samples\)"),
        ("index.json", lambda p: edit(p, files=None), "index", r"not of these shards \(files\)"),
        ("README.md", lambda p: p.write_text("mine"), "index", "README.md is not the file of"),
        ("contact_sheet.png", Path.unlink, "index", "contact_sheet.png is missing"),
        ("table.parquet", cut, "table", "table.parquet cannot be read"),
        ("table.parquet", Path.unlink, "table", "table.parquet cannot be read"),
        ("croissant.json", lambda p: p.write_text("{}"), "croissant", "is damaged"),
        ("croissant.json", lambda p: edit(p, distribution=[]), "croissant", "other hashes"),
    ],
)
def test_what_is_wrong_in_the_folder_is_named(
    run: RunFolder,
    look: Callable[..., Outcome],
    name: str,
    harm: Callable[[Path], None],
    check: str,
    message: str,
) -> None:
    harm(run.path / name)
    outcome = look(run)
    assert outcome.status == 3
    assert re.search(message, outcome.failed[check])


def test_a_table_of_other_figures_is_found(run: RunFolder, look: Callable[..., Outcome]) -> None:
    path = run.path / "table.parquet"
    table = pq.read_table(path)
    column = table.column_names.index("pose.yaw")
    turned = table["pose.yaw"].to_numpy() + 1e-12
    pq.write_table(table.set_column(column, "pose.yaw", [turned]), path)
    assert "pose.yaw differs from the tars" in look(run).failed["table"]
    pq.write_table(table.drop_columns(["apart"]), path)
    assert "has other columns" in look(run).failed["table"]


def test_parameters_out_of_range_are_found(tmp_path: Path, look: Callable[..., Outcome]) -> None:
    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        record = json.loads(members["json"])
        record["parameters"]["weak"] = 1.5
        return members | {"json": json.dumps(record).encode()}

    outcome = look(rewritten(tmp_path, 4, change))
    assert "sample 000004: parameter 'weak'" in outcome.failed["parameters"]
    assert "sample 000004: parameters not what its seed gives" in outcome.failed["seeds"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("pose", {"yaw": 1.0, "pitch": 0.0, "roll": 0.0}),
        ("shift", [0.1, 0.0]),
        ("noise_seed", 7),
        ("identity", 9),
        ("light", {"preset": "rim"}),
        ("background", {"picture": "beach.jpg", "colour": [-1.0, -1.0, -1.0]}),
    ],
)
def test_what_does_not_come_from_the_seed_is_found(
    tmp_path: Path, look: Callable[..., Outcome], place: str, value: Any
) -> None:
    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        return members | {"json": json.dumps(json.loads(members["json"]) | {place: value}).encode()}

    outcome = look(rewritten(tmp_path, 4, change))
    assert list(outcome.failed) == ["seeds"]
    assert f"sample 000004: {place} not what its seed gives" in outcome.failed["seeds"]


@pytest.mark.parametrize("name", ["intrinsics", "extrinsics"])
def test_another_camera_is_found(tmp_path: Path, look: Callable[..., Outcome], name: str) -> None:
    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        record = json.loads(members["json"])
        record["camera"][name][0][0] += 1e-6
        return members | {"json": json.dumps(record).encode()}

    assert name in look(rewritten(tmp_path, 4, change)).failed["seeds"]


def test_a_parameter_that_differs_in_its_last_bit_is_found(
    run: RunFolder, look: Callable[..., Outcome]
) -> None:
    class Nearly(SyntheticPlan):
        def shot(self, index: int, attempt: int) -> Shot:
            shot = super().shot(index, attempt)
            return replace(shot, parameters=np.nextafter(shot.parameters, np.inf))

    outcome = look(run, plan=Nearly())
    assert list(outcome.failed) == ["seeds"] and "7 problems" in outcome.failed["seeds"]
    assert "and 2 more" in outcome.failed["seeds"]


@pytest.mark.parametrize(("shift", "status"), [(1e-6, 0), (1e-4, 3)])
def test_sums_of_another_numpy_may_end_otherwise(
    run: RunFolder,
    look: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
    shift: float,
    status: int,
) -> None:
    class Nearly(SyntheticPlan):
        def shot(self, index: int, attempt: int) -> Shot:
            shot = super().shot(index, attempt)
            return replace(shot, parameters=shot.parameters + shift)

    monkeypatch.setattr("batch.dataset.checks._numpy_of", lambda sample: "1.0")
    outcome = look(run, plan=Nearly())
    assert outcome.status == status and ("seeds" in outcome.failed) == bool(status)


def test_another_requested_latent_is_found(run: RunFolder, look: Callable[..., Outcome]) -> None:
    outcome = look(run, plan=SyntheticPlan(guided=False))
    assert "requested not what its seed gives" in outcome.failed["seeds"]


def test_a_distance_that_is_not_that_of_the_latents_is_found(
    tmp_path: Path, look: Callable[..., Outcome]
) -> None:
    other = encode_npy(SyntheticPlan().achieved(0))
    run = rewritten(tmp_path, 4, lambda members: members | {"achieved.npy": other})
    assert "sample 000004: its record has cosine_distance" in look(run).failed["latents"]


def test_wrong_labels_are_found_where_they_are_looked_at(
    tmp_path: Path, look: Callable[..., Outcome]
) -> None:
    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        maps, landmarks = read_labels(members)
        nearer = np.where(maps.depth > 0, maps.depth - 0.003, 0.0).astype(np.float32)
        return members | label_members(replace(maps, depth=nearer), landmarks)

    run = rewritten(tmp_path, 4, change)
    assert re.search("sample 000004: .*depth.*more", look(run, "--labels", "1").failed["labels"])
    assert look(run, "--labels", "0").status == 0


def test_an_image_of_another_size_is_found(tmp_path: Path, look: Callable[..., Outcome]) -> None:
    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        image = encode_png(decode_png(members["png"])[:-1])
        record = json.loads(members["json"])
        record["image"]["sha256"] = hashlib.sha256(image).hexdigest()
        return members | {"png": image, "json": json.dumps(record).encode()}

    run = rewritten(tmp_path, 4, change)
    assert (
        "sample 000004: its image is not of 64 x 64" in look(run, "--labels", "1").failed["images"]
    )


def test_rendering_again_compares_every_byte(
    run: RunFolder, look: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {i: dict(SyntheticRun().members(run, i)) for i in range(7)}
    asked = []

    @contextmanager
    def renderer(run: RunFolder, plan: Any) -> Iterator[Callable[[int, int], dict[str, bytes]]]:
        def render(index: int, attempt: int) -> dict[str, bytes]:
            asked.append((index, attempt))
            kept = ("json", "requested.npy", "achieved.npy")
            return {name: data for name, data in members[index].items() if name not in kept}

        yield render

    monkeypatch.setattr(verify, "_open_renderer", renderer)
    outcome = look(run, "--seeds", "0", "--render", "3")
    assert outcome.passed[-1] == "renders" and "seeds" not in outcome.passed
    assert asked == [(0, 0), (3, 0), (6, 0)]
    members[3]["png"] = members[0]["png"]
    members[6]["uv.png"] = members[0]["uv.png"]
    problems = look(run, "--seeds", "0", "--render", "3").failed["renders"]
    assert "sample 000003: png differ, the labels are the same" in problems
    assert "sample 000006: uv.png differ\n" in problems


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--labels", "1.5"], "--labels 1.5 is no share"),
        (["--labels", "nan"], "--labels nan is no share"),
        (["--seeds", "-1"], "--seeds -1 is out of range"),
        (["--render", "-1"], "--render -1 is out of range"),
        (["--labels", "some"], "invalid float value"),
    ],
)
def test_wrong_options_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["dataset", "verify", str(tmp_path), *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_what_is_no_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["dataset", "verify", str(tmp_path / name)]) == 2
    assert "holds no data set (no run.json)" in capsys.readouterr().err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_status:
        main(["dataset", "verify", "--help"])
    assert exit_status.value.code == 0
    assert "verify out/photos --render 4" in capsys.readouterr().out
