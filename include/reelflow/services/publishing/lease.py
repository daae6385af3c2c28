"""The lease of one upload: taken, kept alive by a heartbeat thread, given back."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Self

from reelflow.exceptions import LeaseLostError, PostNotTakeableError, ReelflowError
from reelflow.ledger import posts
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)


class UploadLease:
    """The right to send a post's bytes, for one process at a time.

    :param owner: who asks; a retry of the same task instance has the same owner and takes over
    :raises PostNotTakeableError: on entering, while somebody else holds the lease
    """

    def __init__(self, workspace: Workspace, post_id: int, *, owner: str) -> None:
        self._workspace = workspace
        self._post_id = post_id
        self._owner = owner
        self._stopping = threading.Event()
        self._lost = threading.Event()
        self._heartbeat = threading.Thread(target=self._beat, daemon=True, name="upload-lease")
        self.fencing_token = 0

    def __enter__(self) -> Self:
        ledger, rules = self._workspace.ledger, self._workspace.rules
        with ledger.write() as session:
            token = posts.take_lease(
                session, self._post_id, owner=self._owner, now=ledger.now(), lease=rules.lease
            )
            if token is None:
                holder = posts.get(session, self._post_id)
                raise PostNotTakeableError(
                    f"post {self._post_id} is being uploaded by {holder.lease_owner}: this run "
                    "leaves it alone"
                )
        self.fencing_token = token
        self._heartbeat.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._heartbeat.join()
        try:
            with self._workspace.ledger.write() as session:
                posts.release_lease(session, self._post_id, fencing_token=self.fencing_token)
        except ReelflowError as error:
            # What happened inside matters more; the lease lapses by itself.
            log.warning("the lease of post %s was not given back: %s", self._post_id, error)

    def check(self) -> None:
        """Raise once the lease is lost.

        :raises LeaseLostError: another process took the post over
        """
        if self._lost.is_set():
            raise LeaseLostError(
                f"post {self._post_id} was taken over by another process: this one stops sending"
            )

    def wait(self, pause_s: float) -> None:
        """Pause, but no longer than the lease lives.

        :raises LeaseLostError: another process took the post over meanwhile
        """
        self._lost.wait(pause_s)
        self.check()

    def _beat(self) -> None:
        """Renew the lease until the work is over; without a heartbeat it counts as lost."""
        try:
            self._renew_until_stopped()
        finally:
            self._lost.set()

    def _renew_until_stopped(self) -> None:
        ledger, lease = self._workspace.ledger, self._workspace.rules.lease
        alive_until = ledger.now() + lease
        while not self._stopping.wait(lease.total_seconds() / 4):
            now = ledger.now()
            try:
                with ledger.write() as session:
                    kept = posts.renew_lease(
                        session,
                        self._post_id,
                        fencing_token=self.fencing_token,
                        now=now,
                        lease=lease,
                    )
            except ReelflowError as error:
                log.warning("the lease of post %s was not renewed: %s", self._post_id, error)
                kept = now < alive_until
            else:
                alive_until = now + lease
            if not kept:
                return
