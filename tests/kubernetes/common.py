"""What all steps share: paths, addresses, failures, and the parts that scripts/services installs."""

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BASE = ROOT / "target" / "kubernetes"
IMAGES = ROOT / "target" / "images"
LOGS = BASE / "logs"
RUN = BASE / "run"

NAMESPACE = "kafka-efd"
IMAGE = "kafka-efd:0.1.0"


def load_services():
    """scripts/services as a module: its parts, its helpers for installing, its checks for readiness."""
    path = ROOT / "scripts" / "services"
    loader = importlib.machinery.SourceFileLoader("services", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("services", loader))
    loader.exec_module(module)
    return module


services = load_services()
Failure = services.Failure


def say(text):
    """Reports progress on stderr, so that stdout has only the results."""
    print(f"kubernetes: {text}", file=sys.stderr, flush=True)


def run(*command, stdin=None, timeout=120):
    """The standard output of a command; the error includes what it said on stderr."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as expired:
        raise Failure(f"`{' '.join(words[:6])}` has not ended after {timeout} s") from expired
    if done.returncode != 0:
        raise Failure(f"`{' '.join(words[:6])}` ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
