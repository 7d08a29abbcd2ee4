"""The pipeline that the live check watches: salmock, saltransform and influxsink on real services, scraped by a real
Prometheus that has the rules loaded. It has carried bad messages and seen an outage, so that few panels are empty.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

from . import MONITORING, ROOT, Failure, tools

SUBSYSTEMS = ["Test", "ATDome"]
TOPICS = ["Test_scalars", "ATDome_position"]
STAGES = ["salmock", "saltransform", "influxsink"]

READY_WITHIN = 60  # seconds
SCRAPE_INTERVAL = "1s"
OUTAGE = 5  # seconds without InfluxDB and without Kafka
# Longer than the range of the queries, so that a rate over it has its first sample.
SETTLED_AFTER = 60


def say(text):
    print(f"check-monitoring: {text}", file=sys.stderr, flush=True)


def http(url, body=None, headers=None):
    """The body of an answer with status 2xx."""
    request = urllib.request.Request(url, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        raise Failure(f"{url}: {error.code} {error.read().decode(errors='replace')[:500]}") from error
    except (urllib.error.URLError, TimeoutError) as error:
        raise Failure(f"{url}: {error}") from error


def until(what, is_true, within=READY_WITHIN):
    """Waits for something that takes a moment."""
    deadline = time.monotonic() + within
    while True:
        with contextlib.suppress(Failure):
            if is_true():
                return
        if time.monotonic() > deadline:
            raise Failure(f"{what} within {within} s did not happen")
        time.sleep(0.3)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Running:
    """Processes and addresses; a context manager that ends what it started."""

    def __init__(self, binaries, folder):
        lines = Path(os.environ["KAFKA_EFD_SERVICES"]).read_text().splitlines()
        self.env = dict(line.split("=", 1) for line in lines)
        self.binaries, self.folder = binaries.resolve(), Path(folder)
        self.processes, self.ports = [], {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()

    def binary(self, name):
        path = self.binaries / name
        if not path.exists():
            raise Failure(f"{path} does not exist; run `cargo build --workspace --bins`, or give --binaries")
        return path

    def environment(self):
        influxdb = {"INFLUXDB_TOKEN": self.env["INFLUXDB_TOKEN"]}
        kafka = {name: self.env[name] for name in ("BROKER", "SCHEMAREGISTRY")}
        return {**os.environ, **kafka, **influxdb}

    def run(self, name, *arguments, stdin=None):
        """What a command of a binary writes to stdout."""
        command = [str(self.binary(name)), *arguments]
        done = subprocess.run(command, env=self.environment(), input=stdin, capture_output=True, check=False)
        if done.returncode != 0:
            text = (done.stdout + done.stderr).decode(errors="replace")
            raise Failure(f"{' '.join(command)} ended with {done.returncode}:\n{text}")
        return done.stdout.decode()

    def launch(self, name, command):
        """Starts a process whose output goes to a file."""
        with (self.folder / f"{name}.log").open("w") as log:
            environment = self.environment()
            self.processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=self.folder))

    def stage(self, name, *arguments):
        self.ports[name] = free_port()
        self.launch(name, [str(self.binary(name)), *arguments, "--prometheus-port", str(self.ports[name])])

    def start_stages(self):
        schemas = str(ROOT / "schemas")
        subsystems = [word for name in SUBSYSTEMS for word in ("--subsystem", name)]
        self.run("saltransform", "init", *subsystems, "--interfaces", schemas, "--wire-extras", "--replication", "1")
        self.stage("saltransform", "run", *subsystems)
        self.stage(
            "influxsink", "run", "--topic-regex", r"^lsst\.sal\.", "--into", self.env["INFLUXDB"],
            "--org", self.env["INFLUXDB_ORG"], "--bucket", self.env["INFLUXDB_BUCKET"],
        )  # fmt: skip
        topics = [word for topic in TOPICS for word in ("--topic", topic)]
        self.stage("salmock", "produce", *topics, "--interfaces", schemas, "--period", "0.1")

    def metrics(self, stage):
        return http(f"http://127.0.0.1:{self.ports[stage]}/metrics")

    def counter(self, stage, name):
        """The sum of a metric's series."""
        return sum(map(float, re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", self.metrics(stage), re.MULTILINE)))

    def start_prometheus(self):
        port = free_port()
        self.ports["prometheus"] = port
        scrapes = [{"job_name": stage, "static_configs": [{"targets": [f"127.0.0.1:{self.ports[stage]}"]}]}
                   for stage in STAGES]  # fmt: skip
        config = {
            "global": {"scrape_interval": SCRAPE_INTERVAL, "evaluation_interval": SCRAPE_INTERVAL},
            "rule_files": [str(MONITORING / "rules" / "*.yaml")],
            "scrape_configs": scrapes,
        }
        file = self.folder / "prometheus.yaml"
        file.write_text(yaml.safe_dump(config))
        prometheus, _ = tools.installed()
        data = self.folder / "prometheus"
        address = f"127.0.0.1:{port}"
        self.launch(
            "prometheus",
            [prometheus, f"--config.file={file}", f"--storage.tsdb.path={data}", f"--web.listen-address={address}"],
        )
        until("Prometheus is ready", lambda: http(f"http://{address}/-/ready"))

    def prometheus(self, path, **parameters):
        """The data of an answer of Prometheus' API."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        return json.loads(http(f"http://127.0.0.1:{self.ports['prometheus']}/api/v1/{path}?{query}"))["data"]

    def flux(self, query):
        """The rows of a query to InfluxDB, as dictionaries."""
        headers = {
            "Authorization": f"Token {self.env['INFLUXDB_TOKEN']}",
            "Content-Type": "application/vnd.flux",
            "Accept": "application/csv",
        }
        text = http(f"{self.env['INFLUXDB']}/api/v2/query?org={self.env['INFLUXDB_ORG']}", query.encode(), headers)
        rows, header = [], None
        for line in text.replace("\r", "").splitlines():
            cells = line.split(",")
            if not line.strip():
                header = None
            elif header is None:
                header = cells
            else:
                rows.append(dict(zip(header, cells)))
        return rows

    def break_and_mend(self, service):
        """Kills a service and starts it again a moment later, with its data."""
        instance = Path(os.environ["KAFKA_EFD_SERVICES"]).parent
        os.kill(json.loads((instance / f"{service}.json").read_text())["pid"], signal.SIGKILL)
        time.sleep(OUTAGE)
        code, text = tools.said([ROOT / "scripts" / "services", "restart", "--name", instance.name, service])
        if code != 0:
            raise Failure(f"{service} did not start again:\n{text}")

    def send_bad_messages(self):
        """A SAL message that cannot be parsed, and a record that is not Avro."""
        self.run("kafkaefd", "produce", f"{SUBSYSTEMS[0]}_telemetry", stdin=b"not a SAL message\n")
        self.run("kafkaefd", "produce", f"lsst.sal.{TOPICS[0]}", stdin=b"not a record\n")
        for stage in STAGES[1:]:
            name = f"{stage}_dead_letters_total"
            until(f"a dead letter of {stage}", lambda stage=stage, name=name: self.counter(stage, name) > 0)


def start(running):
    """Everything, up to a pipeline that has seen bad messages and an outage, and carries messages again."""
    say("starting the pipeline")
    running.start_stages()
    until("messages reach the database", lambda: running.counter("influxsink", "influxsink_written_total") > 0)
    running.start_prometheus()
    time.sleep(10)  # the counters' values before the events, so that increase() sees them
    running.send_bad_messages()
    for service in ("influxdb2", "kafka"):
        say(f"{service} is stopped for {OUTAGE} s")
        running.break_and_mend(service)
        before = running.counter("influxsink", "influxsink_written_total")
        until("messages reach the database again",
              lambda before=before: running.counter("influxsink", "influxsink_written_total") > before + 20)  # fmt: skip
    say(f"the pipeline flows; reading it for {SETTLED_AFTER} s")
    time.sleep(SETTLED_AFTER)
