"""Facts of a run survive outages, reused process ids, renamed machines and full disks, or their loss is told."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakehouse.arrow import arrow_schema
from lakehouse.delta_rs import table_uri
from lakehouse.ops import event_log, processes
from lakehouse.ops.evaluator import evaluate_once
from lakehouse.ops.processes import this_process
from lakehouse.ops.runs import Run, Step
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import STAMP, Settings
from lakehouse.store import delta_rs_options
from lakehouse.tables import Table, table

STATUSES = "select run_id, status from ops.run_log order by run_id"
NO_STORE = "http://127.0.0.1:9"


@pytest.fixture
def lake(settings: Settings) -> Settings:
    OpsWriter(settings).create_tables()
    return settings


def without_store(settings: Settings) -> Settings:
    return settings.model_copy(update={"s3_endpoint": NO_STORE})


def start(writer: OpsWriter, run_id: str) -> None:
    """A step that a process which is gone now had begun."""
    step = Step(writer, Run(run_id), "p", "a")
    writer.append("ops.run_events", [{**step.identity(), "fact": "start", "status": "RUNNING", "process": f"{os.getpid()}@1000"}])


def stamp(home: Path, instance: str) -> None:
    home.mkdir(exist_ok=True)
    (home / STAMP).write_text(json.dumps({"version": 1, "id": instance}))


def test_a_step_is_judged_also_after_its_machine_was_renamed(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp(lake.home, "one")
    start(OpsWriter(lake), "r")
    monkeypatch.setattr(socket, "gethostname", lambda: "renamed")
    assert evaluate_once(OpsReader(lake), OpsWriter(lake)) == 1
    assert OpsReader(lake).rows(STATUSES) == [{"run_id": "r", "status": "TERMINATED"}]


def test_machines_that_share_a_lake_judge_their_own_processes_only(lake: Settings, tmp_path: Path) -> None:
    stamp(lake.home, "one")
    other = lake.model_copy(update={"home": tmp_path / "other"})
    stamp(other.home, "two")
    start(OpsWriter(other), "r")
    assert evaluate_once(OpsReader(lake), OpsWriter(lake)) == 0
    assert evaluate_once(OpsReader(other), OpsWriter(other)) == 1


def evaluate_what_was_taken_by(sender: str, lake: Settings) -> None:
    """A round of the evaluator while a spooled start is in the hands of a sender."""
    start(OpsWriter(without_store(lake)), "r")
    (waiting,) = OpsWriter(lake).spool.glob("*/*.json")
    waiting.rename(waiting.with_suffix(f".sending-{sender}"))
    evaluate_once(OpsReader(lake), OpsWriter(lake))


def test_what_a_dead_sender_had_taken_is_sent_also_where_its_id_is_used_again(lake: Settings) -> None:
    evaluate_what_was_taken_by(f"{os.getpid()}@1000", lake)
    assert OpsWriter(lake).waiting() == 0
    assert [row["run_id"] for row in OpsReader(lake).rows(STATUSES)] == ["r"]


def test_what_a_living_sender_has_taken_is_left_to_it(lake: Settings) -> None:
    evaluate_what_was_taken_by(this_process(), lake)
    assert OpsWriter(lake).waiting() == 1


@pytest.mark.parametrize("process", [f"{os.getpid()}", f"{os.getpid()}@1000"], ids=["without", "another"])
def test_an_id_without_its_start_or_with_another_is_no_living_process(process: str) -> None:
    assert not processes.is_running(process)
    assert processes.is_running(this_process())


@pytest.fixture
def full_disk(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk takes files and no bytes."""

    def refuse(*_args: Any, **_more: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(event_log, "FileIO", type("Full", (FileIO,), {"write": refuse}))
    monkeypatch.setattr(Path, "write_text", refuse)


@pytest.mark.usefixtures("full_disk")
def test_with_a_full_disk_a_step_runs_and_tells_its_facts_and_lines(lake: Settings) -> None:
    with Step(OpsWriter(lake), Run("r"), "p", "a"):
        logging.getLogger("lakehouse").info("seen in the log")
    assert OpsReader(lake).rows(STATUSES) == [{"run_id": "r", "status": "SUCCEEDED"}]
    assert OpsReader(lake).rows("select count(*) as n from ops.event_log where message = 'seen in the log'") == [{"n": 1}]


@pytest.mark.usefixtures("full_disk")
def test_with_neither_store_nor_disk_the_steps_own_error_is_seen_and_the_loss_is_told(
    lake: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ZeroDivisionError), Step(OpsWriter(without_store(lake)), Run("r"), "p", "a"):
        raise ZeroDivisionError
    lost = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert [record.getMessage().split(":")[:2] for record in lost] == [
        ["LOST", " 1 facts of ops.run_events"],
        ["LOST", " 1 facts of ops.run_events"],
        ["LOST", f" {len(lost) and lost[2].args[0]} facts of ops.event_log"],
    ]
    assert "ZeroDivisionError" in lost[1].getMessage()
    assert list(OpsWriter(lake).spool.glob("*.*/*")) == []


EDGE = {"run_id": "r", "output_name": "o", "output_version": 1, "input_name": "i"}


def test_what_is_told_meanwhile_is_kept_before_its_steps_end_is(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    commit = OpsWriter._commit

    def slow(writer: OpsWriter, declared: Table, data: pa.Table) -> None:
        time.sleep(0.5 * (declared.name == "ops.lineage_edges"))
        commit(writer, declared, data)
        kept.append(declared.name)

    monkeypatch.setattr(OpsWriter, "_commit", slow)
    writer = OpsWriter(lake)
    with Step(writer, Run("r"), "p", "a"):
        for _ in range(3):
            writer.append_meanwhile("ops.lineage_edges", [EDGE])
        assert kept == ["ops.run_events"]
    assert kept[:5] == ["ops.run_events", *["ops.lineage_edges"] * 3, "ops.run_events"]
    assert OpsReader(lake).rows("select count(*) as n from ops.lineage_edges") == [{"n": 3}]


def test_what_is_told_meanwhile_waits_in_the_spool_while_the_store_is_down(lake: Settings) -> None:
    writer = OpsWriter(without_store(lake))
    writer.append_meanwhile("ops.lineage_edges", [EDGE])
    writer.settle()
    assert OpsWriter(lake).waiting() == 1
    assert OpsWriter(lake).flush() == 1
    assert [row["output_name"] for row in OpsReader(lake).rows("select output_name from ops.lineage_edges")] == ["o"]


def test_facts_arrive_in_a_table_that_was_made_when_a_column_was_described_in_other_words(lake: Settings) -> None:
    declared = table("ops.event_log")
    reworded = replace(declared, columns=tuple(replace(c, description="Other words.") for c in declared.columns))
    DeltaTable.create(table_uri(lake, declared), schema=arrow_schema(reworded), mode="overwrite", partition_by=list(declared.partition_by),
                      storage_options=delta_rs_options(lake))  # fmt: skip
    line = {"run_id": "r", "level": "INFO", "logger": "l", "message": "m", "logged_at": datetime.now(UTC)}
    OpsWriter(lake).append_now("ops.event_log", [line])
    assert OpsReader(lake).rows("select count(*) as n from ops.event_log") == [{"n": 1}]
