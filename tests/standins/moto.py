"""AWS for tests: moto's server as a process of its own, and in front of it what moto does not do.

moto answers EC2, S3 and STS. The front adds, after AWS's documents: client tokens of RunInstances, the vCPU quota,
delayed visibility and states on the way, refusals of a blocked account in each service's own shape, the account state
(Account Management API), Service Quotas, and the faults of every stand-in. Each front has an AWS account of its own in
the one moto process.
"""

import base64
import hashlib
import http.client
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.ports import free_port
from tests.standins.base import Fault, Machine, Mood, Pace, StandIn, _Planned
from tests.standins.wire import Call, Reply

AMIS = (
    # owner, name, architecture, created
    ("136693071363", "debian-12-amd64-20240101-1614", "x86_64", "2024-01-01T00:00:00.000Z"),
    ("136693071363", "debian-12-amd64-20260901-2222", "x86_64", "2026-09-01T00:00:00.000Z"),
    ("136693071363", "debian-12-amd64-20250501-2099", "x86_64", "2025-05-01T00:00:00.000Z"),
    ("136693071363", "debian-12-backports-amd64-20261001-2250", "x86_64", "2026-10-01T00:00:00.000Z"),
    ("136693071363", "debian-12-arm64-20260901-2222", "arm64", "2026-09-01T00:00:00.000Z"),
    ("666666666666", "debian-12-amd64-20261101-9999", "x86_64", "2026-11-01T00:00:00.000Z"),
    ("136693071363", "debian-13-arm64-20260901-2222", "arm64", "2026-09-01T00:00:00.000Z"),
    ("099720109477", "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260815", "x86_64", None),
)
REGION = "us-east-1"
VCPUS = 2
"""Of every size that the tests use."""
AT_ONCE = Pace(gone=0)
_STARTED_S = 30.0
_LOOK_EVERY_S = 0.02
_ITEMS = re.compile(rb"(?<=<reservationSet>).*(?=</reservationSet>)|<Contents>.*</Contents>", re.DOTALL)
_ADDRESSES = re.compile(rb"<(ipAddress|publicIp)>[^<]*</\1>")
_TIMES = re.compile(rb"<(launch|attach)Time>[^<]*</\1Time>")
BLOCKED = "This account is currently blocked and not recognized as a valid account."
_LISTED = re.compile(rb"<Contents><Key>([^<]+)</Key><LastModified>[^<]+<")
_GARBLED = re.compile(rb"<state>\{[^<]*associated[^<]*<")
"""How moto writes the state of a subnet's IPv6 block."""
PORTAL_PAGE = b"<html><head><title>Welcome</title></head><body><p>Please log in to the network.</p></body></html>"
_EC2 = "{*}"
_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_HOP = frozenset({"connection", "content-length", "transfer-encoding", "date", "server", "content-type", "keep-alive"})
_ids = itertools.count(1)


class MotoProcess:
    """`moto_server` on a free port, with a few machine images of known names. Use as a context manager."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.port = 0
        self.static: dict[tuple[str, bytes], Reply] = {}
        """What is the same for every account, and slow to ask for."""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "MotoProcess":
        amis = self._directory / "amis.json"
        amis.write_text(json.dumps([_ami(number, *entry) for number, entry in enumerate(AMIS)]), encoding="utf-8")
        self.port = free_port()
        environment = {
            **os.environ,
            "MOTO_AMIS_PATH": str(amis),
            "MOTO_ENABLE_AMI_VALIDATION": "1",
            "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        program = str(Path(sys.executable).with_name("moto_server"))
        with (self._directory / "moto.log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, "-H", "127.0.0.1", "-p", str(self.port)], env=environment, stdout=log, stderr=log
            )
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _wait(self) -> None:
        until = time.monotonic() + _STARTED_S
        while time.monotonic() < until:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(_LOOK_EVERY_S)
        raise AssertionError((self._directory / "moto.log").read_text(encoding="utf-8"))

    def ask(self, method: str, target: str, headers: dict[str, str], body: bytes) -> http.client.HTTPResponse:
        """One request; the answer is read whole already."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            answer.content = answer.read()  # type: ignore[attr-defined]
            return answer

    def auth_after(self, requests: str) -> None:
        """From then on moto knows no credential (`0`), or never asks for one (`inf`): what a closed account shows."""
        self.ask("POST", "/moto-api/reset-auth", {}, requests.encode())


def _ami(number: int, owner: str, name: str, architecture: str, created: str | None) -> dict[str, Any]:
    ami = {
        "ami_id": f"ami-{number:08x}",
        "state": "available",
        "public": True,
        "owner_id": owner,
        "image_location": f"{owner}/{name}",
        "sriov": "simple",
        "root_device_type": "ebs",
        "root_device_name": "/dev/xvda",
        "description": name,
        "image_type": "machine",
        "architecture": architecture,
        "name": name,
        "virtualization_type": "hvm",
        "hypervisor": "xen",
    }
    return ami if created is None else {**ami, "creation_date": created}


@pytest.fixture(scope="session")
def moto_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoProcess]:
    with MotoProcess(tmp_path_factory.mktemp("moto")) as process:
        yield process


# ------------------------------------------------------------------------------------ the front


@dataclass(slots=True, kw_only=True)
class _Launch:
    """What a client token stands for: valid for at least 24 hours after the instance has ended."""

    wish: str
    reply: Reply
    id: str


class Moto(StandIn):
    """One AWS account with one bucket. `pace.gone` is how long an ended instance is `shutting-down`.

    `forgets` is how many ticks after its end an instance is still listed as terminated (about an hour at AWS).
    `quotas` off: Service Quotas refuse. `oracle` off: so does the Account Management API.
    """

    def __init__(
        self,
        process: MotoProcess,
        *,
        pace: Pace = AT_ONCE,
        forgets: int = 1000,
        nodes_max: int = 10,
        **options: Any,
    ) -> None:
        super().__init__(pace=pace, nodes_max=nodes_max, **options)
        self._process = process
        self.account_id = f"{os.getpid() % 10**6:06d}{next(_ids):06d}"
        self.bucket = f"depot-{self.account_id}"
        self.forgets = forgets
        self.quotas = True
        self.oracle = True
        self.silent = False
        self.denied_roles = False
        """No role may be assumed."""
        self.blocked_launches = False
        """The account may not launch any more, and that is all that shows."""
        self.aged: set[str] = set()
        """Objects that have been in the bucket for long."""
        self.knows_dry_run = True
        """Off: as at a server that speaks EC2's language and carries out what it should only try."""
        self.portal = False
        """Something in between answers 200 with a page of its own."""
        self.capacity: dict[str, bool] = {}
        """By subnet: False where there is no room."""
        self._here = threading.local()
        self._launches: dict[str, _Launch] = {}
        self._born: dict[str, int] = {}
        self._v4: dict[str, str] = {}
        self._v6: dict[str, str] = {}
        self._changes = 0
        self._states: tuple[int, dict[str, str]] | None = None
        self._told: dict[str, str] = {}
        self._images: dict[str, str] = {}
        self._ended: dict[str, int] = {}
        self._codes: list[tuple[str, str, int]] = []
        self._page_numbers: dict[str, int] = {}

    def start(self) -> "Moto":
        super().start()
        self._aws("s3", "PUT", f"/{self.bucket}")
        return self

    # ------------------------------------------------------------------------------------------ what a test plays

    def close_silently(self) -> None:
        """The account is closed, and nothing says so: moto knows no credential any more, as AWS answers then."""
        self.silent = True
        self._process.auth_after("0")

    def open_again(self) -> None:
        self.silent = False
        self._process.auth_after("inf")

    def answer_once(self, operation: str, code: str, status: int = 400) -> None:
        """The next call of that operation is refused so, and not carried out."""
        self._codes.append((operation, code, status))

    def launches(self) -> list[dict[str, str]]:
        """The parameters of each RunInstances that came in, dry runs left out."""
        calls = [dict(parse_qsl(call.body.decode())) for call in self.requests if b"Action=RunInstances" in call.body]
        return [call for call in calls if call.get("DryRun") != "true"]

    def ec2(self, action: str, **parameters: str) -> ET.Element:
        """Ask moto itself, past the front."""
        body = urlencode({"Action": action, "Version": "2016-11-15", **parameters}).encode()
        return ET.fromstring(self._aws("ec2", "POST", "/", body).content)

    def objects(self) -> dict[str, bytes]:
        """What is in the bucket."""
        listed = ET.fromstring(self._aws("s3", "GET", f"/{self.bucket}?list-type=2").content)
        keys = [key.text or "" for key in listed.iter() if key.tag.endswith("}Key") or key.tag == "Key"]
        return {key: self._aws("s3", "GET", f"/{self.bucket}/{key}").content for key in keys}

    def overwrite(self, key: str, contents: bytes) -> None:
        """Somebody else puts an object there."""
        self._aws("s3", "PUT", f"/{self.bucket}/{key}", contents)

    # ------------------------------------------------------------------------------------------ as every stand-in

    def node_ids(self) -> tuple[str, ...]:
        return tuple(id for id, state in self._instances().items() if state not in ("terminated", "shutting-down"))

    def halt(self, id: str) -> None:
        self.ec2("StopInstances", **{"InstanceId.1": id})

    def switched_on(self) -> Iterable[Machine]:
        running = [id for id, state in self._instances().items() if state == "running" and id in self._v4]
        return [
            Machine(id=id, address=self._v4[id], user_data=self._told[id], image=self._images[id]) for id in running
        ]

    def forget(self, id: str) -> None:
        self.ec2("TerminateInstances", **{"InstanceId.1": id})
        self._ended[id] = self.ticks - self.forgets - 1

    def foreign(self, name: str) -> str:
        tags = {"TagSpecification.1.ResourceType": "instance"}
        for number, (key, value) in enumerate((("Name", name), ("owner", "somebody-else")), 1):
            tags |= {f"TagSpecification.1.Tag.{number}.Key": key, f"TagSpecification.1.Tag.{number}.Value": value}
        launch = {"ImageId": "ami-00000001", "InstanceType": "t3.nano", "MinCount": "1", "MaxCount": "1"}
        return _text(self.ec2("RunInstances", **launch, **tags), ".//instanceId")

    def walls(self) -> Mapping[str, frozenset[int]]:
        """The security groups of the nodes' network, but for its default one."""
        found = {}
        for group in self.ec2("DescribeSecurityGroups").iterfind(f"{_EC2}securityGroupInfo/{_EC2}item"):
            name = _text(group, "groupName")
            if name != "default":
                rules = group.findall(f"{_EC2}ipPermissions/{_EC2}item")
                found[name] = frozenset(int(_text(rule, "fromPort")) for rule in rules if _for_all(rule))
        return found

    def set_wall(self, name: str, ports: Collection[int]) -> None:
        id = self._group_ids().get(name)
        if id is None:
            made = self.ec2("CreateSecurityGroup", GroupName=name, GroupDescription="theirs", VpcId=self._vpc())
            id = _text(made, "groupId")
        for port in self.walls().get(name, ()):
            self.ec2("RevokeSecurityGroupIngress", GroupId=id, **_rule_parameters(port))
        for port in ports:
            self.ec2("AuthorizeSecurityGroupIngress", GroupId=id, **_rule_parameters(port))

    def _group_ids(self) -> dict[str, str]:
        groups = self.ec2("DescribeSecurityGroups").iterfind(f"{_EC2}securityGroupInfo/{_EC2}item")
        return {_text(group, "groupName"): _text(group, "groupId") for group in groups}

    def _vpc(self) -> str:
        return _text(self.ec2("DescribeVpcs"), "vpcSet/item/vpcId")

    def empty(self) -> None:
        for id in self.node_ids():
            self.ec2("TerminateInstances", **{"InstanceId.1": id})
            self._ended[id] = self.ticks - self.pace.gone - 1  # and shown as terminated for about an hour more
        for key in self.objects():
            self._aws("s3", "DELETE", f"/{self.bucket}/{key}")

    def _instances(self) -> dict[str, str]:
        """moto takes its time to tell, so it is asked again only after something was changed."""
        known, changes = self._states, self._changes
        if known is None or known[0] != changes:
            found = self.ec2("DescribeInstances").iterfind(f".//{_EC2}instancesSet/{_EC2}item")
            states = {_text(item, "instanceId"): _text(item, "instanceState/name") for item in found}
            known = self._states = (changes, states)
        return known[1]

    def _ask(self, service: str, method: str, target: str, headers: dict[str, str], body: bytes) -> Any:
        """moto itself; what is no question may change an instance, before or while it is answered."""
        asks = service == "s3" or b"Action=Describe" in body
        self._changes += not asks
        answer = self._process.ask(method, target, headers, body)
        self._changes += not asks
        return answer

    def admitted(self, call: Call) -> bool:
        """A request without a signature gets nothing out of a private bucket."""
        return "AWS4-HMAC-SHA256" in call.header("Authorization") or bool(call.asked("X-Amz-Signature"))

    def unauthorized(self) -> Reply:
        code = {"ec2": "AuthFailure", "s3": "InvalidAccessKeyId"}.get(self._service(), "InvalidClientTokenId")
        status = 401 if self._service() == "ec2" else 403
        return self.refusal(status, "Credentials were not able to validate the request", code)

    def closed(self, call: Call) -> Reply | None:
        """EC2 `Blocked`, S3 `AccountProblem`, the state at Account Management; others refuse the credential."""
        match self._service():
            case "account":
                return self._account_information("SUSPENDED")
            case "ec2":
                return self.refusal(400, self.reason, "Blocked")
            case "s3":
                return self.refusal(403, self.reason, "AccountProblem")
        return self.refusal(403, "The security token included in the request is invalid.", "InvalidClientTokenId")

    def throttled(self, retry_after_s: int) -> Reply:
        code = {"ec2": "RequestLimitExceeded", "s3": "SlowDown"}.get(self._service(), "ThrottlingException")
        reply = self.refusal(429, "Request limit exceeded.", code)
        return replace(reply, headers={"Retry-After": str(retry_after_s)})

    def refusal(self, status: int, message: str, code: str = "") -> Reply:
        """The three shapes in which AWS says no."""
        code = code or "InternalError"
        match self._service():
            case "ec2":
                text = f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
                return _xml(status, f"{text}<RequestID>req-1</RequestID></Response>")
            case "sts":
                text = (
                    f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
                )
                return _xml(status, f"{text}<RequestId>req-1</RequestId></ErrorResponse>")
            case "s3":
                return _xml(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>")
        headers = {"x-amzn-errortype": code}
        return Reply(status=status, document={"__type": code, "message": message}, headers=headers)

    def page_of(self, call: Call) -> int:
        parameters = {**dict(call.query), **dict(parse_qsl(call.body.decode("utf-8", "replace")))}
        token = parameters.get("NextToken") or parameters.get("continuation-token") or ""
        return self._page_numbers.get(token, 1)

    # ------------------------------------------------------------------------------------------ answering

    def _respond(self, call: Call) -> Reply | None:
        self._here.call = call
        return super()._respond(call)

    def _spoilt(self, call: Call, planned: _Planned, released: threading.Event) -> Reply | None:
        if planned.kind is not Fault.EMPTY:
            return super()._spoilt(call, planned, released)
        reply = self._answer(call)
        return replace(reply, raw=_ITEMS.sub(b"", reply.body))

    def _answer(self, call: Call) -> Reply:
        return super()._answer(call) if not self.portal else Reply(raw=PORTAL_PAGE, type="text/html")

    def _service(self) -> str:
        return _scope(self._here.call)[1]

    def _route(self, call: Call) -> tuple[str, tuple[str, ...]]:
        """`service.Operation`, so that faults can name it."""
        service = _scope(call)[1]
        if service in ("ec2", "sts"):
            return f"{service}.{dict(parse_qsl(call.body.decode())).get('Action', '')}", ()
        if service == "s3":
            what = "List" if call.asked("list-type") else "Part" if call.asked("uploadId") else call.method.title()
            return f"s3.{what}", ()
        return f"{service}.{call.header('X-Amz-Target').rpartition('.')[2] or call.path.strip('/')}", ()

    def _handled(self, call: Call) -> Reply:
        if not self.knows_dry_run:
            call = replace(call, body=call.body.replace(b"&DryRun=true", b""))
        if (wait_s := self._too_many()) is not None:
            return self.throttled(wait_s)
        if not self.admitted(call):
            return self.refusal(403, "Access Denied", "AccessDenied")
        if self.refusing:
            return self.unauthorized()
        if self.mood is Mood.CLOSED and (reply := self.closed(call)) is not None:
            return reply
        if (reply := self._denied(call)) is not None:
            return reply
        own: dict[str, Callable[[Call], Reply]] = {
            "account.getAccountInformation": self._account,
            "servicequotas.GetServiceQuota": self._quota,
            "ec2.DescribeInstanceTypeOfferings": self._static,
            "ec2.DescribeInstanceTypes": self._static,
            "ec2.DescribeInstances": self._described,
            "ec2.RunInstances": self._run,
            "ec2.TerminateInstances": self._terminated,
            "ec2.DeleteSecurityGroup": self._ungrouped,
            "sts.AssumeRole": self._assumed,
            "s3.Part": self._part,
        }
        name = self._route(call)[0]
        for planned in self._codes:
            if planned[0] == name:
                self._codes.remove(planned)
                return self.refusal(planned[2], f"as the test wants: {planned[1]}", planned[1])
        return self._forward(call) if self.silent or name not in own else own[name](call)

    def _denied(self, call: Call) -> Reply | None:
        """What an access key gets for an action that its policy does not allow; `scopes` holds IAM's actions.

        S3 looks at permissions before it looks for an upload; EC2 before it says what a dry run would do.
        """
        found = _SCOPE.search(call.header("Authorization"))
        held = self.scopes.get(found[1]) if found is not None else None
        name = self._route(call)[0].replace(".", ":")
        action = {
            "s3:List": "s3:ListBucket",
            "s3:Put": "s3:PutObject",
            "s3:Part": "s3:PutObject",
            "s3:Get": "s3:GetObject",
        }.get(name, name)
        if action == "account:getAccountInformation":
            action = "account:GetAccountInformation"
        if held is None or action in held:
            return None
        code = "UnauthorizedOperation" if self._service() == "ec2" else "AccessDenied"
        return self.refusal(403, f"You are not authorized to perform this operation: {action}", code)

    def _static(self, call: Call) -> Reply:
        key = (_scope(call)[0], call.body)
        if key not in self._process.static:
            self._process.static[key] = self._forward(call)
        return self._process.static[key]

    def _account(self, call: Call) -> Reply:
        return self._account_information("ACTIVE") if self.oracle else self._not_allowed()

    def _account_information(self, state: str) -> Reply:
        document = {"AccountId": self.account_id, "AccountName": "tests", "AccountState": state}
        return Reply(document=document)

    def _not_allowed(self) -> Reply:
        return self.refusal(403, "You are not authorized to perform this operation.", "AccessDeniedException")

    def _quota(self, call: Call) -> Reply:
        if not self.quotas:
            return self._not_allowed()
        if call.document.get("QuotaCode") != "L-1216C47A":
            return self.refusal(400, "The request failed because the quota does not exist.", "NoSuchResourceException")
        return Reply(document={"Quota": {"QuotaCode": "L-1216C47A", "Value": float(self.nodes_max * VCPUS)}})

    def _part(self, call: Call) -> Reply:
        """No upload was ever begun; moto itself breaks on one that it does not know."""
        return self.refusal(404, "The specified upload does not exist.", "NoSuchUpload")

    def _assumed(self, call: Call) -> Reply:
        if self.denied_roles:
            return self.refusal(403, "User is not authorized to perform: sts:AssumeRole", "AccessDenied")
        return self._forward(call)

    # ------------------------------------------------------------------------------------------ instances

    def _run(self, call: Call) -> Reply:
        parameters = dict(parse_qsl(call.body.decode()))
        if self.blocked_launches:
            return self.refusal(400, BLOCKED, "Blocked")
        if parameters.get("DryRun") == "true":
            return self._forward(call)
        token = parameters.pop("ClientToken", "")
        wish = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
        if token in self._launches:
            return self._launched_before(self._launches[token], wish)
        subnet = parameters.get("NetworkInterface.1.SubnetId", "")
        if not self.capacity.get(subnet, True):
            message = "We currently do not have sufficient capacity in the Availability Zone you requested."
            return self.refusal(500, message, "InsufficientInstanceCapacity")
        if len(self.node_ids()) >= self.nodes_max:
            message = f"You have requested more vCPU capacity than your current vCPU limit of {self.nodes_max * VCPUS}"
            return self.refusal(400, message, "VcpuLimitExceeded")
        reply = self._forward(call)
        if reply.status == 200:
            id = _text(ET.fromstring(reply.body), ".//instanceId")
            self._born[id] = self.ticks
            self._v4[id] = next(self.free_v4)
            self._told[id] = decoded_user_data(parameters)
            self._images[id] = parameters["ImageId"]
            if "NetworkInterface.1.Ipv6AddressCount" in parameters:
                self._v6[id] = next(self.free_v6)
            body = _ADDRESSES.sub(rf"<\1>{self._v4[id]}</\1>".encode(), reply.body)
            reply = replace(reply, raw=_TIMES.sub(self._born_at(id), body))
            self._launches[token] = _Launch(wish=wish, reply=reply, id=id)
        return reply

    def _born_at(self, id: str) -> bytes:
        """In place of the times of an answer: a second a tick, so that no two instances are of the same age."""
        return rb"<\1Time>" + self.instant(self._born[id]).encode() + rb"</\1Time>"

    def _launched_before(self, launch: _Launch, wish: str) -> Reply:
        if launch.wish != wish:
            message = (
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
            )
            return self.refusal(400, message, "IdempotentParameterMismatch")
        state = self._instances().get(launch.id, "terminated").encode()
        body = re.sub(rb"(<instanceState>.*?<name>)[a-z-]+", rb"\g<1>" + state, launch.reply.body, flags=re.DOTALL)
        return replace(launch.reply, raw=body)

    def _terminated(self, call: Call) -> Reply:
        reply = self._forward(call)
        if reply.status == 200:
            for item in ET.fromstring(reply.body).iterfind(f".//{_EC2}instanceId"):
                self._ended.setdefault(item.text or "", self.ticks)
        return reply

    def _ungrouped(self, call: Call) -> Reply:
        if self._ending():
            return self.refusal(400, "resource sg has a dependent object", "DependencyViolation")
        return self._forward(call)

    def _ending(self) -> bool:
        return any(self.ticks - at <= self.pace.gone for at in self._ended.values()) and self.pace.gone > 0

    def _described(self, call: Call) -> Reply:
        """States on the way: not listed yet, pending without an address, shutting down, forgotten."""
        reply = self._forward(self._shorter(call))
        if reply.status != 200:
            return reply
        document = ET.fromstring(reply.body)
        ET.register_namespace("", document.tag.partition("}")[0].lstrip("{"))
        for reservation in document.iterfind(f".//{_EC2}reservationSet/{_EC2}item"):
            instances = reservation.find(f"{_EC2}instancesSet")
            assert instances is not None
            for item in list(instances):
                if not self._paced(item):
                    instances.remove(item)
        self._number_page(call, _text(document, "nextToken"))
        return replace(reply, raw=ET.tostring(document))

    def _paced(self, item: ET.Element) -> bool:
        """Whether it is listed; puts it into the state that it would be in."""
        id = _text(item, "instanceId")
        if id in self._ended:
            age = self.ticks - self._ended[id]
            if age <= self.pace.gone and self.pace.gone:
                _set_state(item, 32, "shutting-down")
            return age <= self.forgets
        age = self.ticks - self._born.get(id, -1000)
        if id in self._born:
            for found in item.iter():
                if found.tag.endswith(("launchTime", "attachTime")):
                    found.text = self.instant(self._born[id])
        if _text(item, "instanceState/name") == "running" and age < self.pace.running:
            _set_state(item, 0, "pending")
        self._give_v4(item, id)
        self._give_v6(item, id)
        if age < self.pace.addressed:
            for parent in item.iter():
                for name in ("ipAddress", "dnsName", "association", "ipv6AddressesSet"):
                    for found in parent.findall(f"{_EC2}{name}"):
                        parent.remove(found)
        return age >= self.pace.listed

    def _give_v4(self, item: ET.Element, id: str) -> None:
        """moto's own addresses are drawn by lot from the Internet's."""
        for found in item.iter():
            if found.tag.endswith(("}ipAddress", "}publicIp")) and id in self._v4:
                found.text = self._v4[id]

    def _give_v6(self, item: ET.Element, id: str) -> None:
        """moto takes the wish for an IPv6 address, and forgets it."""
        place = item.find("{*}networkInterfaceSet/{*}item/{*}ipv6AddressesSet")
        if place is not None and id in self._v6:
            namespace = place.tag.partition("}")[0] + "}"
            found = ET.SubElement(place, f"{namespace}item")
            ET.SubElement(found, f"{namespace}ipv6Address").text = self._v6[id]

    def _shorter(self, call: Call) -> Call:
        """The same question with smaller pages."""
        if self.page_max is None or b"InstanceId.1" in call.body:
            return call
        parameters = dict(parse_qsl(call.body.decode()))
        parameters["MaxResults"] = str(self.page_max)
        return replace(call, body=urlencode(parameters).encode())

    def _number_page(self, call: Call, token: str) -> None:
        if token:
            self._page_numbers[token] = self.page_of(call) + 1

    # ------------------------------------------------------------------------------------------ moto

    def _forward(self, call: Call) -> Reply:
        headers = {name: value for name, value in call.headers.items() if name not in _HOP or name == "content-type"}
        headers |= {"x-moto-account-id": self.account_id, "Content-Length": str(len(call.body))}
        answer = self._ask(_scope(call)[1], call.method, call.target, headers, call.body)
        content: bytes = answer.content
        if self._route(call)[0] == "ec2.DescribeSubnets":
            content = _GARBLED.sub(b"<state>associated<", content)
        if self._route(call)[0] == "s3.List" and answer.status == 200:
            found = re.search(rb"<NextContinuationToken>([^<]+)<", content)
            self._number_page(call, found[1].decode() if found else "")
            content = _LISTED.sub(self._aging, content)
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
        kind = answer.getheader("Content-Type") or "application/octet-stream"
        return Reply(status=answer.status, raw=content, headers=kept, type=kind)

    def _aging(self, found: re.Match[bytes]) -> bytes:
        if found[1].decode() not in self.aged:
            return found[0]
        return b"<Contents><Key>" + found[1] + b"</Key><LastModified>2020-01-01T00:00:00.000Z<"

    def _aws(self, service: str, method: str, target: str, body: bytes = b"") -> Any:
        scope = f"AKIDTEST/20260101/{REGION}/{service}/aws4_request"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "x-moto-account-id": self.account_id,
            "Host": f"{service}.{REGION}.amazonaws.com" if service != "s3" else f"127.0.0.1:{self._process.port}",
        }
        if service == "ec2":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self._ask(service, method, target, headers, body)


def _scope(call: Call) -> tuple[str, str]:
    """Region and service of the request's signature; S3 where there is none."""
    found = _SCOPE.search(call.header("Authorization")) or _SCOPE.search(f"Credential={call.asked('X-Amz-Credential')}")
    return (found[2], found[3]) if found else (REGION, "s3")


def _xml(status: int, text: str) -> Reply:
    return Reply(status=status, raw=f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode(), type="text/xml")


def _text(element: ET.Element, path: str) -> str:
    steps = "/".join(f"{_EC2}{step}" if step.isalnum() else step for step in path.split("/"))
    found = element.find(steps)
    return (found.text or "") if found is not None else ""


def _for_all(rule: ET.Element) -> bool:
    ranges = [found.text for found in rule.iter() if found.tag.endswith(("}cidrIp", "}cidrIpv6"))]
    return set(ranges) == {"0.0.0.0/0", "::/0"}


def _rule_parameters(port: int) -> dict[str, str]:
    return {
        "IpPermissions.1.IpProtocol": "tcp",
        "IpPermissions.1.FromPort": str(port),
        "IpPermissions.1.ToPort": str(port),
        "IpPermissions.1.IpRanges.1.CidrIp": "0.0.0.0/0",
        "IpPermissions.1.Ipv6Ranges.1.CidrIpv6": "::/0",
    }


def _set_state(item: ET.Element, code: int, name: str) -> None:
    state = item.find(f"{_EC2}instanceState")
    assert state is not None
    state[0].text, state[1].text = str(code), name


def decoded_user_data(launch: dict[str, str]) -> str:
    """What a node would read of its launch."""
    return base64.b64decode(launch.get("UserData", "")).decode()


def query(url: str) -> dict[str, str]:
    """The parameters of a link."""
    return dict(parse_qsl(urlsplit(url).query))
