"""etcd, the API server, the controller manager and the scheduler, with certificates and a token made for this run."""

import secrets
import urllib.request

from . import network
from .common import Failure, run
from .install import program
from .processes import Process

SERVER = f"https://{network.NODE}:6443"
ETCD = "http://127.0.0.1:2379"
SERVICE_NETWORK = "10.96.0.0/16"

KUBECONFIG = """apiVersion: v1
kind: Config
current-context: cluster
contexts: [{{name: cluster, context: {{cluster: cluster, user: admin}}}}]
clusters: [{{name: cluster, cluster: {{server: "{server}", certificate-authority: "{authority}"}}}}]
users: [{{name: admin, user: {{token: "{token}"}}}}]
"""


def make_kubeconfig(instance):
    """The administrator's kubeconfig; the kubelet and the controllers use it as well."""
    token = secrets.token_urlsafe(32)
    path = instance.folder / "kubeconfig"
    path.touch(mode=0o600)
    # The API server signs its certificate itself.
    path.write_text(KUBECONFIG.format(server=SERVER, authority=instance.folder / "certs" / "apiserver.crt", token=token))
    (instance.folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    return path


def healthy(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return b"true" in answer.read()


def start(instance, kubeconfig):
    """Starts the control plane; returns when the API server answers."""
    folder, logs = instance.folder, instance.logs
    etcd = Process(
        "etcd",
        # In memory: nothing of it is needed after the run, and the disk is busy.
        [program("etcd"), "--data-dir=/run/etcd", f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}",
         "--listen-peer-urls=http://127.0.0.1:2380", "--logger=zap", "--heartbeat-interval=500", "--election-timeout=5000"],
        logs, lambda: healthy(f"{ETCD}/health"),
    ).start()  # fmt: skip
    key = folder / "service-accounts.key"
    run("openssl", "genrsa", "-out", key, "2048")
    etcd.wait_ready()
    kubectl = [program("kubectl"), "--kubeconfig", kubeconfig]
    apiserver = Process(
        "kube-apiserver",
        [program("kube-apiserver"), f"--etcd-servers={ETCD}", f"--advertise-address={network.NODE}",
         f"--bind-address={network.NODE}", f"--cert-dir={folder / 'certs'}", f"--token-auth-file={folder / 'tokens.csv'}",
         "--authorization-mode=Node,RBAC", "--endpoint-reconciler-type=none",
         f"--service-cluster-ip-range={SERVICE_NETWORK}",
         f"--service-account-issuer={SERVER}", f"--service-account-key-file={key}",
         f"--service-account-signing-key-file={key}", "--kubelet-preferred-address-types=InternalIP"],
        logs, lambda: run(*kubectl, "get", "--raw=/readyz") == "ok",
    ).start()  # fmt: skip
    apiserver.wait_ready()
    common = [f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0"]
    # A busy machine must not look like a dead node.
    patient = ["--node-monitor-grace-period=120s", f"--service-account-private-key-file={key}"]
    manager = "kube-controller-manager"
    started = [
        Process(manager, [program(manager), *common, *patient], logs, None).start(),
        Process("kube-scheduler", [program("kube-scheduler"), *common], logs, None).start(),
    ]
    for process in started:
        if process.child.poll() is not None:
            raise Failure(f"{process.name} ended with {process.child.returncode}; see {process.log}")
    return [etcd, apiserver, *started]
