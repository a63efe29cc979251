"""YAML 1.2 text → plain data, with the place of every key and value.

ruamel.yaml parses; the tree is read here. Reading the node tree, instead of letting the library construct objects,
keeps places exact, refuses tags and bounds what aliases may unfold to.
"""

import re
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from failover.config.findings import Finding, Loc, Mark, Source, Span, quoted, refusal

NODES_MAX = 50_000
"""Values in one document, aliases unfolded."""
DEPTH_MAX = 40
_SECRET_WORDS = re.compile(
    r"secret|passw|token|credential|private|webhook|a(?:pi|ccess)[-_]?key|tsig|notify|hooks|\bping\b", re.IGNORECASE
)
_SECRET_LINE = re.compile(rf"{_SECRET_WORDS.pattern}|\benv\b", re.IGNORECASE)
_REFERENCE = ("env", "file", "command")
_TOP = re.compile(r"[a-z_]+\s*:(\s|$)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAG = "tag:yaml.org,2002:"
_TRUE = ("true", "yes", "on")
_GAVE_UP = (YAMLError, RecursionError, ValueError, LookupError, AssertionError, AttributeError, TypeError)
"""What the parser raises on hostile input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Plain data (dict, list, str, int, float, bool, None) and where each part of it stands."""

    name: str
    text: str
    data: object
    keys: dict[Loc, Mark]
    values: dict[Loc, Span]
    hidden: list[Span]
    """What is never shown, because a secret may stand there."""
    findings: tuple[Finding, ...]
    """What is wrong with the tree itself: keys that stand twice, tags, keys that are no text."""

    @property
    def source(self) -> Source:
        return Source(name=self.name, text=self.text, hidden=tuple(self.hidden))

    def hide(self, loc: Loc) -> None:
        """Do not show the value at this place."""
        self.hidden.append(self.values[loc])

    def hide_beside(self, loc: Loc) -> None:
        """Do not show the values that stand beside this one."""
        for other in [place for place in self.values if place[:-1] == loc[:-1] and place != loc]:
            self.hide(other)

    def place(self, loc: Loc, *, key: bool = False) -> Mark:
        """Where the value (or its key) at `loc` stands; of what is not there, the nearest parent's key."""
        found = self.keys.get(loc) if key else self._start(loc)
        while found is None and loc:
            found = self.keys.get(loc) or self._start(loc)
            loc = loc[:-1]
        return found or Mark(0, 0)

    def _start(self, loc: Loc) -> Mark | None:
        span = self.values.get(loc)
        return span.start if span else None


def parse(name: str, text: str) -> Document:
    """Raises ConfigError for what is no YAML, is empty or is no mapping. Lesser problems are in `findings`."""
    root = _compose(name, text)
    if root is None:
        raise refusal(Source(name=name, text=text), [Finding(Mark(0, 0), "the file is empty")])
    if not isinstance(root, MappingNode):
        closed = Source(name=name, text=text, closed=True)
        raise refusal(closed, [Finding(_start(root), "this is not a config: it must be a mapping, `version: 1` first")])
    reader = _Reader()
    try:
        data = reader.read(root, (), hide=False)
    except _TooLarge as error:
        raise refusal(Source(name=name, text=text, closed=True), [Finding(error.mark, error.message)]) from None
    return Document(
        name=name,
        text=text,
        data=data,
        keys=reader.keys,
        values=reader.values,
        hidden=reader.hidden,
        findings=tuple(reader.findings),
    )


# ---------------------------------------------------------------------------------------------- syntax


def _compose(name: str, text: str) -> object:
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = DEPTH_MAX
    yaml.composer.warn_double_anchors = False
    problem: Exception
    try:
        return yaml.compose(text)
    except _GAVE_UP as error:
        problem = error
    mark = _problem_mark(problem, text)
    closed = _may_show_secret(text, mark.line)
    source = Source(name=name, text=text, closed=closed)
    raise refusal(source, [Finding(mark, f"not valid YAML: {_cause(problem, closed)}")])


def _problem_mark(error: Exception, text: str) -> Mark:
    if isinstance(error, ReaderError):
        before = text[: error.position]
        return Mark(before.count("\n"), len(before) - (before.rfind("\n") + 1))
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return Mark(mark.line, mark.column) if mark is not None else Mark(0, 0)


def _cause(error: Exception, closed: bool) -> str:
    if isinstance(error, ReaderError):
        return f"the character U+{error.character:04X} is not allowed"
    problem = getattr(error, "problem", None) if isinstance(error, MarkedYAMLError) else None
    if problem is None:
        return "it is nested too deeply" if isinstance(error, RecursionError) else "the parser cannot read it"
    cause = " ".join(str(problem).split())
    if "'\\t'" in cause:
        return "a tab stands here; indent with spaces"
    if "maximum depth" in cause:
        return f"it is nested more than {DEPTH_MAX} levels deep"
    return re.sub(r"'[^']*'", "a character", cause) if closed else cause


def _may_show_secret(text: str, number: int) -> bool:
    """Without a tree, whatever follows a secret's key in the same top-level block may belong to it."""
    lines = text.splitlines()[: number + 1]
    for line in reversed(lines):
        if _SECRET_LINE.search(line):
            return True
        if _TOP.match(line) and line is not lines[-1]:
            return False
    return not any(_TOP.match(line) for line in lines)


# ---------------------------------------------------------------------------------------------- the tree


class _TooLarge(Exception):
    def __init__(self, mark: Mark, message: str) -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message


def _start(node: object) -> Mark:
    mark = node.start_mark  # type: ignore[attr-defined]
    return Mark(mark.line, mark.column)


def _span(node: object) -> Span:
    end = node.end_mark  # type: ignore[attr-defined]
    return Span(_start(node), Mark(end.line, end.column))


@dataclass(slots=True)
class _Reader:
    keys: dict[Loc, Mark] = field(default_factory=dict)
    values: dict[Loc, Span] = field(default_factory=dict)
    hidden: list[Span] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    count: int = 0

    def read(self, node: object, loc: Loc, *, hide: bool) -> object:
        """The plain value. `hide`: its text stands where a secret belongs."""
        self.count += 1
        self.values[loc] = _span(node)
        if self.count > NODES_MAX:
            raise _TooLarge(_start(node), f"the document has more than {NODES_MAX} values, aliases unfolded")
        if len(loc) > DEPTH_MAX:
            raise _TooLarge(_start(node), f"it is nested more than {DEPTH_MAX} levels deep, or refers to itself")
        if isinstance(node, MappingNode):
            return self._mapping(node, loc, hide)
        if isinstance(node, SequenceNode):
            return [self.read(item, (*loc, at), hide=hide) for at, item in enumerate(node.value)]
        return self._scalar(node, hide) if isinstance(node, ScalarNode) else None

    def _mapping(self, node: MappingNode, loc: Loc, hide: bool) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._pass_over(key_node, value_node, "a key must be plain text")
                self.hidden.append(_span(key_node))
                continue
            key, inner = str(key_node.value), (*loc, str(key_node.value))
            if hide and not _shown_key(key, value_node):
                self.hidden.append(_span(key_node))
            if key in found:
                name = "this key" if hide else quoted(key)
                first = self.keys[inner].line + 1
                self._pass_over(key_node, value_node, f"{name} stands twice; first in line {first}")
                continue
            self.keys[inner] = _start(key_node)
            found[key] = self.read(value_node, inner, hide=hide or _secret(loc, key))
        return found

    def _pass_over(self, key: object, value: object, message: str) -> None:
        """Nobody looks into this value any more, so nothing of it is shown."""
        self.findings.append(Finding(_start(key), message))
        self.hidden.append(_span(value))

    def _scalar(self, node: ScalarNode, hide: bool) -> object:
        tag = str(node.tag)
        if hide and node.value:
            self.hidden.append(_span(node))
        if not tag.startswith(_TAG):
            self.findings.append(Finding(_start(node), "tags (words that begin with !) have no meaning here"))
        return _plain(tag.removeprefix(_TAG), str(node.value))


def _secret(loc: Loc, key: str) -> bool:
    """Whether what stands under this key may be a secret, or where people put one."""
    return (*loc, key) == ("release", "env") or _SECRET_WORDS.search(key) is not None


def _shown_key(key: str, value: object) -> bool:
    """Within a secret only the words of a reference, and names of variables, are shown."""
    empty = isinstance(value, ScalarNode) and not value.value
    return key in _REFERENCE or (not empty and _NAME.fullmatch(key) is not None)


def _plain(kind: str, text: str) -> object:
    """A scalar of YAML's core schema. Numbers too long to be meant as such stay text."""
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in _TRUE
    if kind in ("int", "float") and len(text) <= 18:
        try:
            return int(text, 0 if text[:2] in ("0x", "0o") else 10) if kind == "int" else float(text)
        except ValueError:
            return text
    return text
