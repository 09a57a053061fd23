"""Who may call what: the one table of roles, RPCs and HTTP doors. What is not listed is denied.

The tenant is always the token's: no request names one, and what another tenant owns does not exist (NOT_FOUND).
A row says who may call and what a token of one session (a customer's always is one) may do with it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Roles that a token may hold."""

    BANK_APP = "bank_app"
    AGENT = "agent"
    CUSTOMER = "customer"
    """Counts only in a token of one session."""
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    ADMIN = "admin"
    OPS = "ops"
    SERVICE = "service"
    """A service of ours, by a token that the gateway does not accept from outside."""


class Scope(StrEnum):
    """What a token of one session may do with a call."""

    OWN = "own"
    """The request names a session: the token's own, else NOT_FOUND. The door compares the field `session_id`."""
    LOOKUP = "lookup"
    """The session is known after a look-up: the handler answers NOT_FOUND for what belongs to another one."""
    FILTERED = "filtered"
    """A list: the handler shows what belongs to the token's session only."""
    WIDE = "wide"
    """Makes or lists beyond one session: refused (SESSION_TOKEN_TOO_NARROW)."""
    FREE = "free"
    """Nothing in it belongs to a session."""


@dataclass(frozen=True, slots=True)
class Row:
    """Who may call an RPC or use an HTTP door."""

    roles: frozenset[Role]
    scope: Scope


def row(scope: Scope, *roles: Role) -> Row:
    """A row of the table."""
    return Row(frozenset(roles), scope)


B, A, C, R, U, M, O, S = Role  # noqa: E741 - one letter a column keeps the table a table
OWN, LOOKUP, FILTERED, WIDE, FREE = Scope

SESSION = "/shuanglu.session.v1.SessionService/"
CALL = "/shuanglu.session.v1.CallService/"
RECORDER = "/shuanglu.media.v1.RecorderService/"
RECORDING = "/shuanglu.media.v1.RecordingService/"
IMPORT = "/shuanglu.media.v1.ImportService/"
STRATEGY = "/shuanglu.quality.v1.StrategyService/"
REPORT = "/shuanglu.report.v1.ReportService/"
DOCTOR = "/shuanglu.ops.v1."

ACCESS: dict[str, Row] = {
    SESSION + "CreateOrder": row(WIDE, B, A, M),
    SESSION + "GetOrder": row(LOOKUP, B, A, R, U, M, S),
    SESSION + "CreateSession": row(WIDE, B, A, M),
    SESSION + "GetSession": row(OWN, B, A, C, R, U, M, O, S),
    SESSION + "ListSessions": row(WIDE, B, A, R, U, M, O, S),
    CALL + "CreateInvitation": row(OWN, B, A, M),
    CALL + "RevokeInvitation": row(OWN, B, A, M),
    CALL + "JoinCall": row(OWN, B, A, C),
    CALL + "LeaveCall": row(OWN, B, A, C),
    CALL + "MuteTrack": row(OWN, B, A, C),
    CALL + "HoldCall": row(OWN, B, A),
    CALL + "StartNode": row(OWN, B, A),
    CALL + "FinishNode": row(OWN, B, A),
    CALL + "EndCall": row(OWN, B, A),
    CALL + "GetCall": row(OWN, B, A, C, R, U, M, O, S),
    CALL + "WatchSession": row(OWN, B, A, C, R, M, O),
    RECORDER + "OpenRecording": row(OWN, S),
    RECORDER + "CloseRecording": row(OWN, S),
    RECORDER + "GetRecording": row(OWN, S),
    # Of all tenants: who may ask is one of our own services.
    RECORDER + "WatchRecordings": row(FREE, S),
    RECORDING + "AttachIdPhoto": row(OWN, B, A, M),
    RECORDING + "Reconcile": row(WIDE, M, O, U),
    IMPORT + "ImportRecording": row(OWN, B, A, M),
    IMPORT + "GetImport": row(LOOKUP, B, A, M, O),
    IMPORT + "CancelImport": row(LOOKUP, B, A, M),
    IMPORT + "RetryImport": row(LOOKUP, B, A, M, O),
    IMPORT + "ImportBatch": row(WIDE, B, A, M),
    IMPORT + "GetImportBatch": row(WIDE, B, A, M, O),
    IMPORT + "ListImportBatches": row(WIDE, B, A, M, O),
    IMPORT + "CancelImportBatch": row(WIDE, B, A, M),
    IMPORT + "RetryImportBatch": row(WIDE, B, A, M, O),
    STRATEGY + "CreateStrategyVersion": row(WIDE, M),
    STRATEGY + "ValidateStrategy": row(FREE, B, R, M),
    STRATEGY + "ListStrategies": row(FREE, B, A, R, U, M),
    STRATEGY + "GetStrategy": row(FREE, B, A, R, U, M, S),
    STRATEGY + "ResolveStrategy": row(FREE, S),
    REPORT + "GetReport": row(OWN, B, A, R, U, M),
    REPORT + "ListReports": row(FILTERED, B, R, U, M),
    REPORT + "WatchInspection": row(OWN, B, A, R, U, M, O),
    REPORT + "GetReportPdf": row(OWN, B, A, R, U, M),
    REPORT + "CreateReplay": row(OWN, R, U, M),
    DOCTOR + "SignalingDoctorService/ExamineSessions": row(WIDE, M, O),
    DOCTOR + "SignalingDoctorService/MendSessions": row(WIDE, M, O),
    DOCTOR + "MediaDoctorService/ExamineImports": row(WIDE, M, O),
    DOCTOR + "MediaDoctorService/ListObjects": row(WIDE, M, O),
    DOCTOR + "MediaDoctorService/MendImports": row(WIDE, M, O),
    DOCTOR + "QualityDoctorService/ExamineVerdicts": row(WIDE, M, O),
    DOCTOR + "QualityDoctorService/MendVerdicts": row(WIDE, M, O),
    DOCTOR + "ReportDoctorService/ExamineReports": row(WIDE, M, O),
    DOCTOR + "ReportDoctorService/MendReports": row(WIDE, M, O),
}

# Health is for probes; it tells nothing but that the server answers.
OPEN_PREFIXES = ("/grpc.health.v1.Health/",)
# Calls that need no token. The code of an invitation is the authority, and what it gives is a token.
OPEN_CALLS = frozenset({CALL + "AcceptInvitation"})
# What an invitation never opens, whatever its role: an import would stand in the place of the call's own recording.
NOT_BY_INVITATION = (IMPORT,)

UPLOADS, PUBLISH, WATCH = "/files", "/whip", "/whep"
DOORS: dict[str, Row] = {
    # An upload is seen by the subject that made it and by the tenant's administrators.
    UPLOADS: row(FREE, B, A, M),
    # `/whip/<session_id>…` and `/whep/<session_id>…`: which participant, the handler says.
    PUBLISH: row(OWN, B, A, C),
    WATCH: row(OWN, B, A, C),
}
"""HTTP doors by the first part of their path; a row that compares the session takes the second part for it. A door that
carries its own authority (the signed links of `/hls/`) is opened by name where it is served:
`App.serve_http(…, public=("/hls/",))`."""
UPLOAD_ROLES = DOORS[UPLOADS].roles
