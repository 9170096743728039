# SPDX-License-Identifier: GPL-3.0-or-later
"""`import-arkit`: ARKit's 52 curves of Live Link Face and others as slider values or keyframes."""

from collections.abc import Sequence

from batch import importing
from facegen_addon.heads.catalogue import DEFAULT_FLAME
from facegen_addon.heads.exchange.arkit.sliders import import_take

_EXAMPLES = """\
FILE is the .csv of Live Link Face, the .json or .csv of Audio2Face, the .txt of Face Cap or
iFacialMocap, MediaPipe's face_blendshapes as .json, or .json of names and weights. What is
recognised, ignored and clamped is printed. Every model of FaceGen's own has these sliders.

examples:
  {program} import-arkit MySlate_1_iPhone.csv
  {program} import-arkit MySlate_1_iPhone.csv --blend talking.blend
  {program} import-arkit smile.json --model anny --output sliders.json
  {program} import-arkit frames.json --fps 30 --output sliders.npz --blend talking.blend
"""


def main(arguments: Sequence[str]) -> int:
    """Run `import-arkit`; UserError for a wrong value, and then no file is written."""
    parser = importing.parser(
        "import-arkit",
        "Read ARKit's 52 blend shapes as slider values, or as keyframes of a head.",
        _EXAMPLES,
        f"a model of FaceGen's own; default: {DEFAULT_FLAME}",
    )
    return importing.run(parser.parse_args(arguments), import_take)
