"""The demo's files, and how they are dropped."""

import json
from pathlib import Path

from demo.cases import ACCOUNTS, CASES, PUBLISHED, Case, drop, make_originals


def write_hello(path: Path) -> None:
    path.write_bytes(b"hello")


def test_the_demo_shows_four_posts_and_three_rejections_over_two_accounts() -> None:
    assert sum(case.state == PUBLISHED for case in CASES) == 4
    assert sorted(case.rule for case in CASES if case.rule) == ["duration", "truncated", "type"]
    assert {case.account for case in CASES} == set(ACCOUNTS)
    assert len({case.file for case in CASES}) == len(CASES)


def test_an_original_knows_the_size_and_hash_of_its_file(tmp_path: Path) -> None:
    [original] = make_originals([Case("a.mp4", "one", write_hello)], tmp_path)

    assert original.size_bytes == 5
    assert original.sha256 == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def test_a_dropped_file_lies_whole_beside_its_sidecar_and_the_original_stays(
    tmp_path: Path,
) -> None:
    case = Case("a.mp4", "one", write_hello, sidecar={"caption": "hi"})
    [original] = make_originals([case], tmp_path / "media")
    inbox = tmp_path / "home" / "inbox"
    (inbox / "one").mkdir(parents=True)

    drop([original], inbox)

    assert sorted(path.name for path in (inbox / "one").iterdir()) == ["a.mp4", "a.mp4.json"]
    assert (inbox / "one" / "a.mp4").read_bytes() == b"hello"
    assert json.loads((inbox / "one" / "a.mp4.json").read_text()) == {"caption": "hi"}
    assert original.path.exists()
