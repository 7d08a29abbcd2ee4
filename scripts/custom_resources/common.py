"""What all steps share: paths, the helpers of scripts/services, and the parts of tests/kubernetes."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.kubernetes import install  # noqa: E402  (found by the line above)
from tests.kubernetes.common import BASE, LOGS, Failure, run, services  # noqa: E402
from tests.kubernetes.control_plane import healthy  # noqa: E402
from tests.kubernetes.processes import Process  # noqa: E402

BIN = BASE / "bin"
DEFINITIONS = BASE / "crds"

__all__ = [
    "BASE", "BIN", "DEFINITIONS", "LOGS", "ROOT", "Failure", "Process", "healthy", "install", "run", "say", "services",
]  # fmt: skip


def say(text):
    """Reports progress on stderr, so that stdout has only the results."""
    print(f"check-custom-resources: {text}", file=sys.stderr, flush=True)
