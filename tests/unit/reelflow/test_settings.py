"""Settings: read from the environment, wrong ones named, secrets never shown."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, text

from reelflow.domain.budget import BudgetLimits
from reelflow.domain.media_policy import INTAKE
from reelflow.domain.outage import BreakerRules
from reelflow.exceptions import ConfigurationError, LedgerNotMigratedError
from reelflow.ledger.engine import open_engine, upgrade
from reelflow.settings import Settings
from reelflow.storage.location import S3Location
from reelflow.tiktok.limits import TikTokLimits
from tests.data_folder import data_folder
from tests.factories import FERNET_KEY, migrated_sqlite


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"REELFLOW_{name.upper()}", raising=False)
    monkeypatch.setenv("REELFLOW_HOME", str(tmp_path))


def test_the_defaults_are_those_of_the_design() -> None:
    settings = Settings.load()
    assert settings.rules.inbox_quiet == timedelta(seconds=10)
    assert settings.rules.max_lateness == timedelta(hours=24)
    assert settings.rules.claim == timedelta(minutes=15)
    assert settings.rules.lease == timedelta(seconds=120)
    assert settings.rules.max_publications == 5
    assert settings.rules.unknown_after == timedelta(hours=72)
    assert settings.publish_timeout_s == 30 * 60


def test_the_patience_with_tiktok_is_that_of_the_design_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Settings.load().tiktok_limits == TikTokLimits()
    assert Settings.load().upload_timeout_s == 55 * 60
    for name, value in {
        "CONNECT_TIMEOUT_S": "1",
        "READ_TIMEOUT_S": "2",
        "CHUNK_TIMEOUT_S": "3",
        "CHUNK_ATTEMPTS": "4",
        "CHUNK_RETRY_S": "5",
        "CHUNK_STALL_TIMEOUT_S": "6",
        "CHUNK_ANSWER_TIMEOUT_S": "7",
    }.items():
        monkeypatch.setenv(f"REELFLOW_{name}", value)
    assert Settings.load().tiktok_limits == TikTokLimits(
        connect_timeout_s=1,
        read_timeout_s=2,
        put_timeout_s=3,
        chunk_attempts=4,
        first_chunk_retry_s=5,
        put_stall_timeout_s=6,
        put_answer_timeout_s=7,
    )


def test_the_limits_are_those_that_tiktok_documents_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Settings.load().rules.budgets == BudgetLimits()
    assert Settings.load().rules.breaker == BreakerRules()
    for name, value in {
        "INIT_PER_MINUTE": "1",
        "CREATOR_INFO_PER_MINUTE": "2",
        "STATUS_PER_MINUTE": "3",
        "POSTS_PER_DAY": "4",
        "PENDING_DRAFTS": "5",
        "BREAKER_ACCOUNTS": "6",
        "BREAKER_WINDOW_MIN": "7",
        "BREAKER_PAUSE_S": "8",
        "BREAKER_LONGEST_PAUSE_S": "9",
        "MAX_PUBLICATIONS": "10",
        "UNKNOWN_AFTER_H": "11",
    }.items():
        monkeypatch.setenv(f"REELFLOW_{name}", value)
    rules = Settings.load().rules
    assert rules.budgets == BudgetLimits(1, 2, 3, 4, 5)
    assert rules.breaker == BreakerRules(
        accounts=6,
        within=timedelta(minutes=7),
        first_pause=timedelta(seconds=8),
        longest_pause=timedelta(seconds=9),
    )
    assert rules.max_publications == 10
    assert rules.unknown_after == timedelta(hours=11)


def test_the_largest_video_is_500_mib_and_up_to_4_gib_by_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Settings.load().rules.house == INTAKE
    assert Settings.load().rules.house.max_size_bytes == 500 * 1024**2
    monkeypatch.setenv("REELFLOW_MAX_VIDEO_SIZE_MIB", "4096")
    assert Settings.load().rules.house == replace(INTAKE, max_size_bytes=4 * 1024**3)


def test_posts_are_followed_for_a_quarter_of_a_year_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Settings.load().rules.metrics_for == timedelta(days=90)
    monkeypatch.setenv("REELFLOW_METRICS_DAYS", "7")
    assert Settings.load().rules.metrics_for == timedelta(days=7)


def test_the_ledger_lies_in_the_data_folder_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert Settings.load().ledger_url == f"sqlite:///{tmp_path}/reelflow.db"
    monkeypatch.setenv("REELFLOW_DATABASE_URL", "postgresql+psycopg://db/reelflow")
    assert Settings.load().ledger_url == "postgresql+psycopg://db/reelflow"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATCH_SIZE", "0"),
        ("BATCH_SIZE", "1001"),
        ("BATCH_SIZE", "many"),
        ("INBOX_QUIET_S", "-1"),
        ("INBOX_QUIET_S", "nan"),
        ("INBOX_QUIET_S", "inf"),
        ("MAX_LATENESS_H", "0"),
        ("MAX_LATENESS_H", "1e300"),
        ("MAX_VIDEO_SIZE_MIB", "0"),
        ("MAX_VIDEO_SIZE_MIB", "4097"),
        ("POLL_INTERVAL_S", "9.9"),
        ("PUBLISH_TIMEOUT_S", "soon"),
        ("METRICS_DAYS", "0.5"),
        ("RETENTION_DAYS", "0.5"),
        ("RETENTION_DAYS", "nan"),
        ("WATCH_INTERVAL_S", "0"),
        ("INIT_PER_MINUTE", "0"),
        ("STATUS_PER_MINUTE", "many"),
        ("BREAKER_ACCOUNTS", "0"),
        ("CHUNK_ATTEMPTS", "0"),
        ("READ_TIMEOUT_S", "0"),
        ("UPLOAD_TIMEOUT_S", "3600"),
        ("MEDIA_TIMEOUT_S", "0"),
        ("RUN_TIMEOUT_H", "1"),
        ("MAX_ACTIVE_RUNS", "0"),
        ("MAX_ACTIVE_TASKS", "many"),
        ("MEDIA_POOL_SLOTS", "-1"),
        ("LATE_AFTER_MIN", "nan"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"REELFLOW_{name}", value)
    with pytest.raises(ConfigurationError, match=f"REELFLOW_{name} is '{value}': Input should be"):
        Settings.load()


def test_all_wrong_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_BATCH_SIZE", "x")
    monkeypatch.setenv("REELFLOW_POLL_INTERVAL_S", "1")
    with pytest.raises(ConfigurationError, match=r"BATCH_SIZE is 'x'.*POLL_INTERVAL_S is '1'"):
        Settings.load()


def test_an_empty_setting_is_one_that_was_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_HOME", "")
    monkeypatch.setenv("REELFLOW_BATCH_SIZE", "")
    settings = Settings.load()
    assert settings.data_folder == Path("~/reelflow").expanduser()
    assert settings.batch_size == 100


def test_hosts_of_the_simulator_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_SIMULATOR_UPLOAD_HOSTS", "127.0.0.1:8080, [::1]:81,,")
    assert Settings.load().simulator_upload_hosts == {"127.0.0.1:8080", "[::1]:81"}


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_FERNET_KEY", FERNET_KEY)
    monkeypatch.setenv("REELFLOW_DATABASE_URL", "postgresql+psycopg://u:hunter2@db/x")
    settings = Settings.load()
    for shown in (repr(settings), str(settings)):
        assert FERNET_KEY not in shown
        assert "hunter2" not in shown


def test_a_workspace_opens_on_a_migrated_ledger_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REELFLOW_FERNET_KEY", FERNET_KEY)
    settings = Settings.load()
    with pytest.raises(LedgerNotMigratedError, match="run `reelflow db upgrade`"):
        settings.open_workspace()
    upgrade(open_engine(settings.ledger_url))
    workspace = settings.open_workspace()
    assert data_folder(workspace).inbox == tmp_path / "inbox"
    assert data_folder(workspace).inbox.is_dir()


def test_where_media_lie_in_s3_the_bucket_is_opened_when_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REELFLOW_FERNET_KEY", FERNET_KEY)
    monkeypatch.setenv("REELFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REELFLOW_DATABASE_URL", migrated_sqlite(tmp_path))
    monkeypatch.setenv("REELFLOW_STORAGE_URL", "s3://bucket/reelflow?connection=media")
    workspace = Settings.load().open_workspace()
    with pytest.raises(ConfigurationError, match="set AIRFLOW_CONN_MEDIA"):
        workspace.folders.account_inbox("acme")
    extra = {"region_name": "eu-central-1"}
    connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MEDIA", json.dumps(connection))
    assert workspace.folders.account_inbox("acme") == "s3://bucket/reelflow/inbox/acme"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "wrong", ["http://b.s3.amazonaws.com/", "https://b.s3.amazonaws.com", "https://b.com/?x=1/"]
)
def test_a_verified_address_that_cannot_be_one_is_named(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("REELFLOW_VERIFIED_STORAGE_URL", wrong)
    with pytest.raises(
        ConfigurationError, match=r"REELFLOW_VERIFIED_STORAGE_URL.*slash at its end"
    ):
        Settings.load()


def test_a_workspace_needs_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="`reelflow key generate`"):
        Settings.load().open_workspace()
    monkeypatch.setenv("REELFLOW_FERNET_KEY", "short")
    with pytest.raises(ConfigurationError, match="is not a Fernet key") as refused:
        Settings.load().open_workspace()
    assert "short" not in str(refused.value)


def test_a_data_folder_that_cannot_be_made_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("REELFLOW_FERNET_KEY", FERNET_KEY)
    monkeypatch.setenv("REELFLOW_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setenv("REELFLOW_DATABASE_URL", migrated_sqlite(tmp_path))
    with pytest.raises(ConfigurationError, match=r"file/home.*REELFLOW_HOME"):
        Settings.load().open_workspace()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://reelflow.example.com", "https://reelflow.example.com"),
        ("https://reelflow.example.com/", "https://reelflow.example.com"),
        ("https://example.com/media/", "https://example.com/media"),
        ("", ""),
    ],
)
def test_a_public_address_is_kept_without_its_last_slash(
    monkeypatch: pytest.MonkeyPatch, given: str, kept: str
) -> None:
    monkeypatch.setenv("REELFLOW_PUBLIC_URL", given)
    rules = Settings.load().rules
    assert (rules.public_url, rules.public_url_lifetime) == (kept, timedelta(hours=2))


@pytest.mark.parametrize(
    "given",
    [
        "http://reelflow.example.com",
        "reelflow.example.com",
        "https://user@reelflow.example.com",
        "https://reelflow.example.com/?a=b",
        "https://reelflow.example.com/#a",
        "https://localhost",
        "https://reelflow.example.com/a b",
    ],
)
def test_a_public_address_from_which_tiktok_fetches_nothing_is_named(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("REELFLOW_PUBLIC_URL", given)
    with pytest.raises(ConfigurationError, match="give an https address such as"):
        Settings.load()


def test_a_storage_url_names_a_place_in_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load().storage_location is None
    monkeypatch.setenv("REELFLOW_STORAGE_URL", "s3://media/reelflow?connection=aws_media")
    assert Settings.load().storage_location == S3Location("media", "reelflow", "aws_media")


def test_a_storage_url_that_names_no_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_STORAGE_URL", "https://media")
    with pytest.raises(ConfigurationError, match="REELFLOW_STORAGE_URL is 'https://media'"):
        Settings.load()


@pytest.mark.parametrize(("value", "is_durable"), [(None, True), ("true", True), ("false", False)])
def test_chunks_are_on_the_disk_before_they_count_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None, is_durable: bool
) -> None:
    migrated_sqlite(tmp_path)
    monkeypatch.setenv("REELFLOW_FERNET_KEY", FERNET_KEY)
    if value is not None:
        monkeypatch.setenv("REELFLOW_DURABLE_CHUNKS", value)
    store = Settings.load().open_workspace().folders.store
    upload = store.begin("media/1", size_bytes=1, part_size_bytes=5 * 1024 * 1024)
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    with store.open_part(upload, 1) as part:
        part.write(b"x")
        part.commit()
    assert bool(synced) is is_durable


def test_a_server_keeps_its_connections_to_the_ledger_and_nobody_else_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    migrated_sqlite(tmp_path)
    monkeypatch.setenv("REELFLOW_FERNET_KEY", FERNET_KEY)
    for keeps_connections, opened in ((True, 1), (False, 3)):
        workspace = Settings.load().open_workspace(keeps_connections=keeps_connections)
        engine = workspace.ledger.engine
        engine.dispose()
        connects: list[object] = []
        event.listen(engine, "connect", lambda *_, seen=connects: seen.append(1))
        for _ in range(3):
            with workspace.ledger.read() as session:
                session.execute(text("SELECT 1"))
        assert len(connects) == opened
        engine.dispose()


def test_the_notifier_of_alerts_is_a_class_and_its_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REELFLOW_ALERT_NOTIFIER", '{"class": "a.B", "kwargs": {"to": "ops"}}')
    assert Settings.load().parsed_alert_notifier == {"class": "a.B", "kwargs": {"to": "ops"}}


@pytest.mark.parametrize(
    "value",
    [
        "a.B",
        '["a.B", "s3cret"]',
        '{"kwargs": {"token": "s3cret"}}',
        '{"class": 7, "token": "s3cret"}',
        '{"class": "a.B", "kwargs": "s3cret"}',
        '{"class": "a.B", "kwargs": {"token": "s3cret"}',
    ],
)
def test_a_notifier_that_cannot_be_read_is_told_without_what_it_holds(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_ALERT_NOTIFIER", value)
    with pytest.raises(ConfigurationError, match="REELFLOW_ALERT_NOTIFIER cannot be read") as told:
        Settings.load()
    assert "s3cret" not in str(told.value)


def test_a_notifier_is_not_shown_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_ALERT_NOTIFIER", '{"class": "a.B", "kwargs": {"t": "s3cret"}}')
    assert "s3cret" not in repr(Settings.load())
