"""Checks of this machine: programs, folders, the ledger, its key, accounts and inbox folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reelflow.cli.findings import Finding, Status
from reelflow.exceptions import ConfigurationError, MediaToolError, ReelflowError

if TYPE_CHECKING:
    from reelflow.ledger.models import Account
    from reelflow.services.calls.breaker import BreakerState
    from reelflow.services.late_posts import LatePost
    from reelflow.settings import Settings
    from reelflow.storage.folders import Folders

#: One file may have 4 GB (content-posting-api-media-transfer-guide, read 2026-09-11).
LOW_SPACE_BYTES: Final = 5 * 1024**3
#: Late posts that are named; `reelflow posts list` has all.
_NAMED: Final = 10


def check_libav() -> Iterator[Finding]:
    """Say whether videos can be decoded here: by the av package's libav, in a child process."""
    from reelflow.media.decoder import libav_version

    try:
        yield Finding("libav", Status.OK, f"FFmpeg's libraries {libav_version()}")
    except MediaToolError as error:
        message = f"{error}. Until then videos are checked by container and have no thumbnail"
        yield Finding("libav", Status.WARNING, message, "pip install --force-reinstall av Pillow")


def check_ffmpeg() -> Iterator[Finding]:
    """Say whether a person can run the lines that Reelflow suggests for a refused video."""
    path = shutil.which("ffmpeg")
    if path is not None:
        yield Finding("ffmpeg", Status.OK, f"{path}, for the commands that mend refused videos")
        return
    message = "the ffmpeg program is not installed; only the commands that mend videos need it"
    yield Finding(
        "ffmpeg", Status.WARNING, message, "apt-get install ffmpeg, where you mend videos"
    )


def check_data_folder(
    settings: Settings, *, low_space_bytes: int = LOW_SPACE_BYTES
) -> Iterator[Finding]:
    """Say whether the data folder can be written to, and how much room its disk has.

    Silent where media lie in a bucket.

    :param low_space_bytes: less room is a warning
    """
    from reelflow.storage.folders import FOLDERS

    if settings.storage_location is not None:
        return
    folders = _folders(settings)
    root = settings.data_folder
    if not root.is_dir():
        message = f"{root} does not exist yet"
        fix = "run `reelflow db upgrade`, or set REELFLOW_HOME to the right folder"
        yield Finding("data folder", Status.PROBLEM, message, fix)
        return
    listing = folders.read_inbox()
    inboxes = [root / "inbox" / name for name in listing.account_folders]
    parts = [root / name for name in FOLDERS]
    closed = [
        folder
        for folder in (root, *parts, *inboxes)
        if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK)
    ]
    for folder in closed:
        fix = f"give the user of this process its folder: chown -R {os.getuid()} {folder}"
        yield Finding("data folder", Status.PROBLEM, f"{folder} cannot be written to", fix)
    if not closed:
        yield Finding("data folder", Status.OK, f"{root} can be written to")
    yield _free_space(root, low_space_bytes)


def _folders(settings: Settings) -> Folders:
    """Return the folders of the settings; nothing is made."""
    from reelflow.storage.aws_variable import open_s3
    from reelflow.storage.folders import Folders
    from reelflow.storage.local_store import LocalStore

    location = settings.storage_location
    if location is None:
        return Folders(partial(LocalStore, settings.data_folder))
    return Folders(partial(open_s3, location, os.environ))


def _free_space(root: Path, low_space_bytes: int) -> Finding:
    free_bytes = shutil.disk_usage(root).free
    message = f"{free_bytes / 1024**3:.1f} GiB free"
    if free_bytes >= low_space_bytes:
        return Finding("free space", Status.OK, message)
    fix = "make room on the disk of REELFLOW_HOME: one video may have 4 GB"
    return Finding("free space", Status.WARNING, message, fix)


def check_ledger(settings: Settings) -> Iterator[Finding]:
    """Say whether the ledger answers at this version's revision, then what depends on it."""
    from reelflow.ledger import accounts, engine
    from reelflow.ledger.ledger import utc_now
    from reelflow.services.calls import breaker
    from reelflow.services.late_posts import late_posts

    database = engine.open_engine(settings.ledger_url)
    engine.check_revision(database)
    engine.check_writable(database)
    where = database.url.render_as_string(hide_password=True)
    yield Finding("ledger", Status.OK, f"{where} is at revision {engine.REVISION}")
    with engine.transaction(database, writes=False) as session:
        known = accounts.list_all(session)
        breaker_state = breaker.state(session, now=utc_now())
        late = late_posts(
            session,
            now=utc_now(),
            late_after=timedelta(minutes=settings.late_after_min),
            batch_size=settings.batch_size,
        )
    yield from _breaker(breaker_state)
    yield from _late(late)
    yield from _accounts(known)
    yield from _stored_tokens(settings, known)
    yield from _inbox_folders(settings, known)


def _breaker(state: BreakerState | None) -> Iterator[Finding]:
    if state is not None:
        message = f"since {state.opened_at:%Y-%m-%d %H:%M:%S} UTC nothing new is begun: {state.why}"
        fix = f"nothing, unless TikTok works for you: {state.again}, and the others follow it"
        yield Finding("breaker", Status.PROBLEM, message, fix)


def _late(late: Sequence[LatePost]) -> Iterator[Finding]:
    """Name the posts that are late: each with what it waits for, which is what to do."""
    stalled = [post for post in late if post.is_stalled]
    if late:
        message = "\n".join([f"late: {len(late)}", *(post.line for post in late[:_NAMED])])
        status = Status.PROBLEM if stalled else Status.WARNING
        yield Finding("late posts", status, message)


def _accounts(known: Sequence[Account]) -> Iterator[Finding]:
    if not known:
        fix = "connect one with `reelflow accounts connect`"
        yield Finding("accounts", Status.WARNING, "there is no account to post to", fix)
        return
    names = ", ".join(account.name for account in known)
    yield Finding("accounts", Status.OK, f"{len(known)}: {names}")
    for account in known:
        if account.revoked:
            why = account.revoked_because or "TikTok refuses its access token"
            message = f"{account.name} is revoked: {why}"
            fix = f"connect it again: `reelflow accounts connect {account.name}`"
            yield Finding("accounts", Status.WARNING, message, fix)


def _stored_tokens(settings: Settings, known: Sequence[Account]) -> Iterator[Finding]:
    from reelflow.ledger.accounts import access_token, refresh_token
    from reelflow.ledger.cipher import MISPLACED, Cipher

    try:
        cipher = Cipher(settings.fernet_key.get_secret_value())
    except ConfigurationError:  # told by check_key
        return
    wrong: list[str] = []
    misplaced: list[str] = []
    for account in known:
        try:
            access_token(account, cipher)
            refresh_token(account, cipher)
        except ConfigurationError as error:
            (misplaced if error.code == MISPLACED else wrong).append(account.name)
    if misplaced:
        message = f"the stored tokens of {', '.join(misplaced)} are not what was stored for them"
        fix = "connect each again: `reelflow accounts connect NAME`"
        yield Finding("stored tokens", Status.PROBLEM, message, fix)
    if wrong:
        message = f"REELFLOW_FERNET_KEY does not open the stored tokens of {', '.join(wrong)}"
        fix = (
            "set the key they were stored with too, after a comma, or connect each again: "
            "`reelflow accounts connect NAME`"
        )
        yield Finding("stored tokens", Status.PROBLEM, message, fix)
    elif known and not misplaced:
        message = f"REELFLOW_FERNET_KEY opens all {len(known)}"
        yield Finding("stored tokens", Status.OK, message)


def _inbox_folders(settings: Settings, known: Sequence[Account]) -> Iterator[Finding]:
    names = {account.name for account in known}
    try:
        listing = _folders(settings).read_inbox()
    except ReelflowError:  # told by check_storage, or check_data_folder
        return
    if listing.stray_files:
        message = f"files that wait in inbox/ in no account's folder: {len(listing.stray_files)}"
        yield Finding("inbox", Status.WARNING, message, "move each into an account's, or delete it")
    for folder in listing.account_folders:
        if folder not in names:
            message = f"inbox/{folder} belongs to no account, so its files wait"
            fix = "rename it to an account's name, or connect one with `reelflow accounts connect`"
            yield Finding("inbox", Status.WARNING, message, fix)


def check_key(settings: Settings) -> Iterator[Finding]:
    """Say whether there is a Fernet key, and whether it is one."""
    from reelflow.ledger.cipher import Cipher

    number = Cipher(settings.fernet_key.get_secret_value()).number_of_keys
    message = "REELFLOW_FERNET_KEY is a Fernet key"
    if number > 1:
        message = (
            f"REELFLOW_FERNET_KEY is {number} Fernet keys: once `reelflow key rotate` has nothing "
            "left to do, the first is enough"
        )
    yield Finding("Fernet key", Status.OK, message)
