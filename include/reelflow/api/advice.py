"""What services advise, in the words of who has the API and no command line.

Services name commands, because most of what they say is read beside one.
"""

from __future__ import annotations

import re
from typing import Final

_POST_COMMAND: Final = re.compile(r"`reelflow posts ([a-z]+)( [^`]*)?`")
_OTHER_COMMAND: Final = re.compile(r"`reelflow (?!posts )[^`]*`")
_POST_ID: Final = re.compile(r"\b([0-9]+|ID)\b")
#: What follows an option of a command, and which field of a body that is.
_OPTIONS: Final = {
    re.compile(r"--privacy(?: ([A-Z_]+))?"): "privacy_level",
    re.compile(r"--at(?![a-z-])(?: ([A-Z]+))?"): "publish_at",
    re.compile(r"--at-ms(?: ([A-Z0-9]+))?"): "cover_timestamp_ms",
    re.compile(r"--disable-([a-z]+)"): "disable",
}
_PATHS: Final = {
    "list": "GET /posts",
    "show": "GET /posts/{id}",
    "cover": "PATCH /posts/{id}",
    "release": "POST /posts/{id}/release",
    "cancel": "POST /posts/{id}/cancel",
    "retry": "POST /posts/{id}/retry",
    "resolve": "POST /posts/{id}/resolve",
}
_PHRASES: Final = {
    "put the file into the inbox again": "upload the file again",
    "put it into the inbox again": "upload it again",
    " in its sidecar": "",
    " --privacy ": ' "privacy_level" ',
}


def for_callers(text: str) -> str:
    """Return a message with the API's addresses in place of commands, and uploads of the inbox.

    Commands that have no address are for whoever runs the server.
    """
    text = _OTHER_COMMAND.sub(r"\g<0> on the server", _POST_COMMAND.sub(_address, text))
    for phrase, ours in _PHRASES.items():
        text = text.replace(phrase, ours)
    return text


def _address(command: re.Match[str]) -> str:
    name, arguments = command[1], command[2] or ""
    if name not in _PATHS:
        return command[0]
    found = _POST_ID.search(re.sub(r"--[a-z-]+ [A-Z0-9]+", "", arguments))
    path = _PATHS[name].replace("{id}", found[1]) if found else _PATHS[name]
    fields = [
        f'"{field}": {option[1] or "..."}' if field != "disable" else f'"disable": ["{option[1]}"]'
        for pattern, field in _OPTIONS.items()
        if (option := pattern.search(arguments))
    ]
    return f"`{path}`" + (f" with {{{', '.join(fields)}}}" if fields else "")
