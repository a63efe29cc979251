"""A release is packed the same way every time, and unpacked only when it is what its name says."""

import gzip
import hashlib
import io
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failover.errors import AdapterError, Conflict, NotFound, Rejected, Unreadable
from failover.net import archive
from failover.net.archive import pack, tree_digest, unpack


def tree(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tree(tmp_path / "app", {"server.py": b"print()\n", "static/a.css": b"a{}", "static-b": b"", "Z": b"z"})
    (root / "server.py").chmod(0o755)
    (root / "latest").symlink_to("static/a.css")
    return root


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def test_a_plain_tree_has_the_digest_of_what_sha256sum_prints(tmp_path: Path) -> None:
    root = tree(tmp_path, {"b": b"2", "a/x": b"1", "a.txt": b"3", "ä": b"4", "odd\nname": b"5", "back\\slash": b"6"})
    names = sorted((str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()), key=os.fsencode)
    printed = subprocess.run(["sha256sum", "--", *names], cwd=root, capture_output=True, check=True).stdout
    assert tree_digest(root) == "sha256:" + hashlib.sha256(printed).hexdigest()


def test_the_lines_of_the_digest_are_as_documented(app: Path) -> None:
    def line(data: bytes, mark: str, path: str) -> str:
        return f"{hashlib.sha256(data).hexdigest()} {mark}{path}\n"

    text = (
        line(b"z", " ", "Z")
        + line(b"static/a.css", "@", "latest")
        + line(b"print()\n", "*", "server.py")
        + line(b"", " ", "static-b")
        + line(b"a{}", " ", "static/a.css")
    )
    assert tree_digest(app) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_packing_and_digesting_agree_and_unpacking_gives_the_same_tree(app: Path, tmp_path: Path) -> None:
    packed = pack(app)
    assert packed.digest == tree_digest(app)
    assert packed.files == 5
    into = tmp_path / "node" / "release"
    unpack(packed.archive, into, packed.digest)
    assert tree_digest(into) == packed.digest
    assert os.access(into / "server.py", os.X_OK)
    assert not os.access(into / "Z", os.X_OK)
    assert (into / "latest").read_bytes() == b"a{}"
    assert [p.name for p in into.parent.iterdir()] == ["release"]


def test_the_same_files_give_the_same_bytes_whatever_their_times_and_modes(app: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(app, other, symlinks=True)
    os.utime(other / "Z", (1, 1))
    (other / "Z").chmod(0o600)
    (other / "empty").mkdir()
    assert pack(other).archive == pack(app).archive


def test_an_archive_shows_neither_owner_nor_time(app: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(pack(app).archive)) as tar:
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in tar} == {(0, 0, 0, "", "")}


@pytest.mark.parametrize("name", ["__pycache__/x.py", "a/__pycache__/x", "m.pyc", ".git/config"])
def test_what_tools_leave_behind_does_not_count(app: Path, name: str) -> None:
    before = tree_digest(app)
    tree(app, {name: b"junk"})
    assert tree_digest(app) == before


def test_one_byte_one_name_or_one_bit_makes_another_digest(app: Path) -> None:
    seen = {tree_digest(app)}
    (app / "Z").write_bytes(b"y")
    seen.add(tree_digest(app))
    (app / "Z").chmod(0o755)
    seen.add(tree_digest(app))
    (app / "Z").rename(app / "Y")
    seen.add(tree_digest(app))
    (app / "latest").unlink()
    (app / "latest").symlink_to("static-b")
    seen.add(tree_digest(app))
    assert len(seen) == 5


def test_a_directory_without_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "empty").mkdir()
    with pytest.raises(Rejected, match="no file"):
        pack(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_a_missing_directory_is_not_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotFound):
        tree_digest(tmp_path / name)


def test_a_socket_is_refused(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(app)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        with pytest.raises(Rejected, match="neither"):
            pack(app)


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "static/../../outside", "up/outside"])
def test_a_link_out_of_the_tree_is_refused(app: Path, target: str) -> None:
    tree(app.parent, {"outside": b"secret"})
    (app / "bad").symlink_to(target)
    if target.startswith("up"):
        (app / "up").symlink_to("..")
    with pytest.raises(Rejected, match="outside"):
        pack(app)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_an_unreadable_file_is_never_an_empty_one(app: Path) -> None:
    (app / "Z").chmod(0)
    with pytest.raises(Unreadable):
        tree_digest(app)
    with pytest.raises(Unreadable):
        pack(app)


def test_a_directory_that_cannot_be_listed_is_never_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(Unreadable):
        tree_digest(tmp_path / "loop")


def test_too_many_bytes_are_refused_by_their_number(app: Path) -> None:
    with (app / "large").open("wb") as file:
        file.truncate(archive.SIZE_MAX)
    with pytest.raises(Rejected, match="the limit is 512 MiB"):
        pack(app)


def test_too_many_files_are_refused(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "FILES_MAX", 4)
    with pytest.raises(Rejected, match="the limit is 4"):
        pack(app)


def test_another_digest_leaves_nothing(app: Path, tmp_path: Path) -> None:
    packed = pack(app)
    with pytest.raises(Rejected, match="something else"):
        unpack(packed.archive, tmp_path / "into", "sha256:" + "0" * 64)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["app"]


@pytest.mark.parametrize("digest", ["", "abc", "sha256:../../x", "md5:" + "0" * 64, "sha256:" + "A" * 64])
def test_a_digest_of_another_form_is_refused(tmp_path: Path, digest: str) -> None:
    with pytest.raises(Rejected):
        unpack(b"", tmp_path / "into", digest)
    assert not list(tmp_path.iterdir())


def test_what_is_there_already_is_never_overwritten(app: Path, tmp_path: Path) -> None:
    packed = pack(app)
    into = tree(tmp_path / "into", {"mine": b"1"})
    with pytest.raises(Conflict):
        unpack(packed.archive, into, packed.digest)
    assert (into / "mine").read_bytes() == b"1"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["app", "into"]


def test_an_empty_directory_and_the_rest_of_a_killed_run_are_replaced(app: Path, tmp_path: Path) -> None:
    packed = pack(app)
    tree(tmp_path / ".into.part", {"half": b"1"})
    (tmp_path / "into").mkdir()
    unpack(packed.archive, tmp_path / "into", packed.digest)
    assert tree_digest(tmp_path / "into") == packed.digest
    assert not (tmp_path / ".into.part").exists()


def test_a_parent_that_is_a_file_is_an_adapter_error(app: Path, tmp_path: Path) -> None:
    packed = pack(app)
    (tmp_path / "file").write_text("x")
    with pytest.raises(AdapterError):
        unpack(packed.archive, tmp_path / "file" / "into", packed.digest)


HOSTILE = {
    "absolute": tar_of((tarfile.TarInfo("/tmp/evil"), b"x")),
    "parent": tar_of((tarfile.TarInfo("../evil"), b"x")),
    "inner-parent": tar_of((tarfile.TarInfo("a/../../evil"), b"x")),
    "link-out": tar_of(link("l", "../.."), (tarfile.TarInfo("l/evil"), b"x")),
    "link-absolute": tar_of(link("l", "/etc/passwd")),
    "link-above": tar_of(link("l", "../evil")),
    "through-links": tar_of(link("b", "."), link("a", "b/.."), (tarfile.TarInfo("a/new/evil"), b"x")),
    "late-link": tar_of(link("a", "b/.."), link("b", "."), (tarfile.TarInfo("a/new/evil"), b"x")),
    "circle": tar_of(link("a", "b"), link("b", "a"), (tarfile.TarInfo("a/evil"), b"x")),
    "twice": tar_of((tarfile.TarInfo("a"), b"x"), (tarfile.TarInfo("a"), b"x")),
    "below-a-file": tar_of((tarfile.TarInfo("a"), b"x"), (tarfile.TarInfo("a/b"), b"x")),
    "hard-link": tar_of(link("l", "x", tarfile.LNKTYPE)),
    "device": tar_of(link("null", "", tarfile.CHRTYPE)),
    "fifo": tar_of(link("fifo", "", tarfile.FIFOTYPE)),
    "unseen-by-the-digest": tar_of((tarfile.TarInfo("a"), b"x"), (tarfile.TarInfo("__pycache__/a.pyc"), b"evil")),
    "not-gzip": b"hello",
    "not-tar": gzip.compress(b"hello" * 1000),
    "empty": b"",
    "nothing-in-it": tar_of(),
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_a_hostile_archive_is_rejected_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    inner = tmp_path / "inner"
    with pytest.raises(Rejected):
        unpack(HOSTILE[kind], inner / "into", "sha256:" + "0" * 64)
    assert [p.name for p in tmp_path.iterdir()] == ["inner"]
    assert not list(inner.iterdir())


def test_an_archive_that_grows_beyond_the_limit_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SIZE_MAX", 1000)
    monkeypatch.setattr(archive, "_HEADER_ALLOWANCE", 4096)
    bomb = tar_of((tarfile.TarInfo("zeros"), bytes(10_000_000)))
    with pytest.raises(Rejected, match="too large"):
        unpack(bomb, tmp_path / "into", "sha256:" + "0" * 64)
    assert not list(tmp_path.iterdir())


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 400))
def test_a_damaged_archive_never_becomes_a_release(position: int, value: int, cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        packed = pack(tree(base / "app", {"a": b"hello" * 50, "b/c": b"world"}))
        damaged = bytearray(packed.archive)
        damaged[position % len(damaged)] = value
        del damaged[len(damaged) - cut % 20 :]
        into = base / "into"
        try:
            unpack(bytes(damaged), into, packed.digest)
        except Rejected:
            assert not into.exists()
        else:
            assert tree_digest(into) == packed.digest


names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=40).filter(
    lambda name: (
        name not in (".", "..", "__pycache__", ".git") and not name.endswith(".pyc") and len(name.encode()) < 200
    )
)


@settings(max_examples=60, deadline=None)
@given(files=st.dictionaries(names, st.binary(max_size=50), min_size=1, max_size=6))
def test_any_names_and_contents_make_the_round_trip(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        packed = pack(tree(base / "app", files))
        unpack(packed.archive, base / "into", packed.digest)
        assert {p.name: p.read_bytes() for p in (base / "into").iterdir()} == files


def test_names_that_are_not_utf_8_make_the_round_trip(tmp_path: Path) -> None:
    root = tmp_path / "app"
    root.mkdir()
    with open(os.fsencode(root) + b"/caf\xe9", "wb") as file:
        file.write(b"1")
    packed = pack(root)
    unpack(packed.archive, tmp_path / "into", packed.digest)
    assert os.listdir(os.fsencode(tmp_path / "into")) == [b"caf\xe9"]
