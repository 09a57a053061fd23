"""`python -m shuanglu_common.jwks KEY.pem`: the public half of an EC P-256 key as a JSON Web Key Set (RFC 7517)."""

import argparse
import json
import sys
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shuanglu_common.auth import SESSION_ISSUER


class NotAKey(Exception):
    """The file holds no EC P-256 private key; the text says what."""


def key_set(pem: bytes, key_id: str = SESSION_ISSUER) -> dict[str, list[dict[str, str]]]:
    """The set with one key. Tokens of a call's participants name theirs SESSION_ISSUER. Raises NotAKey."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise NotAKey("not a private key in PEM") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise NotAKey("not an EC P-256 key; make one by openssl ecparam -name prime256v1 -genkey -noout")
    public: dict[str, str] = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"keys": [{**public, "kid": key_id, "alg": "ES256", "use": "sig"}]}


def main() -> None:
    """Exit code 2 and one line for a file that is no such key."""
    parser = argparse.ArgumentParser(prog="python -m shuanglu_common.jwks", description=__doc__)
    parser.add_argument("key", type=Path, help="EC P-256 private key in PEM")
    file = parser.parse_args().key
    try:
        print(json.dumps(key_set(file.read_bytes()), indent=2))  # noqa: T201 - what it is for
    except (NotAKey, OSError) as error:
        sys.stderr.write(f"{file}: {error}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
