import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shuanglu_common.auth import SESSION_ISSUER
from shuanglu_common.jwks import NotAKey, key_set


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain)


def test_a_token_signed_with_the_key_holds_by_its_set() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    token = jwt.encode({"sub": "x"}, key, algorithm="ES256", headers={"kid": SESSION_ISSUER})
    (public,) = key_set(pem(key))["keys"]
    assert public["kid"] == jwt.get_unverified_header(token)["kid"]
    assert jwt.decode(token, jwt.PyJWK(public).key, algorithms=["ES256"]) == {"sub": "x"}
    assert "d" not in public


@pytest.mark.parametrize("other", [b"no key", pem(ec.generate_private_key(ec.SECP384R1()))])
def test_what_is_no_such_key_is_refused(other: bytes) -> None:
    with pytest.raises(NotAKey):
        key_set(other)
