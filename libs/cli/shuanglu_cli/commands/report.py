"""`shuanglu report`: read a session's report."""

from pathlib import Path
from typing import Annotated

import typer

from shuanglu.report.v1.report_service_pb2 import GetReportPdfRequest, GetReportRequest
from shuanglu_cli.app import JsonFlag, app, command, target_of
from shuanglu_cli.errors import ExitCode
from shuanglu_cli.findings import print_report
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.terminal import as_dict, err, out, print_json, verdict_exit_code


@app.command("report")
@command
def report(
    context: typer.Context,
    session: Annotated[str, typer.Argument(help="Session's id.")],
    pdf: Annotated[Path | None, typer.Option(help="Write the report as PDF/A here.")] = None,
    *,
    as_json: JsonFlag = False,
) -> ExitCode:
    """Show a session's report. The exit code is the verdict's."""
    with Gateway(target_of(context)) as gateway:
        found = gateway.call(gateway.reports.GetReport, GetReportRequest(session_id=session)).report
        if pdf is not None:
            body = gateway.call(gateway.reports.GetReportPdf, GetReportPdfRequest(session_id=session))
            pdf.parent.mkdir(parents=True, exist_ok=True)
            pdf.write_bytes(body.data)
            err.print(f"wrote {pdf}", highlight=False)
    if as_json:
        print_json(as_dict(found))
    else:
        print_report(found, out)
    return verdict_exit_code(found.verdict)
