"""The pages in the browser."""

from html.parser import HTMLParser

from tiktok_simulator.accounts import Account, make_accounts
from tiktok_simulator.app_settings import SCOPES
from tiktok_simulator.authorization import AuthorizationRequest, ReturnAddress
from tiktok_simulator.consent_page import SCOPE_SENTENCES, consent_page, problem_page
from tiktok_simulator.exceptions import OAuthError


class Form(HTMLParser):
    """What a page's form would send."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[tuple[str, str], bool] = {}
        self.method = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.method = given["method"] or ""
            assert "action" not in given
        if tag in ("input", "button"):
            self.fields[given["name"] or "", given["value"] or ""] = "checked" in given


def request(redirect_uri: str = "http://localhost:1/callback/") -> AuthorizationRequest:
    return AuthorizationRequest(ReturnAddress(redirect_uri, "s"), SCOPES[:2], None, False)


def test_the_form_offers_every_creator_every_scope_and_two_decisions() -> None:
    accounts = make_accounts()
    form = Form(consent_page(request(), "aw1", accounts))

    assert form.method == "post"
    assert form.fields == {
        ("account", "aurora.kitchen"): True,
        **{("account", one.username): False for one in accounts[1:]},
        ("scope", "user.info.basic"): True,
        ("scope", "user.info.profile"): True,
        ("decision", "authorize"): False,
        ("decision", "cancel"): False,
    }


def test_every_scope_has_a_sentence() -> None:
    assert set(SCOPE_SENTENCES) == set(SCOPES)


def test_nothing_that_comes_from_outside_is_markup() -> None:
    evil = "<script>alert(1)</script>"

    page = consent_page(request(evil), evil, [Account("id", evil, "act.1")])
    problem = problem_page(OAuthError("invalid_request", evil))

    assert "<script>" not in page + problem
    assert "&lt;script&gt;" in problem
