"""What users may upload in a day: reserved when an upload begins, taken when it is whole.

Everything happens in the caller's transaction, with the row of that user's day locked: of two
uploads that begin at once, the second sees what the first has reserved. A day is one of UTC; what
was reserved on a day is taken and given back on that day, also after its midnight.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy.orm import Session

from reelflow.exceptions import QuotaExceededError
from reelflow.ledger import quotas
from reelflow.ledger.intake_models import QuotaUse


@dataclass(frozen=True)
class QuotaLeft:
    """What a user has of a day.

    :param uploads: how many may still be begun; None without a limit
    :param size_bytes: how many bytes they may have together; None without a limit
    :param used_uploads: those that are whole
    :param used_bytes: bytes of those
    :param reserved_uploads: those that go on
    :param reserved_bytes: bytes of those
    :param reset_at: when the next day begins
    """

    uploads: int | None
    size_bytes: int | None
    used_uploads: int
    used_bytes: int
    reserved_uploads: int
    reserved_bytes: int
    reset_at: datetime


def reserve(
    session: Session, user_id: str, *, uploads: int, size_bytes: int, now: datetime
) -> date:
    """Reserve room for uploads that begin.

    :return: the day that it was reserved of, for :func:`take` and :func:`give_back`
    :raises QuotaExceededError: there is not so much left; nothing was reserved
    """
    day = now.astimezone(UTC).date()
    limits = quotas.limits_of(session, user_id)
    use = quotas.lock_use(session, user_id, day)
    if limits is not None:
        _check("uploads", limits.uploads_per_day, use.uploads + use.reserved_uploads, uploads, now)
        _check("bytes", limits.bytes_per_day, use.bytes + use.reserved_bytes, size_bytes, now)
    use.reserved_uploads += uploads
    use.reserved_bytes += size_bytes
    session.flush()
    return day


def resize(
    session: Session,
    user_id: str,
    day: date,
    *,
    reserved_bytes: int,
    size_bytes: int,
    now: datetime,
) -> None:
    """Let an upload that goes on reserve the size that it turned out to have.

    :param reserved_bytes: what it has reserved before; so much was granted
    :raises QuotaExceededError: there is not so much left; nothing was changed
    """
    limits = quotas.limits_of(session, user_id)
    use = quotas.lock_use(session, user_id, day)
    others_bytes = max(0, use.reserved_bytes - reserved_bytes)
    if limits is not None and size_bytes > reserved_bytes:
        _check("bytes", limits.bytes_per_day, use.bytes + others_bytes, size_bytes, now)
    use.reserved_bytes = others_bytes + size_bytes
    session.flush()


def take(
    session: Session,
    user_id: str,
    day: date,
    *,
    uploads: int,
    reserved_bytes: int,
    taken_bytes: int,
) -> None:
    """Turn a reservation into use.

    :param reserved_bytes: what was reserved
    :param taken_bytes: what the uploads really have
    """
    use = give_back(session, user_id, day, uploads=uploads, size_bytes=reserved_bytes)
    use.uploads += uploads
    use.bytes += taken_bytes
    session.flush()


def give_back(
    session: Session, user_id: str, day: date, *, uploads: int, size_bytes: int
) -> QuotaUse:
    """Give back what was reserved for uploads that failed, were cancelled or expired.

    :return: the row of that day, held until the transaction ends
    """
    use = quotas.lock_use(session, user_id, day)
    use.reserved_uploads = max(0, use.reserved_uploads - uploads)
    use.reserved_bytes = max(0, use.reserved_bytes - size_bytes)
    session.flush()
    return use


def left(session: Session, user_id: str, now: datetime) -> QuotaLeft:
    """Return what a user has of today; locks nothing."""
    limits = quotas.limits_of(session, user_id)
    use = quotas.use_of(session, user_id, now.astimezone(UTC).date())
    used_uploads, used_bytes, reserved_uploads, reserved_bytes = (
        (use.uploads, use.bytes, use.reserved_uploads, use.reserved_bytes) if use else (0, 0, 0, 0)
    )
    uploads_per_day, bytes_per_day = (
        (limits.uploads_per_day, limits.bytes_per_day) if limits else (None, None)
    )
    return QuotaLeft(
        uploads=_left(uploads_per_day, used_uploads + reserved_uploads),
        size_bytes=_left(bytes_per_day, used_bytes + reserved_bytes),
        used_uploads=used_uploads,
        used_bytes=used_bytes,
        reserved_uploads=reserved_uploads,
        reserved_bytes=reserved_bytes,
        reset_at=_reset_at(now),
    )


def _left(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(0, limit - used)


def _check(what: str, limit: int | None, used: int, wanted: int, now: datetime) -> None:
    if limit is None or used + wanted <= limit:
        return
    reset_at = _reset_at(now)
    raise QuotaExceededError(
        f"of {limit} {what} a day {used} are used or reserved, so that {wanted} more are too many: "
        f"wait until {reset_at:%Y-%m-%d %H:%M} UTC, end uploads that are not needed, or ask an "
        "admin for more",
        retry_after_s=(reset_at - now).total_seconds(),
        what=what,
        limit=limit,
        used=used,
        wanted=wanted,
        reset_at=reset_at.isoformat(),
    )


def _reset_at(now: datetime) -> datetime:
    """Return the next midnight of UTC."""
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), UTC)
