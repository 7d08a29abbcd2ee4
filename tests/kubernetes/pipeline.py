"""The pipeline on the cluster, from the manifests in k8s-apps/, and what the actions ask of it."""

import contextlib
import json
import threading
import time
from pathlib import Path

from . import database, metrics
from .common import NAMESPACE, ROOT, Failure
from .ledger import Stops

APPS = ROOT / "k8s-apps"
OVERLAY = Path(__file__).resolve().parent / "overlay"
LOAD = "salmock-1node-100topic-1hz"
STAGES = ["saltransform", "influxsink"]
INSTANCE = "all"
# The overlay of the subsystem that overlay/ leaves out, and how its topics begin.
NEW_INSTANCE, NEW_TOPICS = "atdome", "ATDome_"
TIMEOUT = 300  # seconds for pods to become ready on a busy machine
SAMPLE_EVERY = 0.5


def labels(stage, instance=INSTANCE):
    return f"app.kubernetes.io/name={stage},app.kubernetes.io/instance={instance}"


class Pipeline:
    """Applies manifests and waits for what they start."""

    def __init__(self, cluster, services, ledger, topics):
        self.cluster, self.services, self.ledger, self.topics = cluster, services, ledger, topics

    def kubectl(self, *words, **options):
        return self.cluster.kubectl("--namespace", NAMESPACE, *words, **options)

    def start(self):
        """Namespace, token, topics and schemas of all subsystems, and the pipeline that overlay/ selects."""
        self.kubectl("apply", "-f", APPS / "namespace.yaml")
        self.kubectl("create", "secret", "generic", "influxdb-token", f"--from-literal=token={self.services.token}")
        self.initialise_only(NEW_INSTANCE)  # the load waits for its topics
        self.initialise(INSTANCE)
        self.rolled_out()

    def initialise(self, instance):
        """Applies an overlay, and waits until its init Job has completed."""
        self.kubectl("apply", "-k", self.overlay_of(instance))
        self.wait_for_init(instance)

    def initialise_only(self, instance):
        """Applies an overlay's init Job and what the Job needs, and nothing else of it."""
        rendered = self.kubectl("apply", "-k", self.overlay_of(instance), "--dry-run=client", "-o", "json")
        items = [item for item in json.loads(rendered)["items"] if item["kind"] in ("ServiceAccount", "ConfigMap", "Job")]
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        self.wait_for_init(instance)

    def wait_for_init(self, instance):
        job = f"job/saltransform-init-{instance}"
        self.kubectl("wait", "--for=condition=complete", job, f"--timeout={TIMEOUT}s", timeout=TIMEOUT + 9)

    def overlay_of(self, instance):
        return OVERLAY if instance == INSTANCE else APPS / "overlays" / instance

    def begin_load(self):
        """Starts the load; its numbers begin again, its times go on."""
        self.kubectl("apply", "-f", APPS / f"{LOAD}.yaml")
        if self.topics:
            self.kubectl("set", "env", f"deployment/{LOAD}", f"MAX_TOPICS={self.topics}")
        self.kubectl("rollout", "status", f"deployment/{LOAD}", f"--timeout={TIMEOUT}s", timeout=TIMEOUT + 9)

    def end_load(self):
        """Ends the load, and waits until its pod has delivered what it has sent."""
        self.kubectl("delete", "-f", APPS / f"{LOAD}.yaml")
        of_load = "--selector=app.kubernetes.io/name=salmock"
        self.kubectl("wait", "--for=delete", "pod", of_load, "--timeout=120s", timeout=130)

    def rolled_out(self, instance=INSTANCE):
        """Waits until all replicas of an instance are up to date and ready."""
        for stage in STAGES:
            deployment = f"deployment/{stage}-{instance}"
            self.kubectl("rollout", "status", deployment, f"--timeout={TIMEOUT}s", timeout=TIMEOUT + 9)

    def scale(self, replicas):
        for stage in STAGES:
            self.kubectl("scale", f"deployment/{stage}-{INSTANCE}", f"--replicas={replicas}")
        self.rolled_out()
        self.gone(replicas)

    def gone(self, replicas):
        """Waits until no more pods than these are left, those that are ending included."""
        deadline = time.monotonic() + TIMEOUT
        for stage in STAGES:
            while len(pods := self.pods(stage)) > replicas:
                if time.monotonic() > deadline:
                    raise Failure(f"{len(pods)} pods of {stage} are left, {replicas} are wanted")
                time.sleep(0.5)

    def pods(self, stage, instance=INSTANCE):
        return self.cluster.get("pods", NAMESPACE, labels(stage, instance))

    def discrepancies(self):
        """Pods whose counts do not add up at rest, asked until they do: the last commits may not have arrived yet."""
        found = {}
        for _attempt in range(20):
            found = {}
            running = [(stage, pod) for stage in STAGES for pod in self.cluster.get(
                "pods", NAMESPACE, f"app.kubernetes.io/name={stage}")]  # fmt: skip
            for stage, pod in running:
                if pod["status"].get("podIP") and "deletionTimestamp" not in pod["metadata"]:
                    with contextlib.suppress(OSError):
                        if text := metrics.discrepancy(stage, metrics.of_pod(pod["status"]["podIP"])):
                            found[pod["metadata"]["name"]] = text
            if not found:
                break
            time.sleep(0.5)
        return [f"the counts of {name} do not add up: {text}" for name, text in found.items()]


class Watch(threading.Thread):
    """Samples, while actions take place: how far the newest points are behind, and which pods there are."""

    def __init__(self, pipeline):
        super().__init__(daemon=True)
        self.pipeline, self.stops, self.pods, self.restarts = pipeline, Stops(), set(), {}
        self.ended, self.since_ms = threading.Event(), None

    def flow(self, since_ms):
        """Samples stops from now on, of the load that began at this time."""
        self.since_ms = since_ms

    def rest(self):
        """Samples no stops until the next load; returns the longest one."""
        self.since_ms = None
        return self.stops.reset()

    def run(self):
        while not self.ended.wait(SAMPLE_EVERY):
            # Neither the database nor the API server needs to answer each time.
            if since_ms := self.since_ms:
                found = {}
                with contextlib.suppress(OSError, ValueError):
                    found = database.newest(self.pipeline.services.token, since_ms)
                if self.since_ms == since_ms:
                    self.stops.sample(time.time() * 1000, found)
            with contextlib.suppress(OSError, Failure, ValueError):
                pods = self.pipeline.cluster.get("pods", NAMESPACE)
                self.pipeline.services.scrape(pods)
                for pod in pods:
                    self.pods.add(pod["metadata"]["uid"])
                    for container in pod["status"].get("containerStatuses", []):
                        self.restarts[pod["metadata"]["name"]] = container["restartCount"]
