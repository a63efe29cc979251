"""Requests that EC2 only tries: `DryRun`.

Whoever has the permissions gets the error DryRunOperation, and nothing is carried out. AWS keeps to that. Another
server that speaks EC2's language may not know the word and do what it is asked, so a question is tried first.
Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html, DryRun
"""

from failover.core.rights import told
from failover.net.aws import AwsClients

WOULD_SUCCEED = "DryRunOperation"


def objection(clients: AwsClients) -> str:
    """Why nothing may be tried here: "" where a question, asked as a dry run, was just answered as EC2 does.

    A doubt is an objection, in words of its own.
    """
    try:
        clients.ec2().describe_instances(MaxResults=5, DryRun=True)
    except Exception as error:  # noqa: BLE001 - whatever a client raises is an answer here
        answer = clients.answer(error, "ec2.DescribeInstances")
        if answer.code == WOULD_SUCCEED:
            return ""
        return f"not known whether this server only tries what is asked as a dry run: {told(answer)}"
    return "this server does not only try what is asked as a dry run"
