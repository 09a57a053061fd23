"""Data that nobody would send, to every call: the JSON doors by schemathesis, the services by hypothesis.

Whatever comes, the answer is one that the contract knows: never a fault of ours, never a status that is not documented.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shuanglu_common.access import ACCESS, OPEN_CALLS
from shuanglu_common.auth import mint_internal, read_internal_key
from shuanglu_common.contracts import all_calls
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.development_keys import AUDIENCE

ROOT = Path(__file__).resolve().parents[2]
TENANT = "fuzz-bank"
# Printed on a failure; another one is tried by hand.
SEED = 20_261_123
CASES_PER_CALL = 10
MESSAGES_PER_CALL = 15
FUZZ_TIMEOUT_S = 300
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth"
CALLS = all_calls()
PORTS = {
    "session": "signaling",
    "media": "media-ingest",
    "quality": "quality",
    "report": "report",
    "SignalingDoctorService": "signaling",
    "MediaDoctorService": "media-ingest",
    "RecorderService": "media-ingest-live",
    "QualityDoctorService": "quality",
    "ReportDoctorService": "report",
}
# Faults of ours, and answers without a meaning.
NEVER = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNAVAILABLE}


def openapi() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("openapi", ROOT / "scripts" / "openapi.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.document())


def test_the_json_doors_answer_whatever_they_are_asked(doors: EmbeddedStack, tmp_path: Path) -> None:
    schema = tmp_path / "openapi.json"
    schema.write_text(json.dumps(openapi()))
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        str(schema),
        *("--url", doors.gateway_url, "--tls-verify", str(doors.ca)),
        *("--header", f"Authorization: Bearer {doors.token(TENANT)}"),
        *("--checks", CHECKS, "--mode", "all", "--phases", "coverage,fuzzing"),
        *("--max-examples", str(CASES_PER_CALL), "--seed", str(SEED), "--no-shrink", "--continue-on-failure"),
        *("--request-timeout", "20", "--suppress-health-check", "all", "--warnings", "off"),
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=FUZZ_TIMEOUT_S, check=False)
    assert run.returncode == 0, run.stdout[-6000:]
    operations = sum(len(path) for path in openapi()["paths"].values())
    assert f"Tested: {operations}" in run.stdout


texts = (
    st.text(max_size=20)
    | st.sampled_from(
        ["", "\0", "../..", "\u202e", "0192f0c1-0000-7000-8000-000000000000", "personal-loan", "长" * 5000]
    )
    | st.text("0123456789abcdef-", min_size=30, max_size=40)
)
BOUNDS = [0, 1, -1, 200, 201, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, -(2**63)]


def of_field(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """A value for a field, once."""
    if field.message_type is not None:
        return messages(field.message_type)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return st.binary(max_size=50) if field.type == FieldDescriptor.TYPE_BYTES else texts
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if field.cpp_type in {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}:
        return st.floats()
    bits, signed = (64, 1) if field.cpp_type in {2, 4} else (32, 1)
    if field.cpp_type in {FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64}:
        signed = 0
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.sampled_from([one for one in BOUNDS if least <= one <= most]) | st.integers(least, most)


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor) -> Any:
    """A message that is valid as protobuf and nothing more."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if not draw(st.booleans()):
            continue
        value = draw(st.lists(of_field(field), max_size=3)) if field.is_repeated else draw(of_field(field))
        if field.is_repeated:
            getattr(message, field.name).extend(value)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value.encode(errors="replace").decode() if isinstance(value, str) else value)
    return message


def port_of(path: str) -> str:
    _, area, _, service = path.rpartition("/")[0].lstrip("/").split(".")
    return PORTS.get(service) or PORTS[area]


@pytest.fixture(scope="module")
def lines(doors: EmbeddedStack) -> Iterator[dict[str, grpc.Channel]]:
    """A channel to each service, past the gateway."""
    names = set(PORTS.values())
    channels = {name: grpc.insecure_channel(f"127.0.0.1:{doors.ports[f'{name}-grpc']}") for name in names}
    yield channels
    for channel in channels.values():
        channel.close()


def told(channel: grpc.Channel, path: str, data: bytes, token: str) -> tuple[grpc.StatusCode, str]:
    """Status and reason of a call's end; a stream is left after its first message."""
    metadata = (("authorization", f"Bearer {token}"),)
    try:
        if CALLS[path].server_streaming:
            stream = channel.unary_stream(path)(data, metadata=metadata, timeout=10)
            next(iter(stream), None)
            stream.cancel()
        else:
            channel.unary_unary(path)(data, metadata=metadata, timeout=20)
    except grpc.RpcError as error:
        call: Any = error
        info = ErrorInfo()
        packed = dict(call.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
        for detail in Status.FromString(packed).details[:1]:
            detail.Unpack(info)
        return call.code(), info.reason
    return grpc.StatusCode.OK, ""


def token_for(doors: EmbeddedStack, path: str) -> str:
    if path in OPEN_CALLS:
        return ""
    key = read_internal_key(doors.keys.internal_key)
    assert key is not None
    from_outside = {"bank_app", "agent", "reviewer", "auditor", "admin", "ops"} & set(ACCESS[path].roles)
    return doors.token(TENANT) if from_outside else mint_internal(key, "fuzz", TENANT, AUDIENCE)


@pytest.mark.parametrize("path", sorted(CALLS), ids=lambda path: path.rpartition(".")[2])
def test_a_service_has_an_answer_to_any_message(
    path: str, doors: EmbeddedStack, lines: dict[str, grpc.Channel]
) -> None:
    channel, token = lines[port_of(path)], token_for(doors, path)

    @settings(max_examples=MESSAGES_PER_CALL, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(messages(CALLS[path].input_type))
    def try_messages(request: Any) -> None:
        code, reason = told(channel, path, request.SerializeToString(), token)
        assert code not in NEVER, (code, reason, request)
        assert code is grpc.StatusCode.OK or reason, code

    @settings(max_examples=MESSAGES_PER_CALL, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=200))
    def try_bytes(data: bytes) -> None:
        code, reason = told(channel, path, data, token)
        assert code not in NEVER, (code, reason, data)

    try_messages()
    try_bytes()
