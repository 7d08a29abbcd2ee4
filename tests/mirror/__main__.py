"""A summit's telemetry is mirrored to a base by MirrorMaker 2, and written there: `make test-mirror`.

The base has a registry of its own, in which the summit's schema ids mean other schemas. Three sinks at the base read the
mirrored topics: one with the base's registry, which must refuse to guess; one with the summit's registry; and one with a
context of the base's registry that has copies of the summit's schemas. The last two must write exactly the points that the
summit's own sink writes at the summit.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.compose.account import Database

from . import registries
from .site import MIRROR_LIBS, ROOT, SERVICES, Failure, Process, Sink, Site, mirrormaker, say, wait_until

SUBSYSTEMS, TOPICS, COUNT = "ATDome,ATHexapod,Test", 20, 100
OTHERS = "ESS,Hexapod,MTM1M3TS,MTMount,MTVMS,OCS,Scheduler,Script,ScriptQueue"
MIRRORED, OWN = r"^summit\.lsst\.sal\.", r"^lsst\.sal\."


def extract(folder):
    """Our binaries, from our image."""
    images = ROOT / "scripts" / "images"
    subprocess.run([images, "build", "kafka-efd"], check=True)
    copy = """id=$(podman create kafka-efd:0.1.0) && podman cp "$id:/usr/local/bin/." "$1" && podman rm "$id" >/dev/null"""
    subprocess.run([images, "exec", "--", "sh", "-c", copy, "sh", folder], check=True)


def points(site, bucket="efd"):
    """Everything in a bucket: {(measurement, time, field): value}."""
    columns = '["_measurement", "_time", "_field", "_value"]'
    rows = Database(site.database, site.token).query(
        f'from(bucket: "{bucket}") |> range(start: -1d) |> toString() |> keep(columns: {columns})'
    )
    return {(row["_measurement"], row["_time"], row["_field"]): row["_value"] for row in rows}


def count(site, bucket="efd"):
    """The number of points in a bucket; each has one sal_sequence."""
    rows = Database(site.database, site.token).query(
        f"""from(bucket: "{bucket}") |> range(start: -1d) |> filter(fn: (r) => r._field == "sal_sequence")
            |> count() |> group() |> sum()"""
    )
    return int(rows[0]["_value"]) if rows else 0


def create_bucket(site, name):
    """A further bucket in a site's database."""
    headers = {"Authorization": f"Token {site.token}", "Content-Type": "application/json"}

    def api(path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{site.database}{path}", data, headers), timeout=10) as answer:
            return json.load(answer)

    organisation = api("/api/v2/orgs?org=efd")["orgs"][0]["id"]
    api("/api/v2/buckets", {"name": name, "orgID": organisation, "retentionRules": []})


def all_written(site, bucket, sink):
    """Waits until every message is a point in a bucket."""
    expected = TOPICS * COUNT
    wait_until(
        f"{expected} points in {site.name}'s bucket {bucket}", lambda: count(site, bucket) >= expected,
        explain=lambda: f"{count(site, bucket)} are there. {sink.not_ready()}\n{sink.tail()}",
    )  # fmt: skip


def summit_works(binaries, summit, folder):
    """Mock telemetry at the summit, transformed there, and written by the summit's own sink."""
    with contextlib.ExitStack() as running:
        transform = [binaries / "saltransform", "run", "--subsystem", SUBSYSTEMS, "--broker", summit.broker]
        transform += ["--schema-registry", summit.registry, "--group", "saltransform", "--prometheus-port", "0"]
        running.enter_context(Process("saltransform", transform, folder))
        sink = running.enter_context(
            Sink(binaries / "influxsink", summit, folder, group="influxsink", topics=OWN, registry=summit.registry)
        )
        mock = [binaries / "salmock", "produce", "--broker", summit.broker, "--schema-registry", summit.registry]
        mock += ["--max-topics", TOPICS, "--count", COUNT, "--period", "0.1", "--prometheus-port", "0"]
        running.enter_context(Process("salmock", mock, folder)).finish()
        all_written(summit, "efd", sink)


def initialise(binaries, site, subsystems, folder):
    """Registers the schemas of a site, and creates its topics."""
    command = [binaries / "saltransform", "init", "--subsystem", subsystems, "--interfaces", ROOT / "schemas", "--wire-extras"]
    command += ["--replication", "1", "--broker", site.broker, "--schema-registry", site.registry]
    with Process(f"init-{site.name}", command, folder) as init:
        init.finish()


def refuses_to_guess(binaries, base, folder):
    """With a registry whose ids mean other schemas, the sink writes nothing and says why."""
    with Sink(binaries / "influxsink", base, folder, group="mirrored", topics=MIRRORED, registry=base.registry) as sink:
        wait_until(
            "/ready names a schema id", lambda: "schema id" in sink.not_ready(),
            explain=lambda: f"{sink.not_ready()}\n{sink.tail()}",
        )  # fmt: skip
    if written := count(base):
        raise Failure(f"with a registry that has other schemas, {written} points were written")
    say("with the base's own registry: nothing is written, and /ready names the schema id")


def resolves(binaries, base, folder, group, registry, bucket, expected):
    """With the right registry, the base has exactly the summit's points, in the same measurements."""
    since = time.monotonic()
    sink = Sink(binaries / "influxsink", base, folder, group=group, topics=MIRRORED, registry=registry, bucket=bucket)
    with sink:
        all_written(base, bucket, sink)
    found = points(base, bucket)
    if found != expected:
        differing = found.items() ^ expected.items()
        raise Failure(f"{len(differing)} values differ between the summit and the base: {sorted(differing)[:4]}")
    say(f"with {registry}: {len(found)} values are equal, after {time.monotonic() - since:.0f} s")


def run(summit, base, binaries, folder):
    """The scenario; returns the number of values compared."""
    initialise(binaries, summit, SUBSYSTEMS, folder)
    initialise(binaries, base, OTHERS, folder)
    if registries.schema_of(summit.registry, 1) == registries.schema_of(base.registry, 1):
        raise Failure("the two registries have the same schema under id 1, so nothing would be shown")
    with mirrormaker(summit, base, folder):
        summit_works(binaries, summit, folder)
        expected = points(summit)
        say(f"the summit has {len(expected)} values in {len({name for name, _, _ in expected})} measurements")
        refuses_to_guess(binaries, base, folder)
        resolves(binaries, base, folder, "mirrored", summit.registry, "efd", expected)
        create_bucket(base, "copied")
        context = registries.copy(summit.registry, base.registry, ".summit")
        resolves(binaries, base, folder, "mirrored-copied", context, "copied", expected)
    return len(expected)


def main():
    parser = argparse.ArgumentParser(prog="python3 -m tests.mirror", description=__doc__)
    parser.add_argument("--binaries", type=Path, metavar="DIR", help="where our binaries are (default: from our image)")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    folder = Path(tempfile.mkdtemp(prefix="mirror-"))
    sites = []
    try:
        if not MIRROR_LIBS.is_dir():
            subprocess.run([SERVICES, "install", "--mirror"], check=True)
        binaries = args.binaries or folder / "bin"
        if not args.binaries:
            binaries.mkdir()
            extract(binaries)
        since = time.monotonic()
        for name in ("summit", "base"):
            sites.append(Site(f"mirror-{name}-{os.getpid()}"))
        values = run(*sites, binaries, folder)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as failure:
        sys.exit(f"mirror: {failure}\nthe logs are in {folder}")
    finally:
        for site in sites:
            site.stop()
    shutil.rmtree(folder)
    seconds = time.monotonic() - since
    print(f"MIRROR topics={TOPICS} messages={TOPICS * COUNT} values={values} differing=0 seconds={seconds:.0f}")


if __name__ == "__main__":
    main()
