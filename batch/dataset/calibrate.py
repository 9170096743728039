# SPDX-License-Identifier: GPL-3.0-or-later
"""`dataset calibrate`: which layout of processes and threads is the fastest on this machine.

A few heads are rendered and embedded by each layout, as the farm does. `dataset make` does the same
by itself before a long run on a machine that it does not know yet.
"""

import contextlib
import itertools
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from batch.dataset.batch_encoder import BatchEncoder
from batch.dataset.farm import render_pool, render_settings
from batch.dataset.layout import Layout, LayoutMemory, Rates, fastest, layouts_to_try, rule
from batch.dataset.machine import usable_cores, usable_memory
from batch.dataset.messages import Job, SetUp
from batch.dataset.options import DatasetOptions
from batch.dataset.plan import Plan
from batch.dataset.recipe import Recipe
from batch.field_options import checked, parser_of
from facegen_addon.choices import DEVICE
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.terminal.interruption import exit_status, interruptible
from facegen_addon.terminal.pool import Answered, Pool
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.variety.fields import MODEL

logger = logging.getLogger("facegen_addon.farm")

WORTH_TRYING = 250
"""Samples a core from which on trying, about a minute, is less than what it may save."""
_FEWEST, _EACH = 4, 2  # heads by which a layout is measured, at least, and of each process
_SAMPLES = 8  # a pixel: what rendering costs besides them is seen, too
_TIMEOUT = 120.0  # seconds without an answer
_STAGE = "try layouts"

_EXAMPLES = """examples:
  {program} dataset calibrate
      try processes and threads for a minute; `dataset make` takes the fastest from then on
  {program} dataset calibrate --device GPU
      the same for runs with `--device GPU`
"""

Step = Callable[[], None]
"""Told of each head that is done."""


def main(arguments: Sequence[str], spelling: str = "dataset calibrate") -> int:
    """Try all layouts, print their rates and keep the fastest; the exit status.

    UserError for a device that is not there, and where another process is trying already.
    """
    parser = parser_of(
        [DEVICE],
        spelling,
        "Try how many render processes, of how many threads, are the fastest on this machine, and"
        " have `dataset make` use them. It never changes what is made.",
        _EXAMPLES,
    )
    device = checked([DEVICE], parser.parse_args(arguments))["device"]
    memory = LayoutMemory(device)
    try:
        with interruptible(), memory.alone() as alone:
            if not alone:
                raise UserError("another process is trying layouts on this machine: wait for it")
            rates = try_all(layouts_to_try(usable_cores(), usable_memory()), device)
            memory.keep(rates)
    except KeyboardInterrupt as stop:
        print("facegen: stopped; what was known of this machine stays", file=sys.stderr)
        return exit_status(stop)
    for layout, rate in rates.items():
        mark = "  <- from now on" if layout == fastest(rates) else ""
        print(f"{layout!s:<28}{rate:8.2f} heads/s{mark}")
    return 0


def layout_for(options: DatasetOptions, samples: int) -> Layout:
    """The layout of a run in which so many samples are to be made.

    As given; else as it is known of this machine; else, before a long run, the fastest by trial.
    """
    cores = usable_cores()
    if options.workers or options.threads:
        return rule(cores, options.workers, options.threads)
    memory = LayoutMemory(options.device)
    known = memory.recall()
    if known is not None or samples < WORTH_TRYING * cores:
        return known or rule(cores)
    layouts = layouts_to_try(cores, usable_memory())
    with memory.alone() as alone:
        if len(layouts) == 1 or not alone:
            return rule(cores)
        rates = try_all(layouts, options.device)
        memory.keep(rates)
    best = fastest(rates)
    logger.info("%s: the fastest of %d layouts on this machine, once tried", best, len(rates))
    return best


def try_all(layouts: Sequence[Layout], device: str) -> Rates:
    """Heads a second of each layout, with a bar; one that does not work is left out.

    Each is tried twice, there and back, and its better rate counts: others may use the machine
    meanwhile. UserError if the first, which would be taken otherwise, does not work.
    """
    trial = Trial.of(device)
    turns = [*layouts, *reversed(layouts)]
    total = sum(trial.heads(layout) for layout in turns)
    rates, refused = dict.fromkeys(layouts, 0.0), set[Layout]()
    with contextlib.closing(ProgressBar()) as bar:
        counter = itertools.count(1)
        bar.update(_STAGE, 0, total)
        for layout in turns:
            if layout in refused:
                continue
            try:
                rate = trial.rate(layout, lambda: bar.update(_STAGE, next(counter), total))
                rates[layout] = max(rates[layout], rate)
            except UserError as error:  # a GPU's memory may hold fewer processes
                if layout == layouts[0]:
                    raise
                refused.add(layout)
                logger.warning("%s: %s", layout, error)
    return {layout: rate for layout, rate in rates.items() if layout not in refused}


@dataclass(frozen=True)
class Trial:
    """What a layout is measured by: portraits of `person` with all labels, embedded.

    clock: seconds; command: of render processes, None for FaceGen's own.
    """

    plan: Plan
    device: str
    encoder: BatchEncoder
    clock: Callable[[], float] = time.monotonic
    command: Sequence[str] | None = None

    @classmethod
    def of(cls, device: str) -> "Trial":
        """Heads of the prior, which need no time for B, as in a run where B thinks ahead."""
        recipe = Recipe.read("portraits")
        recipe = replace(
            recipe,
            heads=replace(recipe.heads, distribution="prior"),
            image=replace(recipe.image, samples=_SAMPLES),
        )
        model = load_head_model(MODEL.default)
        return cls(Plan(recipe, model, 0), device, BatchEncoder(Encoder.load(threads=1)))

    def heads(self, layout: Layout) -> int:
        """How many heads are rendered to measure a layout, the first of each process among them."""
        return layout.workers + self._measured(layout)

    def rate(self, layout: Layout, step: Step) -> float:
        """Heads a second of a layout, once its processes have started and rendered one each."""
        recipe = self.plan.recipe
        settings = render_settings(recipe, self.device, layout.threads)
        set_up = SetUp(MODEL.default, settings, recipe.labels.dense)
        with (
            tempfile.TemporaryDirectory(prefix="facegen-layout-") as logs,
            render_pool(layout.workers, set_up, Path(logs), _TIMEOUT, self.command) as pool,
        ):
            _wait_for_all(pool)
            self._work_off(pool, range(layout.workers), step)
            start, measured = self.clock(), self._measured(layout)
            self._work_off(pool, range(layout.workers, self.heads(layout)), step)
            return measured / (self.clock() - start)

    def _measured(self, layout: Layout) -> int:
        return max(_FEWEST, _EACH * layout.workers)

    def _work_off(self, pool: Pool, numbers: Sequence[int], step: Step) -> None:
        for heard in pool.work_off(self._jobs(numbers)):
            if isinstance(heard, Answered):
                done = heard.answer
                self.encoder.latents([done.image], [done.points])
                step()

    def _jobs(self, numbers: Sequence[int]) -> Iterator[Job]:
        for number in numbers:
            yield Job(number, 0, self.plan.shot(number, 0), checked=False)


def _wait_for_all(pool: Pool) -> None:
    """Until all processes are ready: who starts first would be given all the work."""
    while any(state.state != "ready" for state in pool.states):
        list(pool.hear())
