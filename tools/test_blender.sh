#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs `blender -b -P batch/run.py -- generate` in Debian 13's Blender 4.3 (Python 3.13), in a chroot
# made once by debootstrap below FACEGEN_CHROOT. Blender's Python lacks ONNX Runtime: its wheel is
# unpacked beside the project and named by FACEGEN_SITE.
set -eu
cd "$(dirname "$0")/.."
chroot_folder=${FACEGEN_CHROOT:-/var/tmp/facegen-trixie}
if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
    echo "make test-blender needs root and debootstrap: apt-get install debootstrap, then as root" >&2
    exit 2
fi
if [ ! -d "$chroot_folder/usr" ]; then
    debootstrap trixie "$chroot_folder"
fi
if [ ! -x "$chroot_folder/usr/bin/blender" ] || ! chroot "$chroot_folder" python3 -c 'import numpy'; then
    chroot "$chroot_folder" env DEBIAN_FRONTEND=noninteractive apt-get install -y \
        blender python3-numpy libegl1 libgl1-mesa-dri
fi
project="$chroot_folder/root/facegen"
site="$chroot_folder/root/facegen-site"
[ -d "$site/onnxruntime" ] || .venv/bin/python -m pip install --quiet --no-deps --target "$site" \
    --python-version 3.13 --only-binary=:all: "$(grep onnxruntime== requirements/runtime-py313.txt)"
rm -rf "$project"
mkdir -p "$project"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$project"
mkdir -p "$project/models/built"
cp models/built/facenet.onnx "$project/models/built/"
unmount() { umount "$chroot_folder/dev" "$chroot_folder/proc"; }
mount --bind /proc "$chroot_folder/proc"
mount --bind /dev "$chroot_folder/dev"
trap unmount EXIT
in_blender() {
    chroot "$chroot_folder" env HOME=/root FACEGEN_SITE=/root/facegen-site \
        blender -b --factory-startup -P /root/facegen/batch/run.py -- "$@"
}
in_blender generate --count 4 --distance 0.3 --samples 4 --output /root/facegen/out/blender
test -s "$project/out/blender/report.json"
status=0
in_blender generate --count 0 || status=$?
[ "$status" = 2 ] || { echo "expected exit status 2 for --count 0, got $status" >&2; exit 1; }
echo "Blender: generate works, and a wrong value exits with 2"
