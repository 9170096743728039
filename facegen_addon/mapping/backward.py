# SPDX-License-Identifier: GPL-3.0-or-later
"""B, the backward mapping: latents -> parameters of heads that FaceNet places near them.

Two grades behind one interface. *direct* is one pass through a network; *refined* starts there and
descends on the surrogates' distance to the latent, inside a trust region: where the surrogates
agree, and where heads are believable (bounds per parameter group, in standard deviations).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from numpy.typing import ArrayLike

from ..arrays import Float32Array, FloatArray, RealArray
from ..artifacts import artifact, artifact_path, load_npz, load_onnx
from ..errors import Need, Remedy, UserError
from ..heads.parameters import ParameterTable
from ..latent.checked import checked_latents
from .attributes import AttributePrior
from .hair_colours import HairColours
from .inversion import InversionSettings, Progress, TrustRegion, dressed, invert
from .surrogate import SurrogateEnsemble
from .wardrobe import Wardrobe

if TYPE_CHECKING:
    from ..onnx_runtime import InferenceSession

Grade = Literal["refined", "direct"]

GRADES: tuple[Grade, ...] = get_args(Grade)
PRECISION = "prior_precision"
"""Array beside the surrogates' weights: (G, G) inverse correlations of the prior."""


def load_inversion(
    name: str, table: ParameterTable
) -> tuple[SurrogateEnsemble, TrustRegion, InversionSettings]:
    """All that inversion needs, from the registered surrogates of head model `name`."""
    settings = InversionSettings.from_mapping(artifact(f"surrogate_{name}").facts["inversion"])
    arrays = load_npz(f"surrogate_{name}")
    if PRECISION not in arrays:
        raise UserError(f"the surrogates of {name!r} lack {PRECISION}", Need(Remedy.RETRAIN, name))
    given, wardrobe = AttributePrior.from_arrays(arrays), Wardrobe.from_arrays(arrays)
    colours = HairColours.from_arrays(arrays)
    region = TrustRegion.of(table, settings, arrays[PRECISION], given, wardrobe, colours)
    return SurrogateEnsemble.from_arrays(arrays), region, settings


def is_trained(name: str) -> bool:
    """Whether the files of head model `name`'s mapping are there; quick, nothing is loaded."""
    try:
        return all(artifact_path(f"{part}_{name}").is_file() for part in ("surrogate", "backward"))
    except UserError:
        return False


@dataclass(frozen=True)
class BackwardMapping:
    """Latents -> parameters of one head model; see the module's docstring for the grades.

    `corrections` move latents (N, 512) of some grades before anything else (mapping.correction).
    """

    table: ParameterTable
    ensemble: SurrogateEnsemble
    region: TrustRegion
    settings: InversionSettings
    network: InferenceSession
    corrections: Mapping[str, Callable[[Float32Array], Float32Array]] = field(default_factory=dict)

    @classmethod
    def load(cls, name: str, table: ParameterTable) -> BackwardMapping:
        """The registered mapping of head model `name`; UserError if missing, damaged or stale."""
        return cls.assemble(table, *load_inversion(name, table), load_onnx(f"backward_{name}"))

    @classmethod
    def assemble(
        cls,
        table: ParameterTable,
        ensemble: SurrogateEnsemble,
        region: TrustRegion,
        settings: InversionSettings,
        network: InferenceSession,
    ) -> BackwardMapping:
        """Put parts together after checking that they speak of the same guided parameters."""
        widths = {
            "surrogates take": ensemble.inputs,
            "direct network gives": network.get_outputs()[0].shape[-1],
        }
        for part, width in widths.items():
            if width != len(table.guided):
                raise UserError(
                    f"the {part} {width} parameters, the head model guides {len(table.guided)}",
                    Need(Remedy.RETRAIN),
                )
        return cls(table, ensemble, region, settings, network)

    def parameters(
        self, latents: ArrayLike, grade: Grade = "refined", progress: Progress | None = None
    ) -> Annotated[FloatArray, "N P"]:
        """Heads for latents.

        Args:
            latents: (N, 512); normalised, with a notice, where their norm is not 1.
            grade: "refined" or "direct".
            progress: called with (heads done, heads in all).

        Returns:
            parameters (N, P) within the table's ranges; expression and pose at rest.
        """
        return self.table.from_standardised(self.standardised(latents, grade, progress))

    def standardised(
        self,
        latents: ArrayLike,
        grade: Grade = "refined",
        progress: Progress | None = None,
        region: TrustRegion | None = None,
        *,
        styled: bool = True,
    ) -> Annotated[Float32Array, "N G"]:
        """As `parameters`, but the guided ones in standard units: z (N, G).

        They lie in `region`, the mapping's own by default, around people such as the latents'.
        `styled` heads wear whole hairstyles; the others change smoothly with latents.
        """
        if grade not in GRADES:
            raise UserError(f"unknown grade {grade!r}: choose one of {', '.join(GRADES)}")
        requested = checked_latents(latents)
        wanted = self.asked(requested, grade)
        port = self.network.get_inputs()[0].name
        whole = region or self.region
        if not styled:
            whole = replace(whole, colours=None)
        region = whole.around(requested)
        z = region.project(self.network.run(None, {port: wanted})[0])
        if styled:
            z = dressed(requested, z, whole, wanted)
        if grade == "direct":
            return z
        return invert(self.ensemble, wanted, z, region, self.settings, progress=progress)

    def asked(
        self, latents: Annotated[Float32Array, "N 512"], grade: Grade
    ) -> Annotated[Float32Array, "N 512"]:
        """What is asked for instead of latents (N, 512) of unit norm: moved by the correction."""
        correct = self.corrections.get(grade)
        return latents if correct is None else correct(latents)

    def predicted(self, z: Annotated[RealArray, "N G"]) -> Annotated[Float32Array, "N 512"]:
        """Where the surrogates expect FaceNet to see heads z (N, G): latents (N, 512)."""
        return self.ensemble.predict(z)[0]
