"""Compares the pipeline's dashboard with `kafkaefd top`: the same figures, in the same units."""

import json
import time

from . import Failure, dashboards
from .running import STAGES

RATE_INTERVAL = "20s"
ATTEMPTS = 3

# Field of a row in `kafkaefd top --json`: panel, number of the query, and the factor by which both may differ, as they look
# at different times and a busy machine is uneven. Another unit would be a factor of 60 or 1000.
FIGURES = {
    "salmock": {"out_per_second": ("salmock", 0, 3)},
    "saltransform": {
        "in_per_second": ("saltransform", 0, 3),
        "out_per_second": ("saltransform", 1, 3),
        "work_p50": ("Transform a message", 0, 4),
        "work_p99": ("Transform a message", 1, 20),
    },
    "influxsink": {
        "in_per_second": ("influxsink", 0, 3),
        "out_per_second": ("influxsink", 1, 3),
        "work_p50": ("Request to the database", 0, 4),
        "work_p99": ("Request to the database", 1, 20),
        "age_p50": ("Age at the database", 0, 4),
        "age_p99": ("Age at the database", 1, 20),
    },
}


def shown(running, stage, panel, number):
    """The latest value of a panel's query for one stage."""
    pipeline = dict(dashboards.loaded())["pipeline"]
    (targets,) = [one["targets"] for one in dashboards.panels(pipeline) if one["title"] == panel]
    expr = targets[number]["expr"]
    for name, value in {"$job": stage, "$instance": ".*", "$__rate_interval": RATE_INTERVAL}.items():
        expr = expr.replace(name, value)
    found = running.prometheus("query", query=expr, time=time.time())["result"]
    return float(found[0]["value"][1]) if found else None


def sample(running):
    """The rows of the stages; `top` has an exit code of 1 if one did not answer in time, as on a busy machine."""
    addresses = [word for stage in STAGES for word in ("--metrics", f"127.0.0.1:{running.ports[stage]}")]
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return json.loads(running.run("kafkaefd", "top", "--json", "--interval", "10", *addresses))["stages"]
        except Failure:
            if attempt == ATTEMPTS:
                raise
    return []


def problems(running):
    rows = sample(running)
    for row in rows:
        for field, (panel, number, factor) in FIGURES[row["stage"]].items():
            here, there = shown(running, row["stage"], panel, number), row[field]
            if not here or not there or not 1 / factor < here / there < factor:
                yield f"{row['stage']}: {field} is {there} in `kafkaefd top`, and {here} on the panel {panel}"
