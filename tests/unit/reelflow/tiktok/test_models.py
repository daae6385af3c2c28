from reelflow.tiktok.models import ChunkOutcome, InitAnswer, PullFromUrl


def test_an_opened_task_does_not_show_its_upload_url() -> None:
    opened = InitAnswer("v_pub_file~v2-1.7", "https://up.tiktokapis.com/upload?upload_token=secret")
    assert "secret" not in f"{opened} {opened!r}"
    assert "v_pub_file~v2-1.7" in repr(opened)


def test_a_pull_does_not_show_its_url_whose_query_may_be_a_signature() -> None:
    pull = PullFromUrl("https://media.example/clip.mp4?signature=secret")
    assert "secret" not in f"{pull} {pull!r}"


def test_each_outcome_of_a_chunk_is_its_documented_status() -> None:
    assert {outcome.value: outcome.name for outcome in ChunkOutcome} == {
        201: "COMPLETE",
        206: "STORED",
        403: "EXPIRED",
        404: "GONE",
        416: "MISMATCH",
    }
