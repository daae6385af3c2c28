"""How many orders of events the state machines are played through."""

from __future__ import annotations

import os
from typing import Final

#: ``make test`` plays few, ``make event-orders`` many.
ORDERS: Final = int(os.environ.get("EVENT_ORDERS", "8"))
