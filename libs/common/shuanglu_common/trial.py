"""Keys and the bucket of a trial cluster, made once by a Job of charts/shuanglu-dev: `python -m shuanglu_common.trial`.

Helm can make passwords and certificates, but no JSON Web Key Sets. The Job may create secrets in its namespace and do
nothing else there; what is already there is left alone. Production brings its own keys.
"""

import base64
import json
import os
import secrets
import ssl
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shuanglu_common.jwks import key_set
from shuanglu_common.settings import ServiceSettings, load_settings

# Where Kubernetes mounts what a pod needs to speak to it.
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
KEY_ID = "trial"
TIMEOUT_S = 10
STORE_WAIT_S = 120
CONFLICT = 409


def new_keys() -> dict[str, bytes]:
    """Key files of the product, and `tokens.pem`, which tokens of the trial's callers are signed with."""
    internal, session, tokens = _new_key(), _new_key(), _new_key()
    return {
        "master.key": base64.b64encode(secrets.token_bytes(32)),
        "internal.pem": internal,
        "session.pem": session,
        "session-jwks.json": json.dumps(key_set(session)).encode(),
        "tokens.pem": tokens,
        "jwks.json": json.dumps(key_set(tokens, KEY_ID)).encode(),
    }


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def secret_object(name: str, files: dict[str, bytes]) -> dict[str, object]:
    """A Secret of Kubernetes that holds files."""
    data = {key: base64.b64encode(content).decode() for key, content in files.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque", "data": data}


def create_secret(server: str, account: Path, item: dict[str, object]) -> bool:
    """Creates a Secret in the pod's namespace; False if it is already there.

    Raises:
        HTTPError, URLError: Kubernetes refuses, or does not answer.
    """
    namespace = (account / "namespace").read_text().strip()
    request = Request(  # noqa: S310 - the address is Kubernetes' own
        f"{server}/api/v1/namespaces/{namespace}/secrets",
        data=json.dumps(item).encode(),
        headers={
            "Authorization": f"Bearer {(account / 'token').read_text().strip()}",
            "Content-Type": "application/json",
        },
        method="POST",
    )
    authority = account / "ca.crt"
    trust = ssl.create_default_context(cafile=str(authority)) if server.startswith("https") else None
    try:
        with urlopen(request, timeout=TIMEOUT_S, context=trust):  # noqa: S310 - as above
            return True
    except HTTPError as error:
        if error.code == CONFLICT:
            return False
        raise


def make_keys(server: str, account: Path, name: str) -> str:
    """Creates the secret with the key files, whole or not at all; says what it did."""
    made = create_secret(server, account, secret_object(name, new_keys()))
    return f"secret {name} is made" if made else f"secret {name} is there already: it is left alone"


def make_bucket(settings: ServiceSettings) -> str:
    """Creates the bucket, waiting for a store that is still starting."""
    client = boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
        config=Config(connect_timeout=3, read_timeout=TIMEOUT_S, s3={"addressing_style": "path"}),
    )
    until = time.monotonic() + STORE_WAIT_S
    while True:
        try:
            if settings.s3_bucket in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
                return f"bucket {settings.s3_bucket} is there already"
            client.create_bucket(Bucket=settings.s3_bucket)
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > until:
                raise
            sys.stderr.write(f"the store does not answer yet: {type(error).__name__}\n")
            time.sleep(2)
        else:
            return f"bucket {settings.s3_bucket} is made"


def main() -> None:
    """`keys` or `bucket`."""
    if sys.argv[1:] == ["keys"]:
        server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
        said = make_keys(server, ACCOUNT, "shuanglu-keys")
    elif sys.argv[1:] == ["bucket"]:
        said = make_bucket(load_settings(ServiceSettings))
    else:
        raise SystemExit("usage: python -m shuanglu_common.trial keys|bucket")
    sys.stdout.write(f"{said}\n")


if __name__ == "__main__":
    main()
