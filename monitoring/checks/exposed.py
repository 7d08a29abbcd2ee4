"""The metrics that the binaries expose, by the README's table, which a test holds together with the code."""

import re

from . import ROOT

# Exposed, but on no panel.
ON_NO_PANEL = {
    "process_virtual_memory_bytes": "address space, which says nothing about the memory in use",
}


def of_readme():
    """The metrics of the README's table; a row may have several."""
    (table,) = re.findall(r"\n## Metrics\n(.*?)\n## ", (ROOT / "README.md").read_text(), re.DOTALL)
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}


def of_text(text):
    """The metrics of an answer of /metrics."""
    return set(re.findall(r"^# TYPE ([a-zA-Z_:]+) ", text, re.MULTILINE))
