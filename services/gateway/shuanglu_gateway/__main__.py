"""`python -m shuanglu_gateway render --out F`, `… certificate --out DIR`: what Envoy needs before it starts."""

import argparse
import datetime as dt
import sys
from pathlib import Path

from pydantic import ValidationError

from .bootstrap import render
from .certificate import make_development_certificate
from .errors import GatewayError
from .settings import GatewaySettings

EXIT_SETTINGS = 2


def render_to(out: Path) -> int:
    """Render from the environment; returns the exit code. The file is replaced at once or not at all."""
    try:
        text = render(GatewaySettings.model_validate({}))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False)
        )
        sys.stderr.write(f"gateway: wrong settings: {wrong}\n")
        return EXIT_SETTINGS
    except GatewayError as error:
        sys.stderr.write(f"gateway: {error}; {error.help}\n")
        return EXIT_SETTINGS
    temporary = out.with_suffix(f"{out.suffix}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(out)
    return 0


def parser() -> argparse.ArgumentParser:
    """The two commands."""
    top = argparse.ArgumentParser(prog="python -m shuanglu_gateway", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    command = commands.add_parser("render", help="write Envoy's configuration, from SHUANGLU_GATEWAY_* settings")
    command.add_argument("--out", type=Path, required=True, help="file to write")
    command = commands.add_parser("certificate", help="write a development certificate: ca.pem, tls.pem, tls.key")
    command.add_argument("--out", type=Path, required=True, help="folder to write into")
    command.add_argument("--host", action="append", help="host or address it is for; default localhost and 127.0.0.1")
    return top


def main() -> int:
    """Run a command; 0 is success, 2 wrong settings."""
    arguments = parser().parse_args()
    if arguments.command == "render":
        return render_to(arguments.out)
    hosts = arguments.host or ["localhost", "127.0.0.1", "::1"]
    make_development_certificate(arguments.out, hosts, dt.datetime.now(dt.UTC))
    return 0


if __name__ == "__main__":
    sys.exit(main())
