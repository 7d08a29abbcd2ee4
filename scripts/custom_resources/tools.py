"""kubeconform and kube-score: checks that need no API server."""

import json
import subprocess

from .common import BIN, LOGS, Failure, install, services
from .documents import name_of
from .exceptions import EXCEPTIONS

KUBECONFORM = "github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0"
KUBE_SCORE = "github.com/zegl/kube-score/cmd/kube-score@v1.20.0"
CRITICAL = 1  # kube-score's grade; 5 is a warning, 10 is in order


def tool(package):
    """A tool that is built by `go install` at its first use."""
    path = BIN / package.partition("@")[0].rpartition("/")[2]
    if not path.exists():
        BIN.mkdir(parents=True, exist_ok=True)
        LOGS.mkdir(parents=True, exist_ok=True)
        services.go_install(package, BIN, LOGS / f"install-{path.name}.log")
    return path


def kubeconform(documents, names, definitions):
    """Problems of the files in a folder, each with one document; `names` maps files to what messages call them."""
    schema = "schemas/{{.ResourceKind}}{{.KindSuffix}}.json"
    options = [word for folder in definitions for word in ("-schema-location", str(folder / schema))]
    command = [tool(KUBECONFORM), "-strict", "-output", "json", "-verbose", "-n", "2", *options, documents]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        resources = json.loads(done.stdout)["resources"]
    except ValueError as error:
        raise Failure(f"kubeconform ended with {done.returncode}: {done.stderr.strip()}") from error
    if len(resources) != len(names):
        raise Failure(f"kubeconform checked {len(resources)} of {len(names)} documents")
    for resource in resources:
        if resource["status"] != "statusValid":
            yield f"{names[resource['filename']]}: {resource['msg']}"


class Exceptions:
    """The reasons why some of kube-score's advice is not followed. One that is never used is a problem."""

    def __init__(self):
        self.used = set()

    def allows(self, check, name):
        for number, (of_check, pattern, _) in enumerate(EXCEPTIONS):
            if of_check == check and pattern.fullmatch(name):
                self.used.add(number)
                return True
        return False

    def unused(self):
        for number, (check, pattern, _) in enumerate(EXCEPTIONS):
            if number not in self.used:
                yield f"exceptions.py: nothing needs {check} for {pattern.pattern} any more: delete it"


def kube_score(source, exceptions):
    """What kube-score calls critical in documents that are applied together."""
    text = "\n---\n".join(json.dumps(document) for document in source.documents)
    version = f"v{install.KUBERNETES[1:].rpartition('.')[0]}"
    # Memory is limited; a CPU limit would stop a process although its node has time to spare.
    options = ["--kubernetes-version", version, "--ignore-container-cpu-limit", "--output-format", "json"]
    command = [tool(KUBE_SCORE), "score", *options, "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    try:
        scored = json.loads(done.stdout) or []
    except ValueError as error:
        raise Failure(f"kube-score ended with {done.returncode} on {source.name}: {done.stderr.strip()}") from error
    for item in scored:
        name = name_of({"kind": item["type_meta"]["kind"], "metadata": item["object_meta"]})
        for check in item["checks"]:
            identity = check["check"]["id"]
            if check["skipped"] or check["grade"] > CRITICAL or exceptions.allows(identity, name):
                continue
            comments = "; ".join(" ".join([one["path"], one["summary"]]).strip() for one in check["comments"] or [])
            yield f"{name}: {identity}: {comments} ({source.name})"
