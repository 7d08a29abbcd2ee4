#!/usr/bin/env python3
"""Reads a topic with kcat, gets each record's schema from the registry over HTTP, decodes it with fastavro, and prints
one JSON object per record. It shares no code with the pipeline, so that agreement is significant.

usage: avro_peer.py KCAT BROKER REGISTRY TOPIC

Floats are printed as {"float": "<shortest decimals, nan or inf>"}, bytes as {"bytes": "<hex>"}.
"""

import functools
import io
import json
import struct
import subprocess
import sys
import urllib.request

import fastavro


def without_logical_types(schema):
    """Timestamps as the integers that are stored: a datetime would round them."""
    if isinstance(schema, dict):
        return {key: without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    return [without_logical_types(item) for item in schema] if isinstance(schema, list) else schema


def printable(value):
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, list):
        return [printable(item) for item in value]
    if isinstance(value, dict):
        return {name: printable(item) for name, item in value.items()}
    return value


def main():
    kcat, broker, registry, topic = sys.argv[1:]

    @functools.cache
    def schema(number):
        with urllib.request.urlopen(f"{registry}/schemas/ids/{number}", timeout=10) as answer:
            return fastavro.parse_schema(without_logical_types(json.loads(json.load(answer)["schema"])))

    # %R is the payload's length as four bytes, -1 for a null; %s the payload itself.
    command = [kcat, "-C", "-q", "-b", broker, "-t", topic, "-o", "beginning", "-e", "-f", "%R%s"]
    stream = io.BytesIO(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout)
    while head := stream.read(4):
        (length,) = struct.unpack(">i", head)
        frame = io.BytesIO(stream.read(length))
        magic, number = struct.unpack(">bI", frame.read(5))
        assert magic == 0, f"the first byte of a record is {magic}, not 0"
        record = fastavro.schemaless_reader(frame, schema(number), None)
        rest = frame.read()
        assert not rest, f"{len(rest)} bytes are left after the record"
        print(json.dumps({"schema_id": number, "record": printable(record)}))


if __name__ == "__main__":
    main()
