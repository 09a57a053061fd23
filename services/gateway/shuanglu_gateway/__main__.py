"""`python -m shuanglu_gateway render --out F`, `… certificate --out DIR`: what Envoy needs before it starts.

`… check`: the checker of JSON bodies beside it.
"""

import argparse
import asyncio
import datetime as dt
import sys
from pathlib import Path

from google.protobuf.message import DecodeError
from pydantic import ValidationError

from .bootstrap import render
from .certificate import make_development_certificate
from .errors import GatewayError
from .settings import CheckSettings, GatewaySettings

EXIT_SETTINGS = 2


def render_to(out: Path) -> int:
    """Render from the environment; returns the exit code. The file is replaced at once or not at all."""
    try:
        text = render(GatewaySettings.model_validate({}))
    except ValidationError as error:
        return wrong_settings(error)
    except GatewayError as error:
        sys.stderr.write(f"gateway: {error}; {error.help}\n")
        return EXIT_SETTINGS
    temporary = out.with_suffix(f"{out.suffix}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(out)
    return 0


def wrong_settings(error: ValidationError) -> int:
    """Names each wrong setting, never its value; returns the exit code."""
    wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False))
    sys.stderr.write(f"gateway: wrong settings: {wrong}\n")
    return EXIT_SETTINGS


def run_check() -> int:
    """Check JSON bodies until SIGTERM; returns the exit code."""
    # Envoy's configuration is rendered without a web server.
    from .check_service import serve  # noqa: PLC0415
    from .json_calls import JsonCalls  # noqa: PLC0415

    try:
        settings = CheckSettings.model_validate({})
        calls = JsonCalls(settings.descriptor_file)
    except ValidationError as error:
        return wrong_settings(error)
    except (OSError, DecodeError, TypeError, KeyError) as error:
        sys.stderr.write(f"gateway: the descriptor cannot be used ({error}); run `make proto`\n")
        return EXIT_SETTINGS
    asyncio.run(serve(calls, settings))
    return 0


def parser() -> argparse.ArgumentParser:
    """The commands."""
    top = argparse.ArgumentParser(prog="python -m shuanglu_gateway", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    command = commands.add_parser("render", help="write Envoy's configuration, from SHUANGLU_GATEWAY_* settings")
    command.add_argument("--out", type=Path, required=True, help="file to write")
    commands.add_parser("check", help="check JSON bodies for Envoy, from SHUANGLU_GATEWAY_* settings, until SIGTERM")
    command = commands.add_parser("certificate", help="write a development certificate: ca.pem, tls.pem, tls.key")
    command.add_argument("--out", type=Path, required=True, help="folder to write into")
    command.add_argument("--host", action="append", help="host or address it is for; default localhost and 127.0.0.1")
    return top


def main() -> int:
    """Run a command; 0 is success, 2 wrong settings."""
    arguments = parser().parse_args()
    if arguments.command == "render":
        return render_to(arguments.out)
    if arguments.command == "check":
        return run_check()
    hosts = arguments.host or ["localhost", "127.0.0.1", "::1"]
    make_development_certificate(arguments.out, hosts, dt.datetime.now(dt.UTC))
    return 0


if __name__ == "__main__":
    sys.exit(main())
