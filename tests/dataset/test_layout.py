# SPDX-License-Identifier: GPL-3.0-or-later
import json
import logging
from pathlib import Path

import pytest

from batch.dataset import layout as layouts
from batch.dataset.layout import Layout, LayoutMemory, fastest, layouts_to_try, rule

GIGABYTE = 10**9


@pytest.fixture(autouse=True)
def a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cores and much memory, and a user's folder that is not there yet."""
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(layouts, "usable_cores", lambda: 4)
    monkeypatch.setattr(layouts, "usable_memory", lambda: 100 * GIGABYTE)


def kept(device: str = "CPU") -> LayoutMemory:
    memory = LayoutMemory(device)
    memory.keep({Layout(4, 1): 1.0, Layout(2, 2): 1.2})
    return memory


def test_the_rule_has_a_process_a_core_and_eight_at_most() -> None:
    assert [rule(cores) for cores in (1, 2, 8, 64)] == [
        Layout(1, 1), Layout(2, 1), Layout(8, 1), Layout(8, 8)
    ]  # fmt: skip
    assert rule(4, workers=3) == Layout(3, 1)
    assert rule(4, threads=2) == Layout(4, 2)
    assert rule(4, workers=9, threads=7) == Layout(9, 7)


def test_layouts_to_try_fit_cores_and_memory_and_begin_with_the_rule() -> None:
    assert layouts_to_try(1, None) == [Layout(1, 1)]
    assert layouts_to_try(2, 9 * GIGABYTE) == [Layout(2, 1), Layout(1, 2), Layout(2, 2)]
    many = layouts_to_try(64, 200 * GIGABYTE)
    assert many[0] == rule(64) and Layout(64, 1) in many and Layout(32, 2) in many
    assert {one.workers for one in layouts_to_try(64, 22 * GIGABYTE)} == {8, 16}
    assert layouts_to_try(64, None) == [Layout(8, 8)], "nobody knows what fits"


def test_the_fastest_has_to_be_faster_than_the_rule_by_more_than_chance() -> None:
    slow, quick = Layout(4, 1), Layout(2, 2)
    assert fastest({slow: 1.0, quick: 1.2}) == quick
    assert fastest({slow: 1.0, quick: 1.02}) == slow
    assert fastest({slow: 1.0}) == slow


def test_what_is_kept_is_recalled_on_the_same_machine_for_the_same_device_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert LayoutMemory("CPU").recall() is None
    kept()
    assert LayoutMemory("CPU").recall() == Layout(2, 2)
    assert LayoutMemory("auto").recall() is None
    for name, other in (("blender_version", "9.9"), ("facegen_version", "9.9")):
        with monkeypatch.context() as patch:
            patch.setattr(layouts, name, lambda other=other: other)
            assert LayoutMemory("CPU").recall() is None
    with monkeypatch.context() as patch:
        patch.setattr(layouts, "describe_processor", lambda: {"processor": "new", "cores": 4})
        assert LayoutMemory("CPU").recall() is None


def test_a_machine_that_has_less_memory_by_now_is_tried_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = LayoutMemory("CPU")
    memory.keep({Layout(4, 1): 1.0, Layout(4, 2): 1.2})
    assert memory.recall() == Layout(4, 2)
    monkeypatch.setattr(layouts, "usable_memory", lambda: 3 * GIGABYTE)
    assert memory.recall() is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "5", "[" * 100_000, "{}", '{"machine": 1}', "\x00\xff"]
)
def test_a_damaged_memory_is_as_none_and_is_written_anew(text: str) -> None:
    memory = kept()
    memory.path.write_text(text, encoding="latin-1")
    assert memory.recall() is None
    assert kept().recall() == Layout(2, 2)


@pytest.mark.parametrize(
    "layout",
    [
        {"workers": 0, "threads": 1},
        {"workers": 10_000, "threads": 1},
        {"workers": "2", "threads": 2},
        {"workers": [], "threads": 2},
        {"workers": 2},
        5,
    ],
)
def test_a_layout_that_makes_no_sense_is_not_taken(layout: object) -> None:
    memory = kept()
    whole = json.loads(memory.path.read_text(encoding="utf-8"))
    memory.path.write_text(json.dumps(whole | {"layout": layout}), encoding="utf-8")
    assert memory.recall() is None


def test_a_disk_that_refuses_costs_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING, "facegen_addon.farm"):
        memory = kept()
    assert memory.recall() is None
    assert [record.getMessage() for record in caplog.records if "not kept" in record.getMessage()]
    with memory.alone() as alone:
        assert alone, "nobody else can be asked"


def test_only_one_process_tries_at_a_time_and_another_may_afterwards() -> None:
    memory = LayoutMemory("CPU")
    with memory.alone() as first, LayoutMemory("CPU").alone() as second:
        assert first and not second
        with LayoutMemory("GPU").alone() as other:
            assert other, "of another device"
    with memory.alone() as again:
        assert again
