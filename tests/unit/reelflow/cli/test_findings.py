from collections.abc import Iterator

from reelflow.cli.findings import Finding, Status, run_check
from reelflow.exceptions import ConfigurationError

FINE = Finding("disk", Status.OK, "there is one")


def test_what_a_check_finds_is_passed_on() -> None:
    assert run_check("disk", lambda: iter([FINE])) == [FINE]


def test_an_error_of_ours_is_a_problem_beside_what_was_found_before() -> None:
    def check() -> Iterator[Finding]:
        yield FINE
        raise ConfigurationError("it is not set: set it")

    problem = Finding("disk", Status.PROBLEM, "it is not set: set it")
    assert run_check("disk", check) == [FINE, problem]


def test_a_check_that_breaks_is_a_problem_and_says_how() -> None:
    def check() -> Iterator[Finding]:
        yield FINE
        raise ZeroDivisionError("division by zero")

    found = run_check("disk", check)
    assert found[0] == FINE
    assert found[1].status is Status.PROBLEM
    assert found[1].message == "could not be checked (ZeroDivisionError: division by zero)"
