"""Keys for development: made once per data folder, readable by the owner alone. Production brings its own."""

import base64
import datetime as dt
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shuanglu_common.jwks import key_set
from shuanglu_gateway.certificate import make_development_certificate

KEY_ID = "development"
ISSUER = "https://id.shuanglu.development"
AUDIENCE = "shuanglu"
PASSWORDS = ("nats_password", "postgres_password", "s3_access_key", "s3_secret_key", "janus_secret", "turn_secret")


@dataclass(frozen=True, slots=True)
class DevelopmentKeys:
    """Files and passwords of one stack."""

    folder: Path
    nats_password: str
    postgres_password: str
    s3_access_key: str
    s3_secret_key: str
    janus_secret: str
    turn_secret: str

    @property
    def master_key(self) -> Path:
        """32 random bytes, base64: what everything sealed rests on."""
        return self.folder / "master.key"

    @property
    def signing_key(self) -> Path:
        """EC P-256 key that signs development tokens."""
        return self.folder / "tokens.pem"

    @property
    def jwks(self) -> Path:
        """Public half of the signing key, as a JSON Web Key Set (RFC 7517)."""
        return self.folder / "jwks.json"

    @property
    def internal_key(self) -> Path:
        """EC P-256 key that services sign their calls to each other with."""
        return self.folder / "internal.pem"

    @property
    def session_key(self) -> Path:
        """EC P-256 key that signaling signs participants' tokens with."""
        return self.folder / "session.pem"

    @property
    def session_jwks(self) -> Path:
        """Public half of the session key, as a JSON Web Key Set (RFC 7517)."""
        return self.folder / "session-jwks.json"

    @property
    def authority(self) -> Path:
        """Certificate of the development authority: what clients trust."""
        return self.folder / "ca.pem"

    @property
    def tls_certificate(self) -> Path:
        """Certificate of the gateway."""
        return self.folder / "tls.pem"

    @property
    def tls_key(self) -> Path:
        """Private key of the gateway."""
        return self.folder / "tls.key"


def ensure_keys(folder: Path) -> DevelopmentKeys:
    """The keys in a folder; what is missing is made."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    keys = DevelopmentKeys(folder, **_ensure_passwords(folder / "passwords.json"))
    if not keys.master_key.exists():
        _write(keys.master_key, base64.b64encode(secrets.token_bytes(32)))
    if not keys.internal_key.exists():
        _write(keys.internal_key, _pem(_new_key()))
    if not keys.jwks.exists():
        signing_key = _new_key()
        _write(keys.signing_key, _pem(signing_key))
        _write(keys.jwks, json.dumps(key_set(_pem(signing_key), KEY_ID)).encode())
    if not keys.session_jwks.exists():
        session_key = _new_key()
        _write(keys.session_key, _pem(session_key))
        _write(keys.session_jwks, json.dumps(key_set(_pem(session_key))).encode())
    if not keys.tls_certificate.exists():
        hosts = ["localhost", "127.0.0.1", "::1"]
        make_development_certificate(folder, hosts, dt.datetime.now(dt.UTC))
    return keys


def _ensure_passwords(file: Path) -> dict[str, str]:
    """Passwords of a file; those that an older folder does not have yet are added."""
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    missing = [name for name in PASSWORDS if name not in known]
    if missing:
        known |= {name: secrets.token_hex(16) for name in missing}
        _write(file, json.dumps(known).encode())
    return {name: known[name] for name in PASSWORDS}


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    """Write whole or not at all, for the owner's eyes only."""
    temporary = path.with_suffix(path.suffix + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
