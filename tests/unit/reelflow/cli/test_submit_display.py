import io

from rich.console import Console

from reelflow.cli.submit_display import BarDisplay, LineDisplay, display_on


def terminal() -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    screen = Console(file=stream, force_terminal=True, width=100, highlight=False, emoji=False)
    return screen, stream


def test_a_terminal_gets_bars_and_anything_else_lines() -> None:
    assert isinstance(display_on(terminal()[0]), BarDisplay)
    assert isinstance(display_on(Console(file=io.StringIO())), LineDisplay)


def test_a_bar_tells_how_far_and_of_how_much() -> None:
    screen, stream = terminal()
    with BarDisplay(screen) as display:
        display.begin("clip[red].mp4", 4_000_000)(1_000_000)
        display.refresh()
    shown = stream.getvalue()
    assert "clip[red].mp4" in shown
    assert "25 %" in shown
    assert "1.0 MB of 4.0 MB" in shown


def test_a_long_or_hostile_name_leaves_room_and_cannot_act() -> None:
    screen, stream = terminal()
    with BarDisplay(screen) as display:
        display.begin("\x1b[2J" + "x" * 300, 4)(1)
        display.say("said \x1b[2J[bold]so")
        display.refresh()
    shown = stream.getvalue()
    assert "\x1b[2J" not in shown
    assert "said \N{REPLACEMENT CHARACTER}[2J[bold]so" in shown
    assert "…" in shown


def test_lines_tell_at_times_how_far_it_is() -> None:
    now, stream = [0.0], io.StringIO()
    with LineDisplay(Console(file=stream, width=100), clock=lambda: now[0]) as display:
        done = display.begin("clip.mp4", 4_000_000)
        for second in range(21):
            now[0] = second
            done(second * 200_000)
    assert stream.getvalue().splitlines() == [
        "clip.mp4: 4.0 MB",
        "clip.mp4: 50 % of 4.0 MB",
        "clip.mp4: 100 % of 4.0 MB",
    ]


def test_nothing_at_all_is_no_division_by_zero() -> None:
    with LineDisplay(
        Console(file=io.StringIO()), clock=iter([0.0, 99.0, 99.0]).__next__
    ) as display:
        display.begin("empty", 0)(0)
