"""The metrics that the binaries expose, by the README's table, which a test holds together with the code."""

import re

from . import ROOT

# A family in one row of the table.
PROCESS = {
    "process_cpu_seconds_total", "process_max_fds", "process_open_fds", "process_resident_memory_bytes",
    "process_start_time_seconds", "process_threads",
}  # fmt: skip

# Exposed, but on no panel.
ON_NO_PANEL = {
    "process_virtual_memory_bytes": "says nothing about the memory in use",
    "process_virtual_memory_max_bytes": "says nothing about the memory in use",
}


def of_readme():
    """The metrics of the README's table."""
    (table,) = re.findall(r"\n## Metrics\n(.*?)\n## ", (ROOT / "README.md").read_text(), re.DOTALL)
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    names = {name for row in rows for name in re.findall(r"`([a-z_]+)[^`]*`", row)}
    return {name for name in names if not name.startswith("process_")} | PROCESS


def of_text(text):
    """The metrics of an answer of /metrics."""
    return set(re.findall(r"^# TYPE ([a-zA-Z_:]+) ", text, re.MULTILINE))
