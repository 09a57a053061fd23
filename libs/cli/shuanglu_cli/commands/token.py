"""`shuanglu token`: a token for development."""

import time
from typing import Annotated

import typer

from shuanglu_cli.app import app, command, target_of
from shuanglu_cli.errors import ExitCode
from shuanglu_cli.terminal import out
from shuanglu_cli.tokens import DEVELOPMENT_ROLES, sign_token

HOUR_S = 3600


@app.command("token")
@command
def token(
    context: typer.Context,
    tenant: Annotated[str, typer.Option(help="Tenant.")] = "demo",
    role: Annotated[list[str] | None, typer.Option(help="Role; may be repeated. Default: all but customer.")] = None,
    subject: Annotated[str, typer.Option(help="Who calls.")] = "developer",
    session: Annotated[str, typer.Option(help="The only session that the token opens.")] = "",
    ttl: Annotated[int, typer.Option(help="Seconds until it expires.", min=1)] = 12 * HOUR_S,
) -> ExitCode:
    """Sign a token with the key of the development stack beside us."""
    key = target_of(context).need_signing_key()
    signed = sign_token(key, tenant, subject, role or DEVELOPMENT_ROLES, session, ttl, int(time.time()))
    out.print(signed, highlight=False, markup=False)
    return ExitCode.OK
