"""What the demo reads from a running simulator."""

import json
from pathlib import Path

from demo.simulator import Account, read_ready_line

READY = {
    "api": "http://127.0.0.1:1",
    "upload": "http://127.0.0.1:2",
    "control": "http://127.0.0.1:1/_sim",
    "accounts": [{"open_id": "o", "username": "u", "access_token": "t"}],
    "client_key": "k",
    "client_secret": "s",
}


def test_the_ready_line_is_found_between_other_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"warming up\n{json.dumps(READY)}\nuvicorn: hello\n")

    simulator = read_ready_line(log)

    assert simulator is not None
    assert simulator.upload_url == "http://127.0.0.1:2"
    assert simulator.accounts == (Account("o", "u", "t"),)


def test_half_a_ready_line_is_none_yet(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(json.dumps(READY)[:-10])

    assert read_ready_line(log) is None


def test_an_empty_log_has_no_ready_line(tmp_path: Path) -> None:
    (tmp_path / "log").touch()

    assert read_ready_line(tmp_path / "log") is None
