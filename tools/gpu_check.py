# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a GPU render what the CPU renders, how fast, and what holds it up: `make gpu-check`.

    python -m tools.gpu_check                   6 minutes: out/gpu-check/gpu_check.json, and a table
    python -m tools.gpu_check --instead auto    without a GPU: what `auto` takes stands in for one

Each measurement is a process of its own: one that a driver takes with it is told in a line, and the
others go on. Exit status: 0 all agree, 3 something does not, or there is no GPU.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegen_addon.arrays import AnyArray
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.terminal.process import run_process
from tools.gpu_usage import Usage

_PROJECT = Path(__file__).resolve().parents[1]
_SAME_LATENT = 0.01
"""Largest median cosine distance between latents of the same heads on two devices."""
_SAME_NUMBER = 1e-3  # of the encoder's and B's answers on two devices
_EXACT = ("world", "pixels", "depth")
"""What labels of points are computed from the mesh, whatever renders: equal to the last bit."""
_WORKERS = (1, 2, 4, 8)
_BUSY = 0.85  # from which on a device is what holds things up
_GAIN = 1.1  # of the rate, less than which twice the processes are no use
_START = 120.0  # seconds that a farm has until its first head
_SMALL = """\
[image]
size = [64, 64]
samples = 1
[labels]
on = false
"""
_RECIPE = """\
[heads]
distribution = "prior"
[accept]
face = false
"""


@dataclass
class Row:
    """A measurement. rate: of `unit`; memory: MB of the largest process; gpu_memory: MB of the
    cards; gpu_use, cpu_use: shares; None where it is not known; problem: why there is no rate."""

    what: str
    device: str
    rate: float | None = None
    unit: str = "heads/s"
    memory: float | None = None
    gpu_memory: float | None = None
    gpu_use: float | None = None
    cpu_use: float | None = None
    workers: int = 0
    problem: str = ""


class Check:
    """The measurements of one machine, in a folder of their own."""

    def __init__(self, folder: Path, quick: bool) -> None:
        self._folder, self._quick = folder, quick
        self.rows: list[Row] = []
        self.agreement: list[dict[str, Any]] = []
        self._arrays: dict[tuple[str, ...], Mapping[str, AnyArray]] = {}

    def devices(self) -> dict[str, Any]:
        """What there is; SystemExit if even that cannot be told."""
        facts, row = self._probe(Row("devices", ""), "devices", limit=120)
        if facts is None:
            raise SystemExit(f"gpu-check: {row.problem}")
        return facts

    def render(self, device: str, engine: str) -> None:
        """F by one device; against the CPU's latents and labels, if it is another."""
        row, count = Row(f"F, {engine}", device), "2" if self._quick else "12"
        facts, _ = self._probe(row, "render", device, engine, count, limit=150)
        if facts is not None:
            row.rate = 1.0 / float(np.median(facts["seconds"]))
            row.device = facts["device"]
            self._compare(row.what, "CPU", "render", device, engine, count)
        self.rows.append(row)

    def network(self, probe: str, what: str, device: str, count: int, unit: str) -> None:
        """The encoder or B, so many at once."""
        row = Row(f"{what}, {count} at once", device, unit=unit)
        facts, _ = self._probe(row, probe, device, str(count), limit=90)
        if facts is not None:
            row.rate = facts["per_second"]
            self._compare(row.what, "cpu", probe, device, str(count))
        self.rows.append(row)

    def farm(self, device: str, encoder: str, workers: int, seconds: float) -> None:
        """`dataset make` by so many render processes, stopped after a while."""
        row = Row(f"farm, {workers} processes", device, workers=workers)
        folder = self._folder / f"farm-{device}-{workers}"
        folder.mkdir()
        recipe, events = folder / "recipe.toml", folder / "events.jsonl"
        recipe.write_text(_RECIPE + (_SMALL if self._quick else ""))
        threads = max(1, (os.cpu_count() or 1) // workers)
        command = [sys.executable, str(_PROJECT / "batch" / "run.py"), "dataset", "make"]
        command += ["--recipe", str(recipe), "--count", "100000", "--shard-size", "100000"]
        command += ["--shard", "0/1", "--output", str(folder / "run"), "--log-json", str(events)]
        command += ["--workers", str(workers), "--threads", str(threads)]
        command += ["--device", device, "--encoder-device", encoder]
        self._run(row, command, seconds, events)
        times = accepted_times(events)
        row.rate = steady_rate(times, skipped=workers)
        if row.rate is None and not row.problem:
            row.problem = f"{len(times)} heads in {seconds:.0f} s: too few to measure"
        self.rows.append(row)

    def _probe(self, row: Row, probe: str, *own: str, limit: float) -> tuple[Any, Row]:
        """Facts of a process of tools.gpu_probes, None if it failed; its arrays are kept."""
        out = self._folder / f"{'-'.join([probe, *own])}.json"
        command = [sys.executable, "-m", "tools.gpu_probes", probe, *own, str(out)]
        self._run(row, command, limit)
        if row.problem or not out.is_file():
            row.problem = row.problem or "it ended without an answer"
            return None, row
        with np.load(out.with_suffix(".npz")) as arrays:
            self._arrays[probe, *own] = dict(arrays)
        return json.loads(out.read_text(encoding="utf-8")), row

    def _run(
        self, row: Row, command: Sequence[str], limit: float, events: Path | None = None
    ) -> None:
        """Run a process to its end, or a farm so many seconds from its first event of a head on.

        Fills in the row.
        """
        log = self._folder / "log.txt"
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(self._folder)}
        waiting = events is not None
        with log.open("wb") as said, Usage() as usage:
            process = subprocess.Popen(
                command, cwd=_PROJECT, env=environment, stdout=said, stderr=said
            )
            until = time.monotonic() + (_START if waiting else limit)
            while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
                if waiting and events is not None and accepted_times(events):
                    waiting, until = False, time.monotonic() + limit
                    usage.begin()
                if time.monotonic() > until:
                    process.send_signal(signal.SIGKILL if events is None else signal.SIGTERM)
                    ended = os.wait4(process.pid, 0)
                    break
                time.sleep(0.1)
        late = time.monotonic() > until
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        row.memory = ended[2].ru_maxrss / 1e3
        row.gpu_use, row.gpu_memory, row.cpu_use = usage.gpu, usage.gpu_memory, usage.cpu
        if late and (events is None or waiting):
            row.problem = f"no answer in {limit if events is None else _START:.0f} s"
        elif process.returncode and not late:
            row.problem = last_words(log.read_text(errors="replace"), process.returncode)

    def _compare(self, what: str, reference: str, *probe: str) -> None:
        """Hold the arrays of a probe against those of the same one on another device."""
        name, device, *rest = probe
        ours, theirs = (self._arrays.get((name, where, *rest)) for where in (device, reference))
        if device != reference and ours is not None and theirs is not None:
            self.agreement += compared(what, device, ours, theirs)


def compared(
    what: str, device: str, ours: Mapping[str, AnyArray], theirs: Mapping[str, AnyArray]
) -> list[dict[str, Any]]:
    """What differs between two devices, with whether it may."""
    found = []
    for name in ours:
        a, b = ours[name], theirs[name]
        if name == "latents":
            distances = cosine_distance(a, b)
            median, most = float(np.median(distances)), float(distances.max())
            figures = f"cosine distance {median:.2g} in the median, {most:.2g} at most"
            found.append((name, figures, median <= _SAME_LATENT))
        elif name.startswith("point ") and name.split()[1] in _EXACT:
            same = a.shape == b.shape and np.array_equal(a, b)
            found.append((name, "equal" if same else "different", same))
        elif name.startswith(("map ", "point ")):  # by rays, each device's own
            found.append((name, f"{np.mean(a == b):.4%} of the numbers equal", True))
        else:
            most = float(np.abs(a - b).max())
            found.append((name, f"{most:.2g} apart at most", most <= _SAME_NUMBER))
    return [
        {"what": what, "device": device, "part": part, "found": figures, "agrees": bool(agrees)}
        for part, figures, agrees in found
    ]


def last_words(log: str, status: int) -> str:
    """Why a process failed, in a line."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name}: for want of memory, or by a driver"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith("facegen: ")]
    return (ours or lines or [f"exit status {status}"])[-1].removeprefix("facegen: ")


def accepted_times(events: Path) -> list[float]:
    """When samples were accepted, seconds, by a farm's events."""
    if not events.is_file():
        return []
    found = []
    for line in events.read_text(encoding="utf-8").splitlines(keepends=True):
        event = json.loads(line) if line.endswith("\n") else {"event": "not whole"}
        if event["event"] == "sample" and event["outcome"] == "accepted":
            found.append(float(event["time"]))
    return found


def steady_rate(times: Sequence[float], skipped: int) -> float | None:
    """How many a second after the first ones, which wait for programs to start; None: too few."""
    steady = times[skipped:]
    if len(steady) < 2 or steady[-1] <= steady[0]:
        return None
    return (len(steady) - 1) / (steady[-1] - steady[0])


def bottleneck(rows: Sequence[Row]) -> str:
    """What holds a device's farm up, in words."""
    measured = [row for row in rows if row.workers and row.rate is not None]
    if not measured:
        return "nothing was measured"
    best = max(measured, key=lambda row: row.rate or 0.0)
    how = f"{best.rate:.2f} heads/s at most, by {best.workers} processes"
    if best.gpu_use is not None and best.gpu_use >= _BUSY:
        return f"{how}: the GPU itself ({best.gpu_use:.0%} busy)"
    if best.cpu_use is not None and best.cpu_use >= _BUSY:
        return f"{how}: the CPU's cores ({best.cpu_use:.0%} busy): meshes, strands, encoding, PNG"
    if best.workers == max(row.workers for row in measured) and len(measured) > 1:
        before = max(row.rate or 0.0 for row in measured if row is not best)
        if (best.rate or 0.0) >= _GAIN * before:
            return f"{how}, and still growing: more processes would pay"
    return f"{how}: neither GPU nor cores are busy: what runs one after the other in each process"


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| what | device | rate | memory, MB | of the GPU, MB | GPU busy | cores busy |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in rows:
        rate = row.problem or (f"{row.rate:.2f} {row.unit}" if row.rate is not None else "-")
        sizes = (
            f"{size:.0f}" if size is not None else "-" for size in (row.memory, row.gpu_memory)
        )
        shares = (f"{use:.0%}" if use is not None else "-" for use in (row.gpu_use, row.cpu_use))
        lines.append(f"| {' | '.join([row.what, row.device, rate, *sizes, *shares])} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; the exit status."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="facegen-gpu-", ignore_cleanup_errors=True) as name:
        check = Check(Path(name), options.quick)
        facts = check.devices()
        kinds = [options.instead] if options.instead else list(facts["devices"])
        cuda = "CUDAExecutionProvider" in facts["providers"]
        _measure(check, kinds, ["cpu", "cuda"] if cuda else ["cpu"], options)
    holds = {kind: bottleneck([row for row in check.rows if row.device == kind]) for kind in kinds}
    report = {
        "made": time.strftime("%Y-%m-%d"),
        "machine": {"system": platform.platform(), "cores": os.cpu_count(), **facts},
        "rows": [asdict(row) for row in check.rows],
        "agreement": check.agreement,
        "bottleneck": holds,
    }
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "gpu_check.json").write_text(json.dumps(report, indent=1) + "\n")
    print(table(check.rows))
    for one in check.agreement:
        mark = "agrees" if one["agrees"] else "DIFFERS"
        print(f"{one['what']} on {one['device']}, {one['part']}: {one['found']}: {mark}")
    for kind, words in holds.items():
        print(f"bottleneck on {kind}: {words}")
    return _verdict(check, kinds, cuda)


def _verdict(check: Check, kinds: Sequence[str], cuda: bool) -> int:
    """Say what is missing or wrong; the exit status."""
    wrong = [one for one in check.agreement if not one["agrees"]]
    failed = [row for row in check.rows if row.problem]
    if not kinds:
        print("gpu-check: Cycles finds no GPU here, or its driver is not at work: see nvidia-smi")
    if not cuda:
        print("gpu-check: no CUDA for encoder and B: pip install onnxruntime-gpu, CUDA and cuDNN")
    for row in failed:
        print(f"gpu-check: {row.what} on {row.device}: {row.problem}")
    return 3 if wrong or failed or not kinds else 0


def _measure(
    check: Check, kinds: Sequence[str], encoders: Sequence[str], options: argparse.Namespace
) -> None:
    for kind in dict.fromkeys(["CPU", *kinds]):
        check.render(kind, "CYCLES")
    if not options.quick:
        check.render("auto", "EEVEE")
    for encoder in encoders:
        for count in (4,) if options.quick else (4, 64):
            check.network("encode", "encoder", encoder, count, "images/s")
        check.network("backward", "B", encoder, 64 if options.quick else 4096, "heads/s")
    for kind in kinds[:1]:  # the fastest
        for workers in (1,) if options.quick else _WORKERS:
            check.farm(kind, encoders[-1], workers, options.seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--output", type=Path, default=Path("out/gpu-check"), help="default: %(default)s")
    add(
        "--seconds",
        type=float,
        default=40.0,
        help="of each farm, from its first head on; default: %(default)s",
    )
    add("--instead", metavar="DEVICE", help="in place of the GPUs that are found, e.g. auto")
    add("--quick", action="store_true", help="few heads, small images, one process, no EEVEE")
    return parser


if __name__ == "__main__":
    run_process(main, "gpu_check")
