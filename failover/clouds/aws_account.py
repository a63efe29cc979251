"""What AWS says about the account: its own account state, and what several services and regions answer."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from failover.clouds.aws_dry_run import WOULD_SUCCEED, objection
from failover.clouds.aws_nodes import as_tags, tags_of
from failover.core.model import AccountReport
from failover.core.reading import EXPLICIT, Answer, ServiceReading, Signal, Transport, report_of, service_reading
from failover.net.answers import from_parts
from failover.net.aws import AwsClients

PROVIDER = "aws"
LAUNCH = "ec2.RunInstances"
_TELLING = EXPLICIT | {Signal.ACCOUNT_SUSPECT}
_PARTNERS = {
    "us-east-1": "us-west-2",
    "cn-north-1": "cn-northwest-1",
    "cn-northwest-1": "cn-north-1",
    "us-gov-west-1": "us-gov-east-1",
    "us-gov-east-1": "us-gov-west-1",
}
Question = tuple[str, str, Callable[[], Answer]]
"""Service and operation, region, and how it is asked."""


def other_region(region: str) -> str:
    """A second region of the same partition."""
    return _PARTNERS.get(region, "us-east-1")


def report(questions: Sequence[Question], deadline_s: float) -> AccountReport:
    """Ask all of them at once, and fold what they say. What has not answered by the deadline is a timeout.

    A launch that is only tried counts when it says something about the account: that a credential may not launch, or
    may, is no news, and must not stand for the service in what is remembered.
    """
    answers: dict[int, Answer] = {}

    def ask(number: int, question: Callable[[], Answer]) -> None:
        answers[number] = question()

    # Daemons, because a question that hangs must not keep the process from ending.
    threads = [
        threading.Thread(target=ask, args=(number, question), daemon=True)
        for number, (_, _, question) in enumerate(questions)
    ]
    until = time.monotonic() + deadline_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    readings = [
        (operation, _reading(answers.get(number), operation, region))
        for number, (operation, region, _) in enumerate(questions)
    ]
    return report_of(reading for operation, reading in readings if operation != LAUNCH or reading.signal in _TELLING)


def _reading(answer: Answer | None, operation: str, region: str) -> ServiceReading:
    late = from_parts(PROVIDER, operation, transport=Transport.TIMEOUT, message="no answer in time")
    return service_reading(answer or late, region=region)


def questions(clients: AwsClients) -> list[Question]:
    """EC2 in two regions, who we are, and the account's own state. A call each, all of them reads.

    Of several explicit words the first is reported: EC2 gives a reason, the account's state none.
    """
    other = other_region(clients.region)
    return [
        ("ec2.DescribeInstances", clients.region, lambda: _instances(clients, clients.region)),
        ("ec2.DescribeInstances", other, lambda: _instances(clients, other)),
        ("sts.GetCallerIdentity", clients.region, lambda: _identity(clients)),
        ("account.GetAccountInformation", "", lambda: _state(clients)),
    ]


def _state(clients: AwsClients) -> Answer:
    operation = "account.GetAccountInformation"
    return _asked(
        clients,
        operation,
        lambda: clients.account().get_account_information(),
        "AccountState",
        code_of=lambda found: str(found["AccountState"]),
    )


def _identity(clients: AwsClients) -> Answer:
    return _asked(clients, "sts.GetCallerIdentity", lambda: clients.sts().get_caller_identity(), "Account")


def _instances(clients: AwsClients, region: str) -> Answer:
    ec2 = "ec2.DescribeInstances"
    return _asked(clients, ec2, lambda: clients.ec2(region).describe_instances(MaxResults=5), "Reservations")


def canary(clients: AwsClients) -> Answer:
    """A launch that is only tried: EC2 says `Blocked` of an account to launches, while reads still pass.

    It is a launch of one more node like one that is there, so whoever may mirror may try it. Without a node, or at a
    server that might carry it out: what reading said.
    """
    found: list[Mapping[str, Any]] = []

    def look() -> Mapping[str, Any]:
        page = clients.ec2().describe_instances(
            Filters=[{"Name": "tag-key", "Values": ["failover-spec"]}], MaxResults=5
        )
        found.extend(instance for r in page.get("Reservations", ()) for instance in r.get("Instances", ()))
        return page

    answer = _asked(clients, "ec2.DescribeInstances", look, "Reservations")
    alike = next((instance for instance in found if instance.get("SubnetId")), None)
    if alike is None or objection(clients):
        return answer
    answer = _asked(clients, LAUNCH, lambda: clients.ec2().run_instances(**_one_more(alike), DryRun=True), "Instances")
    if answer.code == WOULD_SUCCEED:  # "would have succeeded", as an error
        return from_parts(PROVIDER, LAUNCH, status=200)
    return answer


def _one_more(instance: Mapping[str, Any]) -> dict[str, Any]:
    interfaces = instance.get("NetworkInterfaces", ())
    tags = {key: value for key, value in tags_of(instance).items() if not key.startswith("aws:")}
    return {
        "MinCount": 1,
        "MaxCount": 1,
        "ImageId": instance["ImageId"],
        "InstanceType": instance["InstanceType"],
        "SubnetId": instance["SubnetId"],
        "SecurityGroupIds": sorted({group["GroupId"] for i in interfaces for group in i.get("Groups", ())}),
        "TagSpecifications": [{"ResourceType": kind, "Tags": as_tags(tags)} for kind in ("instance", "volume")],
    }


def _asked(
    clients: AwsClients,
    operation: str,
    do: Callable[[], Mapping[str, Any]],
    key: str,
    code_of: Callable[[Mapping[str, Any]], str] = lambda _: "",
) -> Answer:
    """One attempt. An answer without the key that it must have is something else's: a web page of a captive portal."""
    try:
        found = do()
    except Exception as error:  # noqa: BLE001 - whatever a client raises is a reading here
        return clients.answer(error, operation)
    if key not in found:
        return from_parts(PROVIDER, operation, message=f"an answer without {key}", html=True)
    return from_parts(PROVIDER, operation, status=200, code=code_of(found))
