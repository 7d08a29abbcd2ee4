"""What is in Kafka and in InfluxDB: whether every message that salmock produced is a point.

salmock numbers the messages of each topic from 1 and starts again when it is restarted. Therefore the numbers of a
measurement, in the order of time, are runs of 1, 2, 3, …, as many as salmock was started; a missing number is a lost
message. A message that is written twice overwrites its own point.
"""

import csv
import io
import json
import urllib.request

from .stack import Failure, wait_until

SEQUENCE = 'from(bucket: "efd") |> range(start: -1d) |> filter(fn: (r) => r._field == "sal_sequence")'
TEXT_TOPICS = r"_(telemetry|logevent|command)$"
SETTLED_WITHIN = 600  # seconds; on two idle cores it takes ten


class Database:
    """The InfluxDB of a stack, at its published port."""

    def __init__(self, url="http://127.0.0.1:8086", token="only-for-trying-out"):
        self.url, self.token = url, token

    def query(self, flux):
        """The rows of a query's result."""
        body = json.dumps({"query": flux, "dialect": {"annotations": []}}).encode()
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/json", "Accept": "text/csv"}
        request = urllib.request.Request(f"{self.url}/api/v2/query?org=efd", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read().decode().replace("\r\n", "\n")
        # Each table of the result has a header of its own, after an empty line.
        tables = [table for table in text.split("\n\n") if table.strip()]
        return [row for table in tables for row in csv.DictReader(io.StringIO(table))]

    def counts(self):
        """The number of points of each measurement."""
        rows = self.query(f'{SEQUENCE} |> count() |> keep(columns: ["_measurement", "_value"])')
        return {row["_measurement"]: int(row["_value"]) for row in rows}

    def runs(self):
        """For each measurement, the lengths of its runs of consecutive numbers that begin with 1."""
        rows = self.query(f'{SEQUENCE} |> keep(columns: ["_measurement", "_time", "_value"]) |> sort(columns: ["_time"])')
        runs = {}
        for row in rows:
            number, own = int(row["_value"]), runs.setdefault(row["_measurement"], [])
            if number == 1:
                own.append(0)
            if not own or number != own[-1] + 1:
                last = own[-1] if own else "nothing"
                raise Failure(f"{row['_measurement']} has {number} after {last}, at {row['_time']}")
            own[-1] = number
        return runs


def flows(database, measurements, since=None):
    """Waits until each of so many measurements has new points."""
    before = since if since is not None else database.counts()

    def all_grew():
        now = database.counts()
        grew = [name for name, count in now.items() if count > before.get(name, 0)]
        return len(grew) >= measurements

    def explain():
        now = database.counts()
        silent = [name for name in now if now[name] <= before.get(name, 0)]
        return f"{len(now)} measurements, without new points: {', '.join(silent[:5]) or 'none'}"

    wait_until(f"new points in {measurements} measurements", all_grew, SETTLED_WITHIN, explain=explain)


def messages_in_kafka(stack, brokers):
    """The number of messages in the SAL text topics, and in the dead-letter topics."""

    def total(pattern):
        count = f"""set -e
            for topic in $(kafkaefd admin topics list --inline --all --filter '{pattern}' | tr ',' ' '); do
                kafkaefd admin topics offsets "$topic" --json
            done"""
        network = f"{stack.project}_default"
        out = stack.podman(
            "run", "--rm", "--network", network, "--env", f"BROKER={brokers}", "kafka-efd:0.1.0", "bash", "-c", count
        )
        decoder, at, sum_of = json.JSONDecoder(), 0, 0
        while at < len(out.rstrip()):
            answer, at = decoder.raw_decode(out, at)
            sum_of += answer["total"]
            at += len(out[at:]) - len(out[at:].lstrip())
        return sum_of

    return total(TEXT_TOPICS), total(r"\.dead-letter$")


def settle(stack, database, brokers, starts):
    """After salmock has stopped: waits until every message is a point, and returns the account."""
    sent, dead = messages_in_kafka(stack, brokers)

    def arrived():
        return sum(database.counts().values())

    wait_until(
        f"{sent} messages are {sent} points", lambda: arrived() >= sent, SETTLED_WITHIN, explain=lambda: f"{arrived()} are"
    )
    if (points := arrived()) != sent or dead != 0:
        raise Failure(f"{sent} messages, {points} points, {dead} dead letters")
    runs = database.runs()
    if odd := {name: lengths for name, lengths in runs.items() if len(lengths) != starts}:
        name, lengths = next(iter(odd.items()))
        raise Failure(f"salmock was started {starts} times, and {name} has runs of {lengths}")
    return {"measurements": len(runs), "messages": sent, "points": points, "dead_letters": dead}
