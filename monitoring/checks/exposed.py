"""The metrics that the binaries expose, by the table of docs/metrics.md, which a test holds together with the code."""

import re

from . import ROOT

# Exposed, but on no panel.
ON_NO_PANEL = {
    "process_virtual_memory_bytes": "address space, which says nothing about the memory in use",
}


def of_page():
    """The metrics of the page's table; a row may have several."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    (table,) = re.findall(r"<!-- metrics: begin -->(.*?)<!-- metrics: end -->", page, re.DOTALL)
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}


def of_text(text):
    """The metrics of an answer of /metrics."""
    return set(re.findall(r"^# TYPE ([a-zA-Z_:]+) ", text, re.MULTILINE))
