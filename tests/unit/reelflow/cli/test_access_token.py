import io
from pathlib import Path

import pytest

from reelflow.cli.access_token import STDIN, read_access_token
from reelflow.exceptions import ConfigurationError

TOKEN = "act.very-secret-1234"


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A stdin that is a pipe with a token in it."""
    stream = io.StringIO(f"{TOKEN}\n")
    monkeypatch.setattr("sys.stdin", stream)
    return stream


def test_a_file_is_read_and_its_line_end_left_out(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"  {TOKEN}\r\n")
    assert read_access_token(file) == TOKEN


@pytest.mark.parametrize("file", [None, STDIN])
def test_stdin_is_read_without_a_file_or_when_asked_for(
    pipe: io.StringIO, file: Path | None
) -> None:
    assert read_access_token(file) == TOKEN


def test_a_file_goes_before_a_pipe(pipe: io.StringIO, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("act.other")
    assert read_access_token(file) == "act.other"
    assert pipe.tell() == 0


@pytest.mark.parametrize(
    "content", [f"{TOKEN} {TOKEN}", f"{TOKEN}\n{TOKEN}", f"{TOKEN}\x00", TOKEN * 300, f"{TOKEN}é"]
)
def test_what_cannot_be_one_token_is_refused_and_never_quoted(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match="must be the token alone") as refused:
        read_access_token(file)
    assert TOKEN not in str(refused.value)


def test_a_file_without_a_token_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("\n")
    with pytest.raises(ConfigurationError, match="holds no access token"):
        read_access_token(file)


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigurationError, match="must be the token alone"):
        read_access_token(Path("/dev/zero"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none \(No such file or directory\)"):
        read_access_token(tmp_path / "none")
