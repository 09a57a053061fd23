"""Alembic's environment of the schema `quality`."""

from shuanglu_common.migrations import run_env

run_env()
