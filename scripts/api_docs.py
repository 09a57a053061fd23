"""Write docs/api.md from the contracts, the table of roles and the error trees; `--check` only compares."""

import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor

from shuanglu_common.access import ACCESS, DOORS, OPEN_CALLS, Role, Row, Scope
from shuanglu_common.contracts import all_calls
from shuanglu_common.errors import ShuangluError

OUT = Path(__file__).resolve().parent.parent / "docs" / "api.md"
ERROR_MODULES = (
    "shuanglu_common.auth",
    "shuanglu_common.bus.bus",
    "shuanglu_common.bus.dead_letter",
    "shuanglu_common.bus.events",
    "shuanglu_common.cmaf",
    "shuanglu_common.database",
    "shuanglu_common.doctor",
    "shuanglu_common.grpc_server",
    "shuanglu_common.model_files",
    "shuanglu_common.sealing",
    "shuanglu_common.store",
    "shuanglu_signaling.errors",
    "shuanglu_signaling.whip_errors",
    "shuanglu_media_ingest.errors",
    "shuanglu_face_check.errors",
    "shuanglu_asr.errors",
    "shuanglu_quality.errors",
    "shuanglu_report.errors",
)
HEAD = """# The doors

Made by `scripts/api_docs.py` from protos/, `shuanglu_common.access` and the error trees; `make lint` compares.

One address, the gateway: gRPC, gRPC-Web and JSON on the same port, TLS, a JWT as `Authorization: Bearer …` with the
claims `iss`, `aud`, `exp`, `sub`, `tenant`, `roles` and, for a token of one session, `session_id`. Tokens come from the
bank's issuer, and for those who take part in a call from signaling: `AcceptInvitation` turns the code of a link into a
token of one session and one participant, with the role `customer` (customer, co-signer, witness) or `agent` (agent,
supervisor); it opens no import. Every service checks the token again. What another tenant owns does not exist for the
caller (404). JSON uses the field names of the protos; enums are their full names (`OUTCOME_PASS`); 64-bit numbers are
strings.

Errors are `{code, message, details}` with a `google.rpc.ErrorInfo` whose `reason` is stable; gRPC carries the same in
`grpc-status-details-bin`.

## Who may call what

The tenant is always the token's; no request names one. `session` says what a token with `session_id` may do (a
customer's always has one; without it the role counts for nothing):

{scopes}

What is not in the table is denied. Every service checks each call against it before it reads the request.

"""
SCOPES = {
    Scope.OWN: "the request names the session: only the token's own, else 404 `SESSION_NOT_FOUND`",
    Scope.LOOKUP: "what belongs to another session is not found (404)",
    Scope.FILTERED: "the list holds what belongs to the token's session",
    Scope.WIDE: "refused: 403 `SESSION_TOKEN_TOO_NARROW`",
    Scope.FREE: "allowed: nothing in it belongs to a session",
}
FILES = """
Media: WHIP ([RFC 9725](https://www.rfc-editor.org/rfc/rfc9725)) and its sibling WHEP, see [clients.md](clients.md). A
token that names a participant publishes as that one alone.

Uploads: [tus 1.0](https://tus.io/protocols/resumable-upload) at `/files/` (creation, creation-with-upload, checksum,
expiration, termination, concatenation). An upload is seen by the subject that made it and by the tenant's
administrators; for everybody else it does not exist.

Replay: `CreateReplay` answers with a path below `/hls/` that opens this one session of this one tenant until it
expires. No JWT goes with it: whoever has the link may watch.

## Reasons of errors

| reason | gRPC status | try again | what it means |
|---|---|---|---|
"""


def http_of(method: MethodDescriptor) -> str:
    """`GET /v1/…`, or a dash if there is no JSON form."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    kind = rule.WhichOneof("pattern")
    return f"`{kind.upper()} {getattr(rule, kind)}`" if kind else "–"


def line_of(name: str, json: str, rule: Row) -> str:
    """A row of the table."""
    marks = " | ".join("✓" if role in rule.roles else "" for role in Role)
    return f"| {name} | {json} | {rule.scope} | {marks} |"


def access_table() -> str:
    """A row for each RPC and each HTTP door, a column for each role."""
    lines = ["| call | JSON | session | " + " | ".join(Role) + " |", "|---|---|---|" + "---|" * len(Role)]
    # In the order of the table, which is the order in which things happen.
    calls = all_calls()
    for path in sorted(OPEN_CALLS):
        method = calls[path]
        name = f"{method.containing_service.name}.{method.name}"
        lines.append(f"| {name} | {http_of(method)} | needs no token |" + " |" * len(Role))
    for path, rule in ACCESS.items():
        method = calls[path]
        lines.append(line_of(f"{method.containing_service.name}.{method.name}", http_of(method), rule))
    lines += [line_of(f"{path}/", f"`{path}/…`", rule) for path, rule in DOORS.items()]
    return "\n".join(lines) + "\n"


def errors_of(module: ModuleType) -> list[type[ShuangluError]]:
    """Errors that a module defines itself."""
    members = inspect.getmembers(module, inspect.isclass)
    return [item for _, item in members if issubclass(item, ShuangluError) and item.__module__ == module.__name__]


def reasons_table() -> str:
    """A row for each reason."""
    found = {}
    for name in ERROR_MODULES:
        for error in errors_of(importlib.import_module(name)):
            first = (error.__doc__ or "").strip().split("\n")[0]
            again = "yes" if error.retryable else "no"
            found[error.reason] = f"| `{error.reason}` | {error.status.name} | {again} | {first} |"
    return "\n".join(found[reason] for reason in sorted(found)) + "\n"


def main() -> None:
    """Write, or with --check exit 1 if the file is not up to date."""
    scopes = "\n".join(f"- `{scope}`: {SCOPES[scope]}" for scope in Scope)
    text = HEAD.replace("{scopes}", scopes) + access_table() + FILES + reasons_table()
    if "--check" in sys.argv:
        if not OUT.exists() or OUT.read_text() != text:
            print("docs/api.md is not up to date: run scripts/api_docs.py")
            sys.exit(1)
        return
    OUT.write_text(text)


if __name__ == "__main__":
    main()
