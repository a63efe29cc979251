"""Requests that EC2 only tries: `DryRun`.

Whoever has the permissions gets the error DryRunOperation, and nothing is carried out. AWS keeps to that. Another
server that speaks EC2's language may not know the word and do what it is asked, so a question is tried first.
Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html, DryRun
"""

from failover.net.aws import AwsClients

WOULD_SUCCEED = "DryRunOperation"
UNKNOWN_WORD = "this server does not only try what is asked as a dry run"


def only_tries(clients: AwsClients) -> bool:
    """Whether this server has just answered a question, asked as a dry run, as EC2 does. A doubt is False."""
    try:
        clients.ec2().describe_instances(MaxResults=5, DryRun=True)
    except Exception as error:  # noqa: BLE001 - whatever a client raises is an answer here
        return clients.answer(error, "ec2.DescribeInstances").code == WOULD_SUCCEED
    return False
