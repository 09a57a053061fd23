"""Metrics: expiry of keys, tenants as labels, histograms that come out of a cell."""

import base64
import datetime as dt
import json
import math
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from prometheus_client import CollectorRegistry, Histogram

from shuanglu_common import key_expiry
from shuanglu_common.cell.child import Counted
from shuanglu_common.cell.sampled import Sampled
from shuanglu_common.metrics import KEY_EXPIRY
from shuanglu_common.settings import ServiceSettings
from shuanglu_common.tenant_label import TenantLabel

SOON = dt.datetime(2031, 5, 6, tzinfo=dt.UTC)
LATER = dt.datetime(2041, 5, 6, tzinfo=dt.UTC)


def certificate(until: dt.datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(SOON - dt.timedelta(days=9999)).not_valid_after(until)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def credentials(**claims: int) -> bytes:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"-----BEGIN NATS USER JWT-----\nhead.{payload}.tail\n------END NATS USER JWT------\n".encode()


def test_the_first_certificate_to_expire_counts():
    assert key_expiry.certificates_expiry(certificate(LATER) + certificate(SOON)) == SOON.timestamp()


def test_credentials_expire_when_their_token_does_or_never():
    assert key_expiry.credentials_expiry(credentials(exp=1_900_000_000)) == 1_900_000_000
    assert key_expiry.credentials_expiry(credentials(iat=1)) == math.inf
    with pytest.raises(ValueError, match="no NATS user JWT"):
        key_expiry.credentials_expiry(b"nothing of the kind")


def test_files_that_are_not_set_never_expire_and_broken_ones_keep_what_was_known(tmp_path: Path):
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificate(SOON))
    files = key_expiry.key_files(ServiceSettings(s3_ca_file=ca))
    key_expiry.show(files)
    ca.write_bytes(b"half a certif")
    key_expiry.show(files)
    shown = {sample.labels["key"]: sample.value for metric in KEY_EXPIRY.collect() for sample in metric.samples}
    assert shown == {
        "nats_credentials": math.inf,
        "nats_ca": math.inf,
        "s3_ca": SOON.timestamp(),
        "database_ca": math.inf,
    }


def test_a_tenant_that_nobody_named_is_another_one():
    label = TenantLabel(["bank-a", "bank-a"])
    assert label.values == ("bank-a", "other")
    assert [label("bank-a"), label("bank-b"), label("other")] == ["bank-a", "other", "other"]


def test_what_a_child_measures_is_told_once_and_value_by_value():
    registry = CollectorRegistry()
    sampled = Sampled(Histogram("seconds", "Test.", ["model"], registry=registry))
    counted = Counted((sampled,))
    sampled.observe("yunet", 0.5)
    sampled.observe("yunet", 2.0)
    growth = counted.growth()
    assert growth == [(0, ("yunet",), 0.5), (0, ("yunet",), 2.0)]
    assert counted.growth() == []
    for _, (label,), value in growth:
        sampled.take(label, value)
    assert registry.get_sample_value("seconds_count", {"model": "yunet"}) == 2
    assert registry.get_sample_value("seconds_sum", {"model": "yunet"}) == 2.5
