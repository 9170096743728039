# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of `influence`, a file for each parameter that is done, so that it can go on."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from facegen_addon.encoders.encoder import DEFAULT_ENCODER, EncoderSource
from facegen_addon.errors import UserError
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.mapping import influence as figures
from facegen_addon.mapping.influence import Influence, InfluenceSettings, Probe

ProbeMaker = Callable[[HeadModel, InfluenceSettings], AbstractContextManager[Probe]]


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

    def measurer(self, probe: Probe) -> Callable[[str], None]:
        """A function that measures the parameter of that name and writes its file."""
        base = figures.base_heads(self.model, self.settings, probe)
        digest = figures.table_digest(self.model.table)

        def measure(name: str) -> None:
            slider = figures.measure(self.model, name, base, self.settings, probe)
            found = Influence(
                self.model.name, self.settings, self.fingerprint, digest, base.noise, (slider,)
            )
            figures.save(found, self._path(name))

        return measure

    def collect(self) -> Influence:
        """The measurements so far, in the table's order."""
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
