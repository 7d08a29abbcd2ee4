"""Documents with one mistake each, made of the repository's own: a check that accepts one of them checks nothing."""

import copy

# (what is broken, kind of the document, the change)
BROKEN = [
    ("an unknown field of Strimzi", "Kafka", lambda spec: spec["kafka"].update(retention="72h")),
    ("a value that Strimzi does not allow", "KafkaUser", lambda spec: spec["authentication"].update(type="password")),
    ("an unknown field of KEDA", "ScaledObject", lambda spec: spec.update(maxReplicas=3)),
    ("an unknown field of the Prometheus operator", "PodMonitor", lambda spec: spec.update(podMetricsEndpoint=[])),
    ("an unknown field of Kubernetes", "Deployment", lambda spec: spec["template"]["spec"].update(gracePeriod=45)),
]


def broken(documents):
    """(what is broken, document) for each mistake."""
    for mistake, kind, change in BROKEN:
        original = next(document for _, document in documents if document["kind"] == kind)
        document = copy.deepcopy(original)
        change(document["spec"])
        yield f"{mistake} ({kind})", document
