"""What AWS is asked for: images, sizes, places, rules, launches; and who asks."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from failover.clouds.aws import Aws
from failover.clouds.aws_account import other_region
from failover.clouds.aws_network import in_turn
from failover.clouds.aws_nodes import Subnet, client_token
from failover.clouds.depot_settings import DepotSettings
from failover.clouds.images import ImageTable
from failover.core.firewall import Firewall, drift
from failover.core.mirror import choose_size
from failover.core.model import NodeGroup, Reading
from failover.errors import Conflict, NotFound, Rejected
from failover.net.aws import AwsCredentials
from failover.testing.clouds import SERVICE, SITE
from tests.clouds.test_aws import TESTED, aws
from tests.clouds.test_aws_faults import cloud, spec, standin
from tests.standins.moto import AMIS, Moto, decoded_user_data

__all__ = ["cloud", "standin"]

NEWEST = f"ami-{1:08x}"
NEWEST_ARM = f"ami-{4:08x}"
KEY = "ssh-ed25519 AAAAC3Nz someone@example"


# ------------------------------------------------------------------------------------ images


def test_the_newest_image_of_its_publisher_is_taken(cloud: Aws, standin: Moto) -> None:
    assert AMIS[1][1] == "debian-12-amd64-20260901-2222"
    cloud.ensure(spec())
    assert standin.launches()[0]["ImageId"] == NEWEST


def test_only_images_that_the_region_has_are_offered(cloud: Aws, standin: Moto) -> None:
    assert cloud.images() == {"debian-12", "ubuntu-24.04"}
    arm = aws(standin, depot=None, architecture="arm64")
    assert arm.images() == {"debian-12", "debian-13"}
    arm.ensure(replace(spec(), size="t4g.nano"))
    assert standin.launches()[0]["ImageId"] == NEWEST_ARM
    arm.close()


def test_an_image_that_is_not_there_is_rejected_before_anything_is_made(cloud: Aws, standin: Moto) -> None:
    for image in ("debian-13", "debian-99"):
        with pytest.raises(Rejected):
            cloud.ensure(replace(spec(), image=image))
    assert standin.launches() == []
    assert standin.count("POST /") == len(standin.requests)
    assert b"CreateSecurityGroup" not in b"".join(call.body for call in standin.requests)


def test_a_user_s_own_images(standin: Moto, tmp_path: Path) -> None:
    extra = tmp_path / "images.toml"
    extra.write_text('[golden]\naws = { owner = "666666666666", name = "debian-12-amd64-*" }\n', encoding="utf-8")
    cloud = aws(standin, depot=None, images=ImageTable.load(extra))
    assert "golden" in cloud.images()
    cloud.ensure(replace(spec(), image="golden"))
    assert standin.launches()[0]["ImageId"] == f"ami-{5:08x}"
    cloud.close()


# ------------------------------------------------------------------------------------ sizes


def test_sizes_are_virtual_general_and_of_one_architecture(cloud: Aws, standin: Moto) -> None:
    names = {size.name for size in cloud.sizes()}
    assert {"t3.nano", "m7i.large"} <= names
    assert not [
        name for name in names if name.startswith(("t2.", "t4g.", "p", "mac", "m6id", "m1.")) or "metal" in name
    ]
    assert {size.price_per_hour for size in cloud.sizes()} == {None}
    arm = aws(standin, depot=None, architecture="arm64")
    assert all("g." in size.name for size in arm.sizes())
    arm.close()


def test_the_smallest_size_that_fits_is_chosen(cloud: Aws) -> None:
    group = NodeGroup(name="web", count=1, cpus=2, memory_mib=4096, disk_gib=40)
    size = choose_size(group, cloud.sizes())
    assert size is not None
    assert size.name == "t3.medium"


def test_a_wish_without_a_size_gets_the_smallest(cloud: Aws, standin: Moto) -> None:
    cloud.ensure(replace(spec(), size="", cpus=2, memory_mib=3000))
    assert standin.launches()[0]["InstanceType"] == "t3.medium"
    with pytest.raises(Rejected):
        cloud.ensure(replace(spec(1), size="", memory_mib=10**9))


def test_the_user_s_own_choice_of_sizes(standin: Moto) -> None:
    cloud = aws(standin, depot=None, sizes=["c6a.*"])
    assert {size.name.partition(".")[0] for size in cloud.sizes()} == {"c6a"}
    cloud.close()


def test_a_size_that_does_not_exist_is_rejected(cloud: Aws, standin: Moto) -> None:
    with pytest.raises(Rejected):
        cloud.ensure(replace(spec(), size="t3.gigantic"))
    assert standin.launches() == []


def test_the_quota_is_counted_in_nodes_of_the_service(standin: Moto) -> None:
    small, large = aws(standin, depot=None), aws(standin, depot=None, node_cpus=8)
    for ordinal in range(2):
        small.ensure(spec(ordinal))
    assert (small.quota().nodes_max, small.quota().nodes_used) == (10, 2)
    assert (large.quota().nodes_max, large.quota().nodes_used) == (2 + 16 // 8, 2)
    standin.quotas = False
    assert (small.quota().nodes_max, small.quota().nodes_used) == (None, 2)
    for done in (small, large):
        done.close()


# ------------------------------------------------------------------------------------ places


def test_nodes_stand_in_zones_that_have_their_size_and_apart_from_each_other(cloud: Aws, standin: Moto) -> None:
    for ordinal in range(5):
        cloud.ensure(spec(ordinal))
    zones = {
        (place.find("{*}subnetId").text): place.find("{*}availabilityZone").text  # type: ignore[union-attr]
        for place in standin.ec2("DescribeSubnets").iterfind(".//{*}subnetSet/{*}item")
    }
    used = {zones[launch["NetworkInterface.1.SubnetId"]] for launch in standin.launches()}
    assert used == {"us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1f"}


A, B, C = (Subnet(id=f"subnet-{z}", zone=f"z{z}", vpc="vpc", ipv6=z == "c") for z in "abc")


@pytest.mark.parametrize(
    ("found", "zones", "ordinal", "expected"),
    [
        ((A, B), {"za", "zb"}, 0, (A, B)),
        ((A, B), {"za", "zb"}, 1, (B, A)),
        ((A, B), {"za", "zb"}, 2, (A, B)),
        ((A, B), {"zb"}, 0, (B,)),
        ((A, B, C), {"za", "zb", "zc"}, 0, (C,)),
        ((A, B, C), {"za", "zb"}, 0, (A, B)),
        ((A, B), {"zx"}, 0, ()),
        ((), {"za"}, 3, ()),
    ],
)
def test_the_turn_of_subnets(found: tuple[Subnet, ...], zones: set[str], ordinal: int, expected: object) -> None:
    assert in_turn(found, frozenset(zones), ordinal) == expected


def test_subnets_of_the_user(standin: Moto) -> None:
    vpc = standin.ec2("CreateVpc", CidrBlock="10.9.0.0/16").find(".//{*}vpcId")
    assert vpc is not None
    made = standin.ec2(
        "CreateSubnet", VpcId=vpc.text or "", CidrBlock="10.9.1.0/24", AvailabilityZone="us-east-1c"
    ).find(".//{*}subnetId")
    assert made is not None
    cloud = aws(standin, depot=None, subnets=[made.text])
    cloud.ensure(spec(3))
    assert standin.launches()[0]["NetworkInterface.1.SubnetId"] == made.text
    other = aws(standin, depot=None, subnets=["subnet-00000000"])
    with pytest.raises(Rejected) as caught:
        other.ensure(spec(4))
    assert "subnets" in caught.value.hint
    for done in (cloud, other):
        done.close()


# ------------------------------------------------------------------------------------ launches


def test_what_a_node_is_launched_with(cloud: Aws, standin: Moto) -> None:
    wish = replace(spec(), disk_gib=40, user_data="#cloud-config\nruncmd: [true]\n")
    cloud.ensure(wish)
    launch = standin.launches()[0]
    assert (launch["MinCount"], launch["MaxCount"], launch["InstanceType"]) == ("1", "1", "t3.nano")
    assert launch["MetadataOptions.HttpTokens"] == "required"
    assert launch["BlockDeviceMapping.1.DeviceName"] == "/dev/xvda"
    assert launch["BlockDeviceMapping.1.Ebs.VolumeSize"] == "40"
    assert launch["BlockDeviceMapping.1.Ebs.DeleteOnTermination"] == "true"
    assert launch["NetworkInterface.1.AssociatePublicIpAddress"] == "true"
    assert "NetworkInterface.1.Ipv6AddressCount" not in launch
    assert "KeyName" not in launch
    assert decoded_user_data(launch) == wish.user_data
    assert 0 < len(launch["ClientToken"]) <= 64
    tags = {launch[f"TagSpecification.1.Tag.{n}.Key"]: launch[f"TagSpecification.1.Tag.{n}.Value"] for n in range(1, 7)}
    assert tags == {"Name": wish.name, **wish.labels}
    assert [launch[f"TagSpecification.{n}.ResourceType"] for n in (1, 2)] == ["instance", "volume"]


def test_a_volume_is_never_smaller_than_the_image(cloud: Aws, standin: Moto) -> None:
    cloud.ensure(replace(spec(), disk_gib=1))
    assert standin.launches()[0]["BlockDeviceMapping.1.Ebs.VolumeSize"] == "15"


def test_a_node_gets_an_ipv6_address_where_the_subnet_has_some(standin: Moto) -> None:
    subnets = standin.ec2("DescribeSubnets")
    vpc, subnet = subnets.find(".//{*}vpcId"), subnets.find(".//{*}subnetId")
    assert vpc is not None
    assert subnet is not None
    standin.ec2("AssociateVpcCidrBlock", VpcId=vpc.text or "", AmazonProvidedIpv6CidrBlock="true")
    block = standin.ec2("DescribeVpcs").find(".//{*}ipv6CidrBlock")
    assert block is not None
    given = (block.text or "").replace("/56", "/64")
    standin.ec2("AssociateSubnetCidrBlock", SubnetId=subnet.text or "", Ipv6CidrBlock=given)
    cloud = aws(standin, depot=None)
    cloud.ensure(spec(2))
    launch = standin.launches()[0]
    assert launch["NetworkInterface.1.SubnetId"] == subnet.text
    assert launch["NetworkInterface.1.Ipv6AddressCount"] == "1"
    (node,) = cloud.nodes(SERVICE, SITE)
    v4, v6 = node.addresses
    assert (v4.count("."), v6.count(":") > 1) == (3, True)
    cloud.close()


def test_the_token_tells_wishes_apart() -> None:
    one = client_token(spec(), A, 0)
    others = [
        client_token(spec(1), A, 0),
        client_token(replace(spec(), spec="spec2"), A, 0),
        client_token(spec(), B, 0),
        client_token(spec(), A, 1),
    ]
    assert one == client_token(replace(spec(), user_data="other"), A, 0)
    assert len({one, *others}) == 5


def test_a_release_that_is_not_in_the_depot_is_found_out_before_anything_is_made(standin: Moto) -> None:
    cloud = aws(standin)
    with pytest.raises(NotFound):
        cloud.ensure(spec())
    assert b"CreateSecurityGroup" not in b"".join(call.body for call in standin.requests)
    cloud.close()


def test_what_was_handed_over_goes_with_the_node(standin: Moto) -> None:
    cloud = aws(standin, depot=None)
    made = cloud.ensure(spec())
    cloud.close()
    cloud = aws(standin)
    cloud.hand_over(made.name, b"DB_URL=x", 600.0)
    assert len(standin.objects()) == 1
    cloud.destroy(made)
    assert standin.objects() == {}
    cloud.hand_over("deleted-by-somebody-else", b"DB_URL=x", 600.0)
    cloud.clear("guestbook", made.site)
    assert standin.objects() == {}
    cloud.close()


def test_without_a_depot_its_calls_say_so(cloud: Aws) -> None:
    for call in (
        cloud.list,
        lambda: cloud.put("sha256:0", b""),
        lambda: cloud.has("sha256:0"),
        lambda: cloud.remove("sha256:0"),
        lambda: cloud.link("sha256:0", 60.0),
        lambda: cloud.hand_over("n", b"", 60.0),
    ):
        with pytest.raises(Rejected) as caught:
            call()
        assert "depot" in caught.value.hint


# ------------------------------------------------------------------------------------ rules


def rules(standin: Moto) -> set[tuple[str, str]]:
    """Port and range of each rule of our group."""
    found = set()
    for group in standin.ec2("DescribeSecurityGroups").iterfind(".//{*}securityGroupInfo/{*}item"):
        name = group.find("{*}groupName")
        if name is None or not (name.text or "").startswith("failover-"):
            continue
        for rule in group.iterfind("{*}ipPermissions/{*}item"):
            port = rule.find("{*}fromPort")
            assert port is not None
            found |= {
                (port.text or "", cidr.text or "")
                for cidr in (*rule.iter(),)
                if cidr.tag.endswith(("cidrIp", "cidrIpv6"))
            }
    return found


def both(*ports: int) -> set[tuple[str, str]]:
    return {(str(port), everywhere) for port in ports for everywhere in ("0.0.0.0/0", "::/0")}


def test_the_node_s_ports_are_open_to_both_families(cloud: Aws, standin: Moto) -> None:
    cloud.ensure(replace(spec(), ports=(8080, 8443)))
    assert rules(standin) == both(8080, 8443)
    cloud.ensure(replace(spec(1), ports=(8080,), ssh_keys=(KEY,)))
    assert rules(standin) == both(22, 8080, 8443)
    cloud.firewall(SERVICE, SITE, (8080, 9090))
    assert rules(standin) == both(8080, 9090)


def group_id(standin: Moto, name: str) -> str:
    groups = standin.ec2("DescribeSecurityGroups").iterfind("{*}securityGroupInfo/{*}item")
    return next(group.findtext("{*}groupId") or "" for group in groups if group.findtext("{*}groupName") == name)


BY_HAND = (
    ("tcp 8000-8100", {"IpProtocol": "tcp", "FromPort": "8000", "ToPort": "8100", "IpRanges.1.CidrIp": "192.0.2.0/24"}),
    ("udp 53", {"IpProtocol": "udp", "FromPort": "53", "ToPort": "53", "IpRanges.1.CidrIp": "192.0.2.0/24"}),
    ("udp", {"IpProtocol": "udp", "FromPort": "0", "ToPort": "65535", "IpRanges.1.CidrIp": "192.0.2.0/24"}),
    ("icmp", {"IpProtocol": "icmp", "FromPort": "8", "ToPort": "-1", "IpRanges.1.CidrIp": "192.0.2.0/24"}),
    ("everything", {"IpProtocol": "-1", "IpRanges.1.CidrIp": "192.0.2.0/24"}),
)


@pytest.mark.parametrize(("told", "rule"), BY_HAND, ids=lambda value: value if isinstance(value, str) else "")
def test_whatever_else_is_let_in_is_shown_and_closed(
    cloud: Aws, standin: Moto, told: str, rule: dict[str, str]
) -> None:
    cloud.firewall(SERVICE, SITE, (8080,))
    wanted = {f"IpPermissions.1.{key}": value for key, value in rule.items()}
    standin.ec2("AuthorizeSecurityGroupIngress", GroupId=group_id(standin, f"failover-{SERVICE}-{SITE}"), **wanted)
    assert drift(cloud.firewall_now(SERVICE, SITE), [8080]) == (f"{told} is open to 192.0.2.0/24",)
    cloud.firewall(SERVICE, SITE, (8080,))
    assert drift(cloud.firewall_now(SERVICE, SITE), [8080]) == ()
    assert rules(standin) == both(8080)


def test_what_another_group_lets_in_is_closed_too(cloud: Aws, standin: Moto) -> None:
    standin.set_wall("theirs", ())
    cloud.firewall(SERVICE, SITE, ())
    theirs, ours = group_id(standin, "theirs"), group_id(standin, f"failover-{SERVICE}-{SITE}")
    rule = {"IpPermissions.1.IpProtocol": "tcp", "IpPermissions.1.FromPort": "22", "IpPermissions.1.ToPort": "22"}
    standin.ec2("AuthorizeSecurityGroupIngress", GroupId=ours, **rule, **{"IpPermissions.1.Groups.1.GroupId": theirs})
    assert drift(cloud.firewall_now(SERVICE, SITE), []) == (f"port 22 is open to {theirs}",)
    cloud.firewall(SERVICE, SITE, ())
    assert drift(cloud.firewall_now(SERVICE, SITE), []) == ()


def test_a_group_that_only_carries_our_tags_is_somebody_else_s(cloud: Aws, standin: Moto) -> None:
    """Tags are copied quickly; the name of a group cannot be changed."""
    standin.set_wall("theirs", (22,))
    tags = {"failover-service": SERVICE, "failover-site": SITE}
    for number, (key, value) in enumerate(tags.items(), 1):
        tag = {f"Tag.{number}.Key": key, f"Tag.{number}.Value": value}
        standin.ec2("CreateTags", **{"ResourceId.1": group_id(standin, "theirs")}, **tag)
    assert cloud.firewall_now(SERVICE, SITE) == Firewall()
    cloud.firewall(SERVICE, SITE, (8080,))
    assert standin.walls() == {"theirs": {22}, f"failover-{SERVICE}-{SITE}": {8080}}
    cloud.clear(SERVICE, SITE)
    assert standin.walls() == {"theirs": {22}}


def test_a_rule_that_somebody_closes_at_the_same_time_is_no_trouble(cloud: Aws, standin: Moto) -> None:
    cloud.firewall(SERVICE, SITE, (8080, 9090))
    standin.answer_once("ec2.RevokeSecurityGroupIngress", "InvalidPermission.NotFound")
    cloud.firewall(SERVICE, SITE, (8080,))
    cloud.firewall(SERVICE, SITE, (8080,))
    assert rules(standin) == both(8080)


def test_rules_that_stand_are_not_made_again_and_half_a_rule_is_completed(cloud: Aws, standin: Moto) -> None:
    cloud.firewall(SERVICE, SITE, (8080,))
    before = len(standin.requests)
    cloud.firewall(SERVICE, SITE, (8080,))
    assert b"Authorize" not in b"".join(call.body for call in standin.requests[before:])
    group = next(
        item.find("{*}groupId")
        for item in standin.ec2("DescribeSecurityGroups").iterfind(".//{*}securityGroupInfo/{*}item")
        if (name := item.find("{*}groupName")) is not None and (name.text or "").startswith("failover-")
    )
    assert group is not None
    rule = {"IpPermissions.1.IpProtocol": "tcp", "IpPermissions.1.FromPort": "8080", "IpPermissions.1.ToPort": "8080"}
    standin.ec2(
        "RevokeSecurityGroupIngress",
        GroupId=group.text or "",
        **rule,
        **{"IpPermissions.1.Ipv6Ranges.1.CidrIpv6": "::/0"},
    )
    assert rules(standin) == {("8080", "0.0.0.0/0")}
    cloud.firewall(SERVICE, SITE, (8080,))
    assert rules(standin) == both(8080)


def test_an_instance_of_that_name_with_other_labels_is_a_conflict(cloud: Aws, standin: Moto) -> None:
    cloud.ensure(spec())
    with pytest.raises(Conflict):
        cloud.ensure(replace(spec(), spec="spec2"))
    with pytest.raises(Conflict):
        cloud.ensure(replace(spec(), service="other"))


# ------------------------------------------------------------------------------------ who asks


def test_the_state_asks_several_services_in_two_regions(standin: Moto) -> None:
    cloud = aws(standin)
    report = cloud.state()
    assert (report.reading, report.code) == (Reading.ACTIVE, "ACTIVE")
    assert [(s.service, s.region) for s in report.signals] == [
        ("ec2", "us-east-1"),
        ("ec2", "us-west-2"),
        ("sts", "us-east-1"),
        ("account", ""),
        ("s3", "us-east-1"),
    ]
    cloud.close()


def test_the_launch_that_is_tried_is_one_more_of_our_nodes(cloud: Aws, standin: Moto) -> None:
    """So a role that may only launch with our labels, into our group, may try it."""
    theirs = standin.foreign("theirs")
    cloud.state()
    assert not [call for call in standin.requests if b"DryRun=true" in call.body]
    made = cloud.ensure(spec())
    cloud.state()
    question, tried = (dict(parse_qsl(c.body.decode())) for c in standin.requests if b"DryRun=true" in c.body)
    assert (question["Action"], tried["Action"]) == ("DescribeInstances", "RunInstances")
    launched = standin.launches()[0]
    assert tried["SubnetId"] == launched["NetworkInterface.1.SubnetId"]
    assert tried["SecurityGroupId.1"] == launched["NetworkInterface.1.SecurityGroupId.1"]
    assert {v for k, v in tried.items() if k.startswith("TagSpecification.1.")} == {
        v for k, v in launched.items() if k.startswith("TagSpecification.1.")
    }
    assert set(standin.node_ids()) == {made.id, theirs}


def test_an_oracle_that_may_not_be_asked_leaves_the_others(cloud: Aws, standin: Moto) -> None:
    standin.oracle = False
    report = cloud.state()
    assert report.reading is Reading.ACTIVE
    assert {s.service: str(s.signal) for s in report.signals}["account"] == "permission"


@pytest.mark.parametrize(
    ("region", "other"),
    [
        ("us-east-1", "us-west-2"),
        ("eu-central-1", "us-east-1"),
        ("cn-north-1", "cn-northwest-1"),
        ("us-gov-west-1", "us-gov-east-1"),
    ],
)
def test_the_other_region_is_of_the_same_partition(region: str, other: str) -> None:
    assert other_region(region) == other


def test_a_role_is_taken_on(standin: Moto) -> None:
    role = f"arn:aws:iam::{standin.account_id}:role/mirror"
    cloud = aws(
        standin,
        depot=DepotSettings(bucket=standin.bucket),
        credentials=replace(TESTED, assume_role=role, external_id="e1"),
    )
    assert cloud.nodes(SERVICE, SITE) == ()
    assert cloud.list() == frozenset()
    assumed = [call for call in standin.requests if b"Action=AssumeRole" in call.body]
    assert assumed
    assert all(b"ExternalId=e1" in call.body for call in assumed)
    used = {call.header("X-Amz-Security-Token") for call in standin.requests if call not in assumed}
    assert "" not in used
    cloud.close()


def test_a_role_that_may_not_be_taken_on_is_ambiguous(standin: Moto) -> None:
    """A suspended account has answered exactly so."""
    role = AwsCredentials(
        access_key="AKIATESTEDTESTED1234", secret_key="a-secret-of-tests", assume_role="arn:aws:iam::1:role/x"
    )
    cloud = aws(standin, depot=None, credentials=role)
    standin.denied_roles = True
    report = cloud.state()
    assert report.reading is Reading.REFUSED
    assert {str(s.signal) for s in report.signals} == {"auth-ambiguous"}
    cloud.close()


def test_a_profile_that_does_not_exist_is_told(standin: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("[profile mirror]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    good = aws(standin, depot=None, credentials=AwsCredentials(profile="mirror"))
    assert good.nodes(SERVICE, SITE) == ()
    assert "AKIAPROFILE" in standin.requests[-1].header("Authorization")
    bad = aws(standin, depot=None, credentials=AwsCredentials(profile="nobody"))
    assert bad.state().reading is not Reading.CLOSED
    with pytest.raises(Exception, match="nobody"):
        bad.nodes(SERVICE, SITE)
    for done in (good, bad):
        done.close()


def test_secrets_do_not_show() -> None:
    shown = repr(AwsCredentials(access_key="AKIA", secret_key="opensesame", session_token="opensesame"))
    shown += repr(DepotSettings(bucket="b", access_key="AKIA", secret_key="opensesame"))
    assert "opensesame" not in shown
