"""Container images as archives that containerd imports: the pipeline's own, made by scripts/images from the Dockerfile, and
the pause image, made here."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile

from .common import BASE, IMAGES, ROOT, Failure, say
from .install import program
from .node import PAUSE_IMAGE

ARCHIVE = IMAGES / "kafka-efd.tar"


def build():
    """Builds the pipeline's image, if it is absent or older than its sources."""
    command = [ROOT / "scripts" / "images", "save", "kafka-efd"]
    say(f"building {ARCHIVE.name} from the Dockerfile, unless it is up to date")
    try:
        code = subprocess.call(command, cwd=ROOT, stdout=sys.stderr)
    except OSError as error:
        raise Failure(f"cannot run {command[0]}: {error}") from error
    if code != 0:
        raise Failure("scripts/images could not build the image; its output is above")


def packed(files):
    """A tar archive of (name, mode, bytes)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, mode, content in files:
            info = tarfile.TarInfo(name)
            info.mode, info.size = mode, len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def pause_archive():
    """An image that consists of the pause program."""
    layer = packed([("pause", 0o755, program("pause").read_bytes())])
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }).encode()  # fmt: skip
    manifest = [{"Config": "config.json", "RepoTags": [f"docker.io/library/{PAUSE_IMAGE}"], "Layers": ["layer.tar"]}]
    archive = BASE / "pause.tar"
    partial = archive.with_suffix(".partial")
    partial.write_bytes(
        packed([
            ("config.json", 0o644, config), ("layer.tar", 0o644, layer),
            ("manifest.json", 0o644, json.dumps(manifest).encode()),
        ])
    )  # fmt: skip
    partial.rename(archive)
    return archive
