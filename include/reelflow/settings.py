"""Settings from the environment (``REELFLOW_*``), read by entry points only."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import Field, SecretStr, ValidationError, field_validator
from sqlalchemy import Engine

from reelflow.domain.approval import APPROVAL_TIMEOUT_MAX_H
from reelflow.domain.media_policy import INTAKE, MIB, TIKTOK
from reelflow.exceptions import ConfigurationError
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.engine import check_revision, open_engine
from reelflow.ledger.ledger import Ledger
from reelflow.services.workspace import PublishingRules, Workspace
from reelflow.storage.aws_variable import open_s3
from reelflow.storage.base import MediaStore
from reelflow.storage.folders import Folders
from reelflow.storage.local_store import open_data_folder
from reelflow.storage.location import S3Location, parse_storage_url
from reelflow.tiktok_settings import TikTokSettings

_DAY_S = 24 * 3600
_PUBLIC_URL = re.compile(
    r"https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?", re.ASCII
)
_QUEUE_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[0-9]{1,20}/[A-Za-z0-9_-]{1,80}")


class Settings(TikTokSettings):
    """Every setting of Reelflow, with its default; those of TikTok and of its DAGs are inherited.

    :param home: the data folder: inbox, sources, thumbnails, quarantine
    :param storage_url: where media lie instead of the data folder:
        ``s3://bucket/prefix?connection=aws_default``
    :param durable_chunks: a chunk of an upload into the data folder counts once it is on the disk.
        False is faster: a chunk counts at once, and a loss of power makes what was received of
        uploads under way missing again; a finished upload is on the disk either way
    :param database_url: the ledger's database; empty is SQLite in the data folder
    :param fernet_key: encrypts tokens and upload URLs; from ``reelflow key generate``; with older
        ones after it and a comma, until ``reelflow key rotate`` has encrypted all anew
    :param inbox_quiet_s: a file and its sidecar must have been left alone this long
    :param batch_size: most posts of one run (Airflow maps at most 1024)
    :param max_lateness_h: a normal run posts nothing that was due longer ago
    :param max_video_size_mib: no larger video is taken in; TikTok takes none over 4 GB
        (content-posting-api-media-transfer-guide, read 2026-09-11)
    :param poll_interval_s: pause between two status calls; at least 10, because Airflow 3.3.2 can
        fail a task whose trigger fires right after it deferred
    :param publish_timeout_s: how long a run waits for TikTok; then the post is settled later
    :param link_timeout_s: how long a run waits for a public post's link after it is published
    :param max_publications: most inits of one post before it fails, until a person retries it
    :param unknown_after_h: a sent post of which TikTok says nothing for so long is UNKNOWN
    :param retention_days: how long a person may try a post again that was rejected, failed or was
        cancelled: so long its files are kept; at least 1, for whoever looks at it the next morning
    :param watch_interval_s: pause between two looks at the inbox; at due posts there is one every
        second
    :param approval_timeout_h: how long a question whether a post may go waits for a person, unless
        its account says otherwise; then it is asked anew, with what its creator offers by then
    :param metrics_days: how long a published post's views, likes, comments and shares are asked
        for, once a day; most of them come in its first weeks, and each 20 posts cost a call
    :param public_url: https address under which ``reelflow serve`` is reached from outside, on a
        domain verified for the app: from there TikTok fetches photos, and videos by option
    :param public_url_lifetime_s: how long a URL works that TikTok is given
    :param verified_storage_url: https address that the bucket's objects are below, as
        ``https://bucket.s3.eu-central-1.amazonaws.com/reelflow/``, verified for the app as a URL
        prefix: TikTok then fetches photos and videos from S3, by signed URLs
    :param sqs_queue_url: queue that the bucket's notifications go to, as
        ``https://sqs.eu-central-1.amazonaws.com/123456789012/inbox``, asked with the connection of
        ``storage_url``: the DAG ``wake_on_s3_notifications`` takes them; read where it is parsed
    :param api_url: the server that ``reelflow submit`` brings files to
    :param api_key: the key it shows there, from ``reelflow keys create``; never given any other way
    :param alert_notifier: the notifier of Airflow's that people hear by of posts that need them, as
        JSON: ``{"class": "airflow.providers....", "kwargs": {...}}``, where texts are templates of
        ``alert``; empty for a webhook, where there is a connection ``reelflow_alerts``
    :param airflow_token: opens Airflow's API to ``reelflow plan``; from Airflow's ``/auth/token``,
        of a user who may create backfills
    :param airflow_plain_http: let that token travel unencrypted to another machine, as
        ``--plain-http`` does; for a network that nobody else is in
    """

    home: Path = Path("~/reelflow")
    storage_url: str = ""
    durable_chunks: bool = True
    database_url: Annotated[str, Field(repr=False)] = ""  # may hold a password
    fernet_key: SecretStr = SecretStr("")
    inbox_quiet_s: Annotated[float, Field(ge=0, le=_DAY_S)] = 10
    batch_size: Annotated[int, Field(ge=1, le=1000)] = 100
    max_lateness_h: Annotated[float, Field(gt=0, le=24 * 366)] = 24
    max_video_size_mib: Annotated[int, Field(ge=1, le=TIKTOK.max_size_bytes // MIB)] = 500
    poll_interval_s: Annotated[float, Field(ge=10, le=_DAY_S)] = 10
    publish_timeout_s: Annotated[float, Field(gt=0, le=_DAY_S)] = 1800
    link_timeout_s: Annotated[float, Field(ge=0, le=_DAY_S)] = 60
    max_publications: Annotated[int, Field(ge=1, le=100)] = 5
    unknown_after_h: Annotated[float, Field(gt=0, le=24 * 366)] = 72
    retention_days: Annotated[float, Field(ge=1, le=10 * 366)] = 30
    approval_timeout_h: Annotated[float, Field(gt=0, le=APPROVAL_TIMEOUT_MAX_H)] = 24
    metrics_days: Annotated[float, Field(ge=1, le=10 * 366)] = 90
    watch_interval_s: Annotated[float, Field(gt=0, le=_DAY_S)] = 5
    public_url: str = ""
    public_url_lifetime_s: Annotated[float, Field(ge=3600, le=7 * _DAY_S)] = 7200
    verified_storage_url: str = ""
    sqs_queue_url: str = ""
    api_url: str = "http://127.0.0.1:8000"
    api_key: SecretStr = SecretStr("")
    alert_notifier: Annotated[str, Field(repr=False)] = ""  # may hold an address that is a secret
    airflow_token: SecretStr = SecretStr("")
    airflow_plain_http: bool = False

    @field_validator("storage_url")
    @classmethod
    def _check_storage_url(cls, value: str) -> str:
        """Let what is wrong with it be told without the secret that it may hold."""
        if value:
            parse_storage_url(value)
        return value

    @field_validator("alert_notifier")
    @classmethod
    def _check_alert_notifier(cls, value: str) -> str:
        """Let what is wrong with it be told without the secret that it may hold."""
        if value:
            _parsed_notifier(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        """Take what TikTok fetches from: https, without anything that belongs to one request."""
        if value and not _PUBLIC_URL.fullmatch(value):
            raise ValueError("give an https address such as https://reelflow.example.com")
        return value.rstrip("/")

    @field_validator("verified_storage_url")
    @classmethod
    def _check_verified_url(cls, value: str) -> str:
        """Take an address that one prefix can be verified for, up to a slash."""
        if value and not (_PUBLIC_URL.fullmatch(value) and value.endswith("/")):
            raise ValueError("give an https address with a slash at its end, as it was verified")
        return value

    @field_validator("sqs_queue_url")
    @classmethod
    def _check_queue_url(cls, value: str) -> str:
        """Take the address of a queue; http for one that stands in for Amazon's."""
        if value and not _QUEUE_URL.fullmatch(value):
            raise ValueError(
                "give the URL of a queue, as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"
            )
        return value

    @classmethod
    def load(cls) -> Settings:
        """Read the environment; what it said before is not worked out again, forks included.

        :raises ConfigurationError: naming each setting that is wrong, and its value
        """
        ours = (one for one in os.environ.items() if one[0].upper().startswith("REELFLOW_"))
        return _load(frozenset(ours))

    @property
    def data_folder(self) -> Path:
        """The data folder as an absolute path."""
        return self.home.expanduser().absolute()

    @property
    def storage_location(self) -> S3Location | None:
        """Where in S3 media lie; None for the data folder."""
        return parse_storage_url(self.storage_url) if self.storage_url else None

    @property
    def parsed_alert_notifier(self) -> dict[str, Any]:
        """Class and arguments of the notifier that alerts go to."""
        return _parsed_notifier(self.alert_notifier)

    @property
    def ledger_url(self) -> str:
        """The ledger's database URL."""
        return self.database_url or f"sqlite:///{self.data_folder / 'reelflow.db'}"

    @property
    def rules(self) -> PublishingRules:
        """The rules of publishing."""
        return PublishingRules(
            inbox_quiet=timedelta(seconds=self.inbox_quiet_s),
            batch_size=self.batch_size,
            max_lateness=timedelta(hours=self.max_lateness_h),
            max_publications=self.max_publications,
            house=replace(INTAKE, max_size_bytes=self.max_video_size_mib * MIB),
            unknown_after=timedelta(hours=self.unknown_after_h),
            retention=timedelta(days=self.retention_days),
            approval_timeout=timedelta(hours=self.approval_timeout_h),
            metrics_for=timedelta(days=self.metrics_days),
            public_url=self.public_url,
            public_url_lifetime=timedelta(seconds=self.public_url_lifetime_s),
            verified_storage_url=self.verified_storage_url,
            budgets=self.budgets,
            breaker=self.breaker,
        )

    def open_workspace(
        self,
        open_store: Callable[[], MediaStore] | None = None,
        *,
        keeps_connections: bool = False,
    ) -> Workspace:
        """Open the ledger for one process, and the folders when they are first needed.

        :param open_store: opens S3, where the settings name it; without one it is opened with the
            connection in this process's environment
        :param keeps_connections: for whoever asks often: it does not connect for each question anew
        :raises ConfigurationError: key or database URL are missing or malformed
        :raises LedgerNotMigratedError: the ledger needs ``reelflow db upgrade``
        """
        cipher = Cipher(self.fernet_key.get_secret_value())
        ledger = Ledger(_engine(self.ledger_url, keeps_connections=keeps_connections), cipher)
        check_revision(ledger.engine)
        location = self.storage_location
        if location is not None:
            folders = Folders(open_store or partial(open_s3, location, os.environ))
        else:
            data_folder = open_data_folder(self.data_folder, durable=self.durable_chunks)
            folders = Folders(lambda: data_folder)
            folders.create()
        return Workspace(ledger=ledger, folders=folders, rules=self.rules)


def _parsed_notifier(value: str) -> dict[str, Any]:
    try:
        wanted = json.loads(value)
    except ValueError:
        wanted = None
    is_named = isinstance(wanted, dict) and isinstance(wanted.get("class"), str)
    if not (is_named and isinstance(wanted.get("kwargs", {}), dict)):
        raise ConfigurationError(
            'REELFLOW_ALERT_NOTIFIER cannot be read: give JSON such as {"class": "airflow.providers'
            '.smtp.notifications.smtp.SmtpNotifier", "kwargs": {"to": "ops@example.com"}}',
            code="settings",
        )
    return cast("dict[str, Any]", wanted)


@lru_cache(maxsize=8)
def _load(_environment: frozenset[tuple[str, str]]) -> Settings:
    """Read the environment, which is as it is said to be."""
    try:
        return Settings()
    except ValidationError as exc:
        wrong = "; ".join(
            f"REELFLOW_{str(error['loc'][0]).upper()} is {error['input']!r}: {error['msg']}"
            for error in exc.errors(include_url=False)
        )
        raise ConfigurationError(f"settings are wrong: {wrong}", code="settings") from None


@lru_cache(maxsize=8)
def _engine(ledger_url: str, *, keeps_connections: bool) -> Engine:
    """Return one engine a database and process.

    What it learned of the database and the statements it compiled are kept, across forks too.
    """
    return open_engine(ledger_url, keeps_connections=keeps_connections)
