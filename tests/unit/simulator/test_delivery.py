"""Where files go: a folder, the landing bucket, the command, the running stream."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import typer
from moto.server import ThreadedMotoServer
from pydantic import SecretStr
from typer.testing import CliRunner

from infra.commands import simulate as command
from jobs.simulator import DirectorySink, LandingBucketSink, LiveStream, SimConfig, Written, generate, write
from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.settings import Settings
from lakehouse.store import s3_client

TINY = SimConfig(events=400, days=4, files_per_tenant=1, tenants=("bluefin", "chaidesk"))


@pytest.fixture(scope="module")
def store() -> Iterator[Settings]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = Settings(s3_endpoint=f"http://{host}:{port}", s3_access_key_id=SecretStr("key"), s3_secret_access_key=SecretStr("secret"))
    s3_client(settings).create_bucket(Bucket=settings.landing_bucket)
    yield settings
    server.stop()


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    command.register(made)
    return made


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 9, 1, 12, 0, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_folder_gets_the_layout_of_the_bucket_and_no_half_files(tmp_path: Path) -> None:
    written = Written()
    files = list(write(generate(TINY), DirectorySink(tmp_path), written))
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert found == sorted(file.key for file in files)
    assert all((tmp_path / file.key).read_bytes() == file.body for file in files)
    assert (written.files, written.records) == (len(files), sum(file.records for file in files))
    assert written.bytes == sum(path.stat().st_size for path in tmp_path.rglob("*.gz"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "provider_events").write_text("in the way")
    with pytest.raises(InfrastructureError, match="provider_events"):
        list(write(generate(TINY), DirectorySink(tmp_path), Written()))


def test_the_bucket_gets_the_same_bytes_with_metadata_and_a_second_time_too(store: Settings) -> None:
    client = s3_client(store)
    for _ in range(2):
        files = list(write(generate(TINY), LandingBucketSink(store), Written()))
        listed = client.list_objects_v2(Bucket=store.landing_bucket)["Contents"]
        assert sorted(entry["Key"] for entry in listed) == sorted(file.key for file in files)
    stored = client.get_object(Bucket=store.landing_bucket, Key=files[0].key)
    assert stored["Body"].read() == files[0].body
    assert stored["Metadata"]["synthetic"] == "true"
    assert stored["Metadata"]["anchor"] == "2026-06-30"


def test_a_bucket_that_is_not_there_is_a_failure_of_infrastructure(store: Settings) -> None:
    sink = LandingBucketSink(store.model_copy(update={"landing_bucket": "nowhere"}))
    with pytest.raises(InfrastructureError, match="nowhere"):
        list(write(generate(TINY), sink, Written()))


def test_the_command_writes_a_history_and_answers_in_json(app: typer.Typer, tmp_path: Path) -> None:
    arguments = ["--events", "400", "--days", "4", "--tenants", "bluefin,chaidesk", "--anchor", "2026-02-10", "--seed", "3"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["events"] == 400
    assert answer["anchor"] == "2026-02-10"
    assert answer["synthetic"] is True
    lines = [line for path in tmp_path.rglob("*.gz") for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert len(lines) == answer["records"] == answer["written"]["records"]
    assert len({orjson.loads(line)["event_id"] for line in lines}) == 400


def test_the_command_lands_in_the_bucket_and_says_it_for_people(app: typer.Typer, store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "settings", lambda: store)
    result = CliRunner().invoke(app, ["--events", "300", "--days", "3", "--tenants", "1", "--anchor", "2026-02-10", "--plain"])
    assert result.exit_code == 0, result.output
    for words in ("s3://landing", "distinct events  300", "anchor date      2026-02-10", "bluefin"):
        assert words in result.stdout
    client = s3_client(store)
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket="landing", Prefix="provider_events/date=2026-02-10/")["Contents"]]
    lines = [line for key in keys for line in client.get_object(Bucket="landing", Key=key)["Body"].read().splitlines()]
    assert all(orjson.loads(line)["synthetic"] for line in lines)


@pytest.mark.parametrize("words", ["--events 0", "--tenants nobody", "--live 0", "--for 3", "--live 5 --for -1"])
def test_the_command_refuses_what_makes_no_sense(app: typer.Typer, tmp_path: Path, words: str) -> None:
    result = CliRunner().invoke(app, [*words.split(), "--out", str(tmp_path)])
    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.next_step


def test_an_interrupted_history_says_what_is_written(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = DirectorySink.put, []

    def put(sink: DirectorySink, file: object) -> int:
        calls.append(file)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(sink, file)  # type: ignore[arg-type]

    monkeypatch.setattr(DirectorySink, "put", put)
    result = CliRunner().invoke(app, ["--events", "2000", "--days", "4", "--out", str(tmp_path)])
    assert result.exit_code == 130
    assert "2 files" in result.stderr
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


def test_the_stream_has_about_the_rate_asked_for_at_the_time_of_the_clock() -> None:
    clock = Clock()
    started = int(clock.now * 1000)
    stream = LiveStream(TINY, rate=8, clock=clock)
    files = list(stream.run(600, every_s=30, sleep=clock.sleep))
    records = [orjson.loads(line) for file in files for line in file.lines.splitlines()]
    assert 0.75 * 600 * 8 < len(records) < 1.15 * 600 * 8
    assert stream.manifest.events == len({record["event_id"] for record in records}) == len(records)
    assert all(record["synthetic"] for record in records)
    assert min(record["timestamp"] for record in records) >= started
    assert len({file.key for file in files}) == len(files)


def test_the_stream_writes_small_files_of_what_has_happened_by_then() -> None:
    clock = Clock()
    stream = LiveStream(replace(TINY, plain=True), rate=20, clock=clock)
    clock.sleep(5)
    for _ in range(3):
        files = list(stream.tick())
        assert files
        for file in files:
            assert "/date=2026-09-01/" in file.key
            assert file.key.endswith(".jsonl")
            assert all(orjson.loads(line)["timestamp"] <= clock.now * 1000 for line in file.lines.splitlines())
        assert list(stream.tick()) == []
        clock.sleep(5)


def test_the_command_streams_until_it_is_stopped(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    sleeps = 0

    def sleep(seconds: float) -> None:
        nonlocal sleeps
        sleeps += 1
        if sleeps > 4:
            raise KeyboardInterrupt
        clock.sleep(seconds)

    run = LiveStream.run
    monkeypatch.setattr(LiveStream, "run", lambda stream, seconds: run(stream, seconds, sleep=sleep))
    monkeypatch.setattr(command, "LiveStream", lambda config, rate: LiveStream(config, rate, clock=clock))
    result = CliRunner().invoke(app, ["--live", "30", "--out", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert answer["written"]["files"] == len(files) > 8
    assert answer["events"] == answer["written"]["records"] > 100
    assert answer["anchor"] is None
    assert "Stopped" in result.stderr
