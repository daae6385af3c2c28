"""Settings of how TikTok is called: patience, budgets, and when nothing new is begun there."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Final

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from reelflow.airflow_settings import AirflowSettings
from reelflow.domain.budget import BudgetLimits
from reelflow.domain.outage import BreakerRules
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.pkce import ChallengeEncoding

_DAY_S: Final = 24 * 3600


class TikTokSettings(AirflowSettings):
    """The settings of each process that calls TikTok.

    :param connect_timeout_s: longest wait for a connection to TikTok
    :param read_timeout_s: longest silence before the answer of a JSON call
    :param chunk_timeout_s: longest time to hand one chunk over
    :param chunk_stall_timeout_s: longest time without any progress while a chunk is sent
    :param chunk_answer_timeout_s: longest silence between a chunk's last byte and its answer
    :param chunk_attempts: how often the same chunk is sent
    :param chunk_retry_s: pause before a chunk is sent again, doubled after each further try
    :param init_per_minute: most inits of an account in a minute; this and the next four default to
        TikTok's documented limits, see :class:`~reelflow.domain.budget.BudgetLimits`
    :param creator_info_per_minute: most questions what an account may post, in a minute
    :param status_per_minute: most questions where an account's posts stand, in a minute
    :param posts_per_day: most direct posts of an account in 24 hours
    :param pending_drafts: most drafts of 24 hours that wait for their creator
    :param breaker_accounts: nothing new is begun once so many accounts have failed for a reason of
        TikTok's
    :param breaker_window_min: ... within so many minutes
    :param breaker_pause_s: pause before one post may try again; doubled after each that fails
    :param breaker_longest_pause_s: longest such pause
    :param pkce_encoding: how the app's consent page wants the PKCE challenge: TikTok's own hex, or
        base64url, which apps of the web type seem to take
    :param simulator_upload_hosts: hosts (``host:port``, comma-separated) beside TikTok's that may
        get bytes, without https: the simulator's
    """

    connect_timeout_s: Annotated[float, Field(gt=0, le=600)] = 10
    read_timeout_s: Annotated[float, Field(gt=0, le=600)] = 30
    chunk_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 900
    chunk_stall_timeout_s: Annotated[float, Field(gt=0, le=600)] = 60
    chunk_answer_timeout_s: Annotated[float, Field(gt=0, le=600)] = 120
    chunk_attempts: Annotated[int, Field(ge=1, le=20)] = 3
    chunk_retry_s: Annotated[float, Field(gt=0, le=600)] = 2
    init_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 6
    creator_info_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 20
    status_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 30
    posts_per_day: Annotated[int, Field(ge=1, le=10_000)] = 15
    pending_drafts: Annotated[int, Field(ge=1, le=10_000)] = 5
    breaker_accounts: Annotated[int, Field(ge=1, le=10_000)] = 3
    breaker_window_min: Annotated[float, Field(gt=0, le=24 * 60)] = 5
    breaker_pause_s: Annotated[float, Field(gt=0, le=_DAY_S)] = 120
    breaker_longest_pause_s: Annotated[float, Field(gt=0, le=_DAY_S)] = 1800
    pkce_encoding: ChallengeEncoding = "hex"
    simulator_upload_hosts: Annotated[frozenset[str], NoDecode] = frozenset()

    @field_validator("simulator_upload_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(host.strip() for host in value.split(",") if host.strip())
        return value

    @cached_property
    def tiktok_limits(self) -> TikTokLimits:
        """TikTok's limits and the client's patience."""
        return TikTokLimits(
            connect_timeout_s=self.connect_timeout_s,
            read_timeout_s=self.read_timeout_s,
            put_timeout_s=self.chunk_timeout_s,
            put_stall_timeout_s=self.chunk_stall_timeout_s,
            put_answer_timeout_s=self.chunk_answer_timeout_s,
            chunk_attempts=self.chunk_attempts,
            first_chunk_retry_s=self.chunk_retry_s,
        )

    @property
    def budgets(self) -> BudgetLimits:
        """How often each account may call."""
        return BudgetLimits(
            init_per_minute=self.init_per_minute,
            creator_info_per_minute=self.creator_info_per_minute,
            status_per_minute=self.status_per_minute,
            posts_per_day=self.posts_per_day,
            pending_drafts=self.pending_drafts,
        )

    @property
    def breaker(self) -> BreakerRules:
        """When nothing new is begun, and for how long."""
        return BreakerRules(
            accounts=self.breaker_accounts,
            within=timedelta(minutes=self.breaker_window_min),
            first_pause=timedelta(seconds=self.breaker_pause_s),
            longest_pause=timedelta(seconds=self.breaker_longest_pause_s),
        )
