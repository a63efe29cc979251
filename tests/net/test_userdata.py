"""User-data: what is in it, what must not be, how long it may be; and the script that it carries."""

import base64
import contextlib
import io
import re
import shlex
import tarfile
import threading
import time
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from failover.core.model import NodeSpec
from failover.errors import ConfigError, Rejected
from failover.net.archive import pack, tree_digest
from failover.net.secret import redact
from failover.net.userdata import LIMITS, SHIPPED, Template, read_template, render, unit_words

DIGEST = "sha256:" + "a" * 64
ARCHIVE = "https://bucket.example/release.tar.gz?X-Amz-Signature=0123456789abcdef&X-Amz-Expires=1800"
ENVIRONMENT = "https://bucket.example/environment?X-Amz-Signature=fedcba9876543210&X-Amz-Expires=1800"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvdGhhbmRtb3Jl me & <you> 💥"
SPEC = NodeSpec(
    name="guestbook-frankfurt-web-0-abcd",
    service="guestbook",
    site="frankfurt",
    group="web",
    ordinal=0,
    spec="abcd",
    cpus=1,
    memory_mib=512,
    disk_gib=10,
    image="debian-12",
    ports=(8080,),
    release=DIGEST,
    command="python3 server.py",
    environment={"KEY": "opensesame"},
    ssh_keys=(KEY,),
)


def shipped(spec: NodeSpec = SPEC, *, archive: str = ARCHIVE, kind: str = "aws", address: str = "0.0.0.0") -> str:
    return render(read_template(None), spec, archive, ENVIRONMENT, kind=kind, address=address)


def rendered(text: str, spec: NodeSpec = SPEC, *, kind: str = "aws") -> str:
    return render(Template("own.j2", text), spec, ARCHIVE, ENVIRONMENT, kind=kind, address="::")


def files(text: str) -> dict[str, str]:
    return {file["path"]: file["content"] for file in YAML(typ="safe").load(text)["write_files"]}


# ---------------------------------------------------------------------------------------------- what is in it


def test_links_digest_and_keys_are_in_it_and_secrets_are_not() -> None:
    text = shipped()
    node = YAML(typ="safe").load(files(text)["/etc/failover/guestbook/node.json"])
    assert node == {
        "service": "guestbook",
        "release": DIGEST,
        "archive": ARCHIVE,
        "environment": ENVIRONMENT,
        "ports": [8080],
    }
    assert YAML(typ="safe").load(text)["ssh_authorized_keys"] == [KEY]
    assert "opensesame" not in text


def test_links_are_hidden_in_every_output_from_now_on() -> None:
    shipped()
    assert redact(f"GET {ARCHIVE} {ENVIRONMENT}") == "GET [redacted] [redacted]"


def test_the_unit_says_where_to_listen() -> None:
    (unit,) = [text for path, text in files(shipped(address="::")).items() if path.endswith(".service")]
    assert "Environment=FAILOVER_ADDRESS=:: FAILOVER_SITE=frankfurt" in unit
    assert "Environment=PORT=8080\n" in unit
    assert "CAP_NET_BIND_SERVICE" not in unit


def test_low_ports_are_allowed_only_where_they_are_wanted() -> None:
    wish = NodeSpec(**{**as_dict(SPEC), "ports": (443,)})
    (unit,) = [text for path, text in files(shipped(wish)).items() if path.endswith(".service")]
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in unit


def as_dict(spec: NodeSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in spec.__slots__}


def test_neither_ports_nor_keys_are_needed() -> None:
    text = shipped(NodeSpec(**{**as_dict(SPEC), "ports": (), "ssh_keys": ()}))
    assert "ssh_authorized_keys" not in text
    assert "PORT=" not in text


@pytest.mark.parametrize("kind", [*LIMITS, "vultr", "another"])
def test_with_the_longest_links_and_some_keys_it_is_within_every_limit(kind: str) -> None:
    """A presigned link of temporary credentials carries their token: some 1,500 characters."""
    keys = ("ssh-rsa " + "A" * 716 + " me@example.org",) * 2
    wish = NodeSpec(**{**as_dict(SPEC), "ssh_keys": keys})
    link = ARCHIVE + "&X-Amz-Security-Token=" + "A" * 1500
    assert len(render(read_template(None), wish, link, link, kind=kind, address="::")) < 16 * 1024


def test_the_shipped_template_has_a_digest_that_follows_its_text() -> None:
    found = read_template(None)
    assert found.name == SHIPPED
    assert len(found.digest) == 16
    assert found.digest == read_template(None).digest != Template(SHIPPED, found.text + "\n").digest


# ---------------------------------------------------------------------------------------------- own templates


def test_a_template_of_ones_own_is_given_everything() -> None:
    text = rendered(
        "#!/bin/sh\n# {{ service }} {{ site }} {{ group }} {{ name }} {{ release }} {{ hex }} {{ command }}\n"
        "{{ archive }} {{ environment }} {{ exec }} {{ ports }} {{ address }} {{ ssh_keys | json }}"
    )
    assert text.startswith(f"#!/bin/sh\n# guestbook frankfurt web {SPEC.name} {DIGEST} {'a' * 64} python3 server.py\n")
    assert f'{ARCHIVE} {ENVIRONMENT} "python3" "server.py" [8080] :: ["ssh-ed25519' in text


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("#cloud-config\n{% if %}", "line 2: Expected an expression, got 'end of statement block'"),
        ("#cloud-config\n{{ releas }}", "'releas' is undefined"),
        ("#cloud-config\n{{ 1 / 0 }}", "division by zero"),
        ("#cloud-config\n{{ ports + 'x' }}", 'can only concatenate list (not "str") to list'),
        ("#cloud-config\n{% include 'x' %}", "no loader for this environment specified"),
        ("packages: []\n", "cloud-init would not look at it"),
        ("", "cloud-init would not look at it"),
    ],
)
def test_a_template_that_is_none_is_refused(text: str, cause: str) -> None:
    with pytest.raises(Rejected) as caught:
        rendered(text)
    assert caught.value.object == "own.j2"
    assert caught.value.cause.startswith(cause)


def test_what_the_provider_would_not_take_is_refused() -> None:
    text = "#cloud-config\n" + "x" * (16 * 1024)
    with pytest.raises(Rejected, match="it makes 16398 bytes, aws takes at most 16384"):
        rendered(text)
    assert rendered(text, kind="digitalocean") == text


def test_openstack_counts_in_base64() -> None:
    assert LIMITS["openstack"] == 49_149


def test_a_template_that_cannot_be_read_is_an_error_of_the_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.j2: No such file or directory"):
        read_template(tmp_path / "gone.j2")
    (tmp_path / "bad.j2").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_template(tmp_path / "bad.j2")


# ---------------------------------------------------------------------------------------------- words of a unit


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_every_word_of_a_command_reaches_the_unit_on_one_line(words: list[str]) -> None:
    line = unit_words(shlex.join(words))
    assert line.isprintable()
    assert [_read(word) for word in re.findall(r'"((?:[^"\\]|\\.)*)"(?: |$)', line)] == words


def _read(word: str) -> str:
    """As systemd reads what stands between quotes (systemd.syntax(7), systemd.service(5))."""
    pieces = re.findall(r"\\x(..)|\\(.)|(%%)|(\$\$)|(.)", word)
    return b"".join(
        bytes([int(code, 16)]) if code else (escaped or percent[:1] or dollar[:1] or plain).encode()
        for code, escaped, percent, dollar, plain in pieces
    ).decode()


# ---------------------------------------------------------------------------------------------- the script


@pytest.fixture(scope="module")
def script() -> Any:
    """The program that the user-data carries, as a module."""
    module = types.ModuleType("node")
    exec(compile(files(shipped())["/usr/local/sbin/failover-guestbook"], "node", "exec"), module.__dict__)
    return module


names = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..")
)
trees = st.dictionaries(
    st.tuples(names | st.sampled_from(["__pycache__", ".git", "x.pyc"]), names),
    st.tuples(st.binary(max_size=20), st.booleans()),
    min_size=1,
    max_size=6,
)


def grown(root: Path, tree: dict[tuple[str, str], tuple[bytes, bool]]) -> None:
    for (folder, name), (data, executable) in tree.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / name).write_bytes(data)
        (root / folder / name).chmod(0o755 if executable else 0o644)


@given(tree=trees)
def test_it_names_a_tree_as_the_controller_does(
    script: Any, tmp_path_factory: pytest.TempPathFactory, tree: dict[tuple[str, str], tuple[bytes, bool]]
) -> None:
    root = tmp_path_factory.mktemp("tree") / "app"
    (root / "always").mkdir(parents=True)
    (root / "always" / "there").write_bytes(b"")
    (root / "link").symlink_to("always/there")
    (root / "folder").symlink_to("always")
    grown(root / "grown", tree)
    assert script.digest(str(root)) == tree_digest(root)
    there = root.with_name("there")
    script.unpack(io.BytesIO(pack(root).archive), str(there))
    assert script.digest(str(there)) == tree_digest(root)


def archive(*members: tarfile.TarInfo) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    out.seek(0)
    return out


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


HOSTILE = {
    "absolute": [member("/etc/passwd")],
    "above": [member("../x")],
    "above-inside": [member("a/../../x")],
    "device": [member("x", tarfile.CHRTYPE)],
    "fifo": [member("x", tarfile.FIFOTYPE)],
    "hard-link": [member("x", tarfile.LNKTYPE, "/etc/passwd")],
    "link-absolute": [member("x", tarfile.SYMTYPE, "/etc/passwd")],
    "link-above": [member("x", tarfile.SYMTYPE, "../x")],
    "through-a-link": [
        member("b", tarfile.SYMTYPE, "."),
        member("a", tarfile.SYMTYPE, "b/.."),
        member("a/new/x"),
    ],
    "late-link": [member("a", tarfile.SYMTYPE, "b/.."), member("b", tarfile.SYMTYPE, "."), member("a/new/x")],
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_it_unpacks_nothing_outside(script: Any, tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises((ValueError, OSError)):
        script.unpack(archive(*HOSTILE[name]), str(root))
    assert {path.name for path in tmp_path.iterdir()} == {"root"}


def test_it_does_not_fill_the_disk(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SIZE_MAX", 10)
    with pytest.raises(ValueError, match="may not hold 'b'"):
        script.unpack(archive(member("a", size=6), member("b", size=6)), str(tmp_path))


def test_an_archive_made_by_hand_is_as_good(script: Any, tmp_path: Path) -> None:
    """With folders, with ./ before each name, with what does not count."""
    members = [
        member("./", tarfile.DIRTYPE),
        member("./app/", tarfile.DIRTYPE),
        member("./app/x", size=3),
        member("./app/__pycache__/x.pyc", size=3),
    ]
    script.unpack(archive(*members), str(tmp_path))
    assert [str(p.relative_to(tmp_path)) for p in sorted(tmp_path.rglob("*"))] == ["app", "app/x"]


def test_it_gives_up_on_a_link_that_stays_dead(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "PATIENCE_S", -1)
    with pytest.raises(SystemExit) as caught:
        script.fetched("http://127.0.0.1:9/release?X-Amz-Signature=0123456789abcdef", str(tmp_path))
    assert "Connection refused" in str(caught.value)
    assert "Signature" not in str(caught.value) + capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


class Endless(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """A depot that is never done."""
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"x" * 1024)
                time.sleep(0.01)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_it_gives_up_on_a_depot_that_is_never_done(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "PATIENCE_S", -1)
    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(SystemExit, match="it takes too long"):
                script.fetched(f"http://127.0.0.1:{server.server_port}/release", str(tmp_path))
        finally:
            server.shutdown()
            thread.join()
    assert list(tmp_path.iterdir()) == []


def test_a_refused_archive_is_fetched_again_after_pauses_that_grow(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """systemd starts the service again every ten seconds; a whole archive each time would be a bill."""
    pauses: list[int] = []
    monkeypatch.setattr(script, "time", types.SimpleNamespace(monotonic=time.monotonic, sleep=pauses.append))
    app, marks = tmp_path / "opt" / "app", str(tmp_path / "marks")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "x").write_bytes(b"x")
    packed = pack(tmp_path / "source")
    link = f"data:;base64,{base64.b64encode(packed.archive).decode()}"
    for _ in range(9):
        with pytest.raises(SystemExit, match="refused: the archive holds"), script.patience(marks):
            script.install(link, str(app), DIGEST)
    assert pauses == [20, 40, 80, 160, 320, 600, 600, 600]
    assert "refused 8 times, next try in 600 s" in capsys.readouterr().err
    with script.patience(marks):
        script.install(link, str(app), packed.digest)
    assert (app / "x").read_bytes() == b"x"


def test_what_was_never_refused_is_not_waited_for(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "time", types.SimpleNamespace())
    marks = tmp_path / "marks"
    for _ in range(2):
        with script.patience(str(marks)):
            pass
    assert not marks.exists()


def test_a_link_may_hold_its_contents(script: Any, tmp_path: Path) -> None:
    """So a service without secrets needs no depot."""
    with script.fetched("data:;base64,QT0iYiI=", str(tmp_path)) as file:
        assert file.read() == b'A="b"'
