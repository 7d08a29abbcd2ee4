"""What the pipeline stands on, beside the cluster and with names in it: three Kafka brokers, a schema registry, InfluxDB 2
and Prometheus.

They run on the node, each at an address of its own, and a Service without a selector gives each the name that the manifests
have. The Services are headless, so that a name stands for the address itself.
"""

import concurrent.futures
import json
import secrets

from . import network
from .common import run, services
from .install import program
from .processes import Process

PARTS = {part.name: part for part in services.PARTS}
KAFKA_PORT, REGISTRY_PORT, INFLUXDB_PORT, PROMETHEUS_PORT = 9092, 8081, 8086, 9090
BOOTSTRAP = ",".join(f"{address}:{KAFKA_PORT}" for address in network.BROKERS)
REGISTRY_URL = f"http://{network.REGISTRY}:{REGISTRY_PORT}"
INFLUXDB_URL = f"http://{network.INFLUXDB}:{INFLUXDB_PORT}"
PROMETHEUS_URL = f"http://{network.PROMETHEUS}:{PROMETHEUS_PORT}"
ORGANISATION = BUCKET = "efd"
TARGETS = "targets.json"

# Each name in the cluster, its addresses and its port.
NAMES = [
    ("kafka", "kafka-bootstrap", network.BROKERS, KAFKA_PORT),
    ("kafka", "schema-registry", [network.REGISTRY], REGISTRY_PORT),
    ("influxdb", "influxdb", [network.INFLUXDB], INFLUXDB_PORT),
    ("monitoring", "prometheus", [network.PROMETHEUS], PROMETHEUS_PORT),
]

# Debian's Prometheus cannot ask the API server, so the test writes the list of pods (`targets`).
PROMETHEUS_YAML = """global: {{scrape_interval: 2s}}
scrape_configs:
  - job_name: pods
    file_sd_configs: [{{files: ["{targets}"]}}]
"""


def targets(pods):
    """What Prometheus is to scrape: the pods whose annotations ask for it, under the job of their stage."""
    found = []
    for pod in pods:
        metadata, address = pod["metadata"], pod["status"].get("podIP")
        annotations = metadata.get("annotations", {})
        if annotations.get("prometheus.io/scrape") == "true" and address and pod["status"]["phase"] == "Running":
            labels = {
                "job": metadata["labels"]["app.kubernetes.io/name"], "namespace": metadata["namespace"],
                "pod": metadata["name"], "__metrics_path__": annotations["prometheus.io/path"],
            }  # fmt: skip
            found.append({"targets": [f"{address}:{annotations['prometheus.io/port']}"], "labels": labels})
    return found


def manifests():
    """The Services and the EndpointSlices for `NAMES`."""
    items = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        for namespace in sorted({namespace for namespace, _, _, _ in NAMES})
    ]
    for namespace, name, addresses, port in NAMES:
        ports = [{"name": "main", "port": port, "protocol": "TCP"}]
        of_service = {"kubernetes.io/service-name": name}
        items += [
            {
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
                "spec": {"clusterIP": "None", "ports": ports},
            },
            {
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {"name": f"{name}-node", "namespace": namespace, "labels": of_service},
                "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
                "ports": ports,
            },
        ]  # fmt: skip
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def broker(instance, number, cluster):
    """One of the brokers, each of which is also a controller."""
    name, address = f"kafka{number}", network.BROKERS[number - 1]
    data, properties = instance.folder / name, instance.folder / f"{name}.properties"
    text = services.KAFKA_PROPERTIES + services.KAFKA_OF_SEVERAL
    voters = ",".join(f"{number}@{address}:9093" for number, address in enumerate(network.BROKERS, 1))
    properties.write_text(
        text.format(
            host=address, node=number, broker=KAFKA_PORT, controller=9093, behind=9094, front=9094, voters=voters,
            data=data, copies=3, in_sync=2,
        )
    )  # fmt: skip
    log_level = f"-D{services.SLF4J}.defaultLogLevel=warn"
    temporary = instance.folder / f"{name}-tmp"
    temporary.mkdir()
    libraries = f"{PARTS['kafka'].folder / 'libs'}/*"
    # The heap holds a third of the replicas of a thousand partitions.
    java = ["java", f"-Djava.io.tmpdir={temporary}", *services.SMALL_JVM, "-Xmx512m", log_level, "-cp", libraries]
    run(*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", properties)
    ready = lambda: services.kafka_ready(f"{address}:{KAFKA_PORT}")  # noqa: E731
    return Process(name, [*java, "kafka.Kafka", properties], instance.logs, ready).start()


def registry(instance):
    config = instance.folder / "registry.yaml"
    config.write_text(services.REGISTRY_YAML.format(host=network.REGISTRY, port=REGISTRY_PORT))
    command = [PARTS["registry"].folder / "schema-registry", "--config", config]
    return Process("registry", command, instance.logs, lambda: services.registry_ready(REGISTRY_URL)).start()


def influxdb(instance):
    data = instance.folder / "influxdb"
    paths = [f"--bolt-path={data / 'bolt'}", f"--sqlite-path={data / 'sqlite'}", f"--engine-path={data / 'engine'}"]
    listen = [f"--http-bind-address={network.INFLUXDB}:{INFLUXDB_PORT}", "--reporting-disabled"]
    command = [PARTS["influxdb2"].folder / "influxd", *listen, *paths]
    return Process("influxdb", command, instance.logs, lambda: services.influxdb2_ready(INFLUXDB_URL)).start()


def prometheus(instance):
    config = instance.folder / "prometheus.yaml"
    config.write_text(PROMETHEUS_YAML.format(targets=instance.folder / TARGETS))
    command = [
        program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={instance.folder / 'prometheus'}",
        f"--web.listen-address={network.PROMETHEUS}:{PROMETHEUS_PORT}",
    ]  # fmt: skip
    ready = lambda: services.http(f"{PROMETHEUS_URL}/-/ready") is not None  # noqa: E731
    return Process("prometheus", command, instance.logs, ready).start()


class Services:
    """The running services, and the token of the database's operator."""

    def __init__(self, instance, cluster):
        self.token = secrets.token_urlsafe(32)
        kafka_id = services.cluster_id()
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            self.brokers = list(pool.map(lambda number: broker(instance, number, kafka_id), (1, 2, 3)))
        self.registry = registry(instance)
        self.influxdb = influxdb(instance)
        self.prometheus = prometheus(instance)
        self.targets = instance.folder / TARGETS
        for process in [*self.brokers, self.registry, self.influxdb, self.prometheus]:
            process.wait_ready()
        names = {"username": "efd", "org": ORGANISATION, "bucket": BUCKET}
        body = {**names, "password": secrets.token_urlsafe(24), "token": self.token}
        services.http(f"{INFLUXDB_URL}/api/v2/setup", json.dumps(body).encode())
        cluster.apply(manifests())

    def read_token(self):
        """A token that may read the bucket and nothing else, as the console's."""
        authorized = {"Authorization": f"Token {self.token}"}
        found = json.loads(services.http(f"{INFLUXDB_URL}/api/v2/buckets?name={BUCKET}", headers=authorized))
        bucket = found["buckets"][0]
        resource = {"type": "buckets", "id": bucket["id"], "orgID": bucket["orgID"]}
        body = {"orgID": bucket["orgID"], "permissions": [{"action": "read", "resource": resource}]}
        made = services.http(f"{INFLUXDB_URL}/api/v2/authorizations", json.dumps(body).encode(), authorized)
        return json.loads(made)["token"]

    def scrape(self, pods):
        """Tells Prometheus which pods there are."""
        text = json.dumps(targets(pods))
        if not self.targets.exists() or self.targets.read_text() != text:
            partial = self.targets.with_suffix(".partial")
            partial.write_text(text)
            partial.rename(self.targets)


