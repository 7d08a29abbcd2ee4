"""The checks that scripts/check-monitoring runs: the rules, the dashboards, and both on a running pipeline.

A check returns a list of problems, one line each.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MONITORING = ROOT / "monitoring"


class Failure(Exception):
    """An error that stops the checks; its text says what to do."""
