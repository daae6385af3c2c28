"""The tables of what TikTok counts of published posts, by day.

Importing them makes them known to :class:`~reelflow.ledger.models.Base`.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from reelflow.ledger.models import CODE_MAX_CHARS, Base


class PostMetrics(Base):
    """What TikTok counted of a post since it was published, as told on a day of UTC.

    The counts are totals: what a day added is its difference from the day before. One that TikTok
    did not tell is None.
    """

    __tablename__ = "post_metrics"

    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True, index=True)
    view_count: Mapped[int | None] = mapped_column(BigInteger)
    like_count: Mapped[int | None] = mapped_column(BigInteger)
    comment_count: Mapped[int | None] = mapped_column(BigInteger)
    share_count: Mapped[int | None] = mapped_column(BigInteger)
    collected_at: Mapped[datetime]


class MetricsTrouble(Base):
    """Why an account's metrics cannot be collected until a person acts, and which run told of it.

    It is there from then on until they are collected again.
    """

    __tablename__ = "metrics_troubles"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    code: Mapped[str] = mapped_column(String(CODE_MAX_CHARS))
    why: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime]
    told_by: Mapped[str] = mapped_column(String(512))
