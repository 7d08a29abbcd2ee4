"""Processes of the cluster: each with a log, a check for readiness, and an end. All of them are in the process-id namespace
of enclosure.py, which ends what these functions leave."""

import contextlib
import os
import signal
import subprocess
import time

from .common import Failure, services

READY_WITHIN = 300  # seconds; the machine may be busy
STOP_WITHIN = 20


class Process:
    """A command that runs until it is stopped, and that can be started again."""

    def __init__(self, name, command, logs, ready, env=None):
        self.name, self.command, self.ready, self.env = name, [str(word) for word in command], ready, env
        self.log = logs / f"{name}.log"
        self.child = None

    def start(self):
        with self.log.open("a") as out:
            print("$", *self.command, file=out, flush=True)
            self.child = subprocess.Popen(
                self.command, cwd=self.log.parent, env={**os.environ, **(self.env or {})},
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        return self

    def wait_ready(self):
        """Waits until `ready()` is true."""
        deadline = time.monotonic() + READY_WITHIN
        while self.child.poll() is None and time.monotonic() < deadline:
            # A part that does not answer yet refuses the connection, or answers something else.
            with contextlib.suppress(OSError, ValueError, Failure):
                if self.ready():
                    return
            time.sleep(0.2)
        state = "is not ready" if self.child.poll() is None else f"ended with {self.child.returncode}"
        raise Failure(f"{self.name} {state}; the end of {self.log}:\n{services.tail(self.log)}")

    def stop(self, sign=signal.SIGTERM):
        self.child.send_signal(sign)
        try:
            self.child.wait(timeout=STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
