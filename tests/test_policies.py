"""The shipped policies grant what the program asks for, and nothing more."""

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import botocore.session
import pytest
from botocore import xform_name

from failover.net.resources import resource
from tests.clouds.test_aws import aws
from tests.policies import POLICIES, granted, listed, policy, scopes
from tests.servers.tools import need
from tests.standins.moto import Moto, MotoProcess
from tests.standins.openapi import load
from tests.standins.wire import Call

ROOT = Path(__file__).resolve().parent.parent
AWS_SOURCES = [
    *sorted((ROOT / "failover" / "clouds").glob("aws*.py")),
    ROOT / "failover" / "clouds" / "bucket.py",
    ROOT / "failover" / "net" / "aws.py",
]
AWS_ROLES = ("watch", "mirror", "cut-over")
SERVICES = {"quotas": "service-quotas"}
"""Our accessors that are named otherwise than botocore's services."""
PREFIXES = {"servicequotas": "service-quotas"}
"""IAM's prefixes that are named otherwise than botocore's services."""
ACTIONS = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:UploadPart": "s3:PutObject",
    "service-quotas:GetServiceQuota": "servicequotas:GetServiceQuota",
}
"""Operations whose IAM action has another name."""
SCOPED = ("digitalocean", "linode", "vultr", "hetzner", "openstack")
POLICY_CHARS_MAX = 6144
"""Of a managed policy, without white space (IAM and STS quotas)."""


def operations(service: str) -> list[str]:
    return list(botocore.session.get_session().get_service_model(service).operation_names)


# ---------------------------------------------------------------------------------------------- their shape


@pytest.mark.parametrize("role", AWS_ROLES)
def test_a_policy_has_the_shape_that_iam_takes(role: str) -> None:
    document = policy(role)
    assert set(document) == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(sids)) == len(sids)
    for statement in document["Statement"]:
        assert set(statement) - {"Condition"} == {"Sid", "Effect", "Action", "Resource"}
        assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"])
        assert statement["Effect"] == "Allow"
        assert all(r == "*" or r.startswith("arn:aws:") for r in listed(statement["Resource"]))
    assert len(re.sub(r"\s", "", json.dumps(document))) <= POLICY_CHARS_MAX


@pytest.mark.parametrize("role", AWS_ROLES)
def test_every_action_exists_and_is_named_in_full(role: str) -> None:
    known = {"s3:ListBucket"}  # for ListObjectsV2
    for action in granted(role) - known:
        prefix, _, name = action.partition(":")
        assert name in operations(PREFIXES.get(prefix, prefix)), action


@pytest.mark.parametrize("role", AWS_ROLES)
def test_only_reads_are_granted_on_everything(role: str) -> None:
    for statement in policy(role)["Statement"]:
        if "*" in listed(statement["Resource"]):
            assert all(re.search(r":(Describe|Get|List)", action) for action in listed(statement["Action"]))


def test_what_exists_is_changed_only_when_it_carries_our_tag() -> None:
    ours = {"aws:ResourceTag/failover-service": "SERVICE"}
    changing = ("ec2:Start", "ec2:Terminate", "ec2:Authorize", "ec2:Revoke", "ec2:Delete")
    for statement in policy("mirror")["Statement"]:
        if any(action.startswith(changing) for action in listed(statement["Action"])):
            assert statement["Condition"] == {"StringEquals": ours}, statement["Sid"]


def test_tags_are_given_only_to_what_is_being_made() -> None:
    (tagging,) = [s for s in policy("mirror")["Statement"] if "ec2:CreateTags" in listed(s["Action"])]
    wanted = tagging["Condition"]["StringEquals"]
    assert set(wanted["ec2:CreateAction"]) == {"CreateSecurityGroup", "RunInstances"}
    assert wanted["aws:RequestTag/failover-service"] == "SERVICE"


def test_records_are_swapped_and_never_overwritten() -> None:
    (change,) = [s for s in policy("cut-over")["Statement"] if "Change" in str(s["Action"])]
    only = change["Condition"]["ForAllValues:StringEquals"]
    key = "route53:ChangeResourceRecordSets"
    assert set(only) == {f"{key}NormalizedRecordNames", f"{key}RecordTypes", f"{key}Actions"}
    assert only[f"{key}Actions"] == ["CREATE", "DELETE"]
    assert set(only[f"{key}RecordTypes"]) == {"A", "AAAA", "CNAME", "TXT"}
    assert not any("*" in name or name.endswith(".") for name in only[f"{key}NormalizedRecordNames"])
    # "for all values" holds for none as well
    assert change["Condition"]["Null"] == dict.fromkeys(only, "false")


def test_cutting_over_may_do_what_the_dns_host_asks_for_and_nothing_more() -> None:
    source = (ROOT / "failover" / "dns" / "route53.py").read_text(encoding="utf-8")
    assert granted("cut-over") == {f"route53:{name}" for name in re.findall(r'"route53\.(\w+)"', source)}


# ---------------------------------------------------------------------------------------------- what is asked


def called() -> set[str]:
    """Every operation that the source asks of AWS, as `service:Operation`."""
    found = set()
    for path in AWS_SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                accessor = node.func.value
                if isinstance(accessor, ast.Call) and isinstance(accessor.func, ast.Attribute):
                    found |= operation(accessor.func.attr, node)
    return found


def operation(accessor: str, call: ast.Call) -> set[str]:
    """Of `….ec2().describe_images(…)`; a link is what may be done with it."""
    service = SERVICES.get(accessor, accessor)
    if service not in ("ec2", "s3", "sts", "account", "service-quotas", "route53"):
        return set()
    assert isinstance(call.func, ast.Attribute)
    method = call.func.attr
    if method == "generate_presigned_url":
        assert isinstance(call.args[0], ast.Constant)
        method = str(call.args[0].value)
    names = {xform_name(name): name for name in operations(service)}
    return {f"{service}:{names[method]}"} if method in names else set()


def test_mirroring_may_do_what_the_source_does_and_nothing_more() -> None:
    found = called()
    assert {"ec2:RunInstances", "s3:GetObject"} <= found
    tags = {"ec2:CreateTags"}  # of what RunInstances and CreateSecurityGroup make
    assert granted("mirror") == {ACTIONS.get(name, name) for name in found} | tags


def test_watching_may_read_what_it_reads_and_nothing_more(moto_process: MotoProcess) -> None:
    with Moto(moto_process) as standin:
        cloud = aws(standin, role="watch")
        try:
            cloud.state()
            cloud.nodes("shop", "virginia")
        finally:
            cloud.close()
        assert {asked(call) for call in standin.requests} == granted("watch")


def asked(call: Call) -> str:
    """The IAM action of a request. EC2 and STS say it in the body, the others by their paths."""
    action = parse_qs(call.body.decode()).get("Action", [""])[0]
    if action:
        return f"{'sts' if action in operations('sts') else 'ec2'}:{action}"
    if call.path == "/getAccountInformation":
        return "account:GetAccountInformation"
    assert (call.method, call.asked("list-type")) == ("GET", "2"), call
    return "s3:ListBucket"


# ---------------------------------------------------------------------------------------------- scopes, servers


@pytest.mark.parametrize("provider", SCOPED)
def test_each_role_has_its_own_scopes(provider: str) -> None:
    found = scopes(provider)
    assert set(found) == {"watch", "mirror", "cut_over"}
    writes = re.compile(r"write|create|update|delete|member|subscriptions$|provisioning|firewall$")
    assert not any(writes.search(scope) for scope in found["watch"])
    assert any(writes.search(scope) for scope in found["mirror"])


@pytest.mark.parametrize("provider", ["cloudflare", "gandi", "digitalocean", "linode", "vultr"])
def test_a_token_for_dns_may_do_nothing_else(provider: str) -> None:
    found = scopes(provider)
    assert found["cut_over"]
    assert not set(found["cut_over"]) & {*found["watch"], *found["mirror"]}


@pytest.mark.parametrize("provider", ["hetzner", "openstack"])
def test_who_is_no_dns_host_needs_no_token_for_it(provider: str) -> None:
    assert scopes(provider)["cut_over"] == []


def test_digitaloceans_scopes_for_dns_are_those_of_its_document() -> None:
    content = load("digitalocean-openapi.json")._contents["paths"]
    one = "/v2/domains/{domain_name}/records"
    needed = set()
    for path, methods in ((one, ("get", "post")), (f"{one}/{{domain_record_id}}", ("put", "delete"))):
        for method in methods:
            needed |= {scope for entry in content[path][method]["security"] for scope in entry["bearer_auth"]}
    assert set(scopes("digitalocean")["cut_over"]) == needed


def digitalocean() -> Iterator[tuple[str, str, str]]:
    """Method, path and function of every request in the source of the dialect."""
    source = (ROOT / "failover" / "clouds" / "libcloud_digitalocean.py").read_text(encoding="utf-8")
    for ask in re.findall(r"Ask\((.*)", source):
        path = re.search(r'path=f?"([^"]+)"', ask)
        method = re.search(r'method="([A-Z]+)"', ask)
        if path is not None:
            yield (method[1] if method else "GET", path[1], ask)
    for path_listed in re.findall(r'_listed\([^"]*"[^"]*", "([^"]+)"', source):
        yield ("GET", path_listed, "list")
    assert '/actions", {"type": "power_on"}' in source
    yield ("POST", "/v2/droplets/{id}/actions", "power on")


def test_digitaloceans_scopes_are_those_of_its_document() -> None:
    content = load("digitalocean-openapi.json")._contents
    paths = {re.sub(r"\{[^}]*\}", "{}", path): item for path, item in content["paths"].items()}
    needed = set()
    for method, path, _ in digitalocean():
        wanted = paths[re.sub(r"\{[^}]*\}", "{}", path)][method.lower()]
        needed |= {scope for entry in wanted["security"] for scope in entry["bearer_auth"]}
    assert set(scopes("digitalocean")["mirror"]) == needed
    assert set(scopes("digitalocean")["watch"]) == {"account:read", "droplet:read", "firewall:read"}


def test_bind_takes_the_policy() -> None:
    done = subprocess.run(
        [need("named-checkconf", "bind9-utils"), str(POLICIES / "bind.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_policy_is_listed_and_shipped() -> None:
    text = (POLICIES / "README.md").read_text(encoding="utf-8")
    listed_files = set(re.findall(r"\]\(([^)]+)\)", text))
    files = {str(path.relative_to(POLICIES)) for path in POLICIES.rglob("*.*") if path.name != "README.md"}
    assert listed_files == files
    assert resource("templates/policies/aws/watch.json").is_file()
