# SPDX-License-Identifier: GPL-3.0-or-later
import io
import json
import re
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from batch.figures import HeadSet
from batch.reference import Reference
from batch.report import RunRecord, build_report, write_json
from batch.results import write_results
from facegen_addon.heads.exchange.slider_file import read_slider_file
from facegen_addon.heads.parameters import Parameter, ParameterTable
from facegen_addon.heads.wear.outfit_text import read_outfit
from facegen_addon.latent.metrics import moments


@dataclass(frozen=True)
class FakeHead:
    """A generated head without Blender."""

    seed: int
    parameters: np.ndarray
    requested: np.ndarray | None
    achieved: np.ndarray
    image: np.ndarray
    points: np.ndarray
    box: tuple[float, float, float, float]


def _unit(rng: np.random.Generator, count: int, size: int = 512) -> np.ndarray:
    rows = rng.normal(size=(count, size))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _table() -> ParameterTable:
    return ParameterTable(
        Parameter(f"{group}_{i}", f"{group} {i}", group, -1, 1, 0.0, 0.3, "", True)
        for group in ("nose", "skull", "eyes")
        for i in range(3)
    )


def _record(rng: np.random.Generator, count: int, from_latents: bool = True) -> RunRecord:
    table = _table()
    requested = _unit(rng, count)
    sets = {
        name: HeadSet(table.sample_uniform(rng, count), _unit(rng, count))
        for name in ("uniform", "prior")
    }
    near = requested + 0.4 * _unit(rng, count)
    achieved = near / np.linalg.norm(near, axis=1, keepdims=True)
    run = HeadSet(table.sample_uniform(rng, count), achieved, requested if from_latents else None)
    latents = _unit(rng, 60)
    return RunRecord(
        request={
            "model": "anny",
            "distance": 0.51,
            "distribution": "latent",
            "engine": "CYCLES",
            "seed": 0,
            "encoder": "facenet",
        },
        command="batch/run.py generate --seed 0",
        run=run,
        comparison=sets,
        rendered=np.concatenate([achieved, _unit(rng, 10)]),
        prior=table.sample_uniform(rng, 100),
        seconds={"sample": 0.5, "render": 4.0},
        provenance={"FaceGen": "0.1.0", "sha256": {"facenet": "aa"}},
        table=table,
        reference=Reference("Reference: test.", latents, moments(latents), _unit(rng, count)),
    )


def _heads(record: RunRecord, rng: np.random.Generator) -> list[FakeHead]:
    requested = record.run.requested
    return [
        FakeHead(
            seed=1000 + i,
            parameters=record.run.parameters[i],
            requested=None if requested is None else requested[i],
            achieved=achieved,
            image=rng.integers(0, 256, (64, 64, 3), np.uint8),
            points=rng.uniform(0, 64, (5, 2)),
            box=(1.0, 2.0, 60.0, 61.0),
        )
        for i, achieved in enumerate(record.run.achieved)
    ]


def _quiet(stage: str, done: float, total: float) -> None:
    assert stage and 0 <= done <= total


def test_report_holds_all_figures_for_all_sets(rng: np.random.Generator) -> None:
    report = build_report(_record(rng, 8))
    assert set(report["sets"]) == {"run", "uniform", "prior", "real"}
    run = report["sets"]["run"]
    assert set(run["pairwise"]) == {"minimum", "median", "quantile95"}
    assert set(run["roundtrip"]) == {"median", "quantile90"}
    assert 0.0 < run["roundtrip"]["median"] < 0.2
    assert run["own_identity_nearest"] == {"raw": 1.0, "centred": 1.0}
    assert set(run["precision_recall"]) == {"precision", "recall"}
    assert set(run["plausibility"]["group_rms"]) == {"nose", "skull", "eyes"}
    assert report["sets"]["uniform"]["roundtrip"] is None
    assert report["heads_per_second"] == {"sample": 36.0, "render": 4.5}
    heads = report["variety"]["capacity"]["heads"]
    assert heads == sorted(heads, reverse=True) and heads[0] == 18


def test_what_holds_in_other_hands_stands_in_report_and_page(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    held = {"encoder": "<b>", "demanded": 0.51, "kept": 0.523, "below": 0.0012, "nearest": 0.487,
            "looks": 36.0}  # fmt: skip
    record = replace(_record(rng, 4), looks=9, holding=[held])
    write_results(tmp_path, _heads(record, rng), record, _quiet)
    variety = json.loads((tmp_path / "report.json").read_text())["variety"]
    assert variety["in_other_hands"] == [held] and variety["renders_in_other_hands"] == 9
    assert variety["renders_spent"] == 14 + 9
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    row = "<th>&lt;b&gt;</th><td>0.510</td><td>0.523</td><td>0.487</td><td>0.12 %</td>"
    assert row in page


@pytest.mark.parametrize("count", [1, 2, 5])
def test_results_of_small_runs(tmp_path: Path, rng: np.random.Generator, count: int) -> None:
    record = _record(rng, count)
    write_results(tmp_path, _heads(record, rng), record, _quiet)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "contact_sheet.png",
        "heads-000000.tar",
        "heads.npz",
        "images",
        "report.html",
        "report.json",
    ]
    assert len(list((tmp_path / "images").iterdir())) == count
    assert json.loads((tmp_path / "report.json").read_text())["sets"]["run"]["count"] == count


def test_heads_that_are_dressed_are_noted_so(tmp_path: Path, rng: np.random.Generator) -> None:
    record, outfit = _record(rng, 2), read_outfit("glasses=round")
    for wear, noted in (("", None), ("glasses=round", [outfit, outfit])):
        folder = tmp_path / f"run {wear}"
        folder.mkdir()
        dressed = replace(record, request={**record.request, "wear": wear})
        write_results(folder, _heads(record, rng), dressed, _quiet)
        assert read_slider_file(folder).outfits(2) == noted


def test_page_is_self_contained_and_its_plots_are_well_formed(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    record = _record(rng, 8)
    write_results(tmp_path, _heads(record, rng), record, _quiet)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert "$" not in re.sub(r"base64,[^\"]*", "", page)
    plots = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(plots) == 4
    for plot in plots:
        assert "nan" not in plot
        ElementTree.fromstring(plot)
    assert page.count('class="arrow"') == 8


def test_a_run_without_latents_has_no_roundtrip(tmp_path: Path, rng: np.random.Generator) -> None:
    record = _record(rng, 4, from_latents=False)
    write_results(tmp_path, _heads(record, rng), record, _quiet)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'class="arrow"' not in page
    with tarfile.open(tmp_path / "heads-000000.tar") as archive:
        assert not [name for name in archive.getnames() if "requested" in name]


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("compared", [True, False])
def test_without_real_faces_of_the_encoder_only_their_figures_are_left_out(
    tmp_path: Path, rng: np.random.Generator, count: int, compared: bool
) -> None:
    record = _record(rng, count, from_latents=False)
    run = replace(record.run, achieved=_unit(rng, count, 128))
    others = {name: replace(s, achieved=_unit(rng, count, 128)) for name, s in
              record.comparison.items()}  # fmt: skip
    record = replace(
        record,
        request={**record.request, "encoder": "sface"},
        run=run,
        comparison=others if compared else {},
        rendered=run.achieved,
        reference=None,
    )
    write_results(tmp_path, _heads(record, rng), record, _quiet)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["reference"].startswith("Reference: none.")
    assert set(report["sets"]) == ({"run", "uniform", "prior"} if compared else {"run"})
    figures = report["sets"]["run"]
    for name in ("frechet", "precision_recall", "own_identity_nearest"):
        assert figures[name] is None
    assert (figures["pairwise"] is None) == (count == 1)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "as sface reads them" in page and '<td class="run">–</td>' in page
    for plot in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        assert "nan" not in plot
        ElementTree.fromstring(plot)


def test_the_file_of_a_run_names_another_encoder_than_the_default(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    record = _record(rng, 2)
    for encoder in ("facenet", "tiny-0123"):
        (tmp_path / encoder).mkdir()
        named = replace(record, request={**record.request, "encoder": encoder})
        write_results(tmp_path / encoder, _heads(named, rng), named, _quiet)
    with np.load(tmp_path / "tiny-0123" / "heads.npz") as heads:
        assert str(heads["encoder"]) == "tiny-0123"
    with np.load(tmp_path / "facenet" / "heads.npz") as heads:
        assert "encoder" not in heads


def test_same_heads_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        rng = np.random.default_rng(5)
        record = _record(rng, 3)
        (tmp_path / name).mkdir()
        write_results(tmp_path / name, _heads(record, rng), record, _quiet)
        written.append(
            {p.name: p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        )
    assert written[0] == written[1]


def test_labels_name_every_parameter(tmp_path: Path, rng: np.random.Generator) -> None:
    record = _record(rng, 2)
    heads = _heads(record, rng)
    write_results(tmp_path, heads, record, _quiet)
    with tarfile.open(tmp_path / "heads-000000.tar") as archive:
        member = archive.extractfile("000001.json")
        assert member is not None
        label = json.load(io.TextIOWrapper(member))
    assert list(label["parameters"]) == list(record.table.names)
    assert list(label["parameters"].values()) == list(heads[1].parameters)
    assert label["seed"] == 1001


def test_names_are_escaped(tmp_path: Path, rng: np.random.Generator) -> None:
    record = replace(_record(rng, 2), command="run --output '<script>'")
    write_results(tmp_path, _heads(record, rng), record, _quiet)
    assert "<script>" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_not_a_number_never_reaches_the_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "report.json", {"figure": float("nan")})


@pytest.mark.parametrize("from_latents", [True, False])
def test_a_census_says_who_they_are(
    tmp_path: Path, rng: np.random.Generator, from_latents: bool
) -> None:
    record = _record(rng, 6, from_latents)
    found = build_report(record)["census"]
    assert np.sum(found["achieved"]) == 6
    assert found["requested"] is None if not from_latents else np.sum(found["requested"]) == 6
    write_results(tmp_path, _heads(record, rng), record, _quiet)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "woman, dark skin" in page and "45 to 60" in page
    assert "fairer older women" in page
    other = replace(record, request={**record.request, "encoder": "sface"})
    assert build_report(other)["census"]["achieved"] is None


def test_a_second_opinion_stands_beside_the_census(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    record = _record(rng, 4)
    own = np.array([[1.0, 20.0, 50.0]] * 4)
    read = np.array(
        [[1, 0.95, 70, 40], [1, 0.5, 20, 70], [0, 0.99, 50, 60], [np.nan] * 4], np.float64
    )
    assert build_report(record)["census"]["second_opinion"] is None
    record = replace(record, attributes=own, readings=read)
    found = build_report(record)["census"]
    assert found["parameters"][0][0][0] == 4
    second = found["second_opinion"]
    assert (second["faces"], second["women"], second["at least 90 % sure of the sex"]) == (3, 2, 2)
    assert second["counts"][0][0][3] == 1
    write_results(tmp_path, _heads(record, rng), record, _quiet)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "finds 3 faces in 4 images and reads 2 as women" in page
