"""What only some clouds can be asked about a credential; what all must do stands in the suite."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from failover.clouds.libcloud import LibcloudCloud
from failover.core.reading import Reading
from failover.core.rights import Act, May, Right, allowed
from failover.errors import AdapterError
from failover.net.archive import Packed, pack
from failover.net.granted import LinodeToken
from failover.testing.rights import wish
from tests.clouds.libcloud_cases import CASES, TOKEN, Case
from tests.clouds.libcloud_support import made
from tests.clouds.test_aws import aws
from tests.standins.base import StandIn
from tests.standins.linode import LinodeStandIn
from tests.standins.moto import Moto, MotoProcess

WRITES = "^(POST|PUT|PATCH|DELETE) /(?!identity)"


def by_act(rights: tuple[Right, ...]) -> dict[Act, Right]:
    return {right.act: right for right in rights}


# ------------------------------------------------------------------------------------ doubt is never a yes


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def standin(case: Case) -> Iterator[StandIn]:
    with case.standin(token=TOKEN) as running:
        yield running


@pytest.fixture
def cloud(case: Case, standin: StandIn) -> Iterator[LibcloudCloud]:
    found = made(case.dialect(standin), None, case.region)
    yield found
    found.close()


@pytest.mark.parametrize("fault", ["429", "500", "502", "drop"])
def test_an_answer_that_does_not_tell_allows_nothing(cloud: LibcloudCloud, standin: StandIn, fault: str) -> None:
    cloud.state()
    standin.fault(".*", fault, times=None, retry_after_s=1)
    try:
        rights = cloud.rights(wish())
    except AdapterError:
        return
    assert {right.may for right in rights} == {May.UNPROVEN}


def test_a_credential_that_is_not_known_any_more_allows_nothing(cloud: LibcloudCloud, standin: StandIn) -> None:
    standin.refusing = True
    try:
        rights = cloud.rights(wish())
    except AdapterError:
        return
    assert {right.may for right in rights} == {May.UNPROVEN}


def test_nothing_is_carried_out_and_nothing_is_sent_twice(case: Case, cloud: LibcloudCloud, standin: StandIn) -> None:
    cloud.rights(wish())
    sent = [f"{call.method} {call.path}" for call in standin.requests if call.method != "GET"]
    sent = [line for line in sent if "identity" not in line]
    assert len(set(sent)) == len(sent) == {"digitalocean": 6, "openstack": 1}.get(case.kind, 0)
    assert standin.node_ids() == ()


# ------------------------------------------------------------------------------------ Linode


GRANTS = {
    "global": {"add_linodes": True, "add_firewalls": True, "add_domains": False, "account_access": "read_only"},
    "linode": [],
    "domain": [],
}


@pytest.mark.parametrize(
    ("lacks", "refused"),
    [((), set()), (("add_linodes",), {Act.CREATE, Act.DESTROY}), (("add_firewalls",), {Act.OPEN})],
)
def test_a_restricted_user_of_linode(lacks: tuple[str, ...], refused: set[Act]) -> None:
    with LinodeStandIn(token=TOKEN) as standin:
        standin.grants = {**GRANTS, "global": {**GRANTS["global"], **dict.fromkeys(lacks, False)}}  # type: ignore[dict-item]
        cloud = made(_linode(standin), None, "eu-central")
        rights = by_act(cloud.rights(wish()))
        cloud.close()
    assert {act for act, right in rights.items() if right.may is May.REFUSED} == refused
    assert {act for act, right in rights.items() if right.may is May.ALLOWED} == set(rights) - refused
    assert all(lacks[0] in rights[act].says for act in refused)


def test_a_linode_of_somebody_else_is_granted_one_by_one() -> None:
    with LinodeStandIn(token=TOKEN) as standin:
        cloud = made(_linode(standin), None, "eu-central")
        node = cloud.ensure(wish())
        standin.grants = dict(GRANTS)
        assert by_act(cloud.rights(wish()))[Act.DESTROY].may is May.REFUSED
        grant = {"id": int(node.id), "label": node.name, "permissions": "read_write"}
        standin.grants = {**GRANTS, "linode": [grant]}
        assert by_act(cloud.rights(wish()))[Act.DESTROY] == allowed(Act.DESTROY)
        standin.grants = {name: part for name, part in GRANTS.items() if name != "linode"}
        assert {right.may for right in cloud.rights(wish())} == {May.UNPROVEN}
        standin.grants = dict(GRANTS)
        standin.fault("^GET /v4/profile/grants", "502", times=None)
        assert {right.may for right in cloud.rights(wish())} == {May.UNPROVEN}
        cloud.close()


def test_a_token_of_linode_without_any_right_is_told_so() -> None:
    with LinodeStandIn(token=TOKEN) as standin:
        standin.grant("nothing", "account:read_only", "linodes:read_only")
        cloud = made(replace(_linode(standin), token="nothing"), None, "eu-central")
        needs = by_act(cloud.rights(wish()))[Act.OPEN]
        cloud.close()
    assert (needs.may, needs.says) == (
        May.REFUSED,
        "it needs the scope firewall:read_write, and has account:read_only, linodes:read_only",
    )
    assert LinodeToken(scopes=frozenset()).lacks("domains") == "it needs the scope domains:read_write, and has none"


def _linode(standin: LinodeStandIn):  # type: ignore[no-untyped-def] # the dialect's own type
    return next(case for case in CASES if case.kind == "linode").dialect(standin)


# ------------------------------------------------------------------------------------ AWS


def tried(standin: Moto) -> dict[str, dict[str, str]]:
    """By action the parameters of what was asked and is no question."""
    asked = [dict(parse_qsl(call.body.decode())) for call in standin.requests if b"Action=" in call.body]
    return {each["Action"]: each for each in asked if not each["Action"].startswith(("Describe", "Get"))}


def test_everything_at_ec2_is_a_dry_run_of_the_real_thing(moto_process: MotoProcess, release: Packed) -> None:
    with Moto(moto_process) as standin:
        cloud = aws(standin)
        cloud.put(release.digest, release.archive)
        node = cloud.ensure(replace(wish(), release=release.digest))
        standin.requests.clear()
        rights = by_act(cloud.rights(wish()))
        asked = tried(standin)
        cloud.close()
        assert {right.may for right in rights.values()} == {May.ALLOWED}
        assert len(standin.node_ids()) == 1
    assert set(rights) == {Act.CREATE, Act.DESTROY, Act.OPEN, Act.STORE}
    assert set(asked) == {
        "RunInstances", "StartInstances", "TerminateInstances",
        "CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress",
    }  # fmt: skip
    assert {parameters["DryRun"] for parameters in asked.values()} == {"true"}
    launch = asked["RunInstances"]
    assert "failover-service" in launch.values()
    assert launch["NetworkInterface.1.SecurityGroupId.1"] == asked["AuthorizeSecurityGroupIngress"]["GroupId"]
    assert asked["TerminateInstances"]["InstanceId.1"] == node.id
    assert asked["CreateSecurityGroup"]["VpcId"]


def test_a_server_that_would_carry_out_a_dry_run_is_asked_for_none(moto_process: MotoProcess) -> None:
    with Moto(moto_process) as standin:
        cloud, named = aws(standin, depot=None), replace(wish(), release="")
        node = cloud.ensure(named)
        standin.knows_dry_run = False
        standin.requests.clear()
        rights, report = by_act(cloud.rights(named)), cloud.state()
        cloud.close()
        assert standin.node_ids() == (node.id,)
        assert tried(standin).keys() <= {"GetCallerIdentity"}
    assert {rights[act].may for act in (Act.CREATE, Act.DESTROY, Act.OPEN)} == {May.UNPROVEN}
    assert "dry run" in rights[Act.DESTROY].says
    assert report.reading is Reading.ACTIVE


@pytest.mark.parametrize("fault", ["429", "500", "drop"])
def test_a_server_of_which_that_is_not_known_is_not_accused(moto_process: MotoProcess, fault: str) -> None:
    with Moto(moto_process) as standin:
        cloud, named = aws(standin, depot=None), replace(wish(), release="")
        cloud.ensure(named)
        standin.requests.clear()
        standin.fault("ec2.DescribeInstances$", fault, times=None, skip=1, retry_after_s=0)
        rights = by_act(cloud.rights(named))
        cloud.close()
        assert not tried(standin)
    assert {rights[act].may for act in (Act.CREATE, Act.DESTROY, Act.OPEN)} == {May.UNPROVEN}
    assert rights[Act.CREATE].says.startswith("not known whether this server only tries")


@pytest.mark.parametrize(("made_before", "may"), [(True, May.REFUSED), (False, May.UNPROVEN)])
def test_a_launch_that_is_refused_for_want_of_our_group_proves_nothing(
    moto_process: MotoProcess, made_before: bool, may: May
) -> None:
    with Moto(moto_process) as standin:
        cloud = aws(standin)
        if made_before:
            cloud.firewall("guestbook", "aurora", (8080,))
        standin.answer_once("ec2.RunInstances", "UnauthorizedOperation", 403)
        right = by_act(cloud.rights(wish()))[Act.CREATE]
        cloud.close()
    assert right.may is may
    assert ("no security group of ours yet" in right.says) is not made_before


def test_without_a_node_nobody_knows_whether_it_could_be_ended(moto_process: MotoProcess) -> None:
    with Moto(moto_process) as standin:
        cloud = aws(standin, depot=None)
        rights = by_act(cloud.rights(wish()))
        assert cloud.may_put() is None
        cloud.close()
    assert (rights[Act.DESTROY].may, rights[Act.CREATE].may) == (May.UNPROVEN, May.ALLOWED)
    assert Act.STORE not in rights


@pytest.mark.parametrize(("code", "may"), [("AccessDenied", May.REFUSED), ("SlowDown", May.UNPROVEN)])
def test_a_depot_that_may_not_be_filled(moto_process: MotoProcess, code: str, may: May) -> None:
    with Moto(moto_process) as standin:
        cloud = aws(standin)
        standin.answer_once("s3.Part", code, 403 if may is May.REFUSED else 503)
        right = cloud.may_put()
        cloud.close()
        assert standin.objects() == {}
    assert right is not None
    assert right.may is may


@pytest.fixture
def release(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    tree = tmp_path_factory.mktemp("tree")
    (tree / "server.py").write_text("print()\n")
    return pack(tree)
