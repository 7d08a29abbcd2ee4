"""InfluxDB as the judge: which points it has."""

import csv
import datetime
import http.client
import io
import json
import urllib.request

from .ledger import Name
from .services import BUCKET, INFLUXDB_URL, ORGANISATION

PREFIX = "lsst.sal."
SEQUENCE = "sal_sequence"


def query(token, flux, timeout=60):
    """The rows of a Flux query, as dictionaries."""
    body = {"query": flux, "dialect": {"annotations": [], "header": True}}
    request = urllib.request.Request(
        f"{INFLUXDB_URL}/api/v2/query?org={ORGANISATION}", json.dumps(body).encode(),
        {"Authorization": f"Token {token}", "Content-Type": "application/json", "Accept": "application/csv"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            text = answer.read().decode()
    except http.client.HTTPException as error:  # it ended in the middle of its answer
        raise OSError(f"InfluxDB's answer is not complete: {error}") from error
    # Tables are separated by an empty line, and each has its own header.
    for table in text.replace("\r\n", "\n").split("\n\n"):
        yield from csv.DictReader(io.StringIO(table))


def milliseconds(time):
    """Since 1970, of a time such as 2026-11-30T00:28:45.25Z."""
    whole, _, fraction = time.rstrip("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole + "+00:00").timestamp()
    return int(seconds) * 1000 + int(f"{fraction:0<3}"[:3])


def of_sequences(since_ms):
    """The beginning of a query for the sequence numbers of all points from a time on."""
    return (
        f'from(bucket: "{BUCKET}") |> range(start: time(v: {since_ms * 1_000_000})) '
        f'|> filter(fn: (r) => r._field == "{SEQUENCE}") '
    )


def points(token, since_ms):
    """The names of all points from a time on; a name appears as often as its point does."""
    flux = of_sequences(since_ms) + '|> keep(columns: ["_measurement", "_time", "_value"])'
    for row in query(token, flux):
        topic = row["_measurement"].removeprefix(PREFIX)
        yield Name(topic, int(row["_value"]), milliseconds(row["_time"]))


def newest(token, since_ms):
    """The time of the newest point of each topic that has one since then."""
    flux = of_sequences(since_ms) + '|> last() |> keep(columns: ["_measurement", "_time"])'
    return {row["_measurement"].removeprefix(PREFIX): milliseconds(row["_time"]) for row in query(token, flux, timeout=10)}
