"""The providers' own codes, states and sentences, and what each signals. Data only.

Sources stand in the corpus of the tests, row by row. What is not listed here is decided by the status alone.
"""

from collections.abc import Mapping

from failover.core.signals import Signal

S = Signal

THROTTLING = frozenset(
    {
        # botocore's own list
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "RequestThrottled",
        "SlowDown",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
        # Google: 403 in its older form
        "RATE_LIMIT_EXCEEDED",
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "rate_limit_exceeded",  # Hetzner, whose library tells no status
    }
)

_AWS = {
    "Blocked": S.ACCOUNT_BLOCKED,
    "AccountProblem": S.ACCOUNT_BLOCKED,
    "AllAccessDisabled": S.RESOURCE_BLOCKED,
    "PendingVerification": S.ACCOUNT_SUSPECT,
    "BlockedException": S.SERVICE_BLOCKED,
    "OptInRequired": S.ACCOUNT_SUSPECT,
    "NotSignedUp": S.ACCOUNT_SUSPECT,
    "SubscriptionRequiredException": S.FEATURE_MISSING,
    "InvalidClientTokenId": S.AUTH_AMBIGUOUS,
    "UnrecognizedClientException": S.AUTH_AMBIGUOUS,
    "InvalidAccessKeyId": S.AUTH_AMBIGUOUS,
    "AuthFailure": S.AUTH_AMBIGUOUS,
    "SignatureDoesNotMatch": S.CREDENTIAL_WRONG,
    "IncompleteSignature": S.CREDENTIAL_WRONG,
    "IncompleteSignatureException": S.CREDENTIAL_WRONG,
    "NoCredentialsError": S.CREDENTIAL_WRONG,
    "PartialCredentialsError": S.CREDENTIAL_WRONG,
    "ExpiredToken": S.CREDENTIAL_EXPIRED,
    "ExpiredTokenException": S.CREDENTIAL_EXPIRED,
    "RequestExpired": S.CLOCK_SELF,
    "RequestTimeTooSkewed": S.CLOCK_SELF,
    "UnauthorizedOperation": S.PERMISSION,
    "AccessDenied": S.PERMISSION,
    "AccessDeniedException": S.PERMISSION,
    "RequestTimeout": S.TRANSPORT,
    "DryRunOperation": S.OK,
}
_GOOGLE = {
    "CONSUMER_SUSPENDED": S.ACCOUNT_BLOCKED,
    "GCP_SUSPENDED": S.ACCOUNT_BLOCKED,
    "BILLING_DISABLED": S.BILLING_BLOCKED,
    "CONSUMER_INVALID": S.ACCOUNT_SUSPECT,
    "ACCOUNT_STATE_INVALID": S.CREDENTIAL_WRONG,
    "ACCESS_TOKEN_EXPIRED": S.CREDENTIAL_EXPIRED,
    "JWT_TOKEN_INVALID": S.CREDENTIAL_WRONG,
    "IAM_PERMISSION_DENIED": S.PERMISSION,
    "USER_PROJECT_DENIED": S.PERMISSION,
    "SERVICE_DISABLED": S.CONFIGURATION,
}
_AZURE = {
    "ReadOnlyDisabledSubscription": S.ACCOUNT_BLOCKED,
    "AADSTS7000222": S.CREDENTIAL_EXPIRED,
    "SubscriptionNotFound": S.ACCOUNT_SUSPECT,
    "AuthorizationFailed": S.PERMISSION,
}
_HETZNER = {
    "unauthorized": S.AUTH_AMBIGUOUS,
    "forbidden": S.AUTH_AMBIGUOUS,
    "token_readonly": S.PERMISSION,
    "maintenance": S.OUTAGE,
    "locked": S.REQUEST_BUG,
}
_SCALEWAY = {"denied_authentication": S.AUTH_AMBIGUOUS, "locked": S.REQUEST_BUG}
_OVH = {
    "NOT_CREDENTIAL": S.CREDENTIAL_WRONG,
    "INVALID_CREDENTIAL": S.AUTH_AMBIGUOUS,
    "INVALID_KEY": S.AUTH_AMBIGUOUS,
    "FORBIDDEN": S.AUTH_AMBIGUOUS,
}
_CLOUDFLARE = {"9103": S.AUTH_AMBIGUOUS, "9109": S.AUTH_AMBIGUOUS, "10000": S.AUTH_AMBIGUOUS}
_LOCAL = {"account_closed": S.ACCOUNT_CLOSED}

CODES: Mapping[str, Mapping[str, Signal]] = {
    "aws": _AWS,
    "google": _GOOGLE,
    "azure": _AZURE,
    "hetzner": _HETZNER,
    "scaleway": _SCALEWAY,
    "ovh": _OVH,
    "cloudflare": _CLOUDFLARE,
    "local": _LOCAL,
}
"""By provider: codes of refusals."""

SENTENCES: Mapping[str, tuple[tuple[int, str, Signal], ...]] = {
    "linode": ((400, "has been suspended", S.ACCOUNT_BLOCKED),),
    "vultr": ((403, "is not authorized", S.PERMISSION), (401, "unauthorized ip", S.PERMISSION)),
    "openstack": (
        (404, "unable to validate token because project", S.ACCOUNT_BLOCKED),
        (404, "unable to validate token because domain", S.ACCOUNT_BLOCKED),
        (403, "quota", S.REQUEST_BUG),
    ),
    "ovh": ((460, "", S.RESOURCE_BLOCKED),),
}
"""By provider without codes of their own: (status, part of the message in lower case, signal)."""

STATES: Mapping[str, Mapping[str, Signal]] = {
    "aws": {
        "PENDING_ACTIVATION": S.ACCOUNT_SUSPECT,
        "ACTIVE": S.ACTIVE,
        "SUSPENDED": S.ACCOUNT_BLOCKED,
        "PENDING_CLOSURE": S.WARNED,
        "CLOSED": S.ACCOUNT_CLOSED,
    },
    "digitalocean": {"active": S.ACTIVE, "warning": S.WARNED, "locked": S.ACCOUNT_BLOCKED},
    "azure": {
        "Enabled": S.ACTIVE,
        "Warned": S.WARNED,
        "PastDue": S.WARNED,
        "Disabled": S.ACCOUNT_BLOCKED,
        "Deleted": S.ACCOUNT_CLOSED,
    },
    "google": {
        "ACTIVE": S.ACTIVE,
        "DELETE_REQUESTED": S.ACCOUNT_CLOSED,
        "billingEnabled=true": S.ACTIVE,
        "billingEnabled=false": S.BILLING_BLOCKED,
    },
    "ovh": {"ok": S.ACTIVE, "suspended": S.ACCOUNT_BLOCKED},
    "linode": {"billing_suspension": S.ACCOUNT_BLOCKED},
    "local": {"active": S.ACTIVE, "warned": S.WARNED, "suspended": S.ACCOUNT_BLOCKED, "closed": S.ACCOUNT_CLOSED},
}
"""By provider: account states that its oracle tells in an answer that is fine."""
