"""AWS on bad days: lost replies, late lists, faults on the wire, accounts that close half-way."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from failover.clouds import aws_instances, aws_network
from failover.clouds.aws import Aws
from failover.clouds.depot_settings import DepotSettings
from failover.core.model import NodeSpec, NodeState, Reading
from failover.errors import (
    AccessRefused,
    AdapterError,
    Conflict,
    QuotaExceeded,
    Rejected,
    Throttled,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.testing.clouds import SERVICE, SITE, UNKNOWN_DIGEST, CloudConformance
from tests.clouds.test_aws import aws
from tests.standins.base import Pace
from tests.standins.moto import Moto, MotoProcess, decoded_user_data

packed = CloudConformance().packed


@pytest.fixture
def standin(moto_process: MotoProcess) -> Iterator[Moto]:
    with Moto(moto_process) as standin:
        yield standin


@pytest.fixture
def cloud(standin: Moto) -> Iterator[Aws]:
    cloud = aws(standin, depot=None)
    yield cloud
    cloud.close()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks follow each other quickly."""
    monkeypatch.setattr(aws_instances, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(aws_network, "_LOOK_EVERY_S", 0.01)


def spec(ordinal: int = 0, *, site: str = SITE, user_data: str = "#cloud-config\n") -> NodeSpec:
    return NodeSpec(
        name=f"{SERVICE}-{site}-web-{ordinal}-spec1",
        service=SERVICE,
        site=site,
        group="web",
        ordinal=ordinal,
        spec="spec1",
        cpus=1,
        memory_mib=512,
        disk_gib=8,
        image="debian-12",
        ports=(8080,),
        release=UNKNOWN_DIGEST,
        command="true",
        size="t3.nano",
        user_data=user_data,
    )


def reads(cloud: Aws) -> tuple[Callable[[], object], ...]:
    return (lambda: cloud.nodes(SERVICE, SITE), cloud.images, cloud.sizes, cloud.quota)


# ------------------------------------------------------------------------------------ replies that are lost


def test_a_launch_whose_reply_is_lost_is_asked_for_again_with_the_same_token(cloud: Aws, standin: Moto) -> None:
    standin.fault("ec2.RunInstances", "lost")
    made = cloud.ensure(spec())
    first, second = standin.launches()
    assert first["ClientToken"] == second["ClientToken"]
    assert standin.node_ids() == (made.id,)


def test_a_launch_without_an_answer_is_unknown_and_the_next_call_finds_it(standin: Moto) -> None:
    cloud, hurried = aws(standin, depot=None), aws(standin, depot=None, timeout_s=3.0)
    cloud.ensure(spec(1))  # whatever is slow for the first time has been asked for then
    standin.fault("ec2.RunInstances", "late")
    with pytest.raises(TimedOut):
        hurried.ensure(spec())
    standin.mend()
    made = cloud.ensure(spec())
    assert made.id in standin.node_ids()
    assert len(standin.node_ids()) == 2
    for done in (cloud, hurried):
        done.close()


def test_a_launch_that_is_not_listed_yet_is_waited_for_though_its_links_have_changed(
    moto_process: MotoProcess, soon: None
) -> None:
    with Moto(moto_process, pace=Pace(listed=6, gone=0)) as standin:
        cloud = aws(standin, depot=None)
        first = cloud.ensure(spec(user_data="link=1"))
        assert cloud.nodes(SERVICE, SITE) == ()
        again = cloud.ensure(spec(user_data="link=2"))
        assert again.id == first.id
        assert standin.node_ids() == (first.id,)
        assert [decoded_user_data(launch) for launch in standin.launches()] == ["link=1", "link=2"]
        cloud.close()


@pytest.mark.parametrize("user_data", ["link=1", "link=2"])
def test_a_token_of_an_instance_that_ended_long_ago_does_not_give_the_dead_one_back(
    moto_process: MotoProcess, soon: None, user_data: str
) -> None:
    with Moto(moto_process, forgets=0) as standin:
        cloud = aws(standin, depot=None)
        first = cloud.ensure(spec(user_data="link=1"))
        cloud.destroy(first)
        assert standin.ec2("DescribeInstances") is not None
        second = cloud.ensure(spec(user_data=user_data))
        assert second.id != first.id
        assert standin.node_ids() == (second.id,)
        assert cloud.ensure(spec(user_data="link=3")).id == second.id
        cloud.close()


def test_many_that_ended_long_ago_are_passed_over_with_one_wait(moto_process: MotoProcess, soon: None) -> None:
    with Moto(moto_process, forgets=0, pace=Pace(gone=0)) as standin:
        cloud = aws(standin, depot=None)
        made = []
        for number in range(4):
            made.append(cloud.ensure(spec(user_data=f"link={number}")).id)
            cloud.destroy(replace(cloud.nodes(SERVICE, SITE)[0], id=made[-1]))
            standin.ec2("DescribeInstances")
        before = standin.count("POST /")
        made.append(cloud.ensure(spec(user_data="link=last")).id)
        assert len(set(made)) == 5
        assert standin.count("POST /") - before < 35
        cloud.close()


def test_a_predecessor_that_is_still_listed_costs_no_second_launch(cloud: Aws, standin: Moto) -> None:
    first = cloud.ensure(spec())
    cloud.destroy(first)
    second = cloud.ensure(spec())
    tokens = [launch["ClientToken"] for launch in standin.launches()]
    assert second.id != first.id
    assert len(tokens) == len(set(tokens)) == 2


def test_a_node_that_ec2_does_not_know_yet_is_destroyed_all_the_same(moto_process: MotoProcess, soon: None) -> None:
    with Moto(moto_process, pace=Pace(listed=2, gone=0)) as standin:
        cloud = aws(standin, depot=None)
        cloud.destroy(cloud.ensure(spec()))
        assert standin.node_ids() == ()
        cloud.close()


def test_of_duplicates_the_oldest_is_kept(cloud: Aws, standin: Moto) -> None:
    """Two of the same name, as after two launches that could not know of each other."""
    first = cloud.ensure(spec())
    standin._launches.clear()
    with cloud._asking("create node", "twin") as asking:
        aws_instances._launched(asking, spec(), cloud._means(asking, spec()), 1)
    listed = cloud.nodes(SERVICE, SITE)
    assert [node.name for node in listed] == [first.name] * 2
    assert listed[0].id == first.id
    assert cloud.ensure(spec()).id == first.id
    with contextlib.closing(aws(standin)) as handing:
        handing.hand_over(first.name, b"DB_URL=x", 600.0)
        handing.destroy(listed[1])
        assert [node.id for node in handing.nodes(SERVICE, SITE)] == [first.id]
        assert len(standin.objects()) == 1, "the one that stays may still have to fetch it"
        handing.destroy(first)
        assert standin.objects() == {}


# ------------------------------------------------------------------------------------ faults on the wire


@pytest.mark.parametrize("kind", ["429", "500", "502", "drop"])
def test_a_hiccup_is_passed_over(cloud: Aws, standin: Moto, kind: str) -> None:
    operations = ("DescribeInstances", "DescribeImages", "DescribeInstanceTypeOfferings", "DescribeSubnets")
    changes = ("DescribeSecurityGroups", "CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "RunInstances")
    for operation in (*operations, *changes, "TerminateInstances", "DeleteSecurityGroup"):
        standin.fault(f"ec2.{operation}$", kind, retry_after_s=0)
    made = cloud.ensure(spec())
    assert standin.node_ids() == (made.id,)
    cloud.destroy(made)
    cloud.clear(SERVICE, SITE)
    assert standin.node_ids() == ()


@pytest.mark.parametrize("operation", ["CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "DeleteSecurityGroup"])
def test_a_change_whose_reply_is_lost_is_not_made_twice(cloud: Aws, standin: Moto, operation: str) -> None:
    standin.fault(f"ec2.{operation}", "lost")
    cloud.firewall(SERVICE, SITE, (8080,))
    assert len(groups(standin)) == 1
    cloud.clear(SERVICE, SITE)
    assert groups(standin) == []


@pytest.mark.parametrize(
    ("kind", "error"), [("429", Throttled), ("500", Unreadable), ("502", Unreadable), ("drop", Unreachable)]
)
def test_a_lasting_fault_is_never_an_empty_list(
    cloud: Aws, standin: Moto, kind: str, error: type[AdapterError]
) -> None:
    made = cloud.ensure(spec())
    standin.fault("ec2", kind, times=None, retry_after_s=0)
    for call in reads(cloud):
        with pytest.raises(error):
            call()
    assert cloud.state().reading is not Reading.CLOSED
    standin.mend()
    assert [node.id for node in cloud.nodes(SERVICE, SITE)] == [made.id]


def test_throttling_says_how_long_to_wait(cloud: Aws, standin: Moto) -> None:
    standin.fault("ec2", "429", times=None, retry_after_s=600)
    with pytest.raises(Throttled) as caught:
        cloud.nodes(SERVICE, SITE)
    assert caught.value.retry_after_s == 600
    assert standin.count("POST /") == 1


def test_an_api_that_hangs_is_a_timeout_and_is_not_asked_twice(standin: Moto) -> None:
    cloud = aws(standin, depot=None, timeout_s=3.0, state_s=20.0)
    standin.fault("ec2", "hang", times=None)
    with pytest.raises(TimedOut):
        cloud.nodes(SERVICE, SITE)
    assert standin.count("POST /") == 1
    report = cloud.state()
    assert report.reading is Reading.ACTIVE
    assert {s.service for s in report.signals if s.signal == "transport"} == {"ec2"}
    standin.mend()
    cloud.close()


def test_an_api_that_is_not_there_cannot_be_reached(moto_process: MotoProcess) -> None:
    standin = Moto(moto_process).start()
    cloud = aws(standin, depot=None)
    standin.stop()
    for call in reads(cloud):
        with pytest.raises(Unreachable):
            call()
    assert cloud.state().reading is Reading.UNCLEAR
    cloud.close()


def test_a_page_that_fails_in_the_middle_fails_the_list(cloud: Aws, standin: Moto) -> None:
    for ordinal in range(5):
        cloud.ensure(spec(ordinal))
    standin.page_max = 2
    standin.fault("ec2.DescribeInstances", "500", page=2, times=None)
    for call in (lambda: cloud.nodes(SERVICE, SITE), cloud.quota):
        with pytest.raises(Unreadable):
            call()
    standin.mend()
    assert len(cloud.nodes(SERVICE, SITE)) == 5


def test_a_page_without_items_is_not_the_end(cloud: Aws, standin: Moto) -> None:
    for ordinal in range(5):
        cloud.ensure(spec(ordinal))
    standin.page_max = 2
    standin.fault("ec2.DescribeInstances", "empty", page=1)
    assert [node.ordinal for node in cloud.nodes(SERVICE, SITE)] == [2, 3, 4]


def test_a_page_of_a_captive_portal_is_not_an_empty_account(cloud: Aws, standin: Moto) -> None:
    cloud.ensure(spec())
    standin.portal = True
    changes: tuple[Callable[[], object], ...] = (
        lambda: cloud.ensure(spec(1)),
        lambda: cloud.clear(SERVICE, SITE),
    )
    for call in (*reads(cloud), *changes):
        with pytest.raises(Unreadable):
            call()
    assert cloud.state().reading is Reading.UNCLEAR
    standin.portal = False
    assert len(standin.node_ids()) == 1


# ------------------------------------------------------------------------------------ what EC2 does not know yet


def test_a_group_that_ec2_does_not_know_yet_is_waited_for(cloud: Aws, standin: Moto, soon: None) -> None:
    for _ in range(3):
        standin.answer_once("ec2.AuthorizeSecurityGroupIngress", "InvalidGroup.NotFound")
        standin.answer_once("ec2.RunInstances", "InvalidGroup.NotFound")
    made = cloud.ensure(spec())
    assert standin.node_ids() == (made.id,)


def test_what_a_launch_lacks_for_good_is_rejected_and_is_never_taken_for_the_release(
    cloud: Aws, standin: Moto, soon: None
) -> None:
    for _ in range(100):
        standin.answer_once("ec2.RunInstances", "InvalidAMIID.NotFound")
    with pytest.raises(Rejected):
        cloud.ensure(spec())


@pytest.mark.parametrize("code", ["IdempotentInstanceTerminated", "IdempotentParameterMismatch"])
def test_a_token_that_is_used_up_is_followed_by_the_next(cloud: Aws, standin: Moto, soon: None, code: str) -> None:
    standin.answer_once("ec2.RunInstances", code)
    made = cloud.ensure(spec())
    first, second = standin.launches()
    assert first["ClientToken"] != second["ClientToken"]
    assert standin.node_ids() == (made.id,)


def test_a_launch_that_ec2_refuses_is_told_in_its_words(cloud: Aws, standin: Moto) -> None:
    for code, error in (("InvalidParameterValue", Rejected), ("InstanceLimitExceeded", QuotaExceeded)):
        standin.answer_once("ec2.RunInstances", code)
        with pytest.raises(error) as caught:
            cloud.ensure(spec())
        assert code in caught.value.cause
    standin.answer_once("ec2.RunInstances", "UnauthorizedOperation", 403)
    with pytest.raises(AccessRefused):
        cloud.ensure(spec())
    assert standin.node_ids() == ()


def test_a_node_that_is_still_stopping_is_started_afterwards(cloud: Aws, standin: Moto, soon: None) -> None:
    made = cloud.ensure(spec())
    standin.halt(made.id)
    for _ in range(3):
        standin.answer_once("ec2.StartInstances", "IncorrectInstanceState")
    assert cloud.ensure(spec()).id == made.id
    assert standin.count("POST /") > 3
    assert [node.state for node in cloud.nodes(SERVICE, SITE)] == [NodeState.RUNNING]


def test_a_node_that_has_ended_meanwhile_is_gone(cloud: Aws, standin: Moto) -> None:
    made = cloud.ensure(spec())
    standin.answer_once("ec2.TerminateInstances", "InvalidInstanceID.NotFound")
    cloud.destroy(made)
    cloud.destroy(replace(made, id="i-00000000000000000"))


def test_a_group_that_somebody_else_makes_at_the_same_time_is_used(cloud: Aws, standin: Moto, soon: None) -> None:
    standin.fault("ec2.CreateSecurityGroup", "lost")
    standin.answer_once("ec2.AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate")
    cloud.firewall(SERVICE, SITE, (8080,))
    assert len(groups(standin)) == 1
    standin.answer_once("ec2.DeleteSecurityGroup", "InvalidGroup.NotFound")
    cloud.clear(SERVICE, SITE)


def test_a_region_without_subnets_is_told(cloud: Aws, standin: Moto) -> None:
    for subnet in standin.ec2("DescribeSubnets").iterfind(".//{*}subnetId"):
        standin.ec2("DeleteSubnet", SubnetId=subnet.text or "")
    with pytest.raises(Rejected) as caught:
        cloud.ensure(spec())
    assert "subnets" in caught.value.hint


def test_a_list_without_an_end_is_unreadable(cloud: Aws) -> None:
    for token in (lambda number: "same", str):
        numbers = iter(range(10_000))
        with pytest.raises(Unreadable), cloud._asking("list things", "here") as asking:
            list(asking.pages("ec2.Describe", lambda **_: {"Items": [], "NextToken": token(next(numbers))}, "Items"))  # noqa: B023


# ------------------------------------------------------------------------------------ accounts that close


def test_an_account_that_closes_half_way_through(cloud: Aws, standin: Moto) -> None:
    standin.fault("ec2.RunInstances", "close", skip=2)
    made = [cloud.ensure(spec(ordinal)) for ordinal in range(2)]
    for ordinal in range(2, 4):
        with pytest.raises(AccessRefused):
            cloud.ensure(spec(ordinal))
    assert set(standin.node_ids()) == {node.id for node in made}
    assert cloud.state().reading is Reading.CLOSED
    standin.reopen()
    assert cloud.nodes(SERVICE, SITE) == ()
    assert cloud.quota().nodes_used == 0
    assert cloud.ensure(spec()).id not in {node.id for node in made}


def test_a_closed_account_that_nothing_says_so_of_is_refused_not_closed(cloud: Aws, standin: Moto) -> None:
    made = cloud.ensure(spec())
    standin.close_silently()
    try:
        report = cloud.state()
        assert report.reading is Reading.REFUSED
        ambiguous = {(s.service, s.region) for s in report.signals if s.signal == "auth-ambiguous"}
        assert ambiguous >= {("ec2", "us-east-1"), ("ec2", "us-west-2"), ("sts", "us-east-1")}
        for call in reads(cloud):
            with pytest.raises(AccessRefused):
                call()
    finally:
        standin.open_again()
    assert [node.id for node in cloud.nodes(SERVICE, SITE)] == [made.id]


def test_a_block_that_only_launches_show_is_seen_by_the_canary(standin: Moto) -> None:
    cloud, watcher = aws(standin, depot=None), aws(standin, depot=None, role="watch")
    made = cloud.ensure(spec())
    launched = standin.launches()
    standin.blocked_launches = True
    assert watcher.state().reading is Reading.ACTIVE
    report = cloud.state()
    assert (report.reading, report.code) == (Reading.CLOSED, "Blocked")
    assert "currently blocked" in report.message
    assert standin.launches() == launched
    assert standin.node_ids() == (made.id,)
    for done in (cloud, watcher):
        done.close()


# ------------------------------------------------------------------------------------ room


def test_a_zone_without_room_is_passed_over(cloud: Aws, standin: Moto) -> None:
    cloud.ensure(spec(0))
    first = standin.launches()[-1]["NetworkInterface.1.SubnetId"]
    standin.capacity[first] = False
    made = cloud.ensure(replace(spec(0), name="another"))
    places = [launch["NetworkInterface.1.SubnetId"] for launch in standin.launches()]
    assert places[1] == first
    assert places[-1] != first
    assert made.id in standin.node_ids()


def test_no_room_anywhere_is_told_as_a_quota(cloud: Aws, standin: Moto) -> None:
    cloud.ensure(spec(0))
    for subnet in standin.ec2("DescribeSubnets").iterfind(".//{*}subnetId"):
        standin.capacity[subnet.text or ""] = False
    with pytest.raises(QuotaExceeded) as caught:
        cloud.ensure(spec(1))
    assert "t3.nano" in caught.value.cause
    assert len(standin.node_ids()) == 1


# ------------------------------------------------------------------------------------ the security group


def groups(standin: Moto) -> list[str]:
    found = standin.ec2("DescribeSecurityGroups").iterfind(".//{*}groupName")
    return sorted({group.text or "" for group in found} - {"default"})


def test_a_group_of_that_name_that_is_not_ours_is_a_conflict(cloud: Aws, standin: Moto, soon: None) -> None:
    standin.ec2("CreateSecurityGroup", GroupName=f"failover-{SERVICE}-{SITE}", GroupDescription="theirs")
    with pytest.raises(Conflict):
        cloud.ensure(spec())
    cloud.clear(SERVICE, SITE)
    assert groups(standin) == [f"failover-{SERVICE}-{SITE}"]
    assert standin.node_ids() == ()


def test_clearing_waits_until_instances_have_ended(moto_process: MotoProcess, soon: None) -> None:
    with Moto(moto_process, pace=Pace(addressed=0, running=0, gone=5)) as standin:
        cloud = aws(standin, depot=None)
        made = [cloud.ensure(spec(0)), cloud.ensure(spec(0, site="boreas"))]
        cloud.destroy(made[0])
        cloud.clear(SERVICE, SITE)
        assert groups(standin) == [f"failover-{SERVICE}-boreas"]
        cloud.close()


def test_clearing_while_instances_never_end_is_a_timeout(moto_process: MotoProcess, soon: None) -> None:
    with Moto(moto_process, pace=Pace(gone=10_000)) as standin:
        cloud, hurried = aws(standin, depot=None), aws(standin, depot=None, deadline_s=5.0)
        cloud.destroy(cloud.ensure(spec()))
        with pytest.raises(TimedOut) as caught:
            hurried.clear(SERVICE, SITE)
        assert "ending" in str(caught.value)
        for done in (cloud, hurried):
            done.close()


def test_a_depot_in_another_account_says_nothing_about_this_one(moto_process: MotoProcess, standin: Moto) -> None:
    with Moto(moto_process) as other:
        depot = DepotSettings(
            bucket=other.bucket, endpoint=other.url, access_key="AKIATESTEDTESTED1234", secret_key="a-secret"
        )
        cloud = aws(standin, depot=depot)
        assert cloud.list() == frozenset()
        other.close("closed")
        report = cloud.state()
        assert (report.reading, {s.service for s in report.signals}) == (Reading.ACTIVE, {"ec2", "sts", "account"})
        cloud.close()
