"""Telling another program over HTTP: one signed POST of JSON, bounded, never redirected."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter

from reelflow.exceptions import ConfigurationError, ServerUnavailableError
from reelflow.http.address import Address, parse_address, shown_address
from reelflow.http.session import new_session, route_to

SIGNATURE_HEADER: Final = "Reelflow-Signature"


@dataclass(frozen=True)
class Webhook:
    """Where messages go.

    :param url: https, or http on this machine; its path may be a secret and is never shown
    :param secret: what messages are signed with; empty for none
    :param timeout_s: longest wait for a connection, and for an answer
    """

    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    timeout_s: float = 5.0
    now_s: Callable[[], float] = field(default=time.time, repr=False)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; one that is answered with a 2xx has arrived.

        :raises ConfigurationError: the address cannot be used
        :raises ServerUnavailableError: it may or may not have arrived
        """
        host = self._checked_address().host
        body = json.dumps(message, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers[SIGNATURE_HEADER] = signature(self.secret, body, at_s=int(self.now_s()))
        # Raised outside of the except clause: the chain of exceptions would show the address.
        try:
            with (
                new_session(HTTPAdapter()) as session,
                session.post(
                    self.url,
                    data=body,
                    headers=headers,
                    timeout=self.timeout_s,
                    allow_redirects=False,
                    stream=True,  # what it answers beside its status is nothing to us
                    **route_to(self.url),
                ) as answer,
            ):
                told = f"answered HTTP {answer.status_code}"
                arrived = 200 <= answer.status_code < 300
        except (requests.RequestException, UnicodeError) as error:
            told, arrived = f"did not answer ({type(error).__name__})", False
        if not arrived:
            raise ServerUnavailableError(
                f"the webhook at {host} {told}: check its address and that it takes messages",
                code="webhook",
            )

    def _checked_address(self) -> Address:
        address = parse_address(self.url)
        if address is None or not (address.is_encrypted or address.is_this_machine):
            scheme, separator, rest = shown_address(self.url).partition("://")
            shown = f"{scheme}://{rest.partition('/')[0]}" if separator else "no address"
            raise ConfigurationError(
                f"the webhook's address ({shown}) cannot be used: give an https one, without user"
                " and password",
                code="webhook_address",
            )
        return address


def signature(secret: str, body: bytes, *, at_s: int) -> str:
    """Return the value of the header: when it was signed, and HMAC-SHA256 of ``time.body``."""
    signed = hmac.new(secret.encode(), b"%d.%b" % (at_s, body), hashlib.sha256)
    return f"t={at_s},s={signed.hexdigest()}"
