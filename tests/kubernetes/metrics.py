"""The counts that the pods expose, and whether they add up."""

import json
import re
import urllib.parse
import urllib.request

from .common import Failure
from .services import PROMETHEUS_URL

SAMPLE = re.compile(r"^(\w+)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
# Each stage's name for what it has finished.
DONE = {"saltransform": "produced", "influxsink": "written"}
PORT = 9464


def sums(text):
    """Counters and gauges by name, each summed over its labels."""
    found = {}
    for name, value in SAMPLE.findall(text):
        found[name] = found.get(name, 0.0) + float(value)
    return found


def discrepancy(stage, counts):
    """How the counts of a process fail to add up, as text; None if they do.

    consumed = done + dead-lettered + skipped + in flight. What a rebalance took away unfinished (`released`) may or may not
    have been consumed, which turns the equation into a range.
    """
    def total(part):
        return int(counts.get(f"{stage}_{part}_total", 0))

    in_flight, released = int(counts.get("kafka_in_flight_messages", 0)), int(counts.get("kafka_released_total", 0))
    known = total(DONE[stage]) + total("dead_letters") + total("skipped") + in_flight
    if known <= total("consumed") <= known + released:
        return None
    return f"consumed {total('consumed')}, accounted for {known} ({in_flight} in flight), released {released}"


def of_pod(address):
    """The counts of a pod."""
    with urllib.request.urlopen(f"http://{address}:{PORT}/metrics", timeout=5) as answer:
        return sums(answer.read().decode())


def prometheus(expression):
    """The value of an instant query that has one; 0 if it has none."""
    url = f"{PROMETHEUS_URL}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        found = json.load(answer)
    if found["status"] != "success":
        raise Failure(f"Prometheus cannot answer {expression}: {found}")
    return sum(float(sample["value"][1]) for sample in found["data"]["result"])
