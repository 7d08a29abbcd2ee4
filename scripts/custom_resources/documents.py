"""All documents that this repository asks a cluster to have: rendered by kustomize, or files as they are."""

import json
import subprocess
import sys

import yaml

from .common import ROOT, Failure, install, run

# Folders that are applied with `kubectl apply -k`.
RENDERED = ["k8s-cluster/site", "k8s-cluster/mirror/summit", "k8s-cluster/mirror/base"]
# Files that are applied with `kubectl apply -f`, and the namespace of those documents that name none.
FILES = [("k8s-apps/*.yaml", None), ("k8s-cluster/client.yaml", None), ("monitoring/prometheus-rule.yaml", "monitoring")]

# Helm values are not documents of Kubernetes, but the chart copies this part of them into a resource. These keys are the
# chart's own; the others are the operator's, and checked as such.
PROMETHEUS_VALUES = "k8s-cluster/values/prometheus.yaml"
OF_THE_CHART = {
    "podMonitorSelectorNilUsesHelmValues", "serviceMonitorSelectorNilUsesHelmValues", "ruleSelectorNilUsesHelmValues",
}  # fmt: skip


class Source:
    """Documents that are applied together: a name for messages, and the documents."""

    def __init__(self, name, text, namespace=None):
        self.name = name
        self.documents = [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]
        if namespace:
            for document in self.documents:
                document["metadata"].setdefault("namespace", namespace)
        if not self.documents:
            raise Failure(f"{name} has no documents")


def prometheus():
    """The Prometheus resource that the chart makes of our values."""
    values = yaml.safe_load((ROOT / PROMETHEUS_VALUES).read_text())["prometheus"]["prometheusSpec"]
    spec = {key: value for key, value in values.items() if key not in OF_THE_CHART}
    # The chart's name for it.
    spec["storage"] = spec.pop("storageSpec")
    made = {
        "apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
        "metadata": {"name": "prometheus", "namespace": "monitoring"}, "spec": spec,
    }  # fmt: skip
    return Source(PROMETHEUS_VALUES, json.dumps(made))


def combinations(scratch):
    """Every base, overlay and load of k8s-apps/, with every choice of components."""
    folder = scratch / "combinations"
    folder.mkdir()
    script = ROOT / "scripts" / "render-k8s-apps"
    done = subprocess.run([script, "--combinations", folder], stdout=sys.stderr, stderr=sys.stderr, check=False)
    if done.returncode != 0:
        raise Failure(f"{script.name} --combinations ended with {done.returncode}; its message is above")
    for path in sorted(folder.rglob("*.yaml")):
        yield Source(f"k8s-apps: {path.relative_to(folder)}", path.read_text())


def all_sources(scratch):
    """Everything that is checked, in the order of the table."""
    kustomize = install.program("kustomize")
    for folder in RENDERED:
        yield Source(folder, run(kustomize, "build", ROOT / folder))
    for pattern, namespace in FILES:
        paths = sorted(ROOT.glob(pattern))
        if not paths:
            raise Failure(f"there is no {pattern}")
        for path in paths:
            yield Source(str(path.relative_to(ROOT)), path.read_text(), namespace)
    yield prometheus()
    yield from combinations(scratch)


def name_of(document):
    """kind/namespace/name, for messages."""
    metadata = document.get("metadata", {})
    return "/".join(filter(None, [document.get("kind"), metadata.get("namespace"), metadata.get("name")]))


def distinct(sources):
    """(source's name, document) without those that an earlier source has as well: combinations share most."""
    seen = set()
    for source in sources:
        for document in source.documents:
            text = json.dumps(document, sort_keys=True)
            if text not in seen:
                seen.add(text)
                yield source.name, document
