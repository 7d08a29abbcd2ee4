"""A bare cluster: network, control plane, node, DNS. What runs on it is the caller's."""

import json
import os
import subprocess
import time

from . import control_plane, dns, network, node
from .common import ROOT, run, say
from .install import program


class Cluster:
    """A running cluster, with kubectl."""

    def __init__(self, instance, kubeconfig):
        self.instance, self.kubeconfig = instance, kubeconfig

    def environment(self):
        """KUBECONFIG, and this cluster's kubectl and kustomize first on the path."""
        folders = [str(program(name).parent) for name in ("kubectl", "kustomize", "etcd")]
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "PATH": ":".join([*folders, os.environ["PATH"]])}

    def kubectl(self, *words, stdin=None, timeout=120):
        """The output of a kubectl command."""
        return run(program("kubectl"), "--kubeconfig", self.kubeconfig, *words, stdin=stdin, timeout=timeout)

    def apply(self, manifests):
        """Applies manifests given as text; unknown and double fields are errors."""
        return self.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", stdin=manifests)

    def get(self, kind, namespace, selector=""):
        """Objects of a kind, as a list."""
        words = ["get", kind, "--namespace", namespace, "--selector", selector, "-o", "json"]
        return json.loads(self.kubectl(*words))["items"]


def start(instance, images):
    """Starts a cluster. It ends with the namespaces: nothing in it is needed any more, so nothing is stopped in order."""
    since = time.monotonic()
    network.start(instance.folder / "cni")
    kubeconfig = control_plane.make_kubeconfig(instance)
    control_plane.start(instance, kubeconfig)
    say(f"the control plane is ready after {time.monotonic() - since:.0f} s")
    dns.start(instance, kubeconfig)
    node.start(instance, kubeconfig, images)
    say(f"the node is ready after {time.monotonic() - since:.0f} s")
    return Cluster(instance, kubeconfig)


def run_command(cluster, command):
    """Runs a command with this cluster's kubeconfig; returns its exit code."""
    return subprocess.call(command, cwd=ROOT, env=cluster.environment())
