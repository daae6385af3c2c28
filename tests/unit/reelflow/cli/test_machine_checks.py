from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from reelflow.cli import machine_checks
from reelflow.cli.findings import Finding, Status, run_check
from reelflow.cli.storage_checks import check_storage
from reelflow.domain.outage import BreakerRules
from reelflow.exceptions import ConfigurationError, LedgerNotMigratedError
from reelflow.ledger.cipher import generate_key
from reelflow.ledger.engine import REVISION
from reelflow.ledger.models import Account
from reelflow.services.calls import breaker
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from tests import factories
from tests.data_folder import data_folder
from tests.first_files import break_libav

Check = Callable[[Settings], Iterator[Finding]]
OK, WARNING, PROBLEM = Status.OK, Status.WARNING, Status.PROBLEM


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, database_url="", fernet_key=factories.FERNET_KEY)


def statuses(findings: Sequence[Finding]) -> list[tuple[str, Status]]:
    return [(finding.check, finding.status) for finding in findings]


def test_libav_is_told_with_its_version() -> None:
    [finding] = machine_checks.check_libav()
    assert finding.status is OK
    assert finding.message.startswith("FFmpeg's libraries 8.")


def test_without_libav_it_is_said_what_that_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_libav(monkeypatch, tmp_path, loading="raise ImportError('no libavcodec')")
    [finding] = machine_checks.check_libav()
    assert finding.status is WARNING
    assert "no libavcodec" in finding.message
    assert "have no thumbnail" in finding.message
    assert finding.fix == "pip install --force-reinstall av Pillow"


def test_the_ffmpeg_program_is_for_people_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    [finding] = machine_checks.check_ffmpeg()
    assert (finding.status, finding.fix) == (
        WARNING,
        "apt-get install ffmpeg, where you mend videos",
    )
    (tmp_path / "ffmpeg").touch(mode=0o755)
    [finding] = machine_checks.check_ffmpeg()
    assert finding.status is OK
    assert str(tmp_path) in finding.message


def test_a_data_folder_that_can_be_used_is_told_with_its_room(
    settings: Settings, workspace: Workspace
) -> None:
    found = list(machine_checks.check_data_folder(settings))
    assert statuses(found)[0] == ("data folder", OK)
    assert found[1].check == "free space"
    assert found[1].message.endswith("GiB free")


def test_a_data_folder_that_does_not_exist_is_a_problem_and_stays_away(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "none", database_url="")
    [finding] = machine_checks.check_data_folder(settings)
    assert finding.status is PROBLEM
    assert finding.fix is not None
    assert "REELFLOW_HOME" in finding.fix
    assert not (tmp_path / "none").exists()


def test_a_bucket_without_its_connection_is_told_once_instead(
    settings: Settings, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_MEDIA", raising=False)
    in_s3 = settings.model_copy(update={"storage_url": "s3://bucket?connection=media"})
    assert list(machine_checks.check_data_folder(in_s3)) == []
    found = run_check("storage", partial(check_storage, in_s3))
    found += machine_checks.check_ledger(in_s3)
    told = [one for one in found if "set AIRFLOW_CONN_MEDIA" in one.message]
    assert [(one.check, one.status) for one in told] == [("storage", PROBLEM)]
    assert {one.status for one in found if one not in told} == {OK, WARNING}


def test_folders_that_cannot_be_written_to_are_each_named(
    settings: Settings, workspace: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = {data_folder(workspace).quarantine, data_folder(workspace).inbox / "acme"}
    # Tests may run as root, who may write everywhere.
    monkeypatch.setattr("os.access", lambda path, mode, **at: path not in closed)
    found = [one for one in machine_checks.check_data_folder(settings) if one.status is PROBLEM]
    assert {one.message for one in found} == {f"{path} cannot be written to" for path in closed}
    assert all(one.fix and "chown" in one.fix for one in found)


def test_little_room_is_a_warning(settings: Settings, workspace: Workspace) -> None:
    [*_, finding] = machine_checks.check_data_folder(settings, low_space_bytes=2**70)
    assert finding.status is WARNING
    assert finding.fix is not None
    assert "make room" in finding.fix


def test_a_key_is_right_or_an_error_says_what_is_wrong(settings: Settings) -> None:
    assert statuses(list(machine_checks.check_key(settings))) == [("Fernet key", OK)]
    key = settings.fernet_key.get_secret_value()
    both = type(settings.fernet_key)(f"{generate_key()},{key}")
    [several] = machine_checks.check_key(settings.model_copy(update={"fernet_key": both}))
    assert "is 2 Fernet keys: once `reelflow key rotate`" in several.message
    for key, said in (("", "is not set"), ("short", "is not a Fernet key")):
        wrong = settings.model_copy(update={"fernet_key": type(settings.fernet_key)(key)})
        with pytest.raises(ConfigurationError, match=said):
            list(machine_checks.check_key(wrong))


def test_a_ledger_that_was_never_made_is_a_problem_and_stays_away(settings: Settings) -> None:
    [finding] = run_check("ledger", lambda: machine_checks.check_ledger(settings))
    assert finding.status is PROBLEM
    assert finding.message.startswith("there is no ledger")
    assert finding.message.endswith("or run `reelflow db upgrade` to make it")
    assert not (settings.data_folder / "reelflow.db").exists()


def test_a_ledger_of_another_revision_is_an_error(settings: Settings) -> None:
    (settings.data_folder / "reelflow.db").touch()
    with pytest.raises(LedgerNotMigratedError):
        list(machine_checks.check_ledger(settings))


def test_a_ledger_in_order_is_told_with_accounts_and_tokens(
    settings: Settings, workspace: Workspace, make_account: Callable[..., Account]
) -> None:
    make_account("acme")
    make_account("other")
    ledger, accounts, tokens = machine_checks.check_ledger(settings)
    assert ledger.message == f"{settings.ledger_url} is at revision {REVISION}"
    assert accounts.message == "2: acme, other"
    assert tokens.message == "REELFLOW_FERNET_KEY opens all 2"
    assert {ledger.status, accounts.status, tokens.status} == {OK}


def test_an_open_breaker_is_a_problem_that_says_why_and_when_it_is_tried_again(
    settings: Settings, workspace: Workspace, account: Account
) -> None:
    rules = replace(workspace.rules, breaker=BreakerRules(accounts=1))
    hasty = replace(workspace, rules=rules)
    breaker.record_failure(hasty, account.id, "internal_error")
    finding = list(machine_checks.check_ledger(settings))[1]
    assert (finding.check, finding.status) == ("breaker", PROBLEM)
    assert "nothing new is begun: 1 accounts failed within 5 minutes" in finding.message
    assert "acme (internal_error)" in finding.message
    probe_at = workspace.ledger.now() + timedelta(minutes=2)
    assert f"tries again from {probe_at:%Y-%m-%d %H:%M:%S} UTC" in (finding.fix or "")


def test_a_probe_of_the_breaker_is_told(
    settings: Settings, workspace: Workspace, clock: factories.Clock, account: Account
) -> None:
    clock.set(datetime.now(UTC))
    hasty = replace(
        workspace,
        rules=replace(workspace.rules, breaker=BreakerRules(accounts=1, first_pause=timedelta(0))),
    )
    breaker.record_failure(hasty, account.id, "internal_error")
    assert breaker.check_closed(hasty, account.id)
    assert "one post is trying now" in (list(machine_checks.check_ledger(settings))[1].fix or "")


def test_no_account_is_a_warning(settings: Settings, workspace: Workspace) -> None:
    found = list(machine_checks.check_ledger(settings))
    assert statuses(found) == [("ledger", OK), ("accounts", WARNING)]


@pytest.mark.parametrize("token", ["access_token_encrypted", "refresh_token_encrypted"])
def test_tokens_of_another_key_are_a_problem_with_their_accounts(
    settings: Settings, workspace: Workspace, make_account: Callable[..., Account], token: str
) -> None:
    make_account("acme")
    old = make_account("old")
    with workspace.ledger.write() as session:
        setattr(session.get_one(Account, old.id), token, b"gAAAAA of another key")
    [*_, finding] = machine_checks.check_ledger(settings)
    assert finding.status is PROBLEM
    assert finding.message == "REELFLOW_FERNET_KEY does not open the stored tokens of old"
    # Not `accounts set`: a token by hand takes the refresh token's place, and nothing renews it.
    assert "connect each again: `reelflow accounts connect NAME`" in (finding.fix or "")
    assert "accounts set" not in (finding.fix or "")


def test_tokens_of_another_account_are_a_problem_with_the_account_that_has_them(
    settings: Settings, workspace: Workspace, make_account: Callable[..., Account]
) -> None:
    acme, north = make_account("acme"), make_account("north")
    with workspace.ledger.write() as session:
        stolen = session.get_one(Account, acme.id).access_token_encrypted
        session.get_one(Account, north.id).access_token_encrypted = stolen
    [*_, finding] = machine_checks.check_ledger(settings)
    assert finding.status is PROBLEM
    assert finding.message == "the stored tokens of north are not what was stored for them"
    assert finding.fix == "connect each again: `reelflow accounts connect NAME`"


def test_a_whole_other_key_opens_no_token(
    settings: Settings, workspace: Workspace, account: Account
) -> None:
    other = Settings(home=settings.home, database_url="", fernet_key=generate_key())
    [*_, finding] = machine_checks.check_ledger(other)
    assert finding.message.endswith("stored tokens of acme")


def test_a_missing_key_does_not_hide_the_ledger(
    settings: Settings, workspace: Workspace, account: Account
) -> None:
    without = Settings(home=settings.home, database_url="", fernet_key="")
    assert statuses(list(machine_checks.check_ledger(without))) == [
        ("ledger", OK),
        ("accounts", OK),
    ]


def test_a_revoked_account_is_a_warning_with_the_way_back(
    settings: Settings, workspace: Workspace, account: Account
) -> None:
    with workspace.ledger.write() as session:
        session.get_one(Account, account.id).revoked = True
    found = list(machine_checks.check_ledger(settings))
    [warning] = [one for one in found if one.status is WARNING]
    assert warning.message.startswith("acme is revoked: TikTok refuses")
    assert warning.fix is not None
    assert "`reelflow accounts connect acme`" in warning.fix


def test_files_in_no_accounts_folder_are_a_warning(
    settings: Settings, workspace: Workspace, account: Account
) -> None:
    (data_folder(workspace).inbox / "clip.mp4").touch()
    [warning] = [one for one in machine_checks.check_ledger(settings) if one.status is WARNING]
    assert warning.check == "inbox"
    assert warning.message == "files that wait in inbox/ in no account's folder: 1"


def test_an_inbox_folder_of_nobody_is_a_warning(
    settings: Settings, workspace: Workspace, account: Account
) -> None:
    (data_folder(workspace).inbox / "amce").mkdir()
    [warning] = [one for one in machine_checks.check_ledger(settings) if one.status is WARNING]
    assert warning.check == "inbox"
    assert warning.message == "inbox/amce belongs to no account, so its files wait"


def test_late_posts_are_named_with_what_they_wait_for(
    settings: Settings, workspace: Workspace, account: Account
) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    later = {"rescheduled_because": "acme has used its day", "due_at": long_ago + timedelta(days=1)}
    waiting = factories.make_post(workspace, account, publish_at=long_ago, **later)
    late = list(machine_checks.check_ledger(settings))[1]
    assert (late.check, late.status) == ("late posts", WARNING)
    assert f"post {waiting.id} (clip.mp4, acme) is late: wished for" in late.message
    assert "acme has used its day" in late.message
    for _ in range(12):
        factories.make_post(workspace, account, publish_at=long_ago, due_at=long_ago)
    late = list(machine_checks.check_ledger(settings))[1]
    assert late.status is PROBLEM
    assert late.message.startswith("late: 13\n")
    assert len(late.message.splitlines()) == 11
    assert "No run has taken it" in late.message
