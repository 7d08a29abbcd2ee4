#!/usr/bin/env python3
"""Reads a database with lsst-efd-client, as the observatory's notebooks do, and prints one JSON object with what it
returned. The service from which the client gets its credentials runs here, on loopback; the client is set to use plain
HTTP, which is all that it does differently at the observatory.

usage: efd_client.py INFLUXDB1 DATABASE REGISTRY TOPIC START END [--series-only]
"""

import asyncio
import http.server
import json
import sys
import threading
import urllib.parse
import warnings

# pandas and astropy announce changes of their own that the client has not followed yet.
warnings.simplefilter("ignore")

import aioinflux  # noqa: E402
from astropy.time import Time  # noqa: E402
from lsst_efd_client import EfdClient  # noqa: E402

EFD = "loopback_efd"


def credentials_service(answers):
    """A server of JSON, by path. It ends with the process."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = answers.get(self.path)
            self.send_response(404 if answer is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def rows(frame):
    """Each row's time in microseconds, with its values. Where tags divide what is found, the client has a dict of frames, and
    an empty one where nothing is found."""
    if isinstance(frame, dict):
        return {name: rows(part) for name, part in frame.items()}
    times = [int(time.value // 1000) for time in frame.index]
    return [[time, row] for time, row in zip(times, frame.to_dict("records"))]


async def read(database, influx, registry, topic, start, end, series_only):
    service = credentials_service({
        "/": {},
        "/list": [EFD],
        f"/creds/{EFD}": {
            "host": influx.hostname, "port": influx.port, "path": "/", "schema_registry": registry,
            "username": "reader", "password": "reader",
        },
    })  # fmt: skip
    async with aioinflux.InfluxDBClient(
        host=influx.hostname, port=influx.port, db=database, mode="async", output="dataframe",
        username="reader", password="reader",
    ) as connection:  # fmt: skip
        client = EfdClient(EFD, db_name=database, creds_service=service, client=connection)
        scalars = ["salIndex", "temperature", "status", "count"]
        series = {
            "series": rows(await client.select_time_series(topic, scalars, start, end)),
            "series_of_2": rows(await client.select_time_series(topic, scalars, start, end, index=2)),
            "last_3": rows(await client.select_top_n(topic, scalars, 3)),
            "last_of_1": rows(await client.select_top_n(topic, scalars, 1, index=1)),
        }
        if series_only:
            return series
        packed = await client.select_packed_time_series(topic, "acceleration", start, end, index=1, ref_timestamp_col="timestamp")
        schema = await client.get_schema(topic)
        return {
            "efds": EfdClient.list_efd_names(service),
            "topics": await client.get_topics(),
            "fields": await client.get_fields(topic),
            **series,
            "packed": rows(packed),
            "schema": [
                {key: str(field[key]) for key in ("name", "units", "aunits", "is_array", "description")}
                for field in schema.to_dict("records")
            ],
        }  # fmt: skip


def main():
    influx, database, registry, topic, start, end, *mode = sys.argv[1:]
    start, end = (Time(float(seconds), format="unix", scale="utc") for seconds in (start, end))
    answer = read(database, urllib.parse.urlparse(influx), registry, topic, start, end, "--series-only" in mode)
    print(json.dumps(asyncio.run(answer)))


if __name__ == "__main__":
    main()
