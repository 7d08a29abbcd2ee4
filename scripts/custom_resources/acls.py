"""The Kafka users of k8s-cluster/users/ against the table of permissions in docs/security.md, which the tests of the
binaries hold to be exact: a user has each permission of its binary, and no other but those named here with a reason.
"""

import re

from .common import ROOT, Failure

TABLE = re.compile(r"^\| `([a-z]+)` \| `([a-z_]+)` \| `([a-z_]+)` \| `([^`]+)` \|", re.MULTILINE)

KINDS = {"transactionalId": "transactional_id"}
OPERATIONS = {"DescribeConfigs": "describe_configs"}

# Beyond the table, as docs/security.md describes below it.
ALSO = {
    ("saltransform", "create", "topic", "{dead letters}"): "creates the topic of its dead letters",
    ("influxsink", "create", "topic", "{dead letters}"): "creates the topic of its dead letters",
    ("influxsink", "delete", "group", "{group}"): "removes the group of a replay at its end",
}
# Not in the table at all: they are not stages.
OTHERS = {"saltransform-init", "kafkaefd", "schema-registry", "schema-registry-summit", "mirror"}


def resource_of(user, kind, name):
    """What the table calls a resource: {any}, {input}, {output}, {dead letters}, {group}, {group}-."""
    if name == "*":
        return "{any}"
    if kind == "transactional_id":
        return "{group}-"
    if kind == "group":
        return "{group}"
    if name.endswith("lsst.sal."):
        return "{output}"
    return "{dead letters}" if name.startswith(user) else "{input}"


def granted(user):
    """(binary, operation, kind, resource) of every rule."""
    name = user["metadata"]["name"]
    for rule in user["spec"]["authorization"]["acls"]:
        kind = KINDS.get(rule["resource"]["type"], rule["resource"]["type"])
        for operation in rule["operations"]:
            yield name, OPERATIONS.get(operation, operation.lower()), kind, resource_of(name, kind, rule["resource"].get("name", ""))


def subsystems():
    """The components that k8s-apps/ carries, from the settings of the overlay with all of them."""
    text = (ROOT / "k8s-apps" / "overlays" / "all" / "kustomization.yaml").read_text()
    return set(re.search(r"SUBSYSTEM=(\S+)", text)[1].split(","))


def problems(documents):
    """Differences between the users and the table."""
    wanted = set(TABLE.findall((ROOT / "docs" / "security.md").read_text()))
    binaries = {binary for binary, *_ in wanted}
    if len(wanted) < 8:
        raise Failure("docs/security.md: the table of permissions has another form than acls.py expects")
    users = [document for _, document in documents if document["kind"] == "KafkaUser"]
    found = {right for user in users for right in granted(user) if right[0] in binaries}
    for right in sorted(wanted - found):
        yield f"no Kafka user has the permission of docs/security.md: {' '.join(right)}"
    for right in sorted(found - wanted - set(ALSO)):
        yield f"a Kafka user has a permission that docs/security.md does not name: {' '.join(right)}"
    for name in sorted({user["metadata"]["name"] for user in users} - binaries - OTHERS):
        yield f"docs/security.md does not know the Kafka user {name}, and acls.py does not list it"
    for user in users:
        if user["metadata"]["name"] not in ("salmock", "saltransform", "saltransform-init"):
            continue
        inputs = {
            rule["resource"]["name"].removesuffix("_")
            for rule in user["spec"]["authorization"]["acls"]
            if rule["resource"].get("name", "").endswith("_")
        }
        if inputs != subsystems():
            differing = ", ".join(sorted(inputs ^ subsystems()))
            yield f"the Kafka user {user['metadata']['name']} and overlays/all differ in the components {differing}"
