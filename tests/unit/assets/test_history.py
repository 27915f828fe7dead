"""What is forgotten of Dagster's history leaves no file behind."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from assets.automation import forget_runs


@dg.job
def told() -> None:
    @dg.op
    def tell(context: dg.OpExecutionContext) -> None:
        context.log.info("told")

    tell()


@dg.asset
def checked() -> None:
    """An asset with a check."""


@dg.asset_check(asset=checked)
def well() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def files_of(folder: Path, run_id: str) -> list[Path]:
    return [path for path in folder.rglob("*") if run_id in str(path)]


def test_runs_past_their_time_go_with_their_files_and_others_stay(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        old, kept = (told.execute_in_process(instance=instance).run_id for _ in range(2))
        assert files_of(tmp_path, old)
        before = instance.get_run_record_by_id(kept)
        assert before
        assert forget_runs(instance, before.create_timestamp) == 1
        assert files_of(tmp_path, old) == []
        assert instance.get_run_by_id(old) is None
        assert files_of(tmp_path, kept)
        assert forget_runs(instance, datetime.now(UTC) - timedelta(days=1)) == 0


def test_checks_of_forgotten_runs_go_but_for_the_newest(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:

        def runs_of_the_check() -> list[str]:
            return [e.run_id for e in instance.event_log_storage.get_asset_check_execution_history(well.check_key, limit=9)]

        runs = [dg.materialize([checked, well], instance=instance).run_id for _ in range(3)]
        assert runs_of_the_check() == runs[::-1]
        third = instance.get_run_record_by_id(runs[2])
        assert third
        assert forget_runs(instance, third.create_timestamp) == 2
        assert runs_of_the_check() == [runs[2]]
        assert forget_runs(instance, datetime.now(UTC)) == 1
        assert runs_of_the_check() == [runs[2]]
