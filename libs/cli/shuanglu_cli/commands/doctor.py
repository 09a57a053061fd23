"""`shuanglu doctor`: finds damage of a stack, names it, says what to do, and mends what is safe."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from shuanglu_cli.app import JsonFlag, app, command, target_of
from shuanglu_cli.doctor import Diagnosis, Wanted, examine
from shuanglu_cli.doctor.examine import ALL_SERVICES
from shuanglu_cli.doctor.mend import MENDABLE, Mended, mend
from shuanglu_cli.errors import ExitCode, Usage
from shuanglu_cli.terminal import check_progress, out, print_json
from shuanglu_common.ailments import KINDS, Ailment, Code, Severity

SHOWN = 5
SIGNS = {Severity.ERROR: "[red]✕[/]", Severity.WARNING: "[yellow]![/]"}


@app.command("doctor")
@command
def doctor(
    context: typer.Context,
    session: Annotated[str, typer.Option(help="Examine this session alone.")] = "",
    *,
    deep: Annotated[bool, typer.Option("--deep", help="Read every object and compare its SHA-256; slow.")] = False,
    at_rest: Annotated[
        bool, typer.Option("--at-rest", help="Nothing is being imported: what is young counts as left behind, too.")
    ] = False,
    do_mend: Annotated[bool, typer.Option("--mend", help="Mend what is safe and can be undone.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --mend: also move orphaned objects older than a day to `_removed/`.")
    ] = False,
    as_json: JsonFlag = False,
) -> ExitCode:
    """Find damage: lost and orphaned objects and rows, stuck imports, dead letters, the bus. Says what to do."""
    if yes and not do_mend:
        raise Usage("--yes says to go on with --mend", "", "give --mend as well", "YES_WITHOUT_MEND")
    target = target_of(context)
    wanted = Wanted(session, deep=deep, at_rest=at_rest, services=frozenset(target.services or ALL_SERVICES))
    with check_progress(visible=not as_json) as progress:
        task = progress.add_task("examining", total=None)
        found = examine(target, wanted, lambda done, total: progress.update(task, completed=done, total=total or None))
    mended = mend(target, found.ailments, sure=yes) if do_mend else []
    healed = {each.ailment for each in mended if each.done}
    left = [each for each in found.ailments if each not in healed]
    if as_json:
        print_json(as_document(found, mended))
    else:
        print_diagnosis(found, mended)
    return ExitCode.AILING if left else ExitCode.OK


def as_document(found: Diagnosis, mended: Sequence[Mended]) -> dict[str, Any]:
    """For programs."""
    return {
        "healthy": not found.ailments,
        "sessions": found.sessions,
        "objects": found.objects,
        "counts": {code.value: count for code, count in sorted(found.counts.items())},
        "ailments": [ailment_dict(each) for each in found.ailments],
        "mended": [{**ailment_dict(each.ailment), "mended": each.done, "reason": each.reason} for each in mended],
    }


def ailment_dict(ailment: Ailment) -> dict[str, str]:
    """One damage."""
    return {
        "code": ailment.code.value,
        "severity": ailment.severity.value,
        "meaning": ailment.meaning,
        "session_id": ailment.session_id,
        "subject": ailment.subject,
        "detail": ailment.detail,
        "help": ailment.help,
    }


def print_diagnosis(found: Diagnosis, mended: Sequence[Mended]) -> None:
    """Errors first, a paragraph for each code; the last line is the answer."""
    order = sorted(found.counts, key=lambda code: (KINDS[code].severity is Severity.WARNING, code))
    for code in order:
        _print_code(code, [each for each in found.ailments if each.code is code], found.counts[code])
    for each in mended:
        sign = "[green]✓[/]" if each.done else "[red]✕[/]"
        what = each.ailment.subject or each.ailment.session_id
        why = "" if each.done else f" [dim]{each.reason}[/]"
        out.print(f"{sign} mended {each.ailment.code} {escape(what)}{why}", highlight=False)
    looked_at = f"{found.sessions} sessions and {found.objects} objects examined"
    if not found.counts:
        out.print(f"[green]✓[/] nothing to mend: {looked_at}", highlight=False)
        return
    healed = sum(each.done for each in mended)
    total = found.counts.total()
    able = sum(count for code, count in found.counts.items() if code in MENDABLE)
    hint = f"; {able} can be mended with --mend" if able and not mended else ""
    out.print(f"{total} ailments, {healed} mended{hint}: {looked_at}", highlight=False)


def _print_code(code: Code, ailments: Sequence[Ailment], count: int) -> None:
    kind = KINDS[code]
    out.print(f"{SIGNS[kind.severity]} {code}  {escape(kind.meaning)}  [dim]×{count}[/]", highlight=False)
    for each in ailments[:SHOWN]:
        where = " ".join(part for part in (each.session_id, each.subject) if part)
        if each.session_id and each.session_id in each.subject:
            where = each.subject
        out.print(f"    {escape(where)}  [dim]{escape(each.detail)}[/]", highlight=False)
    if count > SHOWN:
        out.print(f"    [dim]… and {count - SHOWN} more; --json has them[/]", highlight=False)
    out.print(f"    [dim]do:[/] {escape(kind.help)}", highlight=False)
