import pytest

from reelflow.cli.tiktok_app import require_tiktok_app
from reelflow.exceptions import ConfigurationError


def test_where_the_connection_is_needed_its_absence_says_how_to_set_it() -> None:
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_TIKTOK_APP is not set") as caught:
        require_tiktok_app({})
    assert '"login": "<client key>"' in str(caught.value)
