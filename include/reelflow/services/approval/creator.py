"""What a post's creator offers now, as an approver is to see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from reelflow.domain.post import Interaction, PostKind, PostMode, PrivacyLevel
from reelflow.ledger import approvals
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.offers import OpenClients, list_offers
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import CreatorInfo

#: So long an answer of TikTok's is shown with other questions about the same account: a run may
#: ask about a hundred of its posts at once, and publishing needs the same budget.
_FRESH: Final = timedelta(minutes=10)
#: Why a post cannot be approved for which there is no privacy level to choose.
NOTHING_OFFERED: Final = (
    "branded content cannot be private, and its creator offers nothing else now"
)


@dataclass(frozen=True)
class CreatorOffer:
    """What TikTok says of a creator; nothing of it where it could not be asked.

    :param privacy_levels: that may be chosen from
    :param off: interactions that the creator switched off
    :param trouble: why TikTok did not say, for people
    """

    username: str = ""
    privacy_levels: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    trouble: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "username": self.username,
            "privacy_levels": list(self.privacy_levels),
            "off": list(self.off),
        }


def offer_for(workspace: Workspace, post: Post, open_clients: OpenClients) -> CreatorOffer:
    """Return what a post's creator may post now.

    What TikTok said within minutes to another question about the account is not asked again. A
    draft is not asked for: its creator chooses in the app. Nor is what TikTok does not say now in
    the way of a decision: it is asked once more right before the post is sent.
    """
    if post.mode is PostMode.DRAFT:
        return CreatorOffer()
    known = _asked_lately(workspace, post.account)
    if known is not None:
        return known
    (offer,) = list_offers(workspace, open_clients, name=post.account.name)
    if offer.creator is None:
        return CreatorOffer(trouble=str(offer.trouble))
    return _of(offer.creator)


def levels_to_choose(post: Post, offer: CreatorOffer) -> list[str]:
    """Return the privacy levels that a post may get; of a draft none.

    Where TikTok did not say what is offered, all that there are.
    """
    if post.mode is PostMode.DRAFT:
        return []
    known = [level.value for level in PrivacyLevel]
    levels = [one for one in offer.privacy_levels if one in known] or known
    # content-sharing-guidelines: branded content cannot be private.
    return [one for one in levels if not post.brand_content_toggle or one != PrivacyLevel.SELF_ONLY]


def is_approvable(post: Post, offer: CreatorOffer) -> bool:
    """Whether a post has a privacy level to choose, or needs none."""
    return post.mode is PostMode.DRAFT or bool(levels_to_choose(post, offer))


def wanted_but_off(post: Post, offer: CreatorOffer) -> list[Interaction]:
    """Return what a post asks to allow by name, and its creator switched off."""
    wanted = [Interaction(name) for name in (post.wanted_interactions or "").split(",") if name]
    is_photo = post.kind is PostKind.PHOTO
    known = {Interaction.COMMENT} if is_photo else set(Interaction)
    return [one for one in wanted if one in offer.off and one in known]


def _of(creator: CreatorInfo) -> CreatorOffer:
    switches = {
        Interaction.COMMENT: creator.comment_disabled,
        Interaction.DUET: creator.duet_disabled,
        Interaction.STITCH: creator.stitch_disabled,
    }
    off = tuple(name.value for name, is_off in switches.items() if is_off)
    return CreatorOffer(creator.creator_username, tuple(creator.privacy_level_options), off)


def _asked_lately(workspace: Workspace, account: Account) -> CreatorOffer | None:
    asked_after = workspace.ledger.now() - _FRESH
    with workspace.ledger.read() as session:
        latest = approvals.latest_choices(session, account_id=account.id, asked_after=asked_after)
    choices: Mapping[str, Any] = (latest.choices if latest is not None else None) or {}
    creator = choices.get("creator")
    if not creator:
        return None
    return CreatorOffer(
        creator["username"], tuple(creator["privacy_levels"]), tuple(creator["off"])
    )
