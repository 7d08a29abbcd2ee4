"""A real kube-apiserver and etcd on loopback, for as long as the documents are checked. They need no network namespace,
no node and no controllers: an API server alone refuses a field that does not exist, a value that is not allowed, and a pod
that the pod security standard of its namespace does not permit.
"""

import contextlib
import json
import secrets
import subprocess
import tempfile
from pathlib import Path

from .common import BASE, Failure, Process, healthy, install, run, services
from .documents import name_of

KUBECONFIG = """apiVersion: v1
kind: Config
current-context: check
contexts: [{{name: check, context: {{cluster: check, user: admin}}}}]
clusters: [{{name: check, cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: "{authority}"}}}}]
users: [{{name: admin, user: {{token: "{token}"}}}}]
"""

# Kubernetes 1.34 says so of every headless Service, because the API server itself fills in the default of that field.
IGNORED = {"Warning: spec.SessionAffinity is ignored for headless services"}


class ApiServer:
    """kubectl on a running API server."""

    def __init__(self, kubeconfig):
        # A cache of its own: another API server may have had the same port.
        cache = kubeconfig.parent / "cache"
        self.kubectl = [install.program("kubectl"), "--kubeconfig", kubeconfig, "--cache-dir", cache]

    def prepare(self, definitions, namespaces):
        """Installs the definitions and creates the namespaces, which no dry run does."""
        files = [word for folder in definitions for path in folder.glob("*.yaml") for word in ("-f", path)]
        run(*self.kubectl, "create", *files)
        run(*self.kubectl, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        for namespace in namespaces:
            name = namespace["metadata"]["name"]
            run(*self.kubectl, "apply", "-f", "-", stdin=json.dumps(namespace))
            # What a controller does in a whole cluster: without it no pod is admitted.
            run(*self.kubectl, "create", "serviceaccount", "default", "--namespace", name)

    def problems(self, documents, names):
        """What the API server refuses or warns of; `names` maps files to what messages call them."""
        command = [*self.kubectl, "apply", "--dry-run=server", "--validate=strict", "-f", documents]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        accepted = sum(line.endswith("(server dry run)") for line in done.stdout.splitlines())
        found = [line for line in done.stderr.splitlines() if line.strip() and line not in IGNORED]
        for line in found:
            for file, name in names.items():
                line = line.replace(f'"{file}"', name)
            yield line
        if accepted != len(names) and not found:
            yield f"the API server answered for {accepted} of {len(names)} documents"


@contextlib.contextmanager
def running():
    """Starts etcd and the API server; both end, and their data with them, when the check ends."""
    with tempfile.TemporaryDirectory(prefix="api-server-", dir=BASE) as work, contextlib.ExitStack() as stack:
        folder = Path(work)
        client, peer, port = services.free_ports(3)
        etcd_url = f"http://127.0.0.1:{client}"
        etcd = Process(
            "etcd",
            [install.program("etcd"), f"--data-dir={folder / 'etcd'}", f"--listen-client-urls={etcd_url}",
             f"--advertise-client-urls={etcd_url}", f"--listen-peer-urls=http://127.0.0.1:{peer}", "--logger=zap",
             "--unsafe-no-fsync"],
            folder, lambda: healthy(f"{etcd_url}/health"),
        ).start()  # fmt: skip
        stack.callback(etcd.stop)
        token = secrets.token_urlsafe(32)
        tokens, kubeconfig, key = folder / "tokens.csv", folder / "kubeconfig", folder / "service-accounts.key"
        tokens.write_text(f"{token},admin,admin,system:masters\n")
        # The API server signs its certificate itself.
        kubeconfig.write_text(KUBECONFIG.format(port=port, authority=folder / "certs" / "apiserver.crt", token=token))
        run("openssl", "genrsa", "-out", key, "2048")
        server = ApiServer(kubeconfig)
        etcd.wait_ready()
        api = Process(
            "kube-apiserver",
            [install.program("kube-apiserver"), f"--etcd-servers={etcd_url}", f"--secure-port={port}",
             "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--cert-dir={folder / 'certs'}",
             f"--token-auth-file={tokens}", "--authorization-mode=AlwaysAllow", "--endpoint-reconciler-type=none",
             "--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://127.0.0.1",
             f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}"],
            folder, lambda: run(*server.kubectl, "get", "--raw=/readyz") == "ok",
        ).start()  # fmt: skip
        stack.callback(api.stop)
        api.wait_ready()
        yield server


def namespaces_of(documents):
    """The namespaces that the documents create, and bare ones with the other names that they use."""
    made, named = {}, set()
    for _, document in documents:
        if document["kind"] == "Namespace":
            made.setdefault(document["metadata"]["name"], document)
        else:
            named.add(document["metadata"].get("namespace"))
    for name in sorted(filter(None, named - set(made))):
        made[name] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    if missing := [name_of(document) for _, document in documents if is_homeless(document)]:
        raise Failure(f"these documents name no namespace: {', '.join(missing)}")
    return list(made.values())


def is_homeless(document):
    return document["kind"] != "Namespace" and not document["metadata"].get("namespace")
