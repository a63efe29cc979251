"""The front of moto is tried with boto3 as AWS's users use it, before any adapter of ours."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from tests.standins.base import Pace
from tests.standins.moto import AMIS, REGION, Moto, MotoProcess

IMAGE = "ami-00000001"


@pytest.fixture
def standin(moto_process: MotoProcess) -> Iterator[Moto]:
    with Moto(moto_process, nodes_max=3) as standin:
        yield standin


class User:
    """boto3 as it comes, without repetitions."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[Any] = []

    def client(self, service: str, timeout_s: float = 30.0) -> Any:
        config = Config(retries={"total_max_attempts": 1}, read_timeout=timeout_s)
        made = boto3.client(  # type: ignore[call-overload]
            service,
            region_name=REGION,
            endpoint_url=self._url,
            aws_access_key_id="AKIDUSER",
            aws_secret_access_key="secret",
            config=config,
        )
        self._made.append(made)
        return made

    def close(self) -> None:
        for client in self._made:
            client.close()


@pytest.fixture
def user(standin: Moto) -> Iterator[User]:
    user = User(standin.url)
    yield user
    user.close()


def run(ec2: Any, **options: Any) -> Any:
    wish = {"ImageId": IMAGE, "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1, **options}
    return ec2.run_instances(**wish)["Instances"][0]


def listed(ec2: Any, **options: Any) -> dict[str, str]:
    found = ec2.get_paginator("describe_instances").paginate(**options)
    instances = [i for page in found for r in page["Reservations"] for i in r["Instances"]]
    return {i["InstanceId"]: i["State"]["Name"] for i in instances}


def code(caught: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], caught.value.response["Error"]["Code"]


def test_instances_live_and_end(user: User) -> None:
    ec2 = user.client("ec2")
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "n"}]}]
    first = run(ec2, TagSpecifications=tags, UserData="#cloud-config\n")["InstanceId"]
    data = ec2.describe_instance_attribute(InstanceId=first, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(data) == b"#cloud-config\n"
    assert listed(ec2) == {first: "running"}
    assert listed(ec2, Filters=[{"Name": "tag:Name", "Values": ["other"]}]) == {}
    ec2.terminate_instances(InstanceIds=[first])
    assert listed(ec2) == {first: "terminated"}


def test_a_client_token_gives_the_same_instance_also_after_its_end(user: User) -> None:
    ec2 = user.client("ec2")
    first = run(ec2, ClientToken="t1")
    assert run(ec2, ClientToken="t1")["InstanceId"] == first["InstanceId"]
    assert run(ec2, ClientToken="t2")["InstanceId"] != first["InstanceId"]
    with pytest.raises(ClientError) as caught:
        run(ec2, ClientToken="t1", UserData="other")
    assert code(caught) == (400, "IdempotentParameterMismatch")
    ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    again = run(ec2, ClientToken="t1")
    assert (again["InstanceId"], again["State"]["Name"]) == (first["InstanceId"], "terminated")


def test_states_take_their_time(moto_process: MotoProcess) -> None:
    with Moto(moto_process, pace=Pace(listed=2, addressed=3, running=4, gone=2), forgets=4) as standin:
        user = User(standin.url)
        ec2 = user.client("ec2")
        made = run(ec2)["InstanceId"]
        seen = [listed(ec2) for _ in range(4)]
        assert seen == [{}, {made: "pending"}, {made: "pending"}, {made: "running"}]
        ec2.terminate_instances(InstanceIds=[made])
        seen = [listed(ec2) for _ in range(5)]
        assert seen == [{made: "shutting-down"}] * 2 + [{made: "terminated"}] * 2 + [{}]
        user.close()


def test_the_quota_of_vcpus(user: User) -> None:
    ec2, quotas = user.client("ec2"), user.client("service-quotas")
    found = quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]["Value"]
    assert found == 6.0
    for _ in range(3):
        run(ec2)
    with pytest.raises(ClientError) as caught:
        run(ec2)
    assert code(caught) == (400, "VcpuLimitExceeded")


def test_the_account_tells_its_state(user: User, standin: Moto) -> None:
    account = user.client("account")
    assert account.get_account_information()["AccountState"] == "ACTIVE"
    standin.close("unpaid")
    assert account.get_account_information()["AccountState"] == "SUSPENDED"
    standin.oracle = False
    standin.reopen()
    with pytest.raises(ClientError) as caught:
        account.get_account_information()
    assert code(caught) == (403, "AccessDeniedException")


def test_a_closed_account_is_refused_in_each_service_s_own_words(user: User, standin: Moto) -> None:
    made = run(user.client("ec2"))["InstanceId"]
    user.client("s3").put_object(Bucket=standin.bucket, Key="k", Body=b"1")
    standin.close("unpaid")
    calls: dict[str, Callable[[], Any]] = {
        "Blocked": lambda: user.client("ec2").describe_instances(),
        "AccountProblem": lambda: user.client("s3").list_objects_v2(Bucket=standin.bucket),
        "InvalidClientTokenId": lambda: user.client("sts").get_caller_identity(),
    }
    for expected, call in calls.items():
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == expected
    standin.reopen()
    assert made not in standin.node_ids()
    assert listed(user.client("ec2")) == {made: "terminated"}, "for about an hour"
    assert user.client("s3").list_objects_v2(Bucket=standin.bucket)["KeyCount"] == 0


def test_what_moto_says_of_credentials_it_does_not_know(user: User, standin: Moto) -> None:
    ec2, s3, sts = (user.client(service) for service in ("ec2", "s3", "sts"))
    standin.close_silently()
    try:
        calls: dict[tuple[int, str], Callable[[], Any]] = {
            (401, "AuthFailure"): ec2.describe_instances,
            (403, "InvalidAccessKeyId"): lambda: s3.list_objects_v2(Bucket=standin.bucket),
            (403, "InvalidClientTokenId"): sts.get_caller_identity,
        }
        for expected, call in calls.items():
            with pytest.raises(ClientError) as caught:
                call()
            assert code(caught) == expected
    finally:
        standin.open_again()
    assert sts.get_caller_identity()["Account"] == standin.account_id


def test_accounts_do_not_mix(user: User, moto_process: MotoProcess, standin: Moto) -> None:
    run(user.client("ec2"))
    with Moto(moto_process) as other:
        guest = User(other.url)
        assert listed(guest.client("ec2")) == {}
        assert other.node_ids() == ()
        guest.close()
    assert len(standin.node_ids()) == 1


def test_images_are_the_ones_of_the_tests(user: User) -> None:
    found = user.client("ec2").describe_images()["Images"]
    assert {(i["OwnerId"], i["Name"], i["Architecture"]) for i in found} == {(o, n, a) for o, n, a, _ in AMIS}


def test_faults_look_like_those_of_a_network(user: User, standin: Moto) -> None:
    ec2, hurried = user.client("ec2"), user.client("ec2", timeout_s=0.5)
    expected: list[tuple[str, type[Exception]]] = [
        ("429", ClientError),
        ("500", ClientError),
        ("502", ClientError),
        ("drop", ConnectionClosedError),
        ("hang", ReadTimeoutError),
    ]
    for kind, error in expected:
        standin.fault("ec2.DescribeInstances", kind)
        with pytest.raises(error):
            (hurried if kind == "hang" else ec2).describe_instances()
        standin.mend()
    assert listed(ec2) == {}
    standin.fault("ec2.RunInstances", "lost")
    with pytest.raises(ConnectionClosedError):
        run(ec2)
    assert len(listed(ec2)) == 1


def test_a_stand_in_that_is_stopped_cannot_be_reached(moto_process: MotoProcess) -> None:
    standin = Moto(moto_process).start()
    standin.stop()
    user = User(standin.url)
    with pytest.raises(EndpointConnectionError):
        user.client("ec2").describe_instances()
    user.close()


def test_pages_are_as_small_as_wanted(user: User, standin: Moto) -> None:
    ec2 = user.client("ec2")
    made = {run(ec2)["InstanceId"] for _ in range(3)}
    standin.page_max = 2
    assert set(listed(ec2)) == made
    standin.fault("ec2.DescribeInstances", "500", page=2)
    with pytest.raises(ClientError):
        listed(ec2)
    assert set(listed(ec2)) == made


def test_a_key_whose_policy_allows_reading(standin: Moto, user: User) -> None:
    standin.grant("AKIDUSER", "ec2:DescribeInstances", "s3:ListBucket")
    ec2, s3 = user.client("ec2"), user.client("s3")
    assert ec2.describe_instances()["Reservations"] == []
    assert s3.list_objects_v2(Bucket=standin.bucket)["KeyCount"] == 0
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        run(ec2, DryRun=True)
    part = {"Bucket": standin.bucket, "Key": "x", "PartNumber": 1, "UploadId": "none", "Body": b"x"}
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.upload_part(**part)
    del standin.scopes["AKIDUSER"]
    with pytest.raises(ClientError, match="DryRunOperation"):
        run(ec2, DryRun=True)
    with pytest.raises(ClientError, match="NoSuchUpload"):
        s3.upload_part(**part)
