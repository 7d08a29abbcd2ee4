"""The node: containerd with runc, and the kubelet."""

import json

from . import network
from .common import run
from .install import DEBIAN, program
from .processes import Process

NAME = "node"
SOCKET = "/run/containerd/containerd.sock"
PAUSE_IMAGE = "pause:1"

# The three `disable` and `restrict` settings: this may run in a virtual machine without AppArmor, without the hugetlb
# controller, and without the capability to lower a process's OOM score.
CONTAINERD = """version = 2
root = "{folder}/containerd"
state = "/run/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.opt"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_hugetlb_controller = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "{runc}"
      SystemdCgroup = false
"""


def kubelet_configuration(instance):
    """Cgroups below the run's own; logs, certificates and pods in its folder. The disk may be full of other things."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": network.NODE,
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{instance.name}",
        "clusterDNS": [network.DNS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,
        "podLogsDir": str(instance.logs / "pods"),
        "resolvConf": str(instance.folder / "resolv.conf"),
        "enforceNodeAllocatable": ["pods"],
    }


def ctr(*words, timeout=300):
    """The client of containerd, in the namespace that the kubelet uses."""
    return run(program("ctr"), "--address", SOCKET, "--namespace", "k8s.io", *words, timeout=timeout)


def start(instance, kubeconfig, images):
    """Starts containerd and the kubelet; `images` are archives to import before a pod needs them."""
    folder, logs = instance.folder, instance.logs
    config = folder / "containerd.toml"
    config.write_text(
        CONTAINERD.format(
            folder=folder, socket=SOCKET, pause=PAUSE_IMAGE, runc=program("runc"),
            plugins=DEBIAN.folder / "usr" / "lib" / "cni",
        )
    )  # fmt: skip
    # Its shim is looked up on the path.
    path = {"PATH": f"{program('containerd').parent}:{program('runc').parent}:/usr/sbin:/usr/bin:/sbin:/bin"}
    containerd = Process(
        "containerd", [program("containerd"), "--config", config], logs, lambda: ctr("version"), env=path
    ).start()
    containerd.wait_ready()
    for archive in images:
        ctr("images", "import", archive)
    (folder / "resolv.conf").write_text(f"nameserver {network.DNS}\n")
    settings = folder / "kubelet.json"
    settings.write_text(json.dumps(kubelet_configuration(instance)))
    kubectl = [program("kubectl"), "--kubeconfig", kubeconfig]

    def is_ready():
        condition = '{.status.conditions[?(@.type=="Ready")].status}'
        return run(*kubectl, "get", "node", NAME, "-o", f"jsonpath={condition}") == "True"

    kubelet = Process(
        "kubelet",
        [program("kubelet"), f"--config={settings}", f"--kubeconfig={kubeconfig}", f"--root-dir={folder / 'kubelet'}",
         f"--cert-dir={folder / 'kubelet-certs'}", f"--hostname-override={NAME}", f"--node-ip={network.NODE}",
         "--node-labels=topology.kubernetes.io/zone=zone-a"],
        logs, is_ready, env=path,
    ).start()  # fmt: skip
    kubelet.wait_ready()
    return [containerd, kubelet]


