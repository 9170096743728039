#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The tests that need Blender, on another version of it than .venv has: sh tools/test_bpy.sh VERSION.
# Makes .venv-bpy-VERSION once, of requirements/bpy-VERSION.txt: 1 GB. FACEGEN_TESTS: other tests.
set -eu
cd "$(dirname "$0")/.."
version=${1:-}
requirements=requirements/bpy-$version.txt
if [ ! -f "$requirements" ]; then
    known=$(printf "%s\n" requirements/bpy-*.txt | sed "s,.*/bpy-,,; s,.txt,," | tr "\n" " ")
    echo "test-bpy: no requirements for VERSION='$version'; give one of: $known" >&2
    exit 2
fi
needed=$(sed -n "s/^# Needs \(python3\.[0-9]*\)\..*/\1/p" "$requirements")
interpreter=${FACEGEN_PYTHON:-$needed}
environment=.venv-bpy-$version
python=$environment/bin/python
if ! cmp -s "$requirements" "$environment/requirements.txt"; then
    # A name may exist and still not run (version managers leave such stubs), so it is tried.
    name='import sys; print("python%d.%d" % sys.version_info[:2])'
    found=$("$interpreter" -c "$name" 2>/dev/null) || found=none
    if [ "$found" != "$needed" ]; then
        echo "test-bpy: bpy $version needs $needed, $interpreter is $found: install it, or name it by" \
            "FACEGEN_PYTHON=/path/to/$needed" >&2
        exit 2
    fi
    [ -x "$python" ] || "$interpreter" -m venv "$environment"
    "$python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$environment/requirements.txt"
fi
[ -f models/built/facenet.onnx ] || "$python" -m models.training.export_facenet
[ -f models/built/sface.onnx ] || "$python" -m models.training.export_sface
export OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
# shellcheck disable=SC2086 # one word a folder
exec "$python" -m pytest -m "not torch and not blender" -p no:cacheprovider \
    ${FACEGEN_TESTS:-tests/scene tests/ui tests/batch tests/terminal tests/install}
