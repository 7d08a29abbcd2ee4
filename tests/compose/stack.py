"""The services of Compose files: started in the order of `depends_on`, restarted, killed, and removed.

podman-compose makes networks, volumes and containers from the files. What podman leaves to systemd, which containers on a
test machine do not have, is done here: health checks are run, and services start when what they depend on is healthy.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
HEALTHY_WITHIN = 600  # seconds; on two idle cores three brokers take one minute
CHECK_INTERVAL = 1


class Failure(RuntimeError):
    """What did not come up to the expectation; its text is for the user."""


def say(text):
    """Reports progress on stderr."""
    print(f"compose: {text}", file=sys.stderr, flush=True)


def wait_until(what, is_true, within=HEALTHY_WITHIN, every=CHECK_INTERVAL, explain=lambda: ""):
    """Waits until a function returns something true, and returns that."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if answer := is_true():
            return answer
        time.sleep(every)
    raise Failure(f"{what}: not within {within} s. {explain()}".rstrip())


class Stack:
    """A project of one or more Compose files, each overriding those before it."""

    def __init__(self, files, project, log):
        self.project, self.log = project, log
        self.files = [word for file in files for word in ("--file", str(ROOT / file))]
        self.services = yaml.safe_load(self.compose("config", capture=True))["services"]

    def compose(self, *words, capture=False):
        """Runs podman-compose on the project."""
        podman_compose = [sys.executable, "-m", "podman_compose", "--in-pod", "false", "--project-name", self.project]
        return self._run([*podman_compose, *self.files, *words], capture)

    def podman(self, *words, capture=True):
        """Runs podman; returns what it prints."""
        return self._run(["podman", *words], capture)

    def _run(self, command, capture):
        with self.log.open("a") as log:
            print("$", *command, file=log, flush=True)
            out = subprocess.PIPE if capture else log
            done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=log, check=False)
        if done.returncode != 0:
            raise Failure(f"`{' '.join(command[:4])} …` ended with {done.returncode}; see {self.log}")
        return done.stdout.decode() if capture else ""

    def container(self, service):
        """The name of a service's container."""
        return f"{self.project}_{service}_1"

    def inspect(self, service):
        """What podman knows about a service's container."""
        return json.loads(self.podman("inspect", self.container(service)))[0]

    def up(self):
        """Starts every service when what it depends on is ready, and waits until all are healthy."""
        waiting = dict(self.services)
        while waiting:
            ready = [name for name, service in waiting.items() if not waiting.keys() & service.get("depends_on", {}).keys()]
            if not ready:
                raise Failure(f"depends_on is a circle: {', '.join(waiting)}")
            # All that can start at once do, as three brokers must.
            self.compose("up", "--detach", "--no-deps", "--no-build", *ready)
            for name in ready:
                self.await_ready(name)
                del waiting[name]

    def await_ready(self, service):
        """Waits for what others may depend on: the health check, or the end of a service that is run once."""
        container = self.container(service)
        if "healthcheck" in self.services[service]:
            since = time.monotonic()
            wait_until(f"{service} is healthy", lambda: self.is_healthy(service), explain=lambda: self.tail(service))
            say(f"{service} is healthy after {time.monotonic() - since:.0f} s")
            return
        code = int(self.podman("wait", container))
        if code != 0:
            raise Failure(f"{service} ended with {code}. {self.tail(service)}")
        say(f"{service} has ended with 0")

    def is_healthy(self, service):
        """Runs the container's health check, as it is in the Compose file."""
        check = ["podman", "healthcheck", "run", self.container(service)]
        return subprocess.run(check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def tail(self, service, lines=15):
        """The last lines of a container's log."""
        logs = ["podman", "logs", "--tail", str(lines), self.container(service)]
        done = subprocess.run(logs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return f"The end of its log:\n{done.stdout.decode(errors='replace')}"

    def restart(self, service):
        """Restarts a service and waits until it is ready."""
        self.compose("restart", service)
        self.await_ready(service)

    def down(self):
        """Removes containers, networks and volumes, and verifies that nothing is left."""
        self.compose("down", "--volumes", "--timeout", "60")
        left = self.left()
        if left:
            raise Failure(f"left behind after `down --volumes`: {', '.join(left)}")

    def left(self):
        """The names of the project's containers, volumes and networks."""
        label = f"label=io.podman.compose.project={self.project}"
        listings = [
            ["ps", "--all", "--filter", label, "--format", "{{.Names}}"],
            ["volume", "ls", "--filter", label, "--format", "{{.Name}}"],
            ["network", "ls", "--filter", label, "--format", "{{.Name}}"],
        ]
        return [name for listing in listings for name in self.podman(*listing).split()]
