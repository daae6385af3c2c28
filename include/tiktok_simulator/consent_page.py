"""The pages a creator sees in a browser: the consent, and what is wrong with a request."""

from collections.abc import Sequence
from html import escape

from tiktok_simulator.accounts import Account
from tiktok_simulator.authorization import AuthorizationRequest
from tiktok_simulator.exceptions import OAuthError

# What a creator reads beside each box (D-SC).
SCOPE_SENTENCES = {
    "user.info.basic": "Read your profile info (open id, avatar, display name)",
    "user.info.profile": "Read your additional profile info (bio, profile link, verified mark)",
    "user.info.stats": "Read your profile engagement statistics (likes, followers, video count)",
    "video.list": "Read your public videos",
    "video.publish": "Post content to your account",
    "video.upload": "Upload content to your account as a draft",
}

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #161823; background: #f8f8f8; margin: 0; }}
main {{ max-width: 30rem; margin: 3rem auto; padding: 2rem; background: #fff;
        border-radius: .75rem; box-shadow: 0 1px 6px #0002; }}
h1 {{ font-size: 1.4rem; margin: 0 0 1rem; }}
fieldset {{ border: 1px solid #ddd; border-radius: .5rem; margin: 0 0 1rem; padding: .75rem 1rem; }}
label {{ display: block; padding: .2rem 0; }}
code {{ background: #f1f1f2; padding: 0 .3rem; overflow-wrap: anywhere; }}
.note {{ color: #555; font-size: .9rem; }}
button {{ font: inherit; padding: .5rem 1.5rem; border: 1px solid #ccc; border-radius: .4rem;
          background: #fff; cursor: pointer; }}
button.primary {{ background: #d81e4a; border-color: #d81e4a; color: #fff; }}
</style>
</head>
<body><main>
{content}
<p class="note">This is a simulator on your own machine, not TikTok.</p>
</main></body>
</html>
"""


def consent_page(
    request: AuthorizationRequest, client_key: str, accounts: Sequence[Account]
) -> str:
    """Return the page on which a creator signs in, unticks scopes, authorizes or cancels.

    Its form posts ``account``, ``scope`` (once for each ticked box) and ``decision`` back to the
    page's own URL.
    """
    content = f"""<h1>Authorize the app <code>{escape(client_key)}</code></h1>
<form method="post">
<fieldset><legend>Sign in as</legend>
{"".join(_creator(one, is_first=index == 0) for index, one in enumerate(accounts))}</fieldset>
<fieldset><legend>The app would like to</legend>
{"".join(_scope(one) for one in request.scopes)}</fieldset>
<p><button class="primary" name="decision" value="authorize">Authorize</button>
<button name="decision" value="cancel">Cancel</button></p>
</form>
<p class="note">You will go back to <code>{escape(request.back.redirect_uri)}</code>.</p>"""
    return _PAGE.format(title="Authorize an app - simulated TikTok", content=content)


def problem_page(error: OAuthError) -> str:
    """Return the page for a request that must not be sent back to the app."""
    content = f"""<h1>Something went wrong</h1>
<p>This app cannot ask for your authorization. For its developer:</p>
<p><code>{escape(error.error)}</code><br><code>{escape(error.description)}</code></p>"""
    return _PAGE.format(title="Something went wrong - simulated TikTok", content=content)


def _creator(account: Account, *, is_first: bool) -> str:
    name, checked = escape(account.username), " checked" if is_first else ""
    return (
        f'<label><input type="radio" name="account" value="{name}" required{checked}> '
        f"{escape(account.nickname)} (@{name})</label>\n"
    )


def _scope(scope: str) -> str:
    return (
        f'<label><input type="checkbox" name="scope" value="{escape(scope)}" checked> '
        f"{escape(SCOPE_SENTENCES[scope])} <code>{escape(scope)}</code></label>\n"
    )
