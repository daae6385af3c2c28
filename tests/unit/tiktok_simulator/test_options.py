"""The command line."""

import pytest

from tiktok_simulator.app_settings import AppSettings
from tiktok_simulator.options import parse_options
from tiktok_simulator.switches import Switches


def test_without_options_everything_has_its_default() -> None:
    options = parse_options([])

    assert (options.port, options.upload_port, options.seed) == (0, 0, None)
    assert options.accounts == 5
    assert (options.discard, options.token_lifetime_s, options.webhook_url) == (False, None, None)
    assert options.app == AppSettings()
    assert options.switches == Switches()


def test_the_app_and_its_callback_are_set() -> None:
    options = parse_options(
        [
            "--client-key",
            "k",
            "--client-secret",
            "s",
            "--app-type",
            "web",
            "--redirect-uri",
            "https://a.example/1",
            "--redirect-uri",
            "https://a.example/2",
            "--unaudited",
            "--verified-domain",
            "m.example",
            "--verified-prefix",
            "https://c.example/x/",
            "--token-lifetime-s",
            "60",
            "--webhook-url",
            "http://127.0.0.1:9/hook",
        ]
    )

    assert options.app == AppSettings(
        client_key="k",
        client_secret="s",
        app_type="web",
        redirect_uris=("https://a.example/1", "https://a.example/2"),
        is_audited=False,
        verified_domains=("m.example",),
        verified_url_prefixes=("https://c.example/x/",),
        access_lifetime_s=60,
    )
    assert options.token_lifetime_s == 60
    assert options.webhook_url == "http://127.0.0.1:9/hook"


def test_switches_are_set_as_json_or_as_words() -> None:
    options = parse_options(
        [
            "--processing-polls",
            "0",
            "--processing-s",
            "2.5",
            "--link-polls",
            "3",
            "--link-s",
            "1",
            "--switch",
            "late_put=never",
            "--switch",
            "progress_on_416=false",
        ]
    )

    assert options.switches == Switches(
        processing_polls=0,
        processing_s=2.5,
        link_polls=3,
        link_s=1,
        late_put="never",
        progress_on_416=False,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "65536"], "must be from 0 to 65535"),
        (["--app-type", "web"], "static https URL"),
        (["--switch", "late_put"], "late_put must be one of"),
        (["--switch", "nothing=1"], "no switch 'nothing'"),
        (["--processing-s", "-1"], "processing_s must be"),
        (["--accounts", "0"], "must be from 1 to 1000"),
        (["--accounts", "1001"], "must be from 1 to 1000"),
        (["--token-lifetime-s", "0"], "must be seconds"),
        (["--token-lifetime-s", "nan"], "must be seconds"),
        (["--webhook-url", "http://app.example/"], "url must be https"),
    ],
)
def test_what_means_nothing_ends_with_2_and_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_options(arguments)

    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err
