"""Schemathesis asks the API whatever its schema allows, and what it does not, on both servers.

``make test`` asks the plugin little, ``make intake-kills`` asks both the same, and more.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from reelflow.domain.post import PostState
from tests import factories
from tests.chunked_uploads import ANNA, CHUNK, Uploads, video_like
from tests.integration.airflow_server import AirflowServer
from tests.integration.intake_server import ON_BOTH_SERVERS, IntakeServer, headers_of

SCRIPT: Final = Path(sys.executable).with_name("schemathesis")
HOOKS: Final = Path(__file__).with_name("schemathesis_hooks.py")
#: What is asked is the same each time: a failure can be asked for again.
SEED: Final = 20_261_122
#: Of each operation, by fuzzing. Coverage asks the same each time: each bound, and beyond it.
EXAMPLES: Final = int(os.environ.get("INTAKE_EXAMPLES", "4"))
IS_FULL: Final = EXAMPLES >= 50
DEADLINE_S: Final = 900.0
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


def own_ids(serving: IntakeServer) -> Mapping[str, object]:
    """Give Anna a post, a file and an upload; return their ids by the names of parameters."""
    uploads = Uploads(serving.workspace)
    account = factories.make_account(serving.workspace, "acme")
    post = factories.make_post(serving.workspace, account, state=PostState.HELD)
    factories.change_post(serving.workspace, post.id, user_id=ANNA.id)
    content = video_like(CHUNK + 1000)
    media = uploads.finalize(uploads.sent(content)).media
    upload_id = uploads.open(content)
    uploads.send(upload_id, 0, content[:CHUNK])
    return {
        "post_id": post.id,
        "media_id": media.id,
        "upload_id": upload_id,
        "video_id": media.id,
    }


@pytest.mark.parametrize("who", ["an admin, of nothing that is there", "a user, of her own"])
@ON_BOTH_SERVERS
def test_no_answer_is_a_failure_of_ours_or_another_than_the_schema_says(
    serving: IntakeServer, tmp_path: Path, who: str
) -> None:
    is_admin = who.startswith("an admin")
    key = serving.root if is_admin else serving.anna
    known = {} if is_admin else own_ids(serving)
    is_plugin = isinstance(serving.process, AirflowServer)
    hooks = [f"hooks = {str(HOOKS)!r}"] if is_plugin else []
    config = tmp_path / "schemathesis.toml"
    ids = [f"{name} = {value!r}" for name, value in known.items()]
    config.write_text("\n".join([*hooks, "[parameters]", *ids]))
    phases = "fuzzing" if is_plugin and not IS_FULL else "coverage,fuzzing"
    run = subprocess.run(
        [
            *(str(SCRIPT), "--config-file", str(config), "--no-color"),
            *("run", f"{serving.api}/openapi.json"),
            *("-H", f"Authorization: {headers_of(key)['Authorization']}"),
            *("--phases", phases, "--checks", ",".join(CHECKS)),
            *("--max-examples", str(EXAMPLES), "--seed", str(SEED), "--workers", "1"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=DEADLINE_S,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:] + serving.process.log()
    assert "Test cases:" in run.stdout
