"""`failover init`: what it writes, and what it does not overwrite."""

import os
import stat
from pathlib import Path

import pytest

from failover.cli.init import write_given, write_local
from failover.config.load import load
from failover.core.model import Action
from failover.errors import FailoverError, RefusedError
from failover.net.archive import tree_digest
from failover.net.resources import resource


def test_a_playground_has_a_config_the_release_and_a_private_secret(tmp_path: Path) -> None:
    written = write_local(tmp_path / "new" / "play", force=False)
    assert [path.relative_to(tmp_path / "new/play").as_posix() for path in written] == [
        "failover.yaml",
        "app",
        "secrets/guestbook-key",
    ]
    config, release, secret = written
    assert config.read_bytes() == resource("templates/init/local.yaml").read_bytes()
    assert tree_digest(release) == tree_digest(resource("examples/guestbook"))
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o700
    assert len(secret.read_text().strip()) == 32


def test_each_playground_has_a_secret_of_its_own(tmp_path: Path) -> None:
    one, other = write_local(tmp_path / "one", force=False), write_local(tmp_path / "other", force=False)
    assert one[2].read_text() != other[2].read_text()


def test_a_loose_umask_does_not_open_the_secret(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        secret = write_local(tmp_path, force=False)[2]
    finally:
        os.umask(before)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@pytest.mark.parametrize("standing", ["failover.yaml", "app", "secrets/guestbook-key"])
def test_nothing_is_overwritten_unless_forced(tmp_path: Path, standing: str) -> None:
    (tmp_path / standing).parent.mkdir(exist_ok=True)
    (tmp_path / standing).write_text("precious")
    with pytest.raises(RefusedError) as caught:
        write_local(tmp_path, force=False)
    assert standing in str(caught.value)
    assert "--force" in caught.value.hint
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / standing]
    write_local(tmp_path, force=True)
    assert (tmp_path / "app").is_dir()


def test_forcing_puts_the_release_back_as_it_ships(tmp_path: Path) -> None:
    release = write_local(tmp_path, force=False)[1]
    (release / "extra").write_text("x")
    write_local(tmp_path, force=True)
    assert tree_digest(release) == tree_digest(resource("examples/guestbook"))


def test_a_config_for_given_sites_refuses_to_overwrite_too(tmp_path: Path) -> None:
    assert write_given(tmp_path, force=False) == [tmp_path / "failover.yaml"]
    with pytest.raises(RefusedError):
        write_given(tmp_path, force=False)
    assert write_given(tmp_path, force=True) == [tmp_path / "failover.yaml"]


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FailoverError, match="file"):
        write_local(tmp_path / "file" / "play", force=False)
    with pytest.raises(FailoverError, match="file"):
        write_given(tmp_path / "file", force=False)


def test_the_playground_is_a_config_that_can_be_used(tmp_path: Path) -> None:
    service = load(write_local(tmp_path, force=False)[0]).service
    assert [site.name for site in service.sites] == ["aurora", "boreas", "cirrus"]
    assert (service.every_s, service.ttl_s, service.single_accept, service.hosts) == (1.0, 1, True, ("ns1", "ns2"))
    (check,) = service.checks
    assert (check.interval_s, check.timeout_s, check.fall, check.rise) == (1.0, 0.5, 3, 2)
    policy = service.policy
    reactions = (policy.account_closed, policy.provider_down, policy.resources_gone)
    assert all((reaction.action, reaction.confirm_s) == (Action.CUTOVER, 3.0) for reaction in reactions)
    assert policy.cooldown_s == 5.0
    assert len({control.provider for control in service.controls}) == 2


def test_the_config_for_given_sites_can_be_used(tmp_path: Path) -> None:
    service = load(write_given(tmp_path, force=False)[0]).service
    assert all(site.given for site in service.sites)
    assert len({site.provider for site in service.sites}) == 2
    assert service.policy.unexplained_down.action is Action.ASK


def test_what_does_not_ship_is_named() -> None:
    with pytest.raises(FailoverError, match="templates/nothing"):
        resource("templates/nothing")
