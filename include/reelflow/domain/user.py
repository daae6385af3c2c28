"""Who asks for something, and what that user may do and see."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from reelflow.domain.printable import printable
from reelflow.exceptions import ConfigurationError

#: Longest id of a user.
USER_ID_MAX_CHARS: Final = 128
#: A user's folder has this name, and file systems take no longer one.
_USER_ID_MAX_BYTES: Final = 255


class Scope(StrEnum):
    """What a user may do; each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


_INCLUDED_IN: Final[dict[Scope, frozenset[Scope]]] = {
    Scope.READ: frozenset(Scope),
    Scope.WRITE: frozenset({Scope.WRITE, Scope.ADMIN}),
    Scope.ADMIN: frozenset({Scope.ADMIN}),
}


@dataclass(frozen=True)
class User:
    """A person or a program, known by its key or by Airflow's login.

    :param id: what owned rows are marked with; it never changes
    :param name: what people call them; two may have the same
    :param scopes: what was granted
    """

    id: str
    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether the user has this scope, or one that includes it."""
        return not self.scopes.isdisjoint(_INCLUDED_IN[scope])

    @property
    def is_admin(self) -> bool:
        """Whether the user sees what others own."""
        return self.may(Scope.ADMIN)

    def owns(self, user_id: str | None) -> bool:
        """Whether a row of this owner may be seen and changed by the user.

        :param user_id: None for what came by the inbox, which is nobody's: admins' only
        """
        return self.is_admin or user_id == self.id

    @property
    def known_as(self) -> str:
        """What people know the user by."""
        return known_as(self.id, self.name)

    @property
    def actor(self) -> str:
        """What the audit trail names."""
        return actor_of(self.known_as)


def known_as(user_id: str, name: str) -> str:
    """Return what people know a user by: ``mia``, or ``mia (1)`` where the id is another.

    Airflow's id of a user may be a number of its database, which nobody knows, while its name may
    be anybody's; so both. What is not printable is left out.
    """
    user_id, name = (printable(text, USER_ID_MAX_CHARS) for text in (user_id, name))
    if user_id and name and user_id != name:
        return f"{name} ({user_id})"
    return name or user_id or "unknown"


def actor_of(known_as: str) -> str:
    """Return what the audit trail names, of a user that is known as that."""
    return f"user:{known_as}"


def check_user_id(text: str) -> str:
    """Return an id that rows and folders can be named after.

    :raises ConfigurationError: it cannot be one; the message says why
    """
    if not 1 <= len(text) <= USER_ID_MAX_CHARS:
        why = f"it has {len(text)} characters"
    elif not text.isprintable() or text != text.strip():
        why = "it begins or ends with a space, or has characters that cannot be seen"
    elif "/" in text:
        why = "it has a slash"
    elif text in (".", ".."):
        why = "it names a folder everywhere"
    elif (size_bytes := len(text.encode())) > _USER_ID_MAX_BYTES:
        why = f"it has {size_bytes} bytes, and the name of a folder at most {_USER_ID_MAX_BYTES}"
    else:
        return text
    raise ConfigurationError(
        f"{text[:USER_ID_MAX_CHARS]!r} cannot be a user's id, because {why}: use 1 to "
        f"{USER_ID_MAX_CHARS} printable characters without slashes",
        code="user_id",
    )


def parse_scopes(text: str) -> frozenset[Scope]:
    """Return the scopes that a text names, separated by commas.

    :raises ConfigurationError: a word is no scope, or there is none
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in set(Scope)]
    if unknown or not words:
        raise ConfigurationError(
            f"{(unknown or [text])[0]!r} is no scope: use {', '.join(Scope)}, separated by commas",
            code="scope",
        )
    return frozenset(Scope(word) for word in words)


def scopes_text(scopes: frozenset[Scope]) -> str:
    """Return scopes as :func:`parse_scopes` reads them, weakest first."""
    return ",".join(scope for scope in Scope if scope in scopes)
