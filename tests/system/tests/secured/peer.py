#!/usr/bin/env python3
"""Administers a secured Kafka for the tests: ACLs, users, tokens. It shares no code with the pipeline.

usage: peer.py CERTS KEY_PASSWORD_FILE BROKER allow|forbid USER OPERATION topic|group|transactional_id|cluster [+]NAME …
       peer.py CERTS KEY_PASSWORD_FILE BROKER user NAME PASSWORD
       peer.py CERTS KEY_PASSWORD_FILE BROKER token SUBJECT SECONDS

BROKER's listener requires a certificate; the administrator's is CERTS/admin.pem. A NAME that begins with + is a prefix.
One call can change several ACLs, separated by a comma as a separate argument.
"""

import base64
import json
import sys
import time
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, ResourcePatternType, ResourceType,
    ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion,
)  # fmt: skip
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding


def admin(certs, password, broker):
    return AdminClient({
        "bootstrap.servers": broker, "security.protocol": "ssl", "ssl.ca.location": f"{certs}/ca.pem",
        "ssl.certificate.location": f"{certs}/admin.pem", "ssl.key.location": f"{certs}/admin.key",
        "ssl.key.password": password,
    })  # fmt: skip


def rights(words, kind):
    """Each permission, given as USER OPERATION TYPE NAME, in the form that the broker expects."""
    while words:
        end = words.index(",") if "," in words else len(words)
        user, operation, resource, name = words[:end]
        words = words[end + 1 :]
        prefix = name.startswith("+")
        yield kind(
            ResourceType[resource.upper()], name.removeprefix("+"),
            ResourcePatternType.PREFIXED if prefix else ResourcePatternType.LITERAL,
            f"User:{user}", "*", AclOperation[operation.upper()], AclPermissionType.ALLOW,
        )  # fmt: skip


def token(certs, subject, seconds):
    """A JSON web token, signed RS256."""
    key = serialization.load_pem_private_key((certs / "oauth.key").read_bytes(), None)
    now = int(time.time())
    # `iat` lies before `exp`, also in an expired token.
    claims = {"sub": subject, "aud": "kafka", "scope": "kafka", "iat": min(now, now + seconds) - 60, "exp": now + seconds}

    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    signed = b".".join(part(json.dumps(text).encode()) for text in ({"alg": "RS256", "kid": "efd", "typ": "JWT"}, claims))
    return (signed + b"." + part(key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))).decode()


def main():
    certs, password, broker, verb, *words = sys.argv[1:]
    if verb == "token":
        print(token(Path(certs), words[0], int(words[1])))
        return
    client = admin(certs, Path(password).read_text(), broker)
    if verb == "allow":
        done = client.create_acls(list(rights(words, AclBinding)))
    elif verb == "forbid":
        done = client.delete_acls(list(rights(words, AclBindingFilter)))
    elif verb == "user":
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        done = client.alter_user_scram_credentials([UserScramCredentialUpsertion(words[0], info, words[1].encode())])
    else:
        sys.exit(__doc__)
    for future in done.values():
        future.result(30)


if __name__ == "__main__":
    main()
