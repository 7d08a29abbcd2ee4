#!/usr/bin/env python3
"""Writes monitoring/prometheus-rule.yaml, the rules as a PrometheusRule for the Prometheus operator, from monitoring/rules.

`make rules` runs it; with `--check` it writes nothing and fails if the file differs. `--runbooks URL` prints the resource
with absolute links to the runbooks instead, for an Alertmanager that sends them: URL is that of docs/runbooks.md.
"""

import argparse
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
RESOURCE = FOLDER / "prometheus-rule.yaml"
RUNBOOKS = "docs/runbooks.md"

HEAD = """# Written by monitoring/prometheus_rule.py from monitoring/rules; change those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: kafka-efd
  labels:
    app.kubernetes.io/name: kafka-efd
    app.kubernetes.io/part-of: kafka-efd
    app.kubernetes.io/component: monitoring
spec:
  groups:
"""


def sources():
    """The files of rules: recording rules first, alphabetically otherwise."""
    files = sorted((FOLDER / "rules").glob("*.yaml"))
    return sorted(files, key=lambda path: path.name != "recording.yaml")


def resource():
    """The groups of all files, indented by two more spaces."""
    text = HEAD
    for path in sources():
        _, groups = path.read_text().split("\ngroups:\n", 1)
        text += "".join("  " + line if line.strip() else line for line in groups.splitlines(keepends=True))
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if the file is not up to date")
    parser.add_argument("--runbooks", metavar="URL", help="print the resource with links to this address")
    args = parser.parse_args()
    if args.runbooks:
        print(resource().replace(f"runbook_url: {RUNBOOKS}", f"runbook_url: {args.runbooks}"), end="")
    elif not args.check:
        RESOURCE.write_text(resource())
    elif not RESOURCE.exists() or RESOURCE.read_text() != resource():
        sys.exit("not up to date, run `make rules`: prometheus-rule.yaml")


if __name__ == "__main__":
    main()
