import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.cli.screen import PIPE_WIDTH, console, plain, print_json, screen_safe, table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(st.text())
def test_safe_text_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    safe = screen_safe(text)
    assert all(char.isprintable() or char == "\u200d" for char in safe)


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"))))
def test_printable_text_keeps_its_characters(text: str) -> None:
    if text.isprintable():
        assert screen_safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\nc", "a⏎ b⏎ c"),
        ("\x1b[31mred", "�[31mred"),
        ("gpj.\u202e4pm", "gpj.�4pm"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("\udcff", "�"),
        ("\t\x00\x7f\x9b", "����"),
    ],
)
def test_unsafe_characters_are_replaced(text: str, shown: str) -> None:
    assert screen_safe(text) == shown


def test_plain_text_is_never_read_as_markup() -> None:
    stream = io.StringIO()
    console(stream).print(plain("[bold]:smile: [link=https://x]y[/link]"))
    assert stream.getvalue() == "[bold]:smile: [link=https://x]y[/link]\n"
    assert plain(None).plain == ""


def test_a_pipe_gets_a_fixed_width_and_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    stream = io.StringIO()
    screen = console(stream)
    screen.print("x", style="red")
    assert screen.width == PIPE_WIDTH
    assert stream.getvalue() == "x\n"


def test_a_terminal_gets_its_own_width_and_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    screen = console(stream)
    screen.print("x", style="red")
    assert screen.width != PIPE_WIDTH
    assert "\x1b[31m" in stream.getvalue()


def test_a_table_cuts_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    stream = io.StringIO()
    told = table("one", "two")
    told.add_row("a" * 50, "b" * 50)
    console(stream).print(told)
    assert stream.getvalue().count("a") == 50
    assert stream.getvalue().count("b") == 50


def test_json_is_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "\x1b[2J\u202eé"})
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "\x1b" not in printed
    assert json.loads(printed) == {"name": "\x1b[2J\u202eé"}
