"""What every service works with: the ledger, the folders, and the rules of publishing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from reelflow.domain.budget import BudgetLimits
from reelflow.domain.media_policy import INTAKE, MediaPolicy
from reelflow.domain.outage import BreakerRules
from reelflow.ledger.ledger import Ledger
from reelflow.services.meter import NO_METER, Meter
from reelflow.services.uploads.recent import RecentSessions
from reelflow.storage.folders import Folders


@dataclass(frozen=True)
class PublishingRules:
    """How long things may take and how often they are tried.

    :param inbox_quiet: file and sidecar must have been left alone this long
    :param batch_size: most posts of one run; Airflow maps at most 1024
    :param max_lateness: a normal run posts nothing that was due longer ago
    :param missed_at_once: most posts that become MISSED in one transaction
    :param claim: how long a run is believed to work on a post after its last sign of life, which
        is written down once a third of this has passed since the one before
    :param lease: how long an upload is believed alive after its last heartbeat
    :param max_publications: most inits of one post before it FAILs with the fix
    :param first_retry: pause after a first failed upload; doubled after each further one
    :param longest_retry: longest such pause
    :param unreachable_retry: pause after TikTok could not be reached, which counts as no failure
    :param unknown_after: without any status for this long, a sent post is UNKNOWN
    :param refresh_claim: how long a process is believed to refresh an account's tokens
    :param refresh_patience: how long a task waits for the tokens that another process refreshes;
        its worker is wanted by other accounts
    :param public_url: https address under which the web application is reached from outside,
        without a slash at its end; empty where there is none, and then TikTok can fetch nothing
    :param public_url_lifetime: how long a URL works from which TikTok fetches a file; TikTok takes
        an hour at most (content-posting-api-media-transfer-guide, read 2026-09-11)
    :param verified_storage_url: what the URLs of objects in the bucket begin with, verified for the
        app; TikTok fetches from there instead of the web application, if it is set
    :param work_lifetime: a write that was begun longer ago and is not done belonged to a dead run
    :param retention: how long the files of posts stay that were rejected, failed or were cancelled
    :param approval_timeout: how long a question whether a post may go waits for a person
    :param metrics_for: how long after it was published a post's counts are asked for, once a day
    :param house: what a video must keep to be taken in, beside what TikTok asks for
    :param budgets: what one account may ask of TikTok
    :param breaker: when inits stop for all accounts, and when one may try again
    """

    inbox_quiet: timedelta = timedelta(seconds=10)
    batch_size: int = 100
    max_lateness: timedelta = timedelta(hours=24)
    missed_at_once: int = 200
    claim: timedelta = timedelta(minutes=15)
    lease: timedelta = timedelta(seconds=120)
    max_publications: int = 5
    first_retry: timedelta = timedelta(seconds=30)
    longest_retry: timedelta = timedelta(hours=1)
    unreachable_retry: timedelta = timedelta(minutes=5)
    unknown_after: timedelta = timedelta(hours=72)
    refresh_claim: timedelta = timedelta(minutes=3)
    refresh_patience: timedelta = timedelta(seconds=15)
    public_url: str = ""
    public_url_lifetime: timedelta = timedelta(hours=2)
    verified_storage_url: str = ""
    work_lifetime: timedelta = timedelta(hours=6)
    retention: timedelta = timedelta(days=30)
    approval_timeout: timedelta = timedelta(hours=24)
    metrics_for: timedelta = timedelta(days=90)
    house: MediaPolicy = INTAKE
    budgets: BudgetLimits = field(default_factory=BudgetLimits)
    breaker: BreakerRules = field(default_factory=BreakerRules)


@dataclass(frozen=True)
class Workspace:
    """Ledger, folders and rules, made once by the process's entry point.

    :param meter: where counts and times go
    :ivar recent_sessions: what this process remembers of its uploads
    """

    ledger: Ledger
    folders: Folders
    rules: PublishingRules
    meter: Meter = field(default=NO_METER, repr=False, compare=False)
    recent_sessions: RecentSessions = field(
        default_factory=RecentSessions, init=False, repr=False, compare=False
    )
