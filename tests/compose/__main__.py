"""Starts compose.yaml with podman-compose, breaks it, and accounts for every message: `make test-compose`.

Our image is built from the Dockerfile. The third-party images cannot be pulled here, so stand-ins of the same names run
the real services (scripts/images). All takes place in namespaces of the test's own, so that the published ports are free.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "target" / "images"
VENV = IMAGES / "venv"
PACKAGES = ["podman-compose==1.6.0", "PyYAML==6.0.4", "python-dotenv==1.2.4"]
# Networks, published ports and podman's own name server are those of the test alone.
ALONE = """ip link set lo up
mkdir -p /run/containers /run/netns
mount -t tmpfs tmpfs /run/containers
mount -t tmpfs tmpfs /run/netns
exec "$@"
"""
MEASUREMENTS = 100  # `salmock produce --max-topics 100`
CONSOLE = "http://127.0.0.1:8088"


def prepare():
    """Builds the images and installs podman-compose, then runs this module inside, with both."""
    images = ROOT / "scripts" / "images"
    subprocess.run([images, "build", "kafka-efd", "kafka", "registry", "influxdb"], check=True)
    marker, wanted = VENV / "packages", "\n".join(PACKAGES)
    if not marker.exists() or marker.read_text() != wanted:
        venv.create(VENV, with_pip=True, clear=True)
        subprocess.run([VENV / "bin" / "python", "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        marker.write_text(wanted)
    command = [VENV / "bin" / "python", "-m", "tests.compose", "--inside", *sys.argv[1:]]
    # Without systemd, podman cannot schedule health checks; the test runs them.
    env = {**os.environ, "DISABLE_HC_SYSTEMD": "true"}
    words = [images, "exec", "--", "unshare", "--net", "--mount", "sh", "-euc", ALONE, "sh", *command]
    os.execve(images, [str(word) for word in words], env)


def seen_in_the_console():
    """Waits until the console shows that all is well, and the telemetry."""
    from tests.console_pages import missing

    from .stack import say, wait_until

    since, left = time.monotonic(), lambda: missing(CONSOLE, "lsst.sal.ATDome_position", "azimuthPosition")
    wait_until("the console shows that all is well", lambda: not left(), explain=left)
    say(f"the console shows that all is well, and values, after {time.monotonic() - since:.0f} s")


def one_broker(stack, database):
    """Every service is restarted in turn while data flows."""
    from .account import flows, settle
    from .stack import say

    starts = 1
    for service in ["saltransform-init", "kafka", "registry", "influxdb", "saltransform", "influxsink", "salmock"]:
        since = time.monotonic()
        stack.restart(service)
        starts += service == "salmock"
        flows(database, MEASUREMENTS)
        say(f"{service}: restarted, and all data flows after {time.monotonic() - since:.0f} s")
    stack.compose("stop", "salmock")
    return settle(stack, database, "kafka:9092", starts)


def three_brokers(stack, database):
    """Each broker is killed in turn while data flows, and comes back."""
    from .account import flows, settle
    from .stack import say

    for broker in ["kafka2", "kafka3", "kafka"]:
        since = time.monotonic()
        # SIGKILL; after `podman kill`, the restart policy would start it again at once.
        stack.podman("stop", "--time", "0", stack.container(broker))
        flows(database, MEASUREMENTS)
        say(f"{broker}: killed, and all data flows on after {time.monotonic() - since:.0f} s")
        stack.podman("start", stack.container(broker))
        stack.await_ready(broker)
        flows(database, MEASUREMENTS)
    stack.compose("stop", "salmock")
    return settle(stack, database, "kafka:9092,kafka2:9092,kafka3:9092", 1)


SCENARIOS = {
    "one": (["compose.yaml"], one_broker),
    "cluster": (["compose.yaml", "compose.cluster.yaml"], three_brokers),
}


def run(names):
    """Runs scenarios one after the other; ends with one line for each."""
    from .account import Database, flows
    from .stack import Failure, Stack, say

    for name in names:
        files, scenario = SCENARIOS[name]
        log = Path(tempfile.mkdtemp(prefix=f"compose-{name}-", dir=IMAGES / "work")) / "log"
        since = time.monotonic()
        stack = Stack(files, f"efd-{name}-{os.getpid()}", log)
        try:
            stack.up()
            database = Database()
            flows(database, MEASUREMENTS, since={})
            say(f"data of {MEASUREMENTS} topics in InfluxDB after {time.monotonic() - since:.0f} s")
            seen_in_the_console()
            account = scenario(stack, database)
        except Failure:
            for service in stack.services:
                (log.parent / f"{service}.log").write_text(stack.tail(service, 2000))
            say(f"the logs of the containers are in {log.parent}")
            raise
        finally:
            stack.down()
        log.unlink()
        log.parent.rmdir()
        counts = " ".join(f"{key}={value}" for key, value in account.items())
        print(f"COMPOSE {' '.join(files)} {counts} lost=0 seconds={time.monotonic() - since:.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="python3 -m tests.compose", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"{', '.join(SCENARIOS)} (default: all)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if unknown := set(args.scenarios) - SCENARIOS.keys():
        parser.error(f"there is no scenario {', '.join(unknown)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    try:
        run(args.scenarios or list(SCENARIOS)) if args.inside else prepare()
    except subprocess.CalledProcessError as error:
        sys.exit(f"compose: {error}")
    except RuntimeError as failure:
        sys.exit(f"compose: {failure}")


if __name__ == "__main__":
    main()
