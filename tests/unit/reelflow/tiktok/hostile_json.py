"""JSON that keeps to the shape of an answer here and there, and nowhere else."""

import json
from typing import Any

from hypothesis import strategies as st

from reelflow.tiktok.answers import Answer

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20)
    | st.sampled_from(["ok", "1", "act.token", "v_pub_file~v2-1.7", "\ud83d", "a\0b"])
)


def values(*names: str) -> st.SearchStrategy[Any]:
    """Any JSON value; objects have ``names`` among their keys."""
    return st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(names) | st.text(max_size=5), inner, max_size=8)
        ),
        max_leaves=20,
    )


def answers(*names: str) -> st.SearchStrategy[Answer]:
    """Any answer; most are JSON, and half of them say ``ok``."""
    said_ok = values(*names).map(lambda data: {"data": data, "error": {"code": "ok"}})
    bodies = (said_ok | values("data", "error", "code", *names)).map(
        lambda value: json.dumps(value).encode("utf-8")
    ) | st.binary(max_size=50)
    statuses = st.sampled_from([200, 200, 200, 201, 302, 400, 401, 403, 408, 429, 500, 503])
    return st.builds(Answer, statuses, st.just({}), bodies)
