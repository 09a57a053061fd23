import json
import socket
import stat
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store

from shuanglu_cli.tokens import SigningKey, sign_token
from shuanglu_stack.development_keys import AUDIENCE, ISSUER, KEY_ID, ensure_keys
from shuanglu_stack.errors import PortTaken
from shuanglu_stack.ports import LOOPBACK, choose_ports
from shuanglu_stack.services import INFRASTRUCTURE_PORTS, SERVICES, port_names


def test_free_ports_differ_and_can_be_bound() -> None:
    ports = choose_ports([f"p{number}" for number in range(30)], "free", 0, 0)
    assert len(set(ports.values())) == 30
    for port in ports.values():
        with socket.socket() as server:
            server.bind((LOOPBACK, port))


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        with pytest.raises(PortTaken, match="gateway") as refused:
            choose_ports(["gateway"], "fixed", taken.getsockname()[1], 18400)
    assert "--ports free" in refused.value.help


def test_every_replica_has_ports_of_its_own() -> None:
    names = port_names({"face-check": 3})
    assert len(names) == len(set(names))
    assert {"face-check-ops", "face-check-2-ops", "face-check-3-ops", "report-http", "quality-grpc"} <= set(names)
    assert "face-check-grpc" not in names
    assert len(port_names({})) == len(INFRASTRUCTURE_PORTS) + 1 + sum(1 + spec.grpc + spec.http for spec in SERVICES)


def test_keys_are_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    keys = ensure_keys(folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert ensure_keys(folder) == keys
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    secret = [keys.master_key, keys.signing_key, keys.internal_key, keys.tls_key, folder / "passwords.json"]
    for file in secret:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_token_is_verified_by_the_published_key(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path)
    signing = SigningKey(keys.signing_key.read_text(), KEY_ID, ISSUER, AUDIENCE)
    token = sign_token(signing, "demo", "me", ["agent"], "", 60, 2_000_000_000)
    (published,) = jwt.PyJWKSet.from_dict(json.loads(keys.jwks.read_text())).keys
    claims = jwt.decode(token, published, audience=AUDIENCE, issuer=ISSUER, options={"verify_iat": False})
    assert claims["tenant"] == "demo"
    assert published.key_id == jwt.get_unverified_header(token)["kid"] == KEY_ID


def test_the_gateways_certificate_is_trusted_by_its_authority(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path)
    authority = x509.load_pem_x509_certificate(keys.authority.read_bytes())
    server = x509.load_pem_x509_certificate(keys.tls_certificate.read_bytes())
    verifier = PolicyBuilder().store(Store([authority])).build_server_verifier(x509.DNSName("localhost"))
    assert verifier.verify(server, [])[0] == server
    private = load_pem_private_key(keys.tls_key.read_bytes(), None)
    assert private.public_key() == server.public_key()
