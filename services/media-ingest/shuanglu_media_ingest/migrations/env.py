"""Alembic's door: the shared runner does the work."""

from shuanglu_common.migrations import run_env

run_env()
