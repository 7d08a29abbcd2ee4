"""What the test does to the running pipeline. Each action returns when the cluster is as it should be afterwards."""

import concurrent.futures
import json
import time

from .common import IMAGE, NAMESPACE, Failure
from .node import ctr
from .pipeline import INSTANCE, NEW_INSTANCE, NEW_TOPICS, STAGES, TIMEOUT

NEXT_IMAGE = "kafka-efd:0.1.1"
OUTAGE = 120  # seconds


def undisturbed(_pipeline):
    """Nothing: the measure for everything else."""
    time.sleep(20)


def scale_up(pipeline):
    pipeline.scale(3)


def scale_down(pipeline):
    pipeline.scale(1)


def delete_pods(pipeline, *options):
    """Deletes one pod of each stage."""
    victims = [pipeline.pods(stage)[0]["metadata"]["name"] for stage in STAGES]
    pipeline.kubectl("delete", "pod", *victims, *options)
    time.sleep(2)  # for the deployment's controller to have noticed
    pipeline.rolled_out()


def delete_with_grace(pipeline):
    delete_pods(pipeline, "--wait=true")


def delete_without_grace(pipeline):
    delete_pods(pipeline, "--grace-period=0", "--force")


def roll_image(pipeline):
    """Another version of the image in every pod of both stages."""
    ctr("images", "tag", "--force", f"docker.io/library/{IMAGE}", f"docker.io/library/{NEXT_IMAGE}")
    for stage in STAGES:
        pipeline.kubectl("set", "image", f"deployment/{stage}-{INSTANCE}", f"{stage}={NEXT_IMAGE}")
    pipeline.rolled_out()
    for stage in STAGES:
        images = {container["image"] for pod in pipeline.pods(stage) if "deletionTimestamp" not in pod["metadata"]
                  for container in pod["spec"]["containers"]}  # fmt: skip
        if images != {NEXT_IMAGE}:
            raise Failure(f"{stage} runs {images} after a roll to {NEXT_IMAGE}")


def evict(pipeline, name):
    """Evicts a pod as `kubectl drain` does, again while the disruption budget refuses; returns how often it did."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": NAMESPACE}}
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction"
    deadline, refused = time.monotonic() + TIMEOUT, 0
    while True:
        try:
            pipeline.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))
            return refused
        except Failure as failure:
            if "disruption budget" not in str(failure) or time.monotonic() > deadline:
                raise
            refused += 1
            time.sleep(1)


def drain(pipeline):
    """Evicts all pods of both stages at once. The budget lets one of a stage go at a time, and must refuse the others.

    `kubectl drain` would also cordon the only node, and no evicted pod could start again.
    """
    names = [pod["metadata"]["name"] for stage in STAGES for pod in pipeline.pods(stage)]
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        refused = sum(pool.map(lambda name: evict(pipeline, name), names))
    pipeline.rolled_out()
    if not refused:
        raise Failure("the disruption budget has not refused any of the evictions that came at once")


def database_outage(pipeline):
    """The database is stopped for two minutes, and the sinks wait."""
    before = {stage: {pod["metadata"]["uid"] for pod in pipeline.pods(stage)} for stage in STAGES}
    pipeline.services.influxdb.stop()
    time.sleep(OUTAGE)
    pipeline.services.influxdb.start().wait_ready()
    pipeline.rolled_out()
    after = {stage: {pod["metadata"]["uid"] for pod in pipeline.pods(stage)} for stage in STAGES}
    if before != after:
        raise Failure("the outage of the database has replaced pods")


def new_subsystem(pipeline):
    """The overlay of a subsystem whose messages nothing has read so far."""
    pipeline.ledger.release(NEW_TOPICS, int(time.time() * 1000))
    pipeline.initialise(NEW_INSTANCE)
    pipeline.rolled_out(NEW_INSTANCE)


def init_again(pipeline):
    """The init Job is deleted and applied again, as after adding interfaces."""
    for instance in (INSTANCE, NEW_INSTANCE):
        pipeline.kubectl("delete", "job", f"saltransform-init-{instance}")
        pipeline.initialise_only(instance)


# In this order: most need three replicas.
ALL = [
    ("undisturbed", undisturbed),
    ("scale 1 → 3 replicas", scale_up),
    ("delete pods with grace", delete_with_grace),
    ("delete pods without grace", delete_without_grace),
    ("roll a new image", roll_image),
    ("evict all pods (disruption budget)", drain),
    ("scale 3 → 1 replicas", scale_down),
    ("no database for two minutes", database_outage),
    ("apply a new subsystem's overlay", new_subsystem),
    ("delete and re-apply the init Job", init_again),
]
QUICK = [ALL[1], ALL[3], ALL[4], ALL[6]]
