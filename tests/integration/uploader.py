"""A worker's process of its own, to be killed: uploads one post with the machine's clock.

``python -m tests.integration.uploader '{"root": ..., "post_id": ..., ...}'`` prints one JSON line
when it holds the lease no more: what became of it, or the name of the error.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from reelflow.exceptions import ReelflowError
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.engine import open_engine
from reelflow.ledger.ledger import Ledger
from reelflow.services.publishing.publish import upload_to_tiktok
from reelflow.services.workspace import PublishingRules, Workspace
from reelflow.storage.folders import Folders
from reelflow.storage.local_store import LocalStore
from reelflow.tiktok.client import TikTokClient
from tests.factories import FERNET_KEY, account_clients
from tests.integration.publisher import SMALL_CHUNKS


def main() -> None:
    task = json.loads(sys.argv[1])
    root = Path(task["root"])
    ledger = Ledger(open_engine(f"sqlite:///{root / 'reelflow.db'}"), Cipher(FERNET_KEY))
    rules = replace(PublishingRules(), lease=timedelta(seconds=task["lease_s"]))
    workspace = Workspace(ledger, Folders(lambda: LocalStore(root)), rules)
    hosts = frozenset({task["upload_host"]})
    with TikTokClient(host=task["api"], limits=SMALL_CHUNKS, extra_upload_hosts=hosts) as client:
        try:
            uploaded = upload_to_tiktok(
                workspace,
                account_clients(workspace, client),
                task["post_id"],
                run_id=task["run_id"],
                owner=task["owner"],
                limits=SMALL_CHUNKS,
            )
        except ReelflowError as error:
            outcome = {"error": type(error).__name__, "message": str(error)}
        else:
            outcome = {"state": uploaded.state, "publish_id": uploaded.publish_id}
    sys.stdout.write(json.dumps(outcome) + "\n")


if __name__ == "__main__":
    main()
