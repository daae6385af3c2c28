"""The files of a post: one video, or images in their order."""

from collections.abc import Callable

from reelflow.ledger import photo_images
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.workspace import Workspace
from tests.photo_files import image, make_photo_post

MakePost = Callable[..., Post]


def test_a_video_is_its_only_file_and_its_cover(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    with workspace.ledger.read() as session:
        assert [media.id for media in photo_images.media_of(session, post)] == [post.media_id]
        assert photo_images.cover_of(session, post).id == post.media_id
        assert photo_images.of_posts(session, [post]) == {}
    assert photo_images.name_of(post) == "clip.mp4"


def test_images_come_in_their_order_and_the_wished_one_is_the_cover(
    workspace: Workspace, account: Account
) -> None:
    contents = [image(shade=shade) for shade in range(11)]
    post = make_photo_post(workspace, account, images=contents, photo_cover_index=10)
    with workspace.ledger.read() as session:
        names = [media.file_name for media in photo_images.media_of(session, post)]
        assert names == [f"trip/{number}.jpg" for number in range(1, 12)]
        assert photo_images.cover_of(session, post).file_name == "trip/11.jpg"
        ids = [media.id for media in photo_images.of_posts(session, [post])[post.id]]
        assert ids == [media.id for media in photo_images.media_of(session, post)]
    assert photo_images.name_of(post) == "trip"


def test_every_post_on_a_file_is_found_whichever_way_it_uses_it(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    photos = make_photo_post(workspace, account)
    other = make_photo_post(workspace, account, images=[image(shade=9)])
    video = make_post(account)
    with workspace.ledger.write() as session:
        second = photo_images.media_of(session, photos)[1].id
        photo_images.add(session, video.id, [second])
    with workspace.ledger.read() as session:
        assert photo_images.states_with(session, second) == {photos.id: "READY", video.id: "READY"}
        assert list(photo_images.states_with(session, other.media_id)) == [other.id]


def test_a_post_waits_in_the_inbox_until_its_last_image_left_it(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    photos, video = make_photo_post(workspace, account), make_post(account)
    make_post(account)
    with workspace.ledger.write() as session:
        second = photo_images.media_of(session, photos)[1]
        second.moved_at = None
        session.get_one(Media, video.media_id).moved_at = None
        session.flush()
        assert photo_images.posts_in_inbox(session) == [photos.id, video.id]
