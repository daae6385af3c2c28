"""The way of what is submitted: checked here, looked up at the server, sent, and followed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from reelflow.cli.exit_codes import EXIT_ERROR, EXIT_INTERRUPTED
from reelflow.cli.screen import complain, console
from reelflow.cli.submit_checks import Checked, Checker
from reelflow.cli.submit_display import Display, display_on
from reelflow.cli.submit_foreground import Foreground, InterruptedByPersonError, foreground
from reelflow.cli.submit_view import Outcome, print_outcomes, print_post, print_problems
from reelflow.cli.submit_watch import ENDED, exit_code, follow
from reelflow.cli.submit_wishes import Problem, Wish
from reelflow.client.address import api_url, checked_key
from reelflow.client.journal import UploadJournal, journal_folder
from reelflow.client.records import PostRecord
from reelflow.client.retries import Patience, Retries
from reelflow.client.server import ReelflowServer
from reelflow.client.submission import LocalPost, Submission, is_of_the_post
from reelflow.client.uploader import Uploader
from reelflow.domain.sentence import as_sentence
from reelflow.exceptions import (
    ReelflowError,
    ServerRefusedError,
    TransientError,
)
from reelflow.settings import Settings

EXIT_REJECTED: Final = 1
_WATCH_PATIENCE_S: Final = 3600.0
_AGAIN: Final = (
    "Run the same command again within an hour and it goes on where it stopped; nothing is posted "
    "twice."
)
_NOTHING_SENT: Final = "nothing was sent"


class _NotAllCanGoError(Exception):
    """Why was said."""


@dataclass
class Errand:
    """One run of the command.

    :param patience: with a server that stops answering
    """

    url: str
    api_key: str = field(repr=False)
    patience: Patience
    screen: Console
    _outcomes: list[Outcome] = field(default_factory=list, init=False)

    @classmethod
    def open(cls, url: str | None, *, plain_http: bool) -> Errand:
        """Take the server and its key from the options and the environment.

        :raises ConfigurationError: one of them is missing or cannot be used
        """
        settings = Settings.load()
        return cls(
            url=api_url(url or settings.api_url, plain_http=plain_http),
            api_key=checked_key(settings.api_key.get_secret_value()),
            patience=Patience(),
            screen=console(sys.stderr),
        )

    def run(self, wishes: Sequence[Wish], wrong: Sequence[Problem], *, watch: bool) -> int:
        """Submit what is wished, unless anything of it is wrong; return the exit code.

        :param wrong: what is known to be wrong already
        """
        with foreground() as front, ReelflowServer(self.url, self.api_key) as server:
            try:
                posts = self._checked(front, wishes, wrong)
                found = self._looked_up(front, server, posts)
            except InterruptedByPersonError:
                complain(f"Interrupted; {_NOTHING_SENT}.")
                return EXIT_INTERRUPTED
            except _NotAllCanGoError:
                return EXIT_REJECTED
            code = self._send(front, server, list(zip(posts, found, strict=True)))
            if code in (EXIT_ERROR, EXIT_INTERRUPTED) or not watch:
                return code
            return self._follow(front, server) or code

    def _checked(
        self, front: Foreground, wishes: Sequence[Wish], wrong: Sequence[Problem]
    ) -> list[LocalPost]:
        """Return the posts; if any of them cannot go, none does."""
        display = display_on(self.screen)
        paths = [path for wish in wishes for path in wish.found.paths]

        def check() -> Checked:
            size_bytes = sum(path.stat().st_size for path in paths)
            return Checker(display.begin(f"checking {_count(paths)}", size_bytes)).check(wishes)

        checked = front.run(check, display)
        self._complain([*wrong, *checked.problems], asked=len(wrong) + len(wishes))
        return checked.posts

    def _looked_up(
        self, front: Foreground, server: ReelflowServer, posts: Sequence[LocalPost]
    ) -> list[PostRecord | None]:
        """Return what the server has of each post; it must know their accounts."""
        display = display_on(self.screen)
        problems: list[Problem] = []

        def look_up() -> list[PostRecord | None]:
            _call_on(server, posts[0])
            submission = self._submission(server, display)
            return [self._find(submission, post, problems) for post in posts]

        found = front.run(look_up, display)
        self._complain(problems, asked=len(posts))
        return found

    def _find(
        self, submission: Submission, post: LocalPost, problems: list[Problem]
    ) -> PostRecord | None:
        try:
            return submission.find(post)
        except ServerRefusedError as error:
            if not is_of_the_post(error):
                raise
            problems.append(Problem(post.place, str(error)))
            return None

    def _complain(self, problems: Sequence[Problem], *, asked: int) -> None:
        if problems:
            print_problems(self.screen, problems, asked)
            raise _NotAllCanGoError

    def _send(
        self,
        front: Foreground,
        server: ReelflowServer,
        posts: Sequence[tuple[LocalPost, PostRecord | None]],
    ) -> int:
        """Send what the server does not have, and say what became of all of it."""
        display = display_on(self.screen)
        told, code = "", 0
        try:
            front.run(lambda: self._submit_all(server, posts, display), display)
        except InterruptedByPersonError:
            told, code = "Interrupted.", EXIT_INTERRUPTED
        except (ReelflowError, OSError) as error:
            told, code = as_sentence(str(error)), EXIT_ERROR
        outcomes = list(self._outcomes)
        print_outcomes(outcomes)
        if code:
            complain(f"{told} {len(outcomes)} of {len(posts)} submitted. {_AGAIN}")
        return code or (EXIT_REJECTED if any(one.refusal for one in outcomes) else 0)

    def _submit_all(
        self,
        server: ReelflowServer,
        posts: Sequence[tuple[LocalPost, PostRecord | None]],
        display: Display,
    ) -> None:
        submission = self._submission(server, display)
        for number, (post, found) in enumerate(posts, start=1):
            place = f"{number}/{len(posts)} " if len(posts) > 1 else ""
            refusal, submitted = "", None
            try:
                progress = _ignore if found else display.begin(place + post.name, post.size_bytes)
                submitted = submission.submit(post, found, progress)
            except ReelflowError as error:
                if not is_of_the_post(error):
                    raise
                refusal = str(error)
            self._outcomes.append(Outcome(post, submitted, refusal))

    def _follow(self, front: Foreground, server: ReelflowServer) -> int:
        """Follow the posts to their end; what they were when they were submitted is told."""
        display = display_on(self.screen)
        posts = [one.submitted.post for one in self._outcomes if one.submitted is not None]
        names = {one.submitted.post.id: one.local.name for one in self._outcomes if one.submitted}
        patience = replace(self.patience, give_up_after_s=_WATCH_PATIENCE_S)
        retries = Retries(patience, tell=partial(_tell, display))

        def change(post: PostRecord) -> None:
            display.say(f"Post {post.id} ({names[post.id]}): {post.state}")

        def watch() -> dict[int, PostRecord]:
            if any(post.state not in ENDED for post in posts):
                display.say("Following to the end; Ctrl+C leaves it to the server.")
            return follow(server, {post.id: post for post in posts}, retries, on_change=change)

        try:
            ended = front.run(watch, display)
        except InterruptedByPersonError:
            complain(
                "Interrupted. The posts go on without this command; run it again to follow them."
            )
            return EXIT_INTERRUPTED
        except ReelflowError as error:
            complain(f"{as_sentence(str(error))} The posts go on; run it again to follow them.")
            return EXIT_ERROR
        for post in posts:
            if ended[post.id].state != post.state:
                print_post(console(), ended[post.id], names[post.id])
        return exit_code([post.state for post in ended.values()])

    def _submission(self, server: ReelflowServer, display: Display) -> Submission:
        def retries() -> Retries:
            return Retries(self.patience, tell=partial(_tell, display))

        journal = UploadJournal(journal_folder(os.environ))
        return Submission(server, Uploader(server, journal, retries), retries)


def _call_on(server: ReelflowServer, post: LocalPost) -> None:
    """Ask once without patience: who mistyped the address or the key is to know at once."""
    try:
        server.posts_of(post.account, post.sha256)
    except ServerRefusedError as error:
        if not is_of_the_post(error):
            raise


def _tell(display: Display, error: TransientError, pause_s: float) -> None:
    display.say(f"{as_sentence(str(error))} Trying again in {pause_s:.0f} s.")


def _ignore(_: int) -> None:
    """Show nothing of what is there already."""


def _count(paths: Sequence[Path]) -> str:
    return "1 file" if len(paths) == 1 else f"{len(paths)} files"
