"""Prometheus and promtool: those on PATH, or Debian's package unpacked under target/monitoring."""

import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import ROOT, Failure

CACHE = ROOT / "target" / "monitoring"
OLDEST = (2, 42)  # the first with keep_firing_for


def said(command, **options):
    """(exit code, what a command writes)."""
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options
    )
    return done.returncode, done.stdout.decode(errors="replace")


def version(promtool):
    found = re.search(r"version (\d+)\.(\d+)", said([promtool, "--version"])[1])
    return tuple(map(int, found.groups())) if found else (0, 0)


def unpack(folder):
    """Downloads Debian's package and unpacks it: installing it would also start a service."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise Failure("prometheus and promtool are not on PATH; install Prometheus 2.42 or later")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unpacking-", dir=CACHE) as scratch:
        said(["apt-get", "-q", "update"])
        code, text = said(["apt-get", "-q", "download", "prometheus"], cwd=scratch)
        packages = list(Path(scratch).glob("prometheus_*.deb"))
        if code != 0 or not packages:
            raise Failure(f"apt-get could not download prometheus; install it:\n{text}")
        code, text = said(["dpkg-deb", "-x", packages[0], Path(scratch) / "root"])
        if code != 0:
            raise Failure(f"dpkg-deb could not unpack {packages[0].name}:\n{text}")
        (Path(scratch) / "root" / "usr" / "bin").rename(folder)


@functools.cache
def installed():
    """(prometheus, promtool)."""
    on_path = shutil.which("prometheus"), shutil.which("promtool")
    if all(on_path) and version(on_path[1]) >= OLDEST:
        return on_path
    folder = CACHE / "prometheus"
    if not folder.is_dir():
        unpack(folder)
    tools = str(folder / "prometheus"), str(folder / "promtool")
    if version(tools[1]) < OLDEST:
        raise Failure(f"{tools[1]} is older than 2.42; install a later Prometheus and put it on PATH")
    return tools
