"""Where TikTok's documentation is silent or real traffic disagrees with it: one switch each."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin

from tiktok_simulator.chunks import Megabyte

_MAX_COUNT = 1_000_000
_MAX_SECONDS = 100 * 86_400
_AT_LEAST_ONE = frozenset({"pull_attempts"})


@dataclass
class Switches:
    """What may be chosen, by option at the start or through the control API at any time.

    The first value of each choice is the default. "U": nothing is documented; "observed": seen in
    real traffic.

    :param processing_polls: U: status calls that still see processing after the last byte.
    :param processing_s: U: seconds of the world's clock that processing takes; None: polls decide.
    :param link_polls: status calls that see PUBLISH_COMPLETE without the post's id (D-ST:
        moderation comes first, "usually within one minute", it may take hours).
    :param link_s: seconds from publishing to the id (D-ST, as above); None: polls decide.
    :param inbox_status: whether a draft's status becomes PUBLISH_COMPLETE when its creator has
        posted it (D-ST), or stays SEND_TO_USER_INBOX (one operator's observation).
    :param post_id_format: a list (D-ST), or a bare integer (one library's changelog).
    :param no_post_id: while there is no id, the field is absent (observed) or ``[]`` (an example
        of D-ST).
    :param invalid_code: code of a body that fails validation: observed, or as D-DP spells it.
    :param pending_share_status: HTTP status of the sixth pending draft: observed, or as in D-UP.
    :param megabyte: U: chunk limits that both readings of "MB" allow, or those of 10^6 or 2^20.
    :param progress: U: the second number of a PUT answer's Content-Range is a count of bytes (the
        words of D-MTG) or the index of the last byte (the convention of HTTP).
    :param progress_on_416: U: whether a 416 carries that header.
    :param duplicate_chunk: U: answer to a PUT of a range that is stored already.
    :param completed_put: U: answer to any PUT after the 201.
    :param long_body: answer to a Content-Length beyond the range: D-MTG, or the CDN as observed
        (https://github.com/gitroomhq/postiz-app/pull/1784).
    :param expired_upload: U: status of an upload that lacks bytes when its URL expires: FAILED,
        PROCESSING_UPLOAD with ``uploaded_bytes``, or PROCESSING_UPLOAD without it.
    :param late_put: U: a PUT under way when the URL expires may still finish, unless somebody was
        told that the upload FAILED; never; or always, even then.
    :param cancel_upload: U: cancel of an upload that lacks bytes: done; refused with
        ``publish_not_cancellable``; or answered "ok" without effect.
    :param cancel_processing: U: the same for a publication that has all its bytes.
    :param pull_attempts: U: how often a download that met a 5xx, a timeout or a cut is tried,
        the first time included.
    :param pull_retry_s: U: seconds between two attempts.
    :param photo_format: ``fail_reason`` of an image that is neither JPEG nor WebP (U which).
    :param active_user_cap: creators who may post in 24 hours; None: 5 for an app before its audit
        (D-CSG), no cap after it.
    """

    processing_polls: int = 1
    processing_s: float | None = None
    link_polls: int = 1
    link_s: float | None = None
    inbox_status: Literal["advances", "stays"] = "advances"
    post_id_format: Literal["list", "scalar"] = "list"
    no_post_id: Literal["absent", "empty_list"] = "absent"
    invalid_code: Literal["invalid_params", "invalid_param"] = "invalid_params"
    pending_share_status: Literal[400, 403] = 400
    megabyte: Megabyte = "both"
    progress: Literal["count", "last_index"] = "count"
    progress_on_416: bool = True
    duplicate_chunk: Literal[416, 206] = 416
    completed_put: Literal[404, 416] = 404
    long_body: Literal[400, 502] = 400
    expired_upload: Literal["failed", "processing", "processing_without_bytes"] = "failed"
    late_put: Literal["unless_told", "never", "always"] = "unless_told"
    cancel_upload: Literal["done", "refused", "ignored"] = "done"
    cancel_processing: Literal["refused", "done", "ignored"] = "refused"
    pull_attempts: int = 3
    pull_retry_s: float = 1.0
    photo_format: Literal["file_format_check_failed", "photo_pull_failed"] = (
        "file_format_check_failed"
    )
    active_user_cap: int | None = None

    def set(self, values: Mapping[str, Any]) -> None:
        """Change some switches; all of them or, on a bad value, none.

        :raises ValueError: with a sentence that names the switch, the value and what is allowed.
        """
        types = {one.name: one.type for one in fields(self)}
        for name, value in values.items():
            if name not in types:
                raise ValueError(f"There is no switch {name!r}; there are {sorted(types)}.")
            _check(name, value, types[name])
        for name, value in values.items():
            setattr(self, name, value)


def _check(name: str, value: Any, kind: Any) -> None:
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        if value not in choices or type(value) not in {type(one) for one in choices}:
            raise ValueError(f"{name} must be one of {list(choices)}, not {value!r}.")
        return
    kinds = get_args(kind) or (kind,)
    if value is None and type(None) in kinds:
        return
    if kinds[0] is bool:
        if type(value) is not bool:
            raise ValueError(f"{name} must be true or false, not {value!r}.")
        return
    most = _MAX_SECONDS if kinds[0] is float else _MAX_COUNT
    least = 1 if name in _AT_LEAST_ONE else 0
    numbers = {int, float} if kinds[0] is float else {int}
    if type(value) not in numbers or not least <= value <= most:
        raise ValueError(f"{name} must be a number from {least} to {most}, not {value!r}.")
