"""What stands where a secret belongs never appears in a finding, whatever else is wrong around it."""
# ruff: noqa: E501  (tables: one row per line)

import traceback
from pathlib import Path

import pytest

from failover.config.load import load
from failover.errors import ConfigError
from tests.config.conftest import MANAGED, MINIMAL, Findings

PLACES = {
    "plain": "release: {path: app, run: x, secrets: {DB: hunter2}}",
    "block": "release:\n  path: app\n  run: x\n  secrets:\n    DB: hunter2",
    "literal": "release:\n  path: app\n  run: x\n  secrets:\n    DB: |\n      first hunter2\n      hunter2 last",
    "wrong-key": "release: {path: app, run: x, secrets: {DB: {evn: hunter2}}}",
    "key-itself": "release: {path: app, run: x, secrets: {DB: {hunter2}}}",
    "name-itself": "release: {path: app, run: x, secrets: {DB=hunter2: }}",
    "list": "release: {path: app, run: x, secrets: [hunter2]}",
    "both": "release: {path: app, run: x, secrets: {DB: {env: hunter2, file: hunter2}}}",
    "name": "release: {path: app, run: x, secrets: {DB: {env: 'hunter2!'}}}",
    "env": "release: {path: app, run: x, env: {DB: [hunter2]}}",
    "env-name": "release: {path: app, run: x, env: {'DB=hunter2': }}",
    "anchor": "runner: {every: &s hunter2}\nrelease: {path: app, run: x, secrets: {DB: *s}}",
    "unknown-key": "credentials: {token: hunter2}",
    "misspelt": "releas: {secrets: {DB: hunter2}}",
    "misspelt-deep": "notify: [{command: [x], secert: hunter2}]",
    "like-a-kind": "dns: {hosts: {one: {kind: local, local: {local: 1, x: hunter2}}}}",
    "complex-key": "? {secret: hunter2}\n: {secert: hunter2}",
    "twice-misspelt": "local: {}\nlocal: {secert: hunter2}",
    "webhook": "notify: [{webhook: 'ftp://hunter2/x'}]",
    "webhook-bare": "notify: ['https://hooks.example/hunter2']",
    "webhook-misspelt": "notify: [{wbhook: 'https://hooks.example/hunter2'}]",
    "notify-secret": "notify: [{webhook: 'https://hooks.example/', secret: hunter2}]",
    "notify-command-secret": "notify: [{command: [a], secret: {env: hunter2}}]",
    "hook": "hooks: {before: hunter2}",
    "password-in-url": "controls: [{http: 'http://me:hunter2@control.example/', provider: x}]",
    "twice": "release: {path: app, run: x, secrets: {A: {env: B}}, secrets: hunter2}",
}


@pytest.mark.parametrize("name", sorted(PLACES))
@pytest.mark.parametrize("base", [MINIMAL, MANAGED.replace("release: {path: app, run: python3 server.py}\n", "")])
def test_a_misplaced_secret_is_not_shown(findings: Findings, name: str, base: str) -> None:
    found = "\n".join(findings(base + PLACES[name] + "\nnonsense: 1\n"))
    assert "hunter2" not in found


def test_the_caret_stands_at_the_hidden_part(findings: Findings) -> None:
    (found,) = findings(MINIMAL + "notify: [{webhook: 'https://hooks.example/x', secret: hunter2}]\n")
    assert found == (
        "f.yaml:13:55: must be a reference: {env: NAME}, {file: PATH} or {command: [PROGRAM, …]}; never the secret itself\n"
        "    notify: [{webhook: ***, secret: ***}]\n"
        "                                    ^"
    )


BROKEN = {
    "open-quote": "release:\n  path: app\n  secrets:\n    DB: 'hunter2\n",
    "same-line": "release: {path: app, secrets: {DB: hunter2]}\n",
    "later-line": "release:\n  secrets: {\n    DB: x,\n    DC hunter2\n    : : ]\n",
    "alias": "notify:\n- {webhook: x, secret: *hunter2}\n",
    "tag": "notify:\n- {webhook: x, secret: !<hunter2 }\n",
    "escape": 'notify:\n- {webhook: x, secret: "hunter2\\q"}\n',
    "env": "release:\n  env:\n    A: hunter2: x\n",
    "tab": "release:\n  secrets:\n\tDB: hunter2\n",
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_secret_in_a_broken_file_is_not_shown(findings: Findings, name: str) -> None:
    (found,) = findings(MINIMAL + BROKEN[name])
    assert "not valid YAML" in found
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "text", ["hunter2", "- hunter2\n", "hunter2\nsecond\n", "TOKEN: hunter2\n", "hunter2: hunter2: 2"]
)
def test_a_file_that_is_itself_a_secret_is_not_shown(findings: Findings, text: str) -> None:
    assert "hunter2" not in "".join(findings(text))


def test_neither_the_error_nor_its_traceback_nor_the_config_shows_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "failover.yaml"
    path.write_text(MANAGED.replace("path: app,", "path: app, env: {A: hunter2}, secrets: {DB: hunter2},"))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.__context__ is None
    assert "hunter2" not in repr(caught.value) + str(caught.value) + "".join(traceback.format_exception(caught.value))
    path.write_text(
        MANAGED.replace("path: app,", "path: app, env: {A: hunter2},")
        + "notify: [{webhook: 'https://hooks.example/hunter2'}]\n"
    )
    assert "hunter2" not in repr(load(path))


def test_references_are_not_resolved_on_load(tmp_path: Path) -> None:
    path = tmp_path / "failover.yaml"
    path.write_text(
        MANAGED.replace(
            "path: app,", "path: app, secrets: {A: {env: NOT_SET_AT_ALL}, B: {file: gone}, C: {command: [/gone]}},"
        )
    )
    release = load(path).release
    assert release is not None
    assert release.secrets["B"].file == tmp_path / "gone"
