"""What `shuanglu doctor` can find: the one table of ailments. docs/operations.md is made to agree with it by a test.

An ailment is one damage of a stack. Its code is stable: scripts and alarms go by it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much an ailment matters."""

    ERROR = "error"
    """Something is lost, wrong or stands still."""
    WARNING = "warning"
    """Something is left over or late; no report is wrong for it."""


class Code(StrEnum):
    """Codes of ailments."""

    OBJECT_MISSING = "OBJECT_MISSING"
    OBJECT_DIFFERS = "OBJECT_DIFFERS"
    OBJECT_ORPHANED = "OBJECT_ORPHANED"
    OBJECT_UNFINISHED = "OBJECT_UNFINISHED"
    SEAL_BROKEN = "SEAL_BROKEN"
    IMPORT_STUCK = "IMPORT_STUCK"
    IMPORT_WITHOUT_SESSION = "IMPORT_WITHOUT_SESSION"
    REPORT_WITHOUT_SESSION = "REPORT_WITHOUT_SESSION"
    VERDICT_WITHOUT_SESSION = "VERDICT_WITHOUT_SESSION"
    SESSION_WITHOUT_IMPORT = "SESSION_WITHOUT_IMPORT"
    SESSION_WITHOUT_ORDER = "SESSION_WITHOUT_ORDER"
    SESSION_WITHOUT_REPORT = "SESSION_WITHOUT_REPORT"
    SESSION_WITHOUT_VERDICT = "SESSION_WITHOUT_VERDICT"
    SESSION_BEHIND = "SESSION_BEHIND"
    VERDICT_WITHOUT_REPORT = "VERDICT_WITHOUT_REPORT"
    VERDICT_DOUBLE = "VERDICT_DOUBLE"
    REPORT_WITHOUT_VERDICT = "REPORT_WITHOUT_VERDICT"
    REPORT_DOUBLE = "REPORT_DOUBLE"
    TRACK_MISSING = "TRACK_MISSING"
    TRACK_WITHOUT_IMPORT = "TRACK_WITHOUT_IMPORT"
    FOLD_UNREADABLE = "FOLD_UNREADABLE"
    OUTBOX_STUCK = "OUTBOX_STUCK"
    MIGRATIONS_BEHIND = "MIGRATIONS_BEHIND"
    SPOOL_UPLOAD_DAMAGED = "SPOOL_UPLOAD_DAMAGED"
    SPOOL_UPLOAD_EXPIRED = "SPOOL_UPLOAD_EXPIRED"
    SPOOL_UPLOAD_LEFT = "SPOOL_UPLOAD_LEFT"
    SPOOL_LEFTOVER = "SPOOL_LEFTOVER"
    DEAD_LETTER = "DEAD_LETTER"
    STREAM_MISSING = "STREAM_MISSING"
    STREAM_DIFFERS = "STREAM_DIFFERS"
    CONSUMER_MISSING = "CONSUMER_MISSING"
    CONSUMER_STALLED = "CONSUMER_STALLED"
    CONSUMER_BEHIND = "CONSUMER_BEHIND"
    CONSUMER_UNKNOWN = "CONSUMER_UNKNOWN"
    BUS_AWAY = "BUS_AWAY"
    EXAMINATION_INCOMPLETE = "EXAMINATION_INCOMPLETE"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a code means, and what a person should do."""

    severity: Severity
    meaning: str
    help: str


E, W = Severity.ERROR, Severity.WARNING
RESTORE = "restore it from a backup of the store"

KINDS: dict[Code, Kind] = {
    Code.OBJECT_MISSING: Kind(
        E, "an object that somebody rests on is not in the store", f"{RESTORE}; the report tells its SHA-256"
    ),
    Code.OBJECT_DIFFERS: Kind(
        E, "an object holds other bytes than were stored", f"treat the recording as tampered with; {RESTORE}"
    ),
    Code.OBJECT_ORPHANED: Kind(
        W, "an object that nobody names", "`shuanglu doctor --mend --yes` moves it to `_removed/` when it is a day old"
    ),
    Code.OBJECT_UNFINISHED: Kind(
        W, "parts of an object whose upload was never completed", "`shuanglu doctor --mend` gives them up"
    ),
    Code.SEAL_BROKEN: Kind(
        E,
        "a sealed object does not open",
        f"look whether SHUANGLU_MASTER_KEY_FILE is the key that it was sealed with; {RESTORE}",
    ),
    Code.IMPORT_STUCK: Kind(
        E,
        "an import that nobody works on",
        "`shuanglu doctor --mend` sets it going again; media-ingest's log says why",
    ),
    Code.IMPORT_WITHOUT_SESSION: Kind(
        E, "an import of a session that does not exist", "restore signaling's database from a backup"
    ),
    Code.REPORT_WITHOUT_SESSION: Kind(
        E, "a report on a session that does not exist", "restore signaling's database from a backup"
    ),
    Code.VERDICT_WITHOUT_SESSION: Kind(
        E, "a verdict or an inspection of a session that does not exist", "restore signaling's database from a backup"
    ),
    Code.SESSION_WITHOUT_IMPORT: Kind(
        E, "a session has a recording that media-ingest does not know", "restore media-ingest's database from a backup"
    ),
    Code.SESSION_WITHOUT_ORDER: Kind(
        E, "a session of an order that does not exist", "restore signaling's database from a backup"
    ),
    Code.SESSION_WITHOUT_REPORT: Kind(
        E, "a session is REPORTED and has no report", "`shuanglu doctor --mend` has the report made again"
    ),
    Code.SESSION_WITHOUT_VERDICT: Kind(
        E,
        "a recording is complete and past its deadline, without a verdict",
        "look at quality's log (`fold.stuck`) and at dead letters of quality-fold",
    ),
    Code.SESSION_BEHIND: Kind(
        W, "a session's state misses what has happened", "`shuanglu doctor --mend` tells signaling again"
    ),
    Code.VERDICT_WITHOUT_REPORT: Kind(
        E, "a verdict that no report was made of", "`shuanglu doctor --mend` has the report made again"
    ),
    Code.VERDICT_DOUBLE: Kind(
        E, "a session has two different verdicts of one stage", "keep the report's; tell us: this must not happen"
    ),
    Code.REPORT_WITHOUT_VERDICT: Kind(
        E, "a report that no verdict is known for", "compare it with the recording before it is used"
    ),
    Code.REPORT_DOUBLE: Kind(
        E, "a session has two reports of one stage", "look whether the index `reports_session` is still there"
    ),
    Code.TRACK_MISSING: Kind(
        E, "report does not know a track of a stored import", "`shuanglu doctor --mend` tells report again"
    ),
    Code.TRACK_WITHOUT_IMPORT: Kind(
        W, "report knows a track that no stored import has", "restore media-ingest's database from a backup"
    ),
    Code.FOLD_UNREADABLE: Kind(
        E,
        "what quality keeps of an inspection cannot be read",
        "delete the key from the bucket `quality_folds` and replay the session's events, or import it again",
    ),
    Code.OUTBOX_STUCK: Kind(
        E,
        "events are written down and not published",
        "look whether the bus takes messages; `shuanglu doctor --mend` publishes each by itself",
    ),
    Code.MIGRATIONS_BEHIND: Kind(
        E, "a schema is not at the version of its service", "run `python -m shuanglu_<service> migrate`"
    ),
    Code.SPOOL_UPLOAD_DAMAGED: Kind(
        E, "an upload lacks its bytes, or its record cannot be read", "the caller must upload the file again"
    ),
    Code.SPOOL_UPLOAD_EXPIRED: Kind(
        W, "an upload has expired and is still there", "look whether media-ingest runs: it removes them every minute"
    ),
    Code.SPOOL_UPLOAD_LEFT: Kind(
        W, "an upload is held for an import that has ended", "`shuanglu doctor --mend` removes it, if it is stored"
    ),
    Code.SPOOL_LEFTOVER: Kind(
        W, "a file in the spool that belongs to no upload", "`shuanglu doctor --mend` removes it"
    ),
    Code.DEAD_LETTER: Kind(
        E,
        "an event that a consumer gave up on",
        "mend the reason (`shuanglu deadletter show NUMBER`), then `shuanglu deadletter replay NUMBER`",
    ),
    Code.STREAM_MISSING: Kind(
        E, "a stream of the bus does not exist", "`shuanglu doctor --mend` makes it; what it held is lost"
    ),
    Code.STREAM_DIFFERS: Kind(
        E, "a stream of the bus is configured otherwise than the table", "`shuanglu doctor --mend` sets it right"
    ),
    Code.CONSUMER_MISSING: Kind(
        E, "a durable consumer does not exist", "start its service; a running one makes its consumer again"
    ),
    Code.CONSUMER_STALLED: Kind(
        E, "a consumer has work and has not moved", "look whether its service runs, and into its log"
    ),
    Code.CONSUMER_BEHIND: Kind(W, "a consumer of a stack at rest has work left", "wait, or look into its log"),
    Code.CONSUMER_UNKNOWN: Kind(
        W, "a durable consumer that no service has", "delete it if it is left over from an older version"
    ),
    Code.BUS_AWAY: Kind(E, "the bus does not answer", "look whether NATS runs and SHUANGLU_NATS_URL is right"),
    Code.EXAMINATION_INCOMPLETE: Kind(
        E, "a part could not be examined", "look whether the service runs, then examine again: nothing is known of it"
    ),
}


@dataclass(frozen=True, slots=True, order=True)
class Ailment:
    """One damage. `subject` is what is ill: an object's key, an id, a consumer; never personal data."""

    code: Code
    session_id: str = ""
    subject: str = ""
    detail: str = ""

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return KINDS[self.code].severity

    @property
    def meaning(self) -> str:
        """What the code means."""
        return KINDS[self.code].meaning

    @property
    def help(self) -> str:
        """What a person should do."""
        return KINDS[self.code].help
