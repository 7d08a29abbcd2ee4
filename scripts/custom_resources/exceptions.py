"""Advice of kube-score that is not followed, each with the reason: (check, pattern of kind/namespace/name, reason)."""

import re

EXCEPTIONS = [
    (
        "container-image-pull-policy", re.compile(".*"),
        "Every image has a fixed tag. With Always, no pod starts while the image's registry is unavailable.",
    ),
    (
        "pod-probes-identical", re.compile("Deployment/kafka/schema-registry.*"),
        "The registry has one answer that is in memory. A liveness probe that fails six times is not the readiness probe.",
    ),
    (
        "service-targets-pod", re.compile("Service/kafka/kafka-bootstrap"),
        "The pods are created by Strimzi.",
    ),
    (
        "container-ephemeral-storage-request-and-limit", re.compile("(Deployment|Job)/kafka-efd/.*"),
        "The root file system is read-only and no emptyDir is mounted: the containers cannot fill a disk.",
    ),
    (
        "pod-networkpolicy", re.compile("(Deployment|Job)/kafka-efd/.*"),
        "A site chooses the component network-policy; the combinations without it are checked as well.",
    ),
    (
        "pod-networkpolicy", re.compile("Pod/kafka-efd/kafkaefd"),
        "It listens to nothing, and an operator reaches with it what the overlays' policies would not allow.",
    ),
    (
        "networkpolicy-targets-pod", re.compile("NetworkPolicy/kafka-efd/influxsink-(1node-.*|site)"),
        "The component network-policy is the same for loads and the console, which have no sink.",
    ),
    (
        "networkpolicy-targets-pod", re.compile("NetworkPolicy/kafka-efd/console"),
        "The base alone has no instance; k8s-apps/services/console gives it one, and its policy has another name.",
    ),
    (
        "service-targets-pod", re.compile("Service/kafka-efd/(saltransform|influxsink)-metrics.*"),
        "The pods are those of the overlays.",
    ),
]  # fmt: skip
