"""Which calls are public, read from the contracts themselves.

A call is public if, and only if, its contract gives it an HTTP mapping (`google.api.http`). A new call without one is
not reachable from outside until somebody decides that it should be: forgetting fails closed.
"""

from dataclasses import dataclass
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from .errors import DescriptorInvalid

# Public services and the cluster that answers for each.
SERVICES = {
    "shuanglu.session.v1.SessionService": "signaling",
    "shuanglu.session.v1.CallService": "signaling",
    "shuanglu.media.v1.ImportService": "media-ingest",
    "shuanglu.media.v1.RecordingService": "media-ingest",
    "shuanglu.quality.v1.StrategyService": "quality",
    "shuanglu.report.v1.ReportService": "report",
    "shuanglu.ops.v1.SignalingDoctorService": "signaling",
    "shuanglu.ops.v1.MediaDoctorService": "media-ingest",
    "shuanglu.ops.v1.QualityDoctorService": "quality",
    "shuanglu.ops.v1.ReportDoctorService": "report",
}
# The one call without a token, by gRPC and by JSON: what an invitation's link holds is its authority.
ACCEPT = "/shuanglu.session.v1.CallService/AcceptInvitation"
ACCEPT_JSON = "/v1/invitations:accept"
# Without it Envoy answers an error that carries details with an empty 400.
NEEDED_FILE = "google/rpc/error_details.proto"


@dataclass(frozen=True, slots=True)
class PublicCall:
    """One call that the gateway lets through."""

    path: str  # as gRPC sends it: /package.Service/Method
    cluster: str
    stream: bool  # the answer is a stream: it has no timeout


def read_public_calls(descriptor: Path) -> tuple[PublicCall, ...]:
    """All public calls, sorted by path. Raises DescriptorInvalid if the file is missing, damaged or incomplete."""
    try:
        files = FileDescriptorSet.FromString(descriptor.read_bytes())
    except (OSError, DecodeError) as error:
        raise DescriptorInvalid(f"{descriptor}: {error}") from error
    if NEEDED_FILE not in {file.name for file in files.file}:
        raise DescriptorInvalid(f"{descriptor}: {NEEDED_FILE} is not in it")
    calls: list[PublicCall] = []
    found: set[str] = set()
    for file in files.file:
        for service in file.service:
            name = f"{file.package}.{service.name}"
            if name not in SERVICES:
                continue
            found.add(name)
            calls += [
                PublicCall(f"/{name}/{method.name}", SERVICES[name], method.server_streaming)
                for method in service.method
                if method.options.HasExtension(annotations_pb2.http)
            ]
    if missing := SERVICES.keys() - found:
        raise DescriptorInvalid(f"{descriptor}: no service {', '.join(sorted(missing))}")
    return tuple(sorted(calls, key=lambda call: call.path))
