"""The network of the namespace: a bridge with the node's address and one for each service, and a bridge for the pods.

Pods reach the services at the node's side without any packet filter or proxy. There is no way out of the namespace.
"""

import json

from .common import run

NODE = "10.89.0.1"
DNS = "10.89.0.10"
BROKERS = ["10.89.0.11", "10.89.0.12", "10.89.0.13"]
REGISTRY = "10.89.0.21"
INFLUXDB = "10.89.0.31"
PROMETHEUS = "10.89.0.41"
POD_NETWORK = "10.244.0.0/16"


def start(cni_folder):
    """Sets up the interfaces of this network namespace, and writes the configuration of the pods' network."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "node", "type", "bridge")
    for address in [NODE, DNS, *BROKERS, REGISTRY, INFLUXDB, PROMETHEUS]:
        run("ip", "address", "add", f"{address}/24", "dev", "node")
    run("ip", "link", "set", "node", "up")
    # The kubelet looks for the interface of the default route.
    run("ip", "route", "add", "default", "dev", "node")
    plugins = [
        {
            "type": "bridge", "bridge": "pods", "isGateway": True, "hairpinMode": True,
            "ipam": {
                "type": "host-local", "ranges": [[{"subnet": POD_NETWORK}]], "routes": [{"dst": "0.0.0.0/0"}],
                "dataDir": "/run/cni",
            },
        },
    ]  # fmt: skip
    cni_folder.mkdir()
    config = {"cniVersion": "0.4.0", "name": "pods", "plugins": plugins}
    (cni_folder / "10-pods.conflist").write_text(json.dumps(config))
