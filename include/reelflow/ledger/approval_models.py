"""The table of the questions whether posts may go, which wait for a person in Airflow.

Importing it makes it known to :class:`~reelflow.ledger.models.Base`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reelflow.ledger.models import Base


class ApprovalQuestion(Base):
    """One post of a run that asks about it; kept, so that a cleared run asks about the same posts.

    A post has at most one question that is open, which is without ``ended_at``. Others ask about
    it from ``again_at`` on, where a person set the question aside. Each is asked once, at
    ``asked_at``: Airflow shows what a task instance asked first, however often it asks.

    ``held_since`` and ``shown`` say of which stay in HELD, and of which wishes, it is the question;
    ``choices`` what could be chosen, and by what: findings of analyses, what the creator offers.
    ``complaint`` is what was wrong with its answer.
    """

    __tablename__ = "approval_questions"
    __table_args__ = (
        Index("uq_approval_questions_open", "post_id", unique=True,
              sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL")),
        Index("ix_approval_questions_post", "post_id", "taken_at"),
    )  # fmt: skip

    run_id: Mapped[str] = mapped_column(String(250), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"))
    taken_at: Mapped[datetime]
    asked_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    held_since: Mapped[datetime | None]
    shown: Mapped[str | None] = mapped_column(String(64))
    choices: Mapped[dict[str, Any] | None]
    complaint: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Text)
    again_at: Mapped[datetime | None]
