"""upload_to_tiktok where TikTok must not be asked, as its client's host does not exist, or once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import SupportsIndex

import pytest

from reelflow.domain.analysis import AnalysisEngine, AnalysisPolicy
from reelflow.domain.post import DONE, PostState
from reelflow.exceptions import (
    LedgerNotMigratedError,
    MediaRejectedError,
    PostHeldError,
    PostNotFoundError,
    PostNotTakeableError,
    TikTokUnavailableError,
    TikTokUnreachableError,
    TransientError,
)
from reelflow.ledger.models import Account, Post, Verdict
from reelflow.services.publishing.publish import Uploaded, upload_to_tiktok
from reelflow.services.settling.settle import apply_status
from reelflow.services.workspace import Workspace
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import PublishStatus
from tests.data_folder import data_folder
from tests.factories import Clock, account_clients, change_account, read_post
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http, ok

MakePost = Callable[..., Post]
RUN, OWNER, OTHER = "run-1", "run-1/upload[0]", "run-2/upload[0]"


def upload(workspace: Workspace, post_id: int, *, host: str = "127.0.0.1:1") -> Uploaded:
    with TikTokClient(host=f"http://{host}") as client:
        return upload_to_tiktok(
            workspace,
            account_clients(workspace, client),
            post_id,
            run_id=RUN,
            owner=OWNER,
            limits=TikTokLimits(),
        )


@pytest.mark.parametrize("state", sorted(DONE | {PostState.PROCESSING}))
def test_a_post_that_tiktok_has_is_not_sent_again(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state)
    publication = make_publication(workspace, post)
    data_folder(workspace).path(post.media.source_path).unlink()  # as clean-up leaves it
    assert upload(workspace, post.id) == Uploaded(post.id, publication.publish_id or "", state)
    assert read_post(workspace, post.id).fencing_token == post.fencing_token


@pytest.mark.parametrize(
    "state",
    [
        PostState.HELD,
        PostState.CANCELLED,
        PostState.MISSED,
        PostState.FAILED,
        PostState.UNKNOWN,
    ],
)
def test_a_post_that_waits_for_a_person_is_left_alone(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state, fix="do this")
    with pytest.raises(PostNotTakeableError, match=f"is {state}: made by a test. do this"):
        upload(workspace, post.id)
    assert read_post(workspace, post.id).state is state


def test_a_post_that_a_person_must_let_go_first_is_held_and_tiktok_not_asked(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    change_account(workspace, account.id, approval_policy="required")
    waiting = make_post(account)
    with pytest.raises(PostHeldError, match="acme asks for every post"):
        upload(workspace, waiting.id)
    assert read_post(workspace, waiting.id).state is PostState.HELD
    approved = make_post(account, approved_at=workspace.ledger.now())
    with pytest.raises(TikTokUnreachableError):
        upload(workspace, approved.id)


def test_a_rejected_post_is_rejected_again(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.REJECTED)
    with pytest.raises(MediaRejectedError):
        upload(workspace, post.id)


@pytest.mark.parametrize("missing", ["validation", "hash"])
def test_a_post_that_was_not_validated_is_not_sent(
    workspace: Workspace, account: Account, make_post: MakePost, missing: str
) -> None:
    post = make_post(account, validated=missing == "hash", keyed=False)
    with pytest.raises(TransientError, match="was not validated"):
        upload(workspace, post.id)
    assert read_post(workspace, post.id).state is PostState.READY


NOT_ANALYSED = "was not analysed as acme wants it now"


def found(workspace: Workspace, post: Post, **values: object) -> None:
    """Write down a verdict of the embedded engine."""
    values = {"found_at": post.created_at, "started_at": post.created_at, **values}
    with workspace.ledger.write() as session:
        session.add(
            Verdict(
                media_id=post.media_id,
                engine=AnalysisEngine.PROVENANCE,
                model_type="provenance",
                **values,
            )
        )


@pytest.mark.parametrize("state", [PostState.READY, PostState.UPLOADING])
@pytest.mark.parametrize("policy", sorted(set(AnalysisPolicy) - {AnalysisPolicy.IGNORE}))
def test_a_post_whose_account_asked_for_analysis_since_it_was_validated_is_not_sent(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    policy: AnalysisPolicy,
    state: PostState,
) -> None:
    post = make_post(account, state=state)
    change_account(workspace, account.id, analysis_policy=policy)
    with pytest.raises(TransientError, match=NOT_ANALYSED):
        upload(workspace, post.id)
    assert read_post(workspace, post.id).state is state
    found(workspace, post, is_fake=None, verdict_id="v")
    with pytest.raises(TikTokUnreachableError):
        upload(workspace, post.id)


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [
        (AnalysisPolicy.LABEL, {"is_fake": True}),
        (AnalysisPolicy.HOLD, {"is_fake": True}),
        (AnalysisPolicy.REJECT, {"is_fake": True}),
        (AnalysisPolicy.LABEL, {"refused_because": "no face"}),
        (AnalysisPolicy.HOLD, {"found_at": None, "analysis_id": "an-1"}),
    ],
)
def test_a_post_with_something_against_it_is_not_sent(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    policy: AnalysisPolicy,
    verdict: dict[str, object],
) -> None:
    post = make_post(account)
    change_account(workspace, account.id, analysis_policy=policy)
    found(workspace, post, **verdict)
    with pytest.raises(TransientError, match=NOT_ANALYSED):
        upload(workspace, post.id)


@pytest.mark.parametrize(
    ("policy", "is_aigc", "verdict"),
    [
        (AnalysisPolicy.LABEL, True, {"is_fake": True}),
        (AnalysisPolicy.HOLD, False, {"is_fake": True, "approved_by": "mia"}),
        (AnalysisPolicy.REJECT, False, {"refused_because": "no face", "approved_by": "mia"}),
    ],
)
def test_a_labelled_or_approved_post_is_sent(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    policy: AnalysisPolicy,
    is_aigc: bool,
    verdict: dict[str, object],
) -> None:
    post = make_post(account, is_aigc=is_aigc)
    change_account(workspace, account.id, analysis_policy=policy)
    approved_at = post.created_at if "approved_by" in verdict else None
    found(workspace, post, approved_at=approved_at, **verdict)
    with pytest.raises(TikTokUnreachableError):
        upload(workspace, post.id)


def test_a_post_that_was_released_for_later_is_not_sent_by_a_run_that_had_taken_it(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, publish_at=clock() + timedelta(days=1))
    with pytest.raises(PostNotTakeableError, match=r"is wished for .* a run takes it then"):
        upload(workspace, post.id)
    assert read_post(workspace, post.id).state is PostState.READY
    clock.advance(timedelta(days=1, seconds=-30))  # the scheduler's clock says that it is due
    with pytest.raises(TikTokUnreachableError):
        upload(workspace, post.id)


def test_a_post_that_another_run_uploads_is_left_alone(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    until = clock() + timedelta(seconds=1)
    post = make_post(
        account, state=PostState.UPLOADING, lease_owner=OTHER, lease_until=until, fencing_token=4
    )
    with pytest.raises(PostNotTakeableError, match=r"uploaded by run-2/upload\[0\]"):
        upload(workspace, post.id)
    after = read_post(workspace, post.id)
    assert (after.lease_owner, after.lease_until, after.fencing_token) == (OTHER, until, 4)


def test_an_upload_that_ended_with_an_access_that_was_given_again_is_begun_anew(
    workspace: Workspace, account: Account, make_post: MakePost, server: ScriptedServer
) -> None:
    """Nothing is left for a person to do: the account was connected again already."""
    post = make_post(account)
    make_publication(workspace, post)
    server.answers = [ok({"status": "FAILED", "fail_reason": "auth_removed"}), http(503)]
    with pytest.raises(TikTokUnavailableError):
        upload(workspace, post.id, host=server.address)
    assert "creator_info" in server.received[1].line  # right before an init
    after = read_post(workspace, post.id)
    assert (after.state, after.reason_code) == (PostState.READY, "internal_error")


class AfterWebhook(list[bytes]):
    """Answers of a server; before the first one TikTok's webhook says that the post failed."""

    def __init__(self, answers: Iterable[bytes], webhook: Callable[[], object]) -> None:
        super().__init__(answers)
        self._webhook: Callable[[], object] | None = webhook

    def pop(self, index: SupportsIndex = -1) -> bytes:
        if self._webhook is not None:
            self._webhook()
            self._webhook = None
        return super().pop(index)


@pytest.mark.parametrize(
    ("fail_reason", "state"),
    [("internal", PostState.READY), ("spam_risk", PostState.FAILED)],
)
def test_an_upload_whose_post_a_webhook_has_settled_meanwhile_says_what_became_of_it(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    server: ScriptedServer,
    fail_reason: str,
    state: PostState,
) -> None:
    post = make_post(account, state=PostState.COMMITTING)
    publish_id = make_publication(workspace, post).publish_id or ""
    failed = PublishStatus("FAILED", fail_reason=fail_reason)
    server.answers = AfterWebhook(
        [ok({"status": "FAILED", "fail_reason": fail_reason})],
        lambda: apply_status(workspace, post.id, publish_id, failed, actor="webhook"),
    )
    with pytest.raises(PostNotTakeableError, match=f"is {state}: TikTok failed the post"):
        upload(workspace, post.id, host=server.address)
    after = read_post(workspace, post.id)
    assert (after.state, after.lease_until) == (state, None)


def test_the_lease_is_given_back_after_an_error(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    with pytest.raises(TikTokUnreachableError):
        upload(workspace, post.id)
    after = read_post(workspace, post.id)
    assert (after.lease_owner, after.lease_until) == (None, None)
    assert (after.state, after.claimed_by) == (PostState.READY, RUN)


def test_an_unknown_post_is_said_to_be_unknown(workspace: Workspace) -> None:
    with pytest.raises(PostNotFoundError, match="no post has id 77"):
        upload(workspace, 77)


def test_a_ledger_that_is_not_migrated_says_which_command_mends_it(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    with workspace.ledger.write() as session:
        session.connection().exec_driver_sql("ALTER TABLE posts RENAME TO posts_of_tomorrow")
    with pytest.raises(LedgerNotMigratedError, match="reelflow db upgrade"):
        upload(workspace, post.id)
