"""Operators that prepare a post's media: validate, extract metadata, generate a thumbnail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reelflow_provider.operators.base import (
    PostOperator,
    actor_of,
    post_kept_or_skipped,
    run_id_of,
)

if TYPE_CHECKING:
    from airflow.sdk import Context


class ValidateMediaOperator(PostOperator):
    """Check a post's file by the rules of the house and of TikTok.

    A file that breaks a rule fails this task with every violation and its fix; the post is
    REJECTED and the file moves to the quarantine. The same bytes as another post skip it.

    :param post_id: the post in the ledger
    """

    def execute(self, context: Context) -> str:
        """Return the file's SHA-256."""
        from reelflow.services.intake.analyse import analyse, asks_for_analysis
        from reelflow.services.intake.engines import open_engines
        from reelflow.services.intake.prepare import validate
        from reelflow_provider.hooks.detection import detection_connection

        with post_kept_or_skipped(self, context):
            run_id, actor = run_id_of(context), actor_of(context)
            sha256 = validate(self.workspace, self.post_id, run_id=run_id, actor=actor)
            if asks_for_analysis(self.workspace, self.post_id):
                with open_engines(detection_connection()) as engines:
                    analyse(
                        self.workspace, self.post_id, engines=engines, run_id=run_id, actor=actor
                    )
            return sha256


class ExtractMetadataOperator(PostOperator):
    """Store what was measured of a post's file on its media row.

    :param post_id: the post in the ledger
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the stored values."""
        from reelflow.services.intake.prepare import extract_metadata

        with post_kept_or_skipped(self, context):
            return extract_metadata(self.workspace, self.post_id, run_id=run_id_of(context))


class GenerateThumbnailOperator(PostOperator):
    """Make the cover picture of a post's file.

    :param post_id: the post in the ledger
    """

    def execute(self, context: Context) -> str:
        """Return where the picture lies, relative to the data folder."""
        from reelflow.services.intake.prepare import generate_thumbnail

        with post_kept_or_skipped(self, context):
            return generate_thumbnail(
                self.workspace, self.post_id, run_id=run_id_of(context), actor=actor_of(context)
            )
