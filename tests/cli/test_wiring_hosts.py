"""Every kind of DNS host is built from what its config says, by the first call that needs it, no library too early."""

import subprocess
import sys
from pathlib import Path

import pytest

from failover.cli.wiring import context_of
from failover.cli.wiring_hosts import WORDS, HostOrder, build
from failover.config.load import load
from failover.config.model import Config
from failover.dns.table import KINDS
from failover.errors import AccessRefused, SecretError

HOSTS = Path(__file__).parent.parent / "config" / "hosts.yaml"
SECRETS = {"TSIG": "YSBzZWNyZXQ=", "AWS_ID": "AKIAEXAMPLE", "AWS_SECRET": "aws-secret", "API_KEY": "api-key"}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    text = HOSTS.read_text(encoding="utf-8").replace("{file: secrets/api-key}", "{env: API_KEY}")
    (tmp_path / "failover.yaml").write_text(text.replace("      ca_file: ca.pem\n", ""), encoding="utf-8")
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return load(tmp_path / "failover.yaml")


def test_every_shipped_kind_has_its_words() -> None:
    assert set(KINDS) == set(WORDS)


@pytest.mark.parametrize("name", ["bind", "amazon", "usual", "power", "cf", "ocean", "lin", "gan"])
def test_every_kind_can_be_built_from_its_config(config: Config, name: str) -> None:
    assert build(HostOrder(config=config, host=config.hosts[name])).name == name  # type: ignore[attr-defined]


def test_servers_of_a_config_are_those_of_the_traits(config: Config) -> None:
    hosts = context_of(config).hosts
    assert hosts["bind"].traits().servers == ("192.0.2.53:53", "192.0.2.54:53")
    assert hosts["power"].traits().servers == ("198.51.100.53:53",)
    assert hosts["lin"].traits().servers == ("203.0.113.53:53",)
    assert hosts["ocean"].traits().servers == tuple(f"ns{n}.digitalocean.com:53" for n in (1, 2, 3))


def test_what_to_trust_stands_against_the_config(config: Config) -> None:
    assert config.hosts["vul"].options["ca_file"] == str(config.path.absolute().parent / "vul.pem")


def test_a_secret_that_cannot_be_read_is_the_trouble_of_one_host(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("API_KEY")
    with pytest.raises(SecretError, match="env API_KEY"):
        build(HostOrder(config=config, host=config.hosts["power"]))
    hosts = context_of(config).hosts
    for do in (hosts["power"].traits, lambda: hosts["power"].read("example.org", [("www.example.org", "A")])):
        with pytest.raises(AccessRefused) as raised:
            do()
        assert (raised.value.object, raised.value.hint) == ("power", "export API_KEY")
    assert hosts["bind"].traits().grade == 1
    monkeypatch.setenv("API_KEY", "again")
    assert hosts["power"].traits().grade == 3


def test_a_config_with_these_hosts_is_validated_without_their_libraries(config: Config) -> None:
    heavy = ("boto3", "botocore", "libcloud", "urllib3", "dns")
    code = f"""import sys
from failover.__main__ import main
sys.argv = ["failover", "validate", "-c", {str(config.path)!r}]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
