"""Sealed bytes: AES-256-GCM with a key for each tenant and session (NIST SP 800-38D).

The keys are derived from one master key by HKDF (RFC 5869).

The nonce is an HMAC of the plaintext and its place, so the same work done twice gives the same bytes, and no nonce is
ever used for two plaintexts. Name, tenant and session are authenticated: a sealed object cannot be moved.

Layout: `SLS1`, 8 bytes expiry (microseconds since the epoch, big-endian, 0: never), 12 bytes nonce, ciphertext, tag.
"""

import base64
import hmac
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shuanglu_common.errors import DamagedData

MAGIC = b"SLS1"
HEADER_BYTES = 4 + 8 + 12
MASTER_BYTES = 32


class SealBroken(DamagedData):
    """The sealed bytes were changed, moved, or sealed with another key."""

    reason = "SEAL_BROKEN"


def read_master_key(path: Path) -> bytes:
    """The master key: 32 bytes, base64 in a file. Raises ValueError, OSError."""
    key = base64.b64decode(path.read_text().strip(), validate=True)
    if len(key) != MASTER_BYTES:
        raise ValueError(f"{path.name} must hold {MASTER_BYTES} bytes in base64, has {len(key)}")
    return key


class Sealer:
    """Seals and opens bytes of a session."""

    def __init__(self, master_key: bytes) -> None:
        """`master_key`: 32 random bytes."""
        self.master_key = master_key

    def derive(self, purpose: str, *place: str) -> bytes:
        """A 32-byte key for one purpose and place."""
        info = "\0".join(("shuanglu", purpose, *place)).encode()
        return HKDF(SHA256(), 32, salt=None, info=info).derive(self.master_key)

    def seal(self, tenant: str, session_id: str, name: str, data: bytes, expires_at_us: int = 0) -> bytes:
        """Encrypt `data` for its place."""
        expiry = expires_at_us.to_bytes(8, "big")
        place = self.place(tenant, session_id, name) + expiry
        nonce_key = self.derive("seal-nonce", tenant, session_id)
        nonce = hmac.digest(nonce_key, len(place).to_bytes(4, "big") + place + data, "sha256")[:12]
        key = self.derive("seal", tenant, session_id)
        return MAGIC + expiry + nonce + AESGCM(key).encrypt(nonce, data, place)

    def open(self, tenant: str, session_id: str, name: str, sealed: bytes) -> bytes:
        """Decrypt; the expiry is the caller's to look at (`expiry_us`). Raises SealBroken."""
        if len(sealed) < HEADER_BYTES or not sealed.startswith(MAGIC):
            raise SealBroken("not a sealed object")
        expiry, nonce = sealed[4:12], sealed[12:24]
        key = self.derive("seal", tenant, session_id)
        try:
            return AESGCM(key).decrypt(nonce, sealed[24:], self.place(tenant, session_id, name) + expiry)
        except InvalidTag as error:
            raise SealBroken("the sealed object does not authenticate") from error

    @staticmethod
    def place(tenant: str, session_id: str, name: str) -> bytes:
        """What is authenticated beside the bytes."""
        return f"{tenant}\0{session_id}\0{name}".encode()


def expiry_us(sealed: bytes) -> int:
    """When a sealed object ends, microseconds since the epoch; 0 is never."""
    return int.from_bytes(sealed[4:12], "big")
