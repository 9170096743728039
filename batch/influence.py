# SPDX-License-Identifier: GPL-3.0-or-later
"""`influence`: what every slider of a model does, measured by renders; a killed run goes on."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from batch.command_line import check_output_file, worker_command
from batch.field_options import ANY_ENCODER, REPLACE, WORKERS, checked, parser_of, spelled
from batch.influence_sheet import draw_pages, markdown_table
from batch.influence_work import ProbeMaker, Work
from batch.influence_worker import SetUp
from facegen_addon.atomic_file import replacing
from facegen_addon.choices import SAMPLES, SEED
from facegen_addon.encoders.encoder import EncoderSource, find_encoder
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.mapping import influence as figures
from facegen_addon.mapping.influence import Influence, InfluenceSettings
from facegen_addon.png import encode_png
from facegen_addon.request_fields import FilePath, Text, WholeNumber, fields_of
from facegen_addon.terminal.interruption import exit_status, interruptible
from facegen_addon.terminal.pool import Answered, Pool
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.variety.fields import MODEL

_TOP = 20  # rows of the table that is printed


PARAMETERS = Text(
    name="parameters", help="only these, separated by commas", default=None, unset="all"
)
HEADS = WholeNumber(
    name="heads",
    help="heads of the prior to measure on",
    default=InfluenceSettings.heads,
    low=1,
    high=1000,
)
SHEET = FilePath(
    name="sheet", help=".png to draw all sliders into, several if need be", default=None
)
TABLE = FilePath(name="table", help=".md to write all figures into", default=None)


@dataclass(frozen=True, kw_only=True)
class InfluenceOptions:
    """A checked request. parameters: separated by commas, None for all."""

    model: str = MODEL.declared
    parameters: str | None = PARAMETERS.declared
    heads: int = HEADS.declared
    samples: int = SAMPLES.but(default=InfluenceSettings.samples).declared
    seed: int = SEED.but(help="of the heads and of the renderer", high=2**31 - 2).declared
    encoder: EncoderSource = ANY_ENCODER.declared
    workers: int = WORKERS.declared
    sheet: Path | None = SHEET.declared
    table: Path | None = TABLE.declared
    replace: bool = REPLACE.but(help="measure anew what is there already").declared

    @property
    def settings(self) -> InfluenceSettings:
        """Plain data that decides the figures."""
        return InfluenceSettings(self.heads, self.samples, self.seed)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that are asked for; () for all."""
        return tuple(name.strip() for name in (self.parameters or "").split(",") if self.parameters)


def main(arguments: Sequence[str], probe: ProbeMaker | None = None) -> int:
    """Run `influence`; the exit status. `probe` replaces Blender and FaceNet in tests.

    UserError for a wrong value and for results of other settings where --replace is not given.
    """
    options = parse_options(arguments)
    model = load_head_model(options.model)
    names = options.names or model.table.names
    for name in names:
        model.table.index(name)
    work = Work.of(model, options.settings, options.encoder)
    work.check(options.replace)
    try:
        with interruptible():
            _measure_all(options, work, names, probe)
    except KeyboardInterrupt as stop:
        kept = sum(work.is_done(name) for name in names)
        print(
            f"facegen: stopped; {kept} of {len(names)} parameters are measured, the same command"
            " goes on",
            file=sys.stderr,
        )
        return exit_status(stop)
    result = work.collect()
    path = work.folder.with_suffix(".npz")
    figures.save(result, path)
    print(f"{len(result.sliders)} parameters: {path} ({path.stat().st_size / 1e6:.2f} MB)")
    _show(options, model, result)
    return 0


def _measure_all(
    options: InfluenceOptions, work: Work, names: Sequence[str], probe: ProbeMaker | None
) -> None:
    """Measure what is not done, by worker processes or, with a stand-in for F, in this one."""
    pending = [name for name in names if not work.is_done(name)]
    if not pending:
        return
    bar, stage = ProgressBar(), f"influence {work.model.name}"
    bar.update(stage, 0, len(pending))
    measured = _here(work, pending, probe) if probe else _by_workers(options, pending)
    try:
        for done, _ in enumerate(measured, start=1):
            bar.update(stage, done, len(pending))
    finally:
        bar.close()


def _here(work: Work, names: Sequence[str], probe: ProbeMaker) -> Iterator[str]:
    """Measure in this process; yields each name when its file is written."""
    with probe(work.model, work.settings) as opened:
        measure = work.measurer(opened)
        for name in names:
            measure(name)
            yield name


def _by_workers(options: InfluenceOptions, names: Sequence[str]) -> Iterator[str]:
    """Measure by worker processes; yields each name when its file is written."""
    set_up = SetUp(options.model, options.settings, options.encoder)
    workers = min(options.workers, len(names))
    with Pool(worker_command(["influence-worker"]), workers, set_up) as pool:
        for heard in pool.work_off(names):
            if isinstance(heard, Answered):
                yield heard.job


def _show(options: InfluenceOptions, model: HeadModel, result: Influence) -> None:
    """Write the sheet and the table that were asked for; print the table's top."""
    if options.sheet:
        from facegen_addon.scene.render.portrait import decode_jpeg

        pages = draw_pages(result, model.table, decode_jpeg)
        for number, page in enumerate(pages):
            with replacing(_page_path(options.sheet, number, len(pages))) as partial:
                partial.write_bytes(encode_png(page))
        print(f"{len(pages)} pages: {_page_path(options.sheet, 0, len(pages))}")
    if options.table:
        with replacing(options.table) as partial:
            partial.write_text(markdown_table(result, model.table, len(result.sliders)), "utf-8")
    print(markdown_table(result, model.table, _TOP), end="")


def _page_path(sheet: Path, number: int, count: int) -> Path:
    """`sheet` itself for a single page, else with the page's number before the suffix."""
    return sheet if count == 1 else sheet.with_stem(f"{sheet.stem}_{number + 1}")


def parse_options(arguments: Sequence[str]) -> InfluenceOptions:
    """Read and check the options; UserError names a wrong value and the remedy."""
    fields = fields_of(InfluenceOptions)
    parser = parser_of(
        fields,
        "influence",
        "Measure what every slider of a model does: cosine distance, millimetres, pictures. A"
        " killed run goes on where it stopped.",
    )
    values = checked(fields, parser.parse_args(arguments))
    for name, suffix in (("sheet", ".png"), ("table", ".md")):
        if name in values:
            check_output_file(values[name], [suffix], spelled(name))
    encoder = find_encoder(values["encoder"])
    return InfluenceOptions(**values | {"encoder": encoder})
