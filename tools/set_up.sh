#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Finds an interpreter that a long-term Blender exists for and hands over to set_up.py.
cd "$(dirname "$0")/.." || exit 2
found=""
for candidate in ${FACEGEN_PYTHON:-python3.11 python3.13 python3}; do
    # A name may exist and still not run (version managers leave such stubs), so it is tried.
    version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case "$version" in
        3.11 | 3.13) exec "$candidate" -m tools.set_up "$@" ;;
    esac
    found="$found $candidate is $version;"
done
echo "FaceGen needs Python 3.11 (for bpy 4.5 LTS) or 3.13 (for bpy 5.2 LTS);${found:- no Python found;}" \
    "install one, e.g. apt-get install python3.11 python3.11-venv (Debian 12) or python3 python3-venv" \
    "(Debian 13), or name it: make demo FACEGEN_PYTHON=/path/to/python3.13" >&2
exit 2
