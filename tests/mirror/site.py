"""What the test starts: sites, each an instance of scripts/services, MirrorMaker 2 between them, and our binaries."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ROOT / "scripts" / "services"
MIRROR_LIBS = ROOT / "target" / "services" / "mirror-4.1.0" / "libs"
STOP_WITHIN = 40

# From the summit to the base only. Topics keep their names behind the source's alias; the source is only read, which is why
# the offset syncs are kept at the target. Dead letters stay where they are.
MIRRORMAKER = """clusters=summit,base
summit.bootstrap.servers={summit}
base.bootstrap.servers={base}
summit->base.enabled=true
base->summit.enabled=false
base.plugin.discovery=service_load
summit->base.topics=lsst\\\\.sal\\\\..*
topics.exclude=.*\\\\.dead-letter
replication.policy.class=org.apache.kafka.connect.mirror.DefaultReplicationPolicy
offset-syncs.topic.location=target
replication.factor=1
offset-syncs.topic.replication.factor=1
checkpoints.topic.replication.factor=1
heartbeats.topic.replication.factor=1
offset.storage.replication.factor=1
config.storage.replication.factor=1
status.storage.replication.factor=1
offset.storage.partitions=1
status.storage.partitions=1
refresh.topics.interval.seconds=5
"""


class Failure(RuntimeError):
    """What did not come up to the expectation; its text is for the user."""


def say(text):
    """Reports progress on stderr."""
    print(f"mirror: {text}", file=sys.stderr, flush=True)


def wait_until(what, is_true, within=600, explain=lambda: ""):
    """Waits until a function returns something true, and returns that."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if answer := is_true():
            return answer
        time.sleep(0.5)
    raise Failure(f"{what}: not within {within} s. {explain()}".rstrip())


class Site:
    """Kafka, a schema registry and InfluxDB of one site."""

    def __init__(self, name):
        self.name = name
        subprocess.run([SERVICES, "start", "--name", name], check=True)
        text = (ROOT / "target" / "services" / "run" / name / "env").read_text()
        self.env = dict(line.split("=", 1) for line in text.splitlines())
        self.broker, self.registry = self.env["BROKER"], self.env["SCHEMAREGISTRY"]
        self.database, self.token = self.env["INFLUXDB_URL"], self.env["INFLUXDB_TOKEN"]

    def stop(self):
        """Ends the services and removes their data."""
        subprocess.run([SERVICES, "stop", "--name", self.name], check=True)


class Process:
    """A process with a log, ended with the `with` block."""

    def __init__(self, name, command, folder, env=None):
        self.name, self.log = name, folder / f"{name}.log"
        with self.log.open("w") as log:
            words = [str(word) for word in command]
            self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def finish(self):
        """Waits for the end; anything but 0 is a failure."""
        if code := self.child.wait():
            raise Failure(f"{self.name} ended with {code}:\n{self.tail()}")

    def tail(self):
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def mirrormaker(summit, base, folder):
    """MirrorMaker 2 in its dedicated mode."""
    properties = folder / "mirrormaker.properties"
    properties.write_text(MIRRORMAKER.format(summit=summit.broker, base=base.broker))
    java = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    return Process("mirrormaker", [*java, "-cp", f"{MIRROR_LIBS}/*", "org.apache.kafka.connect.mirror.MirrorMaker", properties, "--clusters", "base"], folder)


def free_port():
    """A free loopback port."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Sink(Process):
    """An influxsink, which reads one site's Kafka and writes to one site's database."""

    def __init__(self, binary, site, folder, *, group, topics, registry, bucket="efd"):
        self.port = free_port()
        command = [binary, "run", "--broker", site.broker, "--schema-registry", registry, "--group", group]
        command += ["--topic-regex", topics, "--into", site.database, "--org", "efd", "--bucket", bucket]
        command += ["--prometheus-port", self.port]
        super().__init__(f"influxsink-{group}", command, folder, {"INFLUXDB_TOKEN": site.token, "PATH": "/usr/bin:/bin"})

    def not_ready(self):
        """What `/ready` says while the sink is not ready; empty while it is, or not started."""
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=5)
        except urllib.error.HTTPError as answer:
            return answer.read().decode()
        except OSError:
            return ""
        return ""
