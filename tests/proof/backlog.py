"""How large a backlog is: 41 posts in batches of 20, unless `make proof-backlog` asks for more."""

from __future__ import annotations

import os
from typing import Final

#: How many posts are due at once; 1,025 are one more than Airflow maps a task over.
DUE: Final = int(os.environ.get("PROOF_DUE_POSTS", "41"))
#: How many of them a run takes.
BATCH: Final = int(os.environ.get("PROOF_BATCH_SIZE", "20"))
#: As many as keep to TikTok's six inits a minute and account.
POSTS_AN_ACCOUNT: Final = 5
#: How many accounts that takes.
BACKLOG_ACCOUNTS: Final = -(-DUE // POSTS_AN_ACCOUNT)
