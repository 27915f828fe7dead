"""`doctor`: what is wrong and how to mend it.

Does not belong here: the checks (doctor).
"""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.console import Console
from rich.markup import escape

from infra.doctor import Finding, examine
from infra.printing import AsJson, print_json

SICK = 3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(as_json: AsJson = False) -> None:
    """Look for what is wrong with this machine and this instance, and say how to mend it."""
    findings = examine()
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(SICK)


def _print(findings: list[Finding]) -> None:
    console = Console(highlight=False)
    for finding in findings:
        mark = "[green]ok  [/]" if finding.ok else "[bold red]FAIL[/]"
        console.print(f"{mark} {finding.subject:<10} {escape(finding.observed)}", soft_wrap=True)
        if finding.fix:
            console.print(f"     {'':<10} Fix: {escape(finding.fix)}", soft_wrap=True)
