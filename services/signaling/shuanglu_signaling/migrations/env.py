"""Alembic's entry."""

from shuanglu_common.migrations import run_env

run_env()
