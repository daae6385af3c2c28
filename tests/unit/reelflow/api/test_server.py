import socket

import pytest

from reelflow.api.server import listen
from reelflow.exceptions import ConfigurationError


def test_a_port_is_taken_at_once() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with (
            pytest.raises(ConfigurationError, match=f"port {port} .*--port"),
            listen("127.0.0.1", port),
        ):
            pass
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            pass


@pytest.mark.parametrize("host", ["", "192.0.2.1", "no such host", "host.invalid", "a" * 300])
def test_an_address_that_is_not_of_this_machine_is_refused_with_the_fix(host: str) -> None:
    with pytest.raises(ConfigurationError, match="choose another with --host"):
        listen(host, 0)
