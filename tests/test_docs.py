"""The documents say what is so: names, defaults, links and commands are compared with the program."""

import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from failover import errors
from failover.cli.app import app, run
from failover.config import units
from failover.config.load import load
from failover.config.schema import json_schema
from failover.core.cutover import Step
from failover.core.model import Policy, Reaction
from failover.core.verdict import VerdictKind
from failover.net.archive import tree_digest
from tests.test_architecture import SUITES, protocols

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "examples/**/*.md") for path in ROOT.glob(pattern)
)


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """What stands under a heading of the second level."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row, without the heading."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


# ---------------------------------------------------------------------------------------------- links


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (path.parent / target).exists(), target


# ---------------------------------------------------------------------------------------------- decisions


@pytest.mark.parametrize("name", ["README.md", "docs/how-it-decides.md"])
def test_every_verdict_is_explained(name: str) -> None:
    for kind in VerdictKind:
        assert f"`{kind}`" in page(name), kind


def test_every_step_stands_in_its_place() -> None:
    table = rows(section(page("docs/how-it-decides.md"), "Execute"))
    found = [re.search(r"`([a-z-]+)`", cells[1]) for cells in table]
    assert [match[1] for match in found if match] == [step.value for step in Step]


# ---------------------------------------------------------------------------------------------- config


def keys(schema: dict[str, Any]) -> set[str]:
    """Every property name anywhere in a JSON Schema."""
    found = set(schema.get("properties", {}))
    for value in schema.values():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                found |= keys(part)
    for part in schema.get("properties", {}).values():
        found |= keys(part)
    return found


def test_every_key_of_the_config_is_documented() -> None:
    text = page("docs/config.md")
    missing = [key for key in sorted(keys(json_schema())) if not re.search(rf"[`{{ .]{key}[`:}} ]", text)]
    assert missing == []


def test_no_key_is_documented_that_does_not_exist() -> None:
    top = {cells[0].strip("`") for cells in rows(section(page("docs/config.md"), "Top level"))}
    assert top == set(json_schema()["properties"])


def test_the_documented_policy_is_the_default() -> None:
    policy = Policy()
    for name, _, default in rows(section(page("docs/config.md"), "policy")):
        key = name.strip("`")
        if key in ("failback", "all_down"):
            continue
        value = getattr(policy, key, None) or getattr(policy, f"{key}_s", None)
        if isinstance(value, Reaction):
            action, _, confirm = default.partition(", ")
            assert value.action == action
            assert value.confirm_s == (units.duration_s(confirm) if confirm else 0)
        elif default.isdigit():
            assert value == int(default), key
        else:
            assert value == units.duration_s(default), key


# ---------------------------------------------------------------------------------------------- adapters, decisions


def test_every_suite_and_memory_adapter_exists() -> None:
    for module, name in re.findall(r"`testing\.(\w+)\.(\w+)`", page("docs/adapters.md")):
        assert hasattr(importlib.import_module(f"failover.testing.{module}"), name), name


def test_every_port_and_suite_is_listed() -> None:
    listed = set(
        re.findall(r"`(?:testing\.\w+\.)?(\w+)`", " ".join(" ".join(r) for r in rows(page("docs/adapters.md"))))
    )
    assert protocols() | set(SUITES.values()) <= listed


def test_a_release_can_be_checked_by_hand_as_the_decision_says(tmp_path: Path) -> None:
    (tmp_path / "app" / "deep dir").mkdir(parents=True)
    (tmp_path / "app" / "b.txt").write_text("b")
    (tmp_path / "app" / "deep dir" / "ä.txt").write_text("a")
    (tmp_path / "app" / "b").write_text("")
    (command,) = re.findall(r"^    (cd app && .*)$", page("docs/adr/0002-a-release-is-its-sha256sum.md"), re.MULTILINE)
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"sha256:{done.stdout.split()[0]}" == tree_digest(tmp_path / "app")


def test_every_decision_is_listed() -> None:
    listed = set(re.findall(r"\((\d{4}-[^)]+)\)", page("docs/adr/README.md")))
    assert listed == {path.name for path in (ROOT / "docs" / "adr").glob("[0-9]*.md")}


# ---------------------------------------------------------------------------------------------- commands


def commands() -> dict[str, set[str]]:
    """Every command by its words, with its options."""
    found: dict[str, set[str]] = {}

    def walk(words: tuple[str, ...], command: Any) -> None:
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("-")}
        for name, inner in getattr(command, "commands", {}).items():
            walk((*words, name), inner)
        if not hasattr(command, "commands") or command.invoke_without_command:
            found[" ".join(words)] = options | {"--help"}

    walk((), typer.main.get_command(app))
    return found


def test_every_command_is_documented_and_none_that_does_not_exist() -> None:
    text = page("docs/commands.md")
    documented = {re.sub(r" (\[?[A-Z]+\]?)$", "", words) for words in re.findall(r"\*\*`failover ([^`]+)`\*\*", text)}
    assert documented == set(commands())


def used() -> Iterator[tuple[str, str]]:
    """Every `failover …` command line in the documents, with the page it stands on."""
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        lines = re.findall(r"^    failover ([a-z][^#\n]*)", text, re.MULTILINE) + re.findall(
            r"`failover ([a-z][^`]*)`", text
        )
        for line in lines:
            yield path.name, line.strip()


def test_every_command_line_in_the_documents_can_be_typed() -> None:
    known = commands()
    groups = {words.split()[0] for words in known if " " in words}
    seen = 0
    for name, line in used():
        words = line.replace("…", "").split()
        if words == ["local"]:
            continue
        pair = " ".join(words[:2])
        command = pair if words[0] in groups and (pair in known or words[0] not in known) else words[0]
        assert command in known, f"{name}: failover {line}"
        options = {word for word in words if word.startswith("-")}
        assert options <= known[command], f"{name}: failover {line}"
        seen += 1
    assert seen > 40


def test_every_exit_code_is_explained() -> None:
    explained = {int(cells[0]) for cells in rows(section(page("docs/operations.md"), "Exit codes"))}
    codes = {0, 1, *(error.exit_code for error in (errors.UsageError, errors.LockedError, errors.ConfigError))}
    assert codes | {2} == explained


# ------------------------------------------------------------------------------------ examples


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: str(path.name))
def test_every_example_is_valid(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the real command, without a warning; secrets stand in the environment."""
    for name in re.findall(r"\{env: (\w+)\}", path.read_text(encoding="utf-8")):
        monkeypatch.setenv(name, "YSBzZWNyZXQgb2YgdGhlIGV4YW1wbGVzLCAzMiBieXRlcw==")
    assert run(["-c", str(path), "validate"]) == 0
    out, err = capsys.readouterr()
    assert f"{path} is valid" in out
    assert err == ""


def test_the_steering_name_moves_and_its_aliases_stay() -> None:
    """The page and the example speak of the same records; only those that move stand in the config."""
    example = (ROOT / "examples" / "steering-name.yaml").read_text(encoding="utf-8")
    shown = {tuple(line.split(";")[0].split()) for line in section(page("docs/dns.md"), "A steering name").splitlines()}
    records = {record for record in shown if len(record) == 4 and record[2] in ("A", "CNAME")}
    commented = {tuple(line.removeprefix("#").split()) for line in example.splitlines() if line.startswith("#")}
    assert records <= commented
    service = load(ROOT / "examples" / "steering-name.yaml").service
    moving = {record.name for record in service.records}
    aliases = {name.rstrip(".") for name, _, type, _ in records if type == "CNAME"}
    targets = {value.rstrip(".") for _, _, type, value in records if type == "CNAME"}
    assert moving == targets | set(service.zones)
    assert len(aliases) > 2
    assert not aliases & moving
