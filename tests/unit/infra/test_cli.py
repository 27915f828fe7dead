"""Errors become a message, a next step and an exit code; a stack only on request."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

from infra import cli
from infra.commands import GROUPS, QUICK, groups_for
from infra.logs import tail
from lakehouse.errors import ConfigurationError, InfrastructureError


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["lakehouse", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0)


def test_a_missing_instance_is_a_mistake_in_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "none"))
    assert _run(monkeypatch, "status") == 2
    printed = capsys.readouterr().err
    assert "There is no instance" in printed
    assert "Next:" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(("error", "code"), [(ConfigurationError("x"), 2), (InfrastructureError("x"), 3)])
def test_exit_codes_come_from_the_error(error: ConfigurationError, code: int) -> None:
    assert cli.explain(error, verbose=False) == code


def test_a_stack_is_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    cli.explain(ConfigurationError("wrong [red]"), verbose=True)
    printed = capsys.readouterr().err
    assert "ConfigurationError" in printed
    assert "wrong [red]" in printed


def test_a_log_is_read_across_its_rotation(tmp_path: Path) -> None:
    (tmp_path / "x.log.1").write_text("1\n2\n")
    (tmp_path / "x.log").write_text("3\n")
    assert tail(tmp_path / "x.log", 2) == ["2", "3"]


@pytest.mark.parametrize(("command", "group"), QUICK.items())
def test_a_quick_command_is_in_the_group_that_is_imported_for_it(command: str, group: str) -> None:
    app = cli.new_app()
    import_module(f"infra.commands.{group}").register(app)
    commands = {known.name or known.callback.__name__ for known in app.registered_commands if known.callback}
    assert command in commands | {known.name for known in app.registered_groups}


def test_an_unknown_command_is_looked_for_everywhere() -> None:
    assert groups_for(["--json", "no-such-command"]) == GROUPS
