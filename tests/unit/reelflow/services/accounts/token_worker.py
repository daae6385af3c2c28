"""A worker's process of its own that needs an account's token, with the machine's clock.

``python -m tests.unit.reelflow.services.accounts.token_worker '{"database_url": ..., ...}'`` prints
``asking``, waits for a line, prints ``looked`` when it has read the account's old token, and at the
end one JSON line: the token, or the error.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reelflow.exceptions import ReelflowError
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.engine import open_engine
from reelflow.ledger.ledger import Ledger
from reelflow.services.accounts.tokens import AccessTokens
from reelflow.services.workspace import PublishingRules, Workspace
from reelflow.storage.folders import Folders
from reelflow.storage.local_store import LocalStore
from reelflow.tiktok.oauth import OAuthClient
from tests.factories import FERNET_KEY
from tests.token_server import CLIENT_KEY, CLIENT_SECRET


def main() -> None:
    task = json.loads(sys.argv[1])
    looks = iter(["looked"])

    def now() -> datetime:
        # Asked first of all when the account has been read, to judge whether its token lives.
        for word in looks:
            _say(word)
        return datetime.now(UTC)

    ledger = Ledger(open_engine(task["database_url"]), Cipher(FERNET_KEY), now=now)
    rules = replace(PublishingRules(), refresh_claim=timedelta(seconds=task["claim_s"]))
    workspace = Workspace(ledger, Folders(lambda: LocalStore(Path(task["root"]))), rules)
    with OAuthClient(task["host"], CLIENT_KEY, CLIENT_SECRET) as oauth:
        tokens = AccessTokens(workspace, oauth, actor="worker")
        _say("asking")
        sys.stdin.readline()
        try:
            _say(json.dumps({"token": tokens.get(task["account_id"])}))
        except ReelflowError as error:
            _say(json.dumps({"error": type(error).__name__, "message": str(error)}))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
