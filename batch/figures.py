# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of report.json: how varied, natural, faithful and plausible rendered heads are."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from batch.reference import Reference
from facegen_addon.arrays import FloatArray, RealArray
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.latent import metrics
from facegen_addon.mapping.roundtrip import GALLERY

NEIGHBOURS = 3  # k of precision and recall


@dataclass(frozen=True)
class HeadSet:
    """Heads to be judged together.

    parameters (N, P); achieved (N, D) latents of the renders, D being 512 for FaceNet; requested
    (N, 512), or None where the heads were not made from latents.
    """

    parameters: Annotated[FloatArray, "N P"]
    achieved: Annotated[RealArray, "N D"]
    requested: Annotated[RealArray, "N 512"] | None = None


def head_set_figures(
    heads: HeadSet, table: ParameterTable, reference: Reference | None
) -> dict[str, Any]:
    """All figures of one set as plain data.

    None where a set is too small or has no request, and where there is no reference to compare
    with.
    """
    z = table.standardise(heads.parameters)
    return {
        "count": len(heads.achieved),
        **latent_figures(heads.achieved, reference),
        "roundtrip": _roundtrip(heads),
        "own_identity_nearest": _own_identity(heads, reference),
        "plausibility": asdict(metrics.plausibility(z, table.guided_groups())),
    }


def latent_figures(
    latents: Annotated[RealArray, "N D"], reference: Reference | None
) -> dict[str, Any]:
    """The figures that need latents (N, D) only, so that real faces can stand beside heads."""
    several, enough = len(latents) > 1, len(latents) > NEIGHBOURS
    return {
        "pairwise": asdict(metrics.pairwise_distances(latents)) if several else None,
        "frechet": metrics.frechet_distance(latents, reference.moments)
        if several and reference
        else None,
        "precision_recall": asdict(metrics.precision_recall(reference.latents, latents, NEIGHBOURS))
        if enough and reference
        else None,
    }


def _roundtrip(heads: HeadSet) -> dict[str, float] | None:
    if heads.requested is None:
        return None
    return asdict(metrics.roundtrip_summary(heads.requested, heads.achieved))


def _own_identity(heads: HeadSet, reference: Reference | None) -> dict[str, float] | None:
    if heads.requested is None or reference is None:
        return None
    return {
        name: metrics.own_identity_rate(
            heads.requested, heads.achieved, reference.latents, others=GALLERY, centred=centred
        )
        for name, centred in (("raw", False), ("centred", True))
    }
