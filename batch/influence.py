# SPDX-License-Identifier: GPL-3.0-or-later
"""`influence`: what every slider of a model does, measured by renders; a killed run goes on."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from batch.command_line import check_output_file, worker_command
from batch.field_options import ANY_ENCODER, REPLACE, WORKERS, checked, parser_of, spelled
from batch.influence_sheet import draw_pages, markdown_table
from facegen_addon.atomic_file import replacing
from facegen_addon.choices import SAMPLES, SEED
from facegen_addon.encoders.encoder import DEFAULT_ENCODER, EncoderSource, find_encoder
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.mapping import influence as figures
from facegen_addon.mapping.influence import Influence, InfluenceSettings, Probe
from facegen_addon.png import encode_png
from facegen_addon.request_fields import FilePath, Text, WholeNumber, fields_of
from facegen_addon.terminal.interruption import exit_status, interruptible
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.workers import report, reports, serve, start_worker
from facegen_addon.variety.fields import MODEL

ProbeMaker = Callable[[HeadModel, InfluenceSettings], AbstractContextManager[Probe]]

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
    """A checked request. parameters: separated by commas, None for all; share (i, n): this process
    is worker i of n; () for none of them."""

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
    share: tuple[int, ...] = ()

    @property
    def settings(self) -> InfluenceSettings:
        """What the figures depend on."""
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
    if options.share:
        renders = partial(_render_probe, encoder=options.encoder.path)
        own = names[options.share[0] :: options.share[1]]
        return serve(lambda: _serve_share(work, own, probe or renders))
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


def _serve_share(work: "Work", names: Sequence[str], probe: ProbeMaker) -> None:
    """Measure a worker's parameters."""
    for _ in work.measure(names, probe):
        report(1)


@dataclass(frozen=True)
class Work:
    """The results of one model, encoder and setting, a file for each parameter that is done."""

    model: HeadModel
    settings: InfluenceSettings
    fingerprint: str
    folder: Path

    @classmethod
    def of(cls, model: HeadModel, settings: InfluenceSettings, encoder: EncoderSource) -> "Work":
        """Where the results of `model` lie, and what they have to be made of.

        Those of other encoders than the default lie apart: the panel shows its figures alone.
        """
        name = model.name if encoder.key == DEFAULT_ENCODER else f"{model.name}-{encoder.key}"
        fingerprint = figures.fingerprint(model, settings, encoder.sha256)
        return cls(model, settings, fingerprint, figures.influence_folder() / name)

    def check(self, replace: bool) -> None:
        """UserError if there are results of another model, table or setting; or remove them."""
        for path in self._files():
            fresh = self._fresh(path)
            if not fresh and not replace:
                raise UserError(
                    f"{path} was measured with other settings than {asdict(self.settings)} or"
                    " another version of the model; add --replace to measure all anew"
                )
            if replace:
                path.unlink()

    def is_done(self, name: str) -> bool:
        """Whether the parameter called `name` is measured."""
        return self._path(name).is_file()

    def measure(self, names: Sequence[str], make_probe: ProbeMaker) -> Iterator[str]:
        """Measure those of `names` that are not done; yields each when its file is written."""
        pending = [name for name in names if not self.is_done(name)]
        if not pending:
            return
        with make_probe(self.model, self.settings) as probe:
            base = figures.base_heads(self.model, self.settings, probe)
            for name in pending:
                slider = figures.measure(self.model, name, base, self.settings, probe)
                digest = figures.table_digest(self.model.table)
                figures.save(
                    Influence(
                        self.model.name,
                        self.settings,
                        self.fingerprint,
                        digest,
                        base.noise,
                        (slider,),
                    ),
                    self._path(name),
                )
                yield name

    def collect(self) -> Influence:
        """All that is measured, in the table's order."""
        return figures.joined([figures.read(p) for p in self._files()], self.model.table.names)

    def _fresh(self, path: Path) -> bool:
        try:
            return figures.read(path).fingerprint == self.fingerprint
        except UserError:
            return False

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("[!.]*.npz"))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"


def _measure_all(
    options: InfluenceOptions, work: Work, names: Sequence[str], probe: ProbeMaker | None
) -> None:
    """Measure what is not done, by worker processes or, with a stand-in for F, in this one."""
    pending = [name for name in names if not work.is_done(name)]
    if not pending:
        return
    workers = min(options.workers, len(pending))
    steps = (
        work.measure(pending, probe)
        if probe
        else reports([start_worker(_command(options, pending, i, workers)) for i in range(workers)])
    )
    bar, stage = ProgressBar(), f"influence {work.model.name}"
    bar.update(stage, 0, len(pending))
    try:
        for done, _ in enumerate(steps, start=1):
            bar.update(stage, done, len(pending))
    finally:
        bar.close()


def _command(
    options: InfluenceOptions, names: Sequence[str], index: int, workers: int
) -> list[str]:
    """The command line of one worker."""
    settings = options.settings
    return worker_command([
        "influence", "--model", options.model, "--parameters", ",".join(names),
        "--heads", str(settings.heads), "--samples", str(settings.samples),
        "--seed", str(settings.seed), "--encoder", str(options.encoder.path),
        "--share", str(index), str(workers),
    ])  # fmt: skip


def _render_probe(
    model: HeadModel, settings: InfluenceSettings, encoder: Path
) -> AbstractContextManager[Probe]:
    # Imported here: only processes that render need bpy.
    from facegen_addon.scene.render.portrait import render_probe

    return render_probe(model, settings, threads=1, encoder=encoder)


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
    parser.add_argument("--share", type=int, nargs=2, default=(), help=argparse.SUPPRESS)
    values = checked(fields, parser.parse_args(arguments))
    for name, suffix in (("sheet", ".png"), ("table", ".md")):
        if name in values:
            check_output_file(values[name], [suffix], spelled(name))
    encoder = find_encoder(values["encoder"])
    return InfluenceOptions(**values | {"encoder": encoder, "share": tuple(values["share"])})
