#!/usr/bin/env python3
"""Writes monitoring/dashboards/*.json from the modules in monitoring/panels. Python's standard library is enough.

`make dashboards` runs it; with `--check` it writes nothing and fails if a file differs from what it would write.
"""

import argparse
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER.parent))

from monitoring.panels import clients, pipeline, subsystem, telemetry

DASHBOARDS = {"pipeline": pipeline, "subsystem": subsystem, "clients": clients, "telemetry": telemetry}


def texts():
    """(path, content) of each dashboard."""
    return {
        FOLDER / "dashboards" / f"{name}.json": json.dumps(module.build(), indent=1, ensure_ascii=False) + "\n"
        for name, module in DASHBOARDS.items()
    }


def stale():
    """The files that are not what this program writes, and those that it would not write."""
    wanted = texts()
    differing = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    return differing + [path for path in sorted((FOLDER / "dashboards").glob("*")) if path not in wanted]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if a file is not up to date")
    if parser.parse_args().check:
        if found := stale():
            sys.exit("not up to date, run `make dashboards`: " + " ".join(path.name for path in found))
        return
    for path, text in texts().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
