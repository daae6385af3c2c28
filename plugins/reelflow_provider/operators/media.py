"""Operators that prepare media: find, validate, extract metadata, make pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reelflow.exceptions import PostHeldError
from reelflow_provider.lineage import add_lineage
from reelflow_provider.operators.base import (
    BriefPostOperator,
    PostOperator,
    ReelflowOperator,
    actor_of,
    post_kept_or_skipped,
    run_id_of,
)

if TYPE_CHECKING:
    from airflow.sdk import Context


class FindUnpreparedMediaOperator(ReelflowOperator):
    """Find the posts whose media can be prepared ahead of time: not due yet, or held.

    Its result is what the mapped task group expands over: the posts' ids. The same run, cleared,
    gets the same posts again.
    """

    TASK_DOC = """\
**What.** Finds the posts that are due later, or held, and whose media nobody has looked at yet.

**Safe to clear.** The run gets the same posts again.

**When it is red.** The ledger cannot be read: the log says why. Nothing is late for it.
"""

    def execute(self, context: Context) -> list[int]:
        """Return the posts."""
        from reelflow.services.intake.ahead import find_unprepared_media

        found = find_unprepared_media(self.workspace, run_id=run_id_of(context))
        for post in found:
            self.log.info("post %s: %s", post.post_id, post.file_name)
        return [post.post_id for post in found]


class MeasureUploadsOperator(ReelflowOperator):
    """Look into uploaded files that no post publishes yet: what they are, and a picture of each.

    Nothing is decided: the post that a file is given to validates it as any other. A file that
    was looked into is left alone, so it is safe to clear.
    """

    TASK_DOC = """\
**What.** Looks into uploaded files that no post publishes yet: what they are, and a picture of
each.

**Safe to clear.** A file that was looked into is left alone.

**When it is red.** The ledger or the store cannot be read: the log says why. No post waits for
it.
"""

    def execute(self, context: Context) -> int:
        """Return how many files were looked into."""
        from reelflow.services.intake.lone_media import measure_lone_media, waiting_lone_media

        waiting = waiting_lone_media(self.workspace)
        measured = [one for one in waiting if measure_lone_media(self.workspace, one)]
        self.log.info("looked into %d of %d files without a post", len(measured), len(waiting))
        return len(measured)


class MediaOperator(PostOperator):
    """Base of the operators that prepare a post's media.

    :param post_id: the post in the ledger
    :param ahead: whether this is done before a run publishes the post: without a claim on it, and
        of what is not due or held only
    """

    def __init__(self, *, post_id: int, ahead: bool = False, **kwargs: Any) -> None:
        super().__init__(post_id=post_id, **kwargs)
        self.ahead = ahead

    def claimant(self, context: Context) -> str | None:
        """Return the run for which the post is claimed; None ahead of time."""
        return None if self.ahead else run_id_of(context)


class ValidateMediaOperator(MediaOperator):
    """Check a post's file by the rules of the house and of TikTok.

    A file that breaks a rule fails this task with every violation and its fix; the post is
    REJECTED and the file moves to the quarantine. Ahead of time, a post that is HELD stays so. The
    same bytes as another post skip it.

    :param post_id: the post in the ledger
    :param ahead: as of :class:`MediaOperator`
    """

    TASK_DOC = """\
**What.** Checks one post's file: type, container, codec, size, duration, the same bytes posted
before; analyses it where its account asks for that. TikTok has not seen anything yet.

**Safe to clear.** A file that passed is not read again.

**When it is red.** The file breaks a rule: the error names each, and the fix. The post is
REJECTED, its file lies in the quarantine. Mend the file and put it into the inbox again; if the
rule was wrong, `reelflow quarantine release ID`. Yellow: a library, disk or store failed, it
tries again.

**When it is skipped.** The post is held, cancelled, too late, or its bytes are another post's.
"""

    def execute(self, context: Context) -> str:
        """Return the file's SHA-256."""
        from reelflow.services.intake.prepare import validate

        with post_kept_or_skipped(self, context):
            run_id, actor = self.claimant(context), actor_of(context)
            sha256 = validate(self.workspace, self.post_id, run_id=run_id, actor=actor)
            try:
                self._analyse(context)
            except PostHeldError as exc:
                if not self.ahead:
                    raise
                self.log.info("%s; its pictures are made for whoever approves it", exc)
            add_lineage(self, inputs=lambda files: files.inbox, outputs=lambda files: files.sources)
            return sha256

    def _analyse(self, context: Context) -> None:
        from reelflow.domain.analysis import AnalysisEngine
        from reelflow.services.intake.analyse import analyse, engine_asked
        from reelflow.services.intake.engines import open_engines
        from reelflow_provider.hooks.detection import detection_connection

        asked = engine_asked(self.workspace, self.post_id)
        if asked is None:
            return
        # One that is set up wrongly stops nobody who does not ask it.
        connection = detection_connection() if asked is AnalysisEngine.HTTP else None
        run_id, actor = self.claimant(context), actor_of(context)
        with open_engines(connection) as engines:
            analyse(self.workspace, self.post_id, engines=engines, run_id=run_id, actor=actor)


class ExtractMetadataOperator(BriefPostOperator, MediaOperator):
    """Store what was measured of a post's file on its media row.

    :param post_id: the post in the ledger
    :param ahead: as of :class:`MediaOperator`
    """

    TASK_DOC = """\
**What.** Writes down what was measured of one post's file: container, codec, size, duration.

**Safe to clear.** What is written down stays as it is.

**When it is red.** The post was rejected by `validate`, which says why, or the ledger cannot be
written: the log says what to do.
"""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the stored values."""
        from reelflow.services.intake.prepare import extract_metadata

        with post_kept_or_skipped(self, context):
            return extract_metadata(self.workspace, self.post_id, run_id=self.claimant(context))


class GenerateThumbnailOperator(BriefPostOperator, MediaOperator):
    """Make the cover picture of a post's file; ahead of time also those to choose it from.

    :param post_id: the post in the ledger
    :param ahead: as of :class:`MediaOperator`
    """

    TASK_DOC = """\
**What.** Makes the cover picture of one post; ahead of time also those to choose another one
from. The button "Thumbnail" shows it.

**Safe to clear.** A picture that is there is not made again.

**When it is red.** No picture can be made of the file, which is then rejected with the fix, or
the store cannot be written: the log says what to do.
"""

    def execute(self, context: Context) -> str:
        """Return where the cover lies, relative to the data folder."""
        from reelflow.services.intake.prepare import generate_thumbnail

        with post_kept_or_skipped(self, context):
            run_id, actor = self.claimant(context), actor_of(context)
            made = generate_thumbnail(self.workspace, self.post_id, run_id=run_id, actor=actor)
        add_lineage(self, inputs=lambda files: files.sources, outputs=lambda files: files.thumbnail)
        return made
