"""Cluster DNS: CoreDNS on an address of its own, which the kubelet writes into each pod."""

import urllib.request

from . import network
from .install import program
from .processes import Process

COREFILE = """.:53 {{
    bind {dns}
    errors
    ready {dns}:8181
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig} cluster
    }}
}}
"""


def is_ready():
    with urllib.request.urlopen(f"http://{network.DNS}:8181/ready", timeout=5) as answer:
        return answer.status == 200


def start(instance, kubeconfig):
    corefile = instance.folder / "Corefile"
    corefile.write_text(COREFILE.format(dns=network.DNS, kubeconfig=kubeconfig))
    process = Process("coredns", [program("coredns"), "-conf", corefile], instance.logs, is_ready).start()
    process.wait_ready()
    return process
