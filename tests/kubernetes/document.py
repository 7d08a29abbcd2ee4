"""Follows docs/kubernetes.md as a new user would: runs its commands, in its order, on a cluster that has the services."""

import re
import subprocess
import time

from tests import console_pages

from .cluster import start
from .common import ROOT, Failure, say
from .services import INFLUXDB_URL, Services

DOCUMENT = ROOT / "docs" / "kubernetes.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STEP_WITHIN = 600  # seconds
BETWEEN = 10  # seconds, in which a user reads
CONSOLE_WITHIN = 120  # seconds
# Runs in a second terminal until it is interrupted.
FORWARD = "kubectl port-forward"
CONSOLE = "http://localhost:8088"
TOPIC, FIELD = "lsst.sal.ATDome_position", "azimuthPosition"


def steps(text):
    """The document's blocks of shell commands."""
    return BLOCK.findall(text)


def look(step, home, env):
    """Runs the step of the web pages in a second terminal, opens them there, and ends it."""
    terminal = subprocess.Popen(["bash", "-euc", f"exec {step.strip()}"], cwd=home, env=env, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + CONSOLE_WITHIN
        while missing := console_pages.missing(CONSOLE, TOPIC, FIELD):
            if terminal.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"a step of {DOCUMENT.name} does not lead to the pages: {step.strip()}: {missing}")
            time.sleep(1)
    finally:
        terminal.terminate()
        terminal.wait()


def follow(instance, archives):
    """Runs each step in the folder of a user who has the repository's manifests and two tokens."""
    home = instance.folder / "user"
    home.mkdir()
    (home / "k8s-apps").symlink_to(ROOT / "k8s-apps")
    cluster = start(instance, archives)
    services = Services(instance, cluster)
    (home / "influxdb.token").write_text(services.token)
    (home / "influxdb-read.token").write_text(services.read_token())
    env = {**cluster.environment(), "INFLUXDB_URL": INFLUXDB_URL}
    outputs = []
    for step in steps(DOCUMENT.read_text()):
        say(f"$ {step.strip()}")
        if step.startswith(FORWARD):
            look(step, home, env)
            say(f"the console shows that all is well, and values of {TOPIC}")
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", step], cwd=home, env=env, timeout=STEP_WITHIN, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        say(done.stdout.strip())
        if done.returncode != 0:
            raise Failure(f"a step of {DOCUMENT.name} ended with {done.returncode}: {step}")
        outputs.append(done.stdout)
        time.sleep(BETWEEN)
    # The query of step 5: a table with the point's number.
    if not any("sal_sequence,lsst.sal." in output for output in outputs):
        raise Failure(f"no step of {DOCUMENT.name} has shown a point of the database")
