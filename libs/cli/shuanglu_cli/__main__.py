"""`shuanglu …` and `python -m shuanglu_cli …`."""

from shuanglu_cli.app import app
from shuanglu_cli.commands import deadletter, doctor, import_, reconcile, report, session, status, strategy, token

__all__ = ["app", "main"]

# Each of these adds its command to the app when it is imported; the names are only used here.
COMMANDS = (import_, session, report, status, strategy, token, deadletter, doctor, reconcile)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
