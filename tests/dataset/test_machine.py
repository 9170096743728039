# SPDX-License-Identifier: GPL-3.0-or-later
from pathlib import Path

import pytest

from batch.dataset import machine
from batch.dataset.machine import describe_processor, usable_cores, usable_memory


def system(root: Path, **files: str) -> Path:
    """A root folder with these files; two underscores stand for a slash, DOT for a dot."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture(autouse=True)
def sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 16), ("150000 100000", 2), ("20000 100000", 1), ("no", 16)]
)
def test_a_container_has_the_cores_of_its_quota(tmp_path: Path, quota: str, cores: int) -> None:
    root = system(tmp_path, proc__self__cgroup="0::/\n", sys__fs__cgroup__cpuDOTmax=f"{quota}\n")
    assert usable_cores(root) == cores


def test_the_narrowest_group_above_counts(tmp_path: Path) -> None:
    system(tmp_path, proc__self__cgroup="0::/slurm/job/step\n")
    groups = tmp_path / "sys/fs/cgroup/slurm"
    system(groups, cpuDOTmax="400000 100000", job__cpuDOTmax="900000 100000")
    system(groups, memoryDOTmax="max", job__memoryDOTmax="3000000")
    assert usable_cores(tmp_path) == 4
    assert usable_memory(tmp_path) == 3_000_000


def test_groups_of_the_first_version_count_too(tmp_path: Path) -> None:
    system(tmp_path, proc__self__cgroup="4:memory:/job\n3:cpu,cpuacct:/job\n")
    job = tmp_path / "sys/fs/cgroup/cpu/job"
    system(job, cpuDOTcfs_quota_us="300000", cpuDOTcfs_period_us="100000")
    system(tmp_path / "sys/fs/cgroup/memory/job", memoryDOTlimit_in_bytes="5000000")
    assert usable_cores(tmp_path) == 3
    assert usable_memory(tmp_path) == 5_000_000
    system(job, cpuDOTcfs_quota_us="-1")
    assert usable_cores(tmp_path) == 16


def test_a_system_that_tells_nothing_gives_what_python_sees(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == 16
    assert describe_processor(tmp_path)["processor"] is not None
    system(tmp_path, proc__cpuinfo="processor : 0\nmodel name\t: Fast  (R) 9000\n")
    assert describe_processor(tmp_path) == {"processor": "Fast (R) 9000", "cores": 16}
