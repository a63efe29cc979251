"""The table of images: shipped names, and files of users that extend it."""

from pathlib import Path
from textwrap import dedent

import pytest

from failover.clouds.images import ImageTable
from failover.errors import ConfigError, Rejected

KINDS = {
    "aws": {"owner", "name"},
    "digitalocean": {"slug"},
    "linode": {"id"},
    "vultr": {"name"},
    "hetzner": {"name"},
    "openstack": {"name"},
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_every_shipped_image(kind: str) -> None:
    table = ImageTable.load()
    assert table.names(kind) == ("debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04")
    for name in table.names(kind):
        assert set(table.find(kind, name)) == KINDS[kind]


def test_an_unknown_name_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(Rejected) as caught:
        ImageTable.load().find("linode", "debian-99")
    assert "debian-12" in caught.value.hint


def test_an_unknown_kind_has_no_images() -> None:
    table = ImageTable.load()
    assert table.names("atlantis") == ()
    with pytest.raises(Rejected):
        table.find("atlantis", "debian-12")


def test_a_file_of_the_user_adds_and_replaces_one_entry_at_a_time(tmp_path: Path) -> None:
    extra = tmp_path / "images.toml"
    extra.write_text(
        '[debian-12]\naws = { owner = "self", name = "golden-*" }\n[mine]\nlinode = { id = "private/7" }\n',
        encoding="utf-8",
    )
    table = ImageTable.load(extra)
    assert table.find("aws", "debian-12") == {"owner": "self", "name": "golden-*"}
    assert table.find("linode", "debian-12") == {"id": "linode/debian12"}
    assert table.find("linode", "mine") == {"id": "private/7"}
    assert "mine" not in table.names("aws")
    assert "mine" not in ImageTable.load().names("linode")


@pytest.mark.parametrize(
    "text", ["[debian-12\n", "debian-12 = 1\n", "[x]\naws = 'ami-1'\n", "[x]\naws = {}\n", "[x]\naws = {id = 1}\n"]
)
def test_a_file_of_another_shape_is_told(tmp_path: Path, text: str) -> None:
    extra = tmp_path / "images.toml"
    extra.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        ImageTable.load(extra)
    assert str(extra) in str(caught.value)


def test_the_documented_file_is_one(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "config.md").read_text(encoding="utf-8")
    block = text.partition("    [golden]\n")[2].partition("\n\n")[0]
    path = tmp_path / "images.toml"
    path.write_text("[golden]\n" + dedent(block))
    table = ImageTable.load(path)
    assert table.find("digitalocean", "golden") == {"slug": "debian-12-x64"}
    assert table.find("openstack", "golden") == {"name": "golden-2026*"}


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        ImageTable.load(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError):
        ImageTable.load(tmp_path / "bytes.toml")
