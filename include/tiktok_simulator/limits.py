"""Requests a minute: one sliding window for each access token and call (D-RL)."""

from collections import defaultdict, deque

from tiktok_simulator.exceptions import ApiError

# Requests a minute and user access token: D-DP and D-UP, D-CI, D-ST. Whether the two init calls
# share their six is unknown; the stricter reading is simulated. For cancel no
# limit is stated (D-MTG).
CALLS_PER_MINUTE = {
    "init": 6,
    "creator_info": 20,
    "status": 30,
    "user_info": 600,  # D-RL, as the two below
    "video_list": 600,
    "video_query": 600,
}
WINDOW_S = 60


class CallWindows:
    """Counts what every token asked for in the last minute."""

    def __init__(self) -> None:
        self._calls: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def count(self, access_token: str, call: str, now_s: float) -> None:
        """Count one call; what is refused here costs nothing (D-ERR: 429)."""
        limit = CALLS_PER_MINUTE.get(call)
        if limit is None:
            return
        window = self._calls[access_token, call]
        while window and window[0] <= now_s - WINDOW_S:
            window.popleft()
        if len(window) >= limit:
            raise ApiError("rate_limit_exceeded", "The API rate limit was exceeded.")
        window.append(now_s)

    def clear(self) -> None:
        """Forget every call."""
        self._calls.clear()
