#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Packs all that `make gpu-check` needs for a machine without a network, in files of at most 60 MB:
# sh tools/gpu_bundle.sh FOLDER [GPU_SITE]. There: sh FOLDER/unpack.sh PLACE && PLACE/gpu-check
# GPU_SITE: a folder of `pip install --target GPU_SITE onnxruntime-gpu`, packed as well.
# FACEGEN_PACKAGES: other packages than those named below; FACEGEN_PART: bytes of a file at most.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-}
gpu_site=${2:-}
if [ -z "$folder" ]; then
    echo "gpu-bundle: name a new folder: sh tools/gpu_bundle.sh FOLDER [GPU_SITE]" >&2
    exit 2
fi
if [ -e "$folder" ]; then
    echo "gpu-bundle: $folder is there already: name a new folder, or remove it" >&2
    exit 2
fi
if [ -n "$gpu_site" ] && [ ! -d "$gpu_site/onnxruntime" ]; then
    echo "gpu-bundle: $gpu_site has no onnxruntime: pip install --target $gpu_site onnxruntime-gpu" >&2
    exit 2
fi
python=${FACEGEN_PYTHON:-.venv/bin/python}
packages=${FACEGEN_PACKAGES:-bpy numpy onnxruntime pyarrow}
mkdir -p "$folder"
lists=$(mktemp -d)
trap 'rm -rf "$lists"' EXIT

# What of the packages and of all that they need was installed, by their own lists.
"$python" - "$lists" "$packages" <<'PYTHON'
import importlib.metadata
import re
import sys
import sysconfig
from pathlib import Path

lists, packages = Path(sys.argv[1]), sys.argv[2].split()
site = Path(sysconfig.get_path("purelib"))
files: set[str] = set()
done: set[str] = set()
while packages:
    name = packages.pop()
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        continue  # one for another system
    done.add(name)
    for file in found.files or ():
        if ".." not in file.parts and (site / file).is_file() and file.suffix != ".pyc":
            files.add(str(file))
    needed = [need for need in found.requires or () if "extra ==" not in need]
    packages += [n for n in (re.split(r"[^\w.-]", need)[0] for need in needed) if n not in done]
version = f"python{sys.version_info.major}.{sys.version_info.minor}"
(lists / "site").write_text("".join(f"{file}\n" for file in sorted(files)))
(lists / "site-folder").write_text(str(site))
(lists / "base").write_text(sys.base_prefix)
(lists / "version").write_text(version)
PYTHON
base=$(cat "$lists/base")
version=$(cat "$lists/version")

# NAME: what tar writes to its standard output, in pieces beside the others.
pieces() {
    gzip -6 | split -b "${FACEGEN_PART:-60000000}" -d -a 3 - "$folder/$1.tar.gz."
}

libraries=$(cd "$base" && find lib -maxdepth 1 -name "libpython3*.so*")
# shellcheck disable=SC2086 # names without spaces, and none where Python is one file
tar -c -C "$base" --exclude=site-packages --exclude=__pycache__ --exclude="$version/test" \
    --exclude="$version/idlelib" "bin/$version" "lib/$version" $libraries | pieces python
tar -c -C "$(cat "$lists/site-folder")" -T "$lists/site" | pieces site
git ls-files batch facegen_addon models tools pyproject.toml __init__.py LICENSE >"$lists/facegen"
[ ! -f models/built/facenet.onnx ] || echo models/built/facenet.onnx >>"$lists/facegen"
tar -c -h -T "$lists/facegen" | pieces facegen
[ -z "$gpu_site" ] || tar -c -C "$gpu_site" . | pieces gpu

cat >"$folder/unpack.sh" <<UNPACK
#!/bin/sh
# Unpacks FaceGen with its own Python: sh unpack.sh PLACE, then PLACE/gpu-check
set -eu
cd "\$(dirname "\$0")"
place=\${1:?name a folder to unpack to}
sha256sum --check --quiet SHA256SUMS
for name in python site facegen gpu; do
    mkdir -p "\$place/\$name"
    [ ! -f "\$name.tar.gz.000" ] || cat "\$name".tar.gz.* | tar -xz -C "\$place/\$name"
done
cat >"\$place/gpu-check" <<'RUN'
#!/bin/sh
here=\$(cd "\$(dirname "\$0")" && pwd)
export PYTHONHOME="\$here/python" PYTHONPATH="\$here/gpu:\$here/site:\$here/facegen"
export LD_LIBRARY_PATH="\$here/python/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
exec "\$here/python/bin/$version" -m tools.gpu_check "\$@"
RUN
chmod +x "\$place/gpu-check"
UNPACK
(cd "$folder" && sha256sum ./*.tar.gz.* unpack.sh >SHA256SUMS)
echo "$(find "$folder" -type f | wc -l) files, $(du -sm "$folder" | cut -f1) MB: $folder"
