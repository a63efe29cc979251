"""Whatever stands in the file: a config, or a ConfigError with rendered findings. Never anything else."""

import contextlib
import json
import re
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from failover.config.load import load
from failover.config.model import Config
from failover.errors import ConfigError

EXAMPLE = Path(__file__).with_name("example.yaml").read_text()
LINES = EXAMPLE.splitlines()
SECRET = "hunter2hunter2"


def outcome(text: str | bytes) -> Config | ConfigError:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "f.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        try:
            return load(path)
        except ConfigError as error:
            return checked(error)


def checked(error: ConfigError) -> ConfigError:
    """Every finding has its place."""
    wrong = [finding for finding in error.findings if not re.match(r".*/f\.yaml:\d+:\d+: \S", finding)]
    assert error.findings
    assert not wrong
    return error


pieces = st.sampled_from(["{", "}", "[", "]", ": ", "- ", "'", '"', "\n", "  ", "\t", "&a ", "*a", "!x ", "|", ">", "#", "---\n", "? ", "~", "<<: ", "\x85", "\u2028", "é", "💥", "0", "true", "%", ",", "@", "`"])  # fmt: skip  # noqa: E501


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, len(EXAMPLE)), cut=st.integers(0, 12), piece=st.lists(pieces, max_size=4).map("".join))
def test_a_config_changed_anywhere(at: int, cut: int, piece: str) -> None:
    outcome(EXAMPLE[:at] + piece + EXAMPLE[at + cut :])


@settings(max_examples=100, deadline=None)
@given(st.permutations(range(len(LINES))).map(lambda order: order[:12]), st.integers(1, 3))
def test_a_config_with_lines_lost_or_doubled(order: list[int], times: int) -> None:
    lines = [line for at, line in enumerate(LINES) for _ in range(times if at in order[:4] else at not in order)]
    outcome("\n".join(lines))


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["60s", "web", "A", "local"]),
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(data: object, loc: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    below: list[tuple[str | int, ...]] = []
    if isinstance(data, dict):
        below = [place for key in data for place in places(data[key], (*loc, key))]
    elif isinstance(data, list):
        below = [place for at, item in enumerate(data) for place in places(item, (*loc, at))]
    return [loc, *below]


def data() -> dict[str, object]:
    return YAML(typ="safe", pure=True).load(EXAMPLE)  # type: ignore[no-any-return]


PLACES = places(data())[1:]


def replaced(*changes: tuple[tuple[str | int, ...], object]) -> str:
    """The example with other values in some places, as JSON, which is YAML. A place that is gone is passed over."""
    root = data()
    for loc, value in changes:
        with contextlib.suppress(LookupError, TypeError):
            inner: object = root
            for part in loc[:-1]:
                inner = inner[part]  # type: ignore[index]
            inner[loc[-1]] = value  # type: ignore[index]
    return json.dumps(root)


@settings(max_examples=100, deadline=None)
@given(loc=st.sampled_from(PLACES), value=trees)
@example(loc=("sites",), value={})
@example(loc=("sites", "first"), value={"": ""})
@example(loc=("dns", "records"), value={"": {"type": "A", "nodes": "web"}})
@example(loc=("dns", "zones"), value=[""])
def test_any_value_in_any_place(loc: tuple[str | int, ...], value: object) -> None:
    outcome(replaced((loc, value)))


SECRET_PLACES = [loc for loc in PLACES if loc[-1] == "secret" or (loc[:2] == ("release", "secrets") and len(loc) == 3)]
SECRET_FORMS = [SECRET, [SECRET], {"evn": SECRET}, {"env": "A", "value": SECRET}, {"env": SECRET, "file": SECRET}]


@settings(max_examples=100, deadline=None)
@given(
    loc=st.sampled_from(SECRET_PLACES), form=st.sampled_from(SECRET_FORMS), other=st.sampled_from(PLACES), wrong=trees
)
def test_a_secret_in_place_of_a_reference_is_never_shown(
    loc: tuple[str | int, ...], form: object, other: tuple[str | int, ...], wrong: object
) -> None:
    text = replaced((other, wrong), (loc, form))
    for broken in (text, text.replace(SECRET, SECRET + '"', 1)):
        found = outcome(broken)
        assert isinstance(found, ConfigError) or SECRET not in broken
        assert SECRET not in "".join(getattr(found, "findings", ()))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(data: bytes) -> None:
    assert isinstance(outcome(data), ConfigError)
