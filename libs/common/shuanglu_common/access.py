"""Who may call what: the one table of roles and RPCs. What is not listed is denied.

A token that names a session opens only that session; handlers ask `Principal.require_session`.
"""

from enum import StrEnum


class Role(StrEnum):
    """Roles that a token may hold."""

    BANK_APP = "bank_app"
    AGENT = "agent"
    CUSTOMER = "customer"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    ADMIN = "admin"
    OPS = "ops"
    SERVICE = "service"
    """A service of ours, by a token that the gateway does not accept from outside."""


B, A, C, R, U, M, O, S = Role  # noqa: E741 - one letter a column keeps the table a table

SESSION = "/shuanglu.session.v1.SessionService/"
IMPORT = "/shuanglu.media.v1.ImportService/"
STRATEGY = "/shuanglu.quality.v1.StrategyService/"
REPORT = "/shuanglu.report.v1.ReportService/"

ACCESS: dict[str, frozenset[Role]] = {
    SESSION + "CreateOrder": frozenset({B, A, M}),
    SESSION + "GetOrder": frozenset({B, A, R, U, M, S}),
    SESSION + "CreateSession": frozenset({B, A, M}),
    SESSION + "GetSession": frozenset({B, A, C, R, U, M, O, S}),
    SESSION + "ListSessions": frozenset({B, A, R, U, M, O}),
    IMPORT + "ImportRecording": frozenset({B, A, M}),
    IMPORT + "GetImport": frozenset({B, A, M, O}),
    STRATEGY + "CreateStrategyVersion": frozenset({M}),
    STRATEGY + "ValidateStrategy": frozenset({B, R, M}),
    STRATEGY + "ListStrategies": frozenset({B, A, R, U, M}),
    STRATEGY + "GetStrategy": frozenset({B, A, R, U, M, S}),
    STRATEGY + "ResolveStrategy": frozenset({S}),
    REPORT + "GetReport": frozenset({B, A, R, U, M}),
    REPORT + "ListReports": frozenset({B, R, U, M}),
    REPORT + "WatchInspection": frozenset({B, A, R, U, M, O}),
    REPORT + "GetReportPdf": frozenset({B, A, R, U, M}),
    REPORT + "CreateReplay": frozenset({R, U, M}),
}

# Health is for probes; it tells nothing but that the server answers.
OPEN_PREFIXES = ("/grpc.health.v1.Health/",)
UPLOAD_ROLES = frozenset({B, A, M})
