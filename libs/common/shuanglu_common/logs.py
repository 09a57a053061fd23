"""Structured logs: one JSON object a line on stderr. Never personal data; ids only."""

import logging
import sys

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, WrappedLogger


def add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Ties a line to its trace."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


def error_without_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keeps an unforeseen exception's type and place, not its text, which may quote personal data."""
    error = event.pop("error", None)
    if isinstance(error, BaseException):
        event["error_type"] = type(error).__name__
        event["error_reason"] = getattr(error, "reason", "")
        trail = error.__traceback__
        places = []
        while trail is not None:
            places.append(f"{trail.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trail.tb_lineno}")
            trail = trail.tb_next
        event["error_at"] = places[-6:]
    elif error is not None:
        event["error"] = error
    return event


def start(service: str, level: str) -> None:
    """Set up logging of this process."""
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format='{"level":"%(levelname)s","logger":"%(name)s"}'
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            add_trace,
            error_without_text,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
