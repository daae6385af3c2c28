"""``reelflow submit`` in this process, against a small server that is real."""

import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from reelflow.cli.screen import console
from reelflow.cli.submit_errand import Errand
from reelflow.cli.submit_wishes import wishes_of
from reelflow.client.retries import Patience
from tests import media_files, photo_files
from tests.scripted_intake import KEY, Call, Reply, ScriptedIntake, refusal
from tests.unit.reelflow.cli.conftest import Run
from tests.unit.reelflow.cli.test_submit_foreground import press_ctrl_c

OPTIONS = ("--account", "acme", "--caption", "Hi", "--privacy", "self_only")


@pytest.fixture
def server() -> Iterator[ScriptedIntake]:
    with ScriptedIntake() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a video, three photos, and a text that is called a video."""
    folder = tmp_path / "mine"
    (folder / "trail").mkdir(parents=True)
    shutil.copyfile(media_files.h264_mp4(), folder / "clip.mp4")
    shutil.copyfile(media_files.text_mp4(), folder / "text.mp4")
    for shade, name in enumerate(("1.jpg", "2.jpg", "10.jpg")):
        (folder / "trail" / name).write_bytes(photo_files.image(shade=shade))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def submit(
    bare_run: Run,
    folder: Path,
    server: ScriptedIntake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Result]:
    monkeypatch.setenv("REELFLOW_API_URL", server.url)
    monkeypatch.setenv("REELFLOW_API_KEY", KEY)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*words: object) -> Result:
        result = bare_run("submit", *words)
        assert KEY not in result.output
        return result

    return run


def submit_impatiently(server: ScriptedIntake, *names: str) -> int:
    """Submit files as somebody does who waits for no server; return the exit code."""
    errand = Errand(
        url=f"{server.url}/reelflow/api/v1",
        api_key=KEY,
        patience=Patience(0.01, 0.02, 0.1),
        screen=console(sys.stderr),
    )
    values = {"caption": "Hi", "privacy_level": "SELF_ONLY"}
    wishes = wishes_of([Path(name) for name in names], "acme", values)
    return errand.run(wishes, [], watch=False)


def test_a_video_is_submitted_and_its_post_told(
    server: ScriptedIntake, submit: Callable[..., Result], folder: Path
) -> None:
    result = submit("clip.mp4", *OPTIONS, "--at", "2026-12-24T18:00:00+01:00")
    assert result.exit_code == 0
    assert result.stdout == "Post 1 (clip.mp4) is READY, due 2026-11-22 18:00 UTC\n"
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == [
        "checking 1 file",
        "clip.mp4",
    ]
    assert server.uploads["up1"].content == (folder / "clip.mp4").read_bytes()
    wish = {
        "account": "acme",
        "caption": "Hi",
        "privacy_level": "SELF_ONLY",
        "publish_at": "2026-12-24T17:00:00Z",
    }
    (ended,) = server.calls_to("POST", "/finalize")
    assert ended.json == {"post": wish}
    assert server.uploads["up1"].asked["post"] == wish
    assert server.uploads["up1"].asked["content_type"] == "video/mp4"


def test_the_same_again_sends_nothing_and_says_so(
    server: ScriptedIntake, submit: Callable[..., Result]
) -> None:
    submit("clip.mp4", *OPTIONS)
    again = submit("clip.mp4", *OPTIONS)
    assert again.exit_code == 0
    assert "It was there already, and nothing was sent; " in again.stdout
    assert "add --repost" in again.stdout
    assert len(server.uploads) == 1
    assert "Post 2" in submit("clip.mp4", *OPTIONS, "--repost").stdout
    assert "Post 2" in submit("clip.mp4", *OPTIONS, "--repost").stdout
    assert len(server.posts) == 2


def test_several_are_told_as_a_table(server: ScriptedIntake, submit: Callable[..., Result]) -> None:
    submit("clip.mp4", *OPTIONS)
    result = submit("trail", "clip.mp4", *OPTIONS)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["2", "trail", "acme", "READY", "due", "2026-11-22", "18:00", "UTC"] in lines
    assert (next(line for line in lines if "clip.mp4" in line)[:8]) == [
        "1",
        "clip.mp4",
        "acme",
        "READY",
        "there",
        "already;",
        "due",
        "2026-11-22",
    ]
    assert "1 submitted, 1 there already." in result.stdout
    assert "1/2 trail: " in result.stderr


def test_nothing_is_sent_when_one_of_them_breaks_a_rule(
    server: ScriptedIntake, submit: Callable[..., Result]
) -> None:
    result = submit("clip.mp4", "text.mp4", "trail", *OPTIONS)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "1 of 3 posts cannot go, so nothing was sent:\ntext.mp4\n" in result.stderr
    assert "  type: text content (allowed: .mp4 .mov .webm)\n    fix: give" in result.stderr
    assert server.calls == []


def test_photos_are_checked_together_too(
    server: ScriptedIntake, submit: Callable[..., Result], folder: Path
) -> None:
    (folder / "trail" / "3.jpg").write_bytes(photo_files.image("PNG"))
    for number in range(100, 140):
        (folder / "trail" / f"{number}.jpg").write_bytes(photo_files.image(shade=number))
    result = submit("trail", *OPTIONS)
    assert result.exit_code == 1
    assert "extension: 3.jpg: .jpg (allowed: .png" in result.stderr
    assert "photo_count: 44 images" in result.stderr
    assert server.calls == []


def test_a_cover_behind_the_end_is_found_before_a_byte_is_sent(
    server: ScriptedIntake, submit: Callable[..., Result], folder: Path
) -> None:
    (folder / "posts.csv").write_text(
        "file,account,privacy_level,cover_timestamp_ms,cover_index\n"
        "clip.mp4,acme,SELF_ONLY,9000,\n"
        "trail,acme,SELF_ONLY,,3\n"
    )
    result = submit("--from", "posts.csv")
    assert result.exit_code == 1
    assert "row 2, clip.mp4\n  cover: 9000 ms (allowed: at most" in result.stderr
    assert "row 3, trail\n  cover: cover_index 3 (allowed: 0 to 2" in result.stderr
    assert server.calls == []


def test_the_same_content_twice_in_a_table_is_a_question(
    server: ScriptedIntake, submit: Callable[..., Result], folder: Path
) -> None:
    shutil.copyfile(folder / "clip.mp4", folder / "copy.mp4")
    rows = ["file,account,privacy_level,repost", "clip.mp4,acme,SELF_ONLY,"]
    (folder / "posts.csv").write_text("\n".join([*rows, "copy.mp4,acme,SELF_ONLY,"]))
    result = submit("--from", "posts.csv")
    assert result.exit_code == 1
    assert "row 3: copy.mp4 is the same content for acme as row 2: " in result.stderr
    server.accounts.add("other")
    (folder / "posts.csv").write_text(
        "\n".join([*rows, "copy.mp4,acme,SELF_ONLY,true", "copy.mp4,other,SELF_ONLY,"])
    )
    assert "3 submitted." in submit("--from", "posts.csv").stdout
    assert "3 there already." in submit("--from", "posts.csv").stdout


def test_every_account_must_be_known_before_a_byte_is_sent(
    server: ScriptedIntake, submit: Callable[..., Result], folder: Path
) -> None:
    (folder / "posts.csv").write_text(
        "file,account,privacy_level\nclip.mp4,acme,SELF_ONLY\nclip.mp4,nobody,SELF_ONLY\n"
    )
    result = submit("--from", "posts.csv")
    assert result.exit_code == 1
    assert "row 3, clip.mp4: there is no account 'nobody'" in result.stderr
    assert server.uploads == {}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "give a file, a folder, or a table by --from"),
        (("clip.mp4",), "--account"),
        (("clip.mp4", "--account", "acme", "--privacy", "SELF_ONLY"), "--caption"),
        (("clip.mp4", *OPTIONS[:4]), "--privacy"),
        (("clip.mp4", *OPTIONS, "--at", "soon"), "--at"),
        (("--from", "posts.csv", "clip.mp4"), "FILE cannot be given beside a table"),
        (
            ("--from", "posts.csv", *OPTIONS, "--repost"),
            "--account, --caption, --privacy, --repost",
        ),
    ],
)
def test_options_that_do_not_fit_are_told(
    submit: Callable[..., Result], words: tuple[str, ...], told: str
) -> None:
    result = submit(*words)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize("words", [("none.mp4",), ("trail/1.jpg", "trail/2.jpg")])
def test_what_cannot_be_posted_is_one_sentence(
    server: ScriptedIntake, submit: Callable[..., Result], words: tuple[str, ...]
) -> None:
    result = submit(*words, *OPTIONS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert server.calls == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("REELFLOW_API_KEY", "", "REELFLOW_API_KEY is not set"),
        ("REELFLOW_API_KEY", "another", "does not accept the API key"),
        ("REELFLOW_API_URL", "http://127.0.0.1:9", "127.0.0.1:9 does not answer"),
        ("REELFLOW_API_URL", "http://example.com", "unencrypted"),
    ],
)
def test_a_server_that_cannot_be_used_is_one_sentence_at_once(
    submit: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    told: str,
) -> None:
    monkeypatch.setenv(name, value)
    result = submit("clip.mp4", *OPTIONS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr.splitlines()[-1]


HOSTILE = [
    Reply(200, body=b"<html>"),
    Reply(200, body=b"[" * 200_000),
    Reply(200, body=b" " * 5_000_000),
    Reply(200, {"posts": "none"}),
    Reply(200, {"posts": [7]}),
    Reply(200, {"posts": [{"post_id": "1"}]}),
    Reply(302, headers={"Location": "http://127.0.0.1:9/"}),
    Reply(418, body=b"\x1b[2J"),
    Reply(404, {"reason": "not_found", "message": "\x1b[2J" + "x" * 100_000}),
]


def check_is_a_sentence(printed: str) -> None:
    assert "\x1b" not in printed
    assert max(len(line) for line in printed.splitlines()) < 900


@pytest.mark.parametrize("reply", HOSTILE)
def test_a_hostile_answer_ends_in_a_sentence(
    server: ScriptedIntake, submit: Callable[..., Result], reply: Reply
) -> None:
    server.fault = lambda _: reply
    result = submit("clip.mp4", *OPTIONS)
    assert result.exit_code in (1, 2)
    assert isinstance(result.exception, SystemExit)
    check_is_a_sentence(result.output)


@pytest.mark.parametrize("reply", HOSTILE)
@pytest.mark.usefixtures("submit")
def test_a_hostile_answer_in_the_middle_ends_in_a_sentence(
    server: ScriptedIntake, reply: Reply, capsys: pytest.CaptureFixture[str]
) -> None:
    server.fault = lambda call: reply if call.method == "POST" else None
    assert submit_impatiently(server, "clip.mp4") in (1, 2)
    printed = capsys.readouterr()
    check_is_a_sentence(printed.out + printed.err)


def test_a_server_that_is_gone_in_the_middle_is_told_with_what_is_done_and_how_to_go_on(
    server: ScriptedIntake, submit: Callable[..., Result], capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(call: Call) -> Reply | None:
        return Reply(cut=True) if len(server.posts) == 1 else None

    server.fault = fault
    assert submit_impatiently(server, "clip.mp4", "trail") == 2
    printed = capsys.readouterr()
    assert "Post 1 (clip.mp4) is READY" in printed.out
    assert "Trying again in 0 s." in printed.err
    assert "1 of 2 submitted. Run the same command again within an hour" in printed.err
    server.fault = lambda _: None
    assert "1 submitted, 1 there already." in submit("clip.mp4", "trail", *OPTIONS).stdout


def test_a_post_that_is_refused_stops_no_other(
    server: ScriptedIntake, submit: Callable[..., Result]
) -> None:
    def fault(call: Call) -> Reply | None:
        is_video = call.path.endswith("/init") and call.json["media_type"] == "video"
        return refusal(409, "duplicate", "the same bytes are another's") if is_video else None

    server.fault = fault
    result = submit("clip.mp4", "trail", *OPTIONS)
    assert result.exit_code == 1
    assert "1 submitted, 1 refused." in result.stdout
    assert "the same bytes are another's" in result.stdout
    assert len(server.posts) == 1


@pytest.mark.parametrize("code", ["storage_full", "quota_exceeded"])
def test_what_stops_all_is_told_once(
    server: ScriptedIntake, submit: Callable[..., Result], code: str
) -> None:
    status = 507 if code == "storage_full" else 429
    server.fault = lambda call: refusal(status, code, "no room") if call.method == "POST" else None
    result = submit("clip.mp4", "trail", *OPTIONS)
    assert result.exit_code == 2
    assert result.stderr.count("no room") == 1
    assert len(server.calls_to("POST", "/init")) == 1


def test_ctrl_c_says_how_to_go_on(
    server: ScriptedIntake, submit: Callable[..., Result], folder: Path
) -> None:
    release = threading.Event()

    def fault(call: Call) -> None:
        if call.method == "PUT":
            press_ctrl_c()
            release.wait(30)

    server.fault = fault
    result = submit("clip.mp4", *OPTIONS)
    assert result.exit_code == 130
    told = "Interrupted. 0 of 1 submitted. Run the same command again within an hour"
    assert told in result.stderr
    server.fault = lambda _: None
    again = submit("clip.mp4", *OPTIONS)
    made = len(server.uploads), len(server.posts)
    release.set()  # only now, because what was interrupted lives on in a test's process
    assert (again.exit_code, made) == (0, (1, 1))


def test_ctrl_c_before_anything_is_sent_says_that(
    server: ScriptedIntake, submit: Callable[..., Result]
) -> None:
    release = threading.Event()

    def fault(_: Call) -> None:
        press_ctrl_c()
        release.wait(30)

    server.fault = fault
    result = submit("clip.mp4", *OPTIONS)
    server.fault = lambda _: None  # what was interrupted lives on, and may call once more
    release.set()
    assert result.exit_code == 130
    assert "Interrupted; nothing was sent.\n" in result.stderr


def test_a_post_that_waits_for_a_person_is_told_with_reason_and_fix(
    server: ScriptedIntake, submit: Callable[..., Result]
) -> None:
    submit("clip.mp4", *OPTIONS, "--repost")
    server.posts[1].update(state="HELD", reason="the creator is away", fix="ask them")
    result = submit("clip.mp4", *OPTIONS, "--repost", "--watch")
    assert result.exit_code == 3
    assert "Post 1 (clip.mp4) is HELD\n  why: the creator is away.\n  fix: ask them\n" in (
        result.stdout
    )


@pytest.mark.parametrize(("state", "code"), [("PUBLISHED", 0), ("FAILED", 1), ("UNKNOWN", 3)])
def test_what_ended_already_gives_the_exit_code_of_its_end(
    server: ScriptedIntake, submit: Callable[..., Result], state: str, code: int
) -> None:
    submit("clip.mp4", *OPTIONS)
    server.posts[1].update(state=state, tiktok={"url": "https://tiktok.example/1"})
    assert submit("clip.mp4", *OPTIONS, "--watch").exit_code == code
    assert submit("clip.mp4", *OPTIONS).exit_code == 0


def test_a_name_cannot_act_on_the_screen(
    server: ScriptedIntake, submit: Callable[..., Result], folder: Path
) -> None:
    name = "[red]\x1b[2J\nx.mp4"
    shutil.copyfile(media_files.h264_mp4(), folder / name)
    result = submit(name, *OPTIONS)
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert "[red]\N{REPLACEMENT CHARACTER}[2J" in result.stdout
    assert json.loads(server.calls_to("POST", "/init")[0].body)["file_name"] == name
