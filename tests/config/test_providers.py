"""Providers, their credentials by role, and how their nodes get the release."""

from pathlib import Path

import pytest

from failover.config.load import load
from failover.config.model import Config, DepotConfig, ProviderConfig
from failover.core.model import Record
from failover.net.secret import SecretRef
from tests.config.conftest import MANAGED, Findings

CLOUDS = Path(__file__).with_name("clouds.yaml")
HERE = CLOUDS.parent
ALL_KINDS = "local, aws, digitalocean, linode, vultr, hetzner, openstack"
REFERENCE = "must be a reference: {env: NAME}, {file: PATH} or {command: [PROGRAM, …]}; never the secret itself"
DEPOT = "depot: {bucket: b, endpoint: 'https://x/', access_key: {env: A}, secret_key: {env: B}}"


@pytest.fixture(scope="module")
def clouds() -> Config:
    return load(CLOUDS)


def config(provider: str, *, site: str = ", region: r1", release: str = "", type: str = "A") -> str:
    text = MANAGED.replace("{kind: local}", provider, 1).replace("{provider: aurora}", f"{{provider: aurora{site}}}")
    return text.replace("server.py}", f"server.py{release}}}").replace("type: A", f"type: {type}")


# ---------------------------------------------------------------------------------------------- good ones


def test_credentials_stand_by_role(clouds: Config) -> None:
    assert clouds.providers["aws"] == ProviderConfig(
        name="aws",
        kind="aws",
        credentials={
            "watch": {"profile": "gb-read"},
            "mirror": {
                "access_key": SecretRef(env="AWS_KEY"),
                "secret_key": SecretRef(file=HERE / "aws-secret"),
                "assume_role": "arn:aws:iam::1:role/gb",
            },
        },
        depot=DepotConfig(bucket="gb-release"),
        options={"subnets": ("subnet-1",)},
    )


def test_a_second_credential_may_stand_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "failover.yaml"
    roles = "{watch: {profile: a}, mirror: {profile: b}, second: {profile: c}}"
    path.write_text(config(f"{{kind: aws, credentials: {roles}, depot: {{bucket: b}}}}"), encoding="utf-8")
    roles_found = load(path).providers["aurora"].credentials
    assert roles_found == {"watch": {"profile": "a"}, "mirror": {"profile": "b"}, "second": {"profile": "c"}}


def test_one_credential_is_for_both_roles(clouds: Config) -> None:
    token = {"token": SecretRef(env="DIGITALOCEAN_TOKEN")}
    assert clouds.providers["do"] == ProviderConfig(
        name="do",
        kind="digitalocean",
        credentials={"watch": token, "mirror": token},
        images=HERE / "images.toml",
        depot=DepotConfig(
            bucket="gb-release",
            endpoint="https://fra1.digitaloceanspaces.com",
            region="fra1",
            access_key=SecretRef(env="SPACES_KEY"),
            secret_key=SecretRef(command=("pass", "spaces")),
        ),
    )


def test_a_second_credential_may_stand_beside(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    roles = "{watch: {token: {env: A}}, mirror: {token: {env: B}}, second: {token: {env: C}}}"
    path.write_text(config(f"{{kind: vultr, credentials: {roles}, {DEPOT}}}"))
    assert {role: str(c["token"]) for role, c in load(path).providers["aurora"].credentials.items()} == {
        "watch": "env A",
        "mirror": "env B",
        "second": "env C",
    }


def test_each_kind_keeps_what_it_needs(clouds: Config) -> None:
    assert clouds.providers["linode"].credentials["watch"] == {"token": SecretRef(env="LINODE_READ")}
    assert clouds.providers["vultr"].endpoint == "http://127.0.0.1:8080/"
    assert clouds.providers["vultr"].ca_file == str(HERE / "ca.pem")
    assert clouds.providers["ovh"].options == {
        "auth_url": "https://auth.example.net/v3",
        "project": "p1",
        "domain": "Default",
        "network": "Ext-Net",
    }


def test_without_credentials_aws_uses_what_its_own_tools_would(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(config("{kind: aws, depot: {bucket: b}}"))
    assert load(path).providers["aurora"].credentials == {"watch": {}, "mirror": {}}


def test_a_name_may_have_records_of_both_types(clouds: Config) -> None:
    assert [(r.name, r.type) for r in clouds.service.records] == [
        ("www.example.org", "A"),
        ("www.example.org", "AAAA"),
        ("api.example.org", "AAAA"),
    ]
    assert clouds.service.records[1] == Record(name="www.example.org", zone="example.org", type="AAAA", group="web")


def test_nodes_elsewhere_have_more_time_to_boot(clouds: Config, tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    assert clouds.service.node_deadline_s == 300
    path.write_text(MANAGED)
    assert load(path).service.node_deadline_s == 120
    path.write_text(MANAGED + "runner: {node_timeout: 20m}\n")
    assert load(path).service.node_deadline_s == 1200


def test_a_group_may_have_a_template_and_keys_of_its_own(clouds: Config) -> None:
    assert clouds.user_data == {"web": HERE / "cloud-init/web.yaml.j2"}
    assert [len(group.ssh_keys) for group in clouds.service.groups] == [1, 0]
    assert clouds.release is not None
    assert clouds.release.url == "https://files.example.net/guestbook-{release}.tar.gz"


# ---------------------------------------------------------------------------------------------- another package's


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that adds the kind `mystack`."""
    meta = tmp_path / "packages" / "mystack-1.0.dist-info"
    meta.mkdir(parents=True)
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: mystack\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("[failover.clouds]\nmystack = mystack:Cloud\n")
    monkeypatch.syspath_prepend(meta.parent)


@pytest.mark.usefixtures("installed")
def test_a_kind_of_another_package_is_handed_all_that_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    more = "tenant: 7, credentials: {key: {env: KEY}, names: [{file: a}, {file: b, mode: 1}]}"
    path.write_text(config(f"{{kind: mystack, {more}}}", site=""))
    assert load(path).providers["aurora"] == ProviderConfig(
        name="aurora",
        kind="mystack",
        options={
            "tenant": 7,
            "credentials": {
                "key": SecretRef(env="KEY"),
                "names": [SecretRef(file=tmp_path / "a"), {"file": "b", "mode": 1}],
            },
        },
    )


@pytest.mark.usefixtures("installed")
def test_a_kind_of_another_package_is_named_among_the_known(findings: Findings) -> None:
    (found,) = findings(config("{kind: mystak}", site=""))
    assert f"`kind` must be one of {ALL_KINDS}, mystack; did you mean `mystack`?" in found


# ---------------------------------------------------------------------------------------------- mistakes

WRONG: dict[str, tuple[str, str]] = {
    "kind-in-capitals": ("{kind: AWS}", f"4:18: `kind` must be one of {ALL_KINDS}; did you mean `aws`?"),
    "kind-far-off": ("{kind: qqq}", f"4:18: `kind` must be one of {ALL_KINDS}"),
    "no-kind": ("{}", "4:3: `providers.aurora.kind` is missing"),
    "kind-is-no-text": ("{kind: 5}", "4:18: `kind` must be text: write it in quotes"),
    "no-mapping": ("5", "4:11: `aurora` must be a mapping"),
    "unknown-key": (
        "{kind: aws, depots: {bucket: b}}",
        "4:23: unknown key `depots`; did you mean `depot`?",
    ),
    "unknown-credential": (
        "{kind: aws, credentials: {profil: x}}",
        "4:37: unknown key `profil`; did you mean `profile`?",
    ),
    "unknown-credential-of-a-role": (
        "{kind: aws, credentials: {watch: {profil: x}, mirror: {}}}",
        "4:45: unknown key `profil`; did you mean `profile`?",
    ),
    "one-role-only": (
        "{kind: hetzner, credentials: {watch: {token: {env: T}}}}",
        "4:27: `providers.aurora.credentials.mirror` is missing",
    ),
    "no-credentials": ("{kind: vultr}", "4:3: `providers.aurora.credentials` is missing"),
    "no-token": ("{kind: vultr, credentials: {}}", "4:25: `providers.aurora.credentials.token` is missing"),
    "token-itself": ("{kind: vultr, credentials: {token: hunter2}}", f"4:46: {REFERENCE}"),
    "half-a-key": (
        "{kind: aws, credentials: {access_key: {env: A}}}",
        "4:36: `credentials` needs access_key and secret_key together",
    ),
    "profile-and-key": (
        "{kind: aws, credentials: {profile: p, access_key: {env: A}, secret_key: {env: B}}}",
        "4:37: `profile` has no meaning beside access_key",
    ),
    "session-without-key": (
        "{kind: aws, credentials: {session_token: {env: A}}}",
        "4:37: `session_token` has a meaning beside access_key only",
    ),
    "external-id-without-role": (
        "{kind: aws, credentials: {external_id: x}}",
        "4:37: `external_id` has a meaning beside assume_role only",
    ),
    "depot-without-keys": (
        "{kind: linode, credentials: {token: {env: T}}, depot: {bucket: b, endpoint: 'https://x/'}}",
        "4:58: `depot` needs endpoint, access_key and secret_key",
    ),
    "depot-with-half-a-key": (
        "{kind: aws, depot: {bucket: b, access_key: {env: A}}}",
        "4:30: `depot` needs access_key and secret_key together",
    ),
    "no-depot": (
        "{kind: aws}",
        "4:3: `depot` is missing (or `url` in `release`): nodes there fetch the release from it",
    ),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_mistake_in_a_provider(findings: Findings, name: str) -> None:
    provider, expected = WRONG[name]
    found = findings(config(provider))
    assert any(finding.startswith(f"f.yaml:{expected}\n") for finding in found), found


def test_a_managed_site_names_its_region(findings: Findings) -> None:
    (found,) = findings(config("{kind: aws, depot: {bucket: b}}", site=""))
    assert found.startswith("f.yaml:6:3: `region` is missing: aws has several\n")


def test_a_release_with_secrets_needs_a_depot(findings: Findings) -> None:
    release = ", url: 'https://x/{release}', secrets: {A: {env: B}}"
    (found,) = findings(config("{kind: aws}", release=release))
    assert found.startswith("f.yaml:4:3: `depot` is missing: the secrets of `release` reach nodes through it only\n")


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("url: 'https://x/{relase}'", "`url` must hold {release}, and no other placeholder"),
        ("url: 'https://x/'", "`url` must hold {release}, and no other placeholder"),
        ("url: 'ftp://x/{release}'", "`url` must be a URL such as"),
    ],
)
def test_a_mistake_in_the_address_of_the_release(findings: Findings, release: str, expected: str) -> None:
    (found,) = findings(config("{kind: aws}", release=f", {release}"))
    assert expected in found


@pytest.mark.parametrize(
    ("type", "expected"),
    [
        ("[]", "`type` must not be empty"),
        ("[A, AAAB]", "`type` must be one of A, AAAA"),
        ("[A, aaaa]", "`type` must be one of A, AAAA; did you mean `AAAA`?"),
    ],
)
def test_a_mistake_in_the_types_of_a_record(findings: Findings, type: str, expected: str) -> None:
    (found,) = findings(config("{kind: local}", type=type))
    assert expected in found


def test_a_key_that_is_no_public_key(findings: Findings) -> None:
    text = MANAGED.replace("{count: 2}", "{count: 2, ssh_keys: ['-----BEGIN OPENSSH PRIVATE KEY-----']}")
    (found,) = findings(text)
    assert "`ssh_keys` must be a public key" in found


# ---------------------------------------------------------------------------------------------- both families

GIVEN = """\
version: 1
service: guestbook
sites:
  here: {addresses: {web: [192.0.2.10, '2001:db8::10']}}
  there: {addresses: {web: [198.51.100.10, '2001:db8::20']}}
dns:
  zones: [example.org]
  hosts: {one: {kind: local}}
  records:
    www.example.org: {type: [A, AAAA], nodes: web}
    example.org: {type: A, nodes: web}
checks:
  http: {url: "http://{address}:8080/"}
"""


def test_given_sites_may_have_addresses_of_both_families(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(GIVEN)
    assert [r.type for r in load(path).service.records] == ["A", "AAAA", "A"]


def test_each_site_needs_addresses_for_each_type(findings: Findings) -> None:
    (found,) = findings(GIVEN.replace(", '2001:db8::20'", ""))
    assert found.startswith("f.yaml:5:28: has no IPv6 address, which `www.example.org` publishes\n")


def test_an_address_that_no_record_of_its_group_can_hold(findings: Findings) -> None:
    found = findings(GIVEN.replace("[A, AAAA]", "A"))
    assert [f.split("\n")[0] for f in found] == [
        "f.yaml:4:40: does not fit `www.example.org`, whose type is A",
        "f.yaml:5:44: does not fit `www.example.org`, whose type is A",
    ]


# ---------------------------------------------------------------------------------------------- secrets

PLACES = [
    "{kind: hetznr, key: hunter2}",
    "{key: hunter2}",
    "{kind: aws, credentials: {hunter2}}",
    "{kind: aws, credentials: hunter2}",
    "{kind: aws, credentials: {acess_key: hunter2}}",
    "{kind: aws, depot: {bucket: b, access_key: hunter2, secret_key: hunter2}}",
    "{kind: aws, depot: {bucket: b, acces_key: hunter2}}",
    "{kind: openstack, auth_url: 'https://me:hunter2@x/', credentials: {username: hunter2, password: hunter2}}",
    "{kind: vultr, credentials: {watch: {token: hunter2}}}",
    "{kind: vultr, token: hunter2}",
]


@pytest.mark.parametrize("provider", PLACES)
def test_a_misplaced_secret_of_a_provider_is_not_shown(findings: Findings, provider: str) -> None:
    assert "hunter2" not in "\n".join(findings(config(provider)))
