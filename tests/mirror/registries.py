"""Schemas of one registry in a context of another, under the ids that they have: what Confluent's Schema Linking does, in
the requests that any compatible registry answers. The context is an address: http://registry:8081/contexts/.summit
"""

import json
import urllib.request

CONTENT = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


def request(url, body=None, method=None):
    """The JSON answer of a registry."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, CONTENT, method=method), timeout=10) as answer:
        return json.load(answer)


def copy(source, target, context):
    """Copies every version of every subject; returns the context's address."""
    address = f"{target}/contexts/{context}"
    request(f"{address}/mode", {"mode": "IMPORT"}, "PUT")
    for subject in request(f"{source}/subjects"):
        for version in request(f"{source}/subjects/{subject}/versions"):
            known = request(f"{source}/subjects/{subject}/versions/{version}")
            body = {"schema": known["schema"], "id": known["id"], "version": version}
            request(f"{address}/subjects/{subject}/versions", body)
    return address


def schema_of(registry, number):
    """The schema that an id means in a registry."""
    return request(f"{registry}/schemas/ids/{number}")["schema"]
