"""The definitions of the custom resources, made from the packages of their own projects and never committed.

| project | package | how |
|---|---|---|
| Strimzi | Maven `io.strimzi:api`, `io.strimzi:crd-generator` | its generator reads the classes of its API (Java 21) |
| KEDA, Prometheus operator | Go modules | copied from the module |
| Kubernetes | PyPI `kubernetes-validate`, in target/venv | only schemas, for kubeconform: the API server has its own kinds |

Each is in target/kubernetes/crds/PROJECT-VERSION. kubeconform reads JSON schemas, which are made from the definitions.
"""

import json
import shutil
import tempfile
from pathlib import Path

import yaml

from .common import DEFINITIONS, LOGS, Failure, install as parts, say, services

STRIMZI, KEDA, PROMETHEUS_OPERATOR = "1.2.0", "2.21.0", "0.85.0"

# The kinds that k8s-cluster/ has.
STRIMZI_KINDS = {
    "Kafka": "kafka", "KafkaNodePool": "nodepool", "KafkaUser": "user", "KafkaMirrorMaker2": "mirrormaker2",
}  # fmt: skip

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>efd.definitions</groupId><artifactId>strimzi</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>io.strimzi</groupId><artifactId>api</artifactId><version>{0}</version></dependency>
    <dependency><groupId>io.strimzi</groupId><artifactId>crd-generator</artifactId><version>{0}</version></dependency>
  </dependencies>
</project>
"""


def strimzi(folder, version, log):
    """Strimzi's own generator, with the API version that Strimzi 1.x serves."""
    java = services.java_21()
    if java is None or not shutil.which("mvn"):
        raise Failure("Strimzi's definitions need Java 21 or later, and Maven: install them, or set JAVA_HOME")
    with tempfile.TemporaryDirectory(prefix="maven-", dir=DEFINITIONS) as work:
        pom, libs = Path(work) / "pom.xml", Path(work) / "libs"
        pom.write_text(POM.format(version))
        goal = f"{services.DEPENDENCY_PLUGIN}:copy-dependencies"
        services.logged([*services.MAVEN, "-f", pom, goal, f"-DoutputDirectory={libs}"], log)
        wanted = [
            f"io.strimzi.api.kafka.model.{package}.{kind}={folder}/{kind.lower()}.yaml"
            for kind, package in STRIMZI_KINDS.items()
        ]
        options = ["--target-kube", "1.16+", "--crd-api-version", "v1", "--api-versions", "v1", "--storage-version", "v1"]
        generator = "io.strimzi.crdgenerator.CrdGenerator"
        services.logged([java, "-cp", f"{libs}/*", generator, *options, "--yaml", *wanted], log)


def of_go_module(module, below, names):
    """Definitions that a Go module contains as files."""

    def copy(folder, version, _log):
        source = services.go_source(module, f"v{version}") / below
        for name in names:
            # Not copied with its mode: files of Go's module cache are read-only.
            (folder / f"{name}.yaml").write_bytes((source / f"{name}.yaml").read_bytes())

    return copy


def kubernetes(folder, version, _log):
    """The schemas of Kubernetes' own kinds, with references that hold in any folder."""
    below = f"kubernetes_validate/kubernetes-json-schema/v{version}.0-local-strict"
    sources = list(services.VENV.glob(f"lib/python*/site-packages/{below}"))
    if not sources:
        raise Failure(f"target/venv has no {below}: run `scripts/services install`")
    (folder / "schemas").mkdir()
    for path in sources[0].glob("*.json"):
        schema = json.loads(path.read_text().replace('"/api/_definitions.json#', '"_definitions.json#'))
        # References are relative to it, and it is an address on the web.
        schema.pop("$id", None)
        (folder / "schemas" / path.name).write_text(json.dumps(schema))


KEDA_FILES = ["keda.sh_scaledobjects", "keda.sh_triggerauthentications"]
PROMETHEUS_FILES = [
    f"monitoring.coreos.com_{kinds}" for kinds in ("podmonitors", "servicemonitors", "prometheusrules", "prometheuses")
]
# Each folder has the kinds that this repository uses, and no others: the API server starts sooner.
PROJECTS = [
    ("kubernetes", parts.KUBERNETES[1:].rpartition(".")[0], kubernetes),
    ("strimzi", STRIMZI, strimzi),
    ("keda", KEDA, of_go_module("github.com/kedacore/keda/v2", "config/crd/bases", KEDA_FILES)),
    (
        "prometheus-operator", PROMETHEUS_OPERATOR,
        of_go_module(
            "github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd", PROMETHEUS_FILES
        ),
    ),
]  # fmt: skip


class Loader(yaml.CSafeLoader):
    """Reads `=` as the text that it is; YAML 1.1 has a type of its own for it, for which PyYAML has no constructor."""


Loader.add_constructor("tag:yaml.org,2002:value", yaml.CSafeLoader.construct_yaml_str)


def strict(node):
    """A schema that refuses what it does not name, as the API server does with --validate=strict."""
    made = dict(node)
    if "properties" in node:
        made["properties"] = {name: strict(schema) for name, schema in node["properties"].items()}
        if not node.get("x-kubernetes-preserve-unknown-fields") and "additionalProperties" not in node:
            made["additionalProperties"] = False
    if "items" in node:
        made["items"] = strict(node["items"])
    if isinstance(node.get("additionalProperties"), dict):
        made["additionalProperties"] = strict(node["additionalProperties"])
    if node.get("x-kubernetes-int-or-string"):
        for key in ("format", "anyOf"):
            made.pop(key, None)
        made["type"] = ["integer", "string"]
    return made


def write_schemas(folder):
    """For each kind and version a file `kind-GROUP-version.json`, where GROUP is the first part of the group's name."""
    schemas = folder / "schemas"
    schemas.mkdir()
    for path in sorted(folder.glob("*.yaml")):
        for definition in yaml.load_all(path.read_text(), Loader):
            spec = definition["spec"]
            for version in spec["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                # Every object has these, and their contents are the API server's to check.
                for key in ("apiVersion", "kind"):
                    schema["properties"].setdefault(key, {"type": "string"})
                schema["properties"]["metadata"] = {"type": "object"}
                group = spec["group"].partition(".")[0]
                name = f"{spec['names']['kind'].lower()}-{group}-{version['name']}.json"
                (schemas / name).write_text(json.dumps(schema))


def install():
    """Makes what is absent; returns the folders."""
    DEFINITIONS.mkdir(parents=True, exist_ok=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    folders = []
    for name, version, make in PROJECTS:
        folder = DEFINITIONS / f"{name}-{version}"
        folders.append(folder)
        if folder.is_dir():
            continue
        say(f"making the definitions of {name} {version}")
        log = LOGS / f"definitions-{name}.log"
        log.unlink(missing_ok=True)
        # The folder gets its name only when it is complete.
        building = Path(tempfile.mkdtemp(prefix=f"building-{name}-", dir=DEFINITIONS))
        try:
            make(building, version, log)
            if list(building.glob("*.yaml")):
                write_schemas(building)
            if not list(building.glob("schemas/*.json")):
                raise Failure(f"{name} {version} brought no definitions; see {log}")
            building.chmod(0o755)
            building.rename(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return folders
