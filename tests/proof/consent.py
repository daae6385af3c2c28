"""A creator who is asked to connect an account again, and says yes."""

from __future__ import annotations

import subprocess
from typing import Final

import requests

from demo.commands import script
from tests.consent import TIMEOUT_S, decide
from tests.proof.stack import ProofStack

_CONSENT_S: Final = 120.0


def connect_again(stack: ProofStack, account: str) -> None:
    """Run ``reelflow accounts connect`` and do in a browser what it asks for."""
    command = [script("reelflow"), "accounts", "connect", account, "--no-browser"]
    with subprocess.Popen(
        command, env=stack.environment, stdout=subprocess.PIPE, text=True
    ) as connecting:
        try:
            assert connecting.stdout is not None
            words = (word for line in connecting.stdout for word in line.split())
            address = next(word for word in words if word.startswith("http"))
            requests.get(decide(address, account), timeout=TIMEOUT_S).raise_for_status()
            assert connecting.wait(_CONSENT_S) == 0
        finally:
            connecting.kill()
