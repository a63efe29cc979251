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
    "InvalidAccountStatusException": S.ACCOUNT_BLOCKED,
    "AccountAlreadyClosedException": S.ACCOUNT_CLOSED,
    "AllAccessDisabled": S.RESOURCE_BLOCKED,
    "InvalidPayer": S.RESOURCE_BLOCKED,
    "BlockedException": S.SERVICE_BLOCKED,
    "AccountSuspendedException": S.SERVICE_BLOCKED,
    "PendingVerification": S.ACCOUNT_SUSPECT,
    "AccountSetupInProgressException": S.ACCOUNT_SUSPECT,
    "OptInRequired": S.ACCOUNT_SUSPECT,
    "KMSOptInRequired": S.ACCOUNT_SUSPECT,
    "NotSignedUp": S.ACCOUNT_SUSPECT,
    "SubscriptionRequiredException": S.ACCOUNT_SUSPECT,
    "S3SubscriptionRequiredException": S.ACCOUNT_SUSPECT,
    "OptInRequiredException": S.FEATURE_MISSING,
    "InvalidClientTokenId": S.AUTH_AMBIGUOUS,
    "UnrecognizedClientException": S.AUTH_AMBIGUOUS,
    "InvalidAccessKeyId": S.AUTH_AMBIGUOUS,
    "InvalidSecurity": S.AUTH_AMBIGUOUS,
    "AuthFailure": S.AUTH_AMBIGUOUS,
    "UnauthenticatedException": S.AUTH_AMBIGUOUS,
    "SignatureDoesNotMatch": S.CREDENTIAL_WRONG,
    "IncompleteSignature": S.CREDENTIAL_WRONG,
    "IncompleteSignatureException": S.CREDENTIAL_WRONG,
    "InvalidToken": S.CREDENTIAL_WRONG,
    "MissingAuthenticationToken": S.CREDENTIAL_WRONG,
    "NoCredentialsError": S.CREDENTIAL_WRONG,
    "PartialCredentialsError": S.CREDENTIAL_WRONG,
    "ExpiredToken": S.CREDENTIAL_EXPIRED,
    "ExpiredTokenException": S.CREDENTIAL_EXPIRED,
    "TokenRefreshRequired": S.CREDENTIAL_EXPIRED,
    "RequestExpired": S.CLOCK_SELF,
    "RequestTimeTooSkewed": S.CLOCK_SELF,
    "UnauthorizedOperation": S.PERMISSION,
    "AccessDenied": S.PERMISSION,
    "AccessDeniedException": S.PERMISSION,
    "RequestTimeout": S.TRANSPORT,
    "DryRunOperation": S.OK,
    "PermanentRedirect": S.CONFIGURATION,
    "TemporaryRedirect": S.CONFIGURATION,
    "Redirect": S.CONFIGURATION,
    "AuthorizationHeaderMalformed": S.CONFIGURATION,
    "RegionDisabledException": S.CONFIGURATION,
    "RegionSetupInProgressException": S.CONFIGURATION,
    "CrossLocationLoggingProhibited": S.REQUEST_BUG,
    "InvalidObjectState": S.REQUEST_BUG,
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
    "API_KEY_INVALID": S.AUTH_AMBIGUOUS,
    "API_KEY_SERVICE_BLOCKED": S.PERMISSION,
    "API_KEY_IP_ADDRESS_BLOCKED": S.PERMISSION,
    "SECURITY_POLICY_VIOLATED": S.PERMISSION,
    "RESOURCE_QUOTA_EXCEEDED": S.REQUEST_BUG,
    "LOCATION_TAX_POLICY_VIOLATED": S.CONFIGURATION,
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
    "resource_locked": S.RESOURCE_BLOCKED,
    "service_error": S.OUTAGE,
    "server_error": S.OUTAGE,
    "unknown_error": S.OUTAGE,
    "bad_gateway": S.OUTAGE,
    "timeout": S.OUTAGE,
    "maintenance": S.OUTAGE,
    "robot_unavailable": S.OUTAGE,
    "locked": S.REQUEST_BUG,
    "not_found": S.REQUEST_BUG,
    "invalid_input": S.REQUEST_BUG,
    "json_error": S.REQUEST_BUG,
    "resource_limit_exceeded": S.REQUEST_BUG,
    "resource_unavailable": S.REQUEST_BUG,
    "placement_error": S.REQUEST_BUG,
    "uniqueness_error": S.REQUEST_BUG,
    "protected": S.REQUEST_BUG,
    "conflict": S.REQUEST_BUG,
    "unsupported_error": S.REQUEST_BUG,
    "deprecated_api_endpoint": S.REQUEST_BUG,
}
"""Complete enough to do without the status, which its library does not tell."""
_SCALEWAY = {
    "denied_authentication": S.AUTH_AMBIGUOUS,
    "permissions_denied": S.PERMISSION,
    "locked": S.REQUEST_BUG,
    "invalid_arguments": S.REQUEST_BUG,
    "quotas_exceeded": S.REQUEST_BUG,
    "transient_state": S.REQUEST_BUG,
    "not_found": S.REQUEST_BUG,
    "out_of_stock": S.REQUEST_BUG,
}
_OVH = {
    "NOT_CREDENTIAL": S.AUTH_AMBIGUOUS,
    "INVALID_CREDENTIAL": S.AUTH_AMBIGUOUS,
    "INVALID_KEY": S.AUTH_AMBIGUOUS,
    "FORBIDDEN": S.AUTH_AMBIGUOUS,
    "NOT_GRANTED_CALL": S.PERMISSION,
}
_CLOUDFLARE = {"9103": S.AUTH_AMBIGUOUS, "9109": S.AUTH_AMBIGUOUS, "10000": S.AUTH_AMBIGUOUS}
_LOCAL = {"account_closed": S.ACCOUNT_CLOSED, "forbidden": S.PERMISSION, "quota_exceeded": S.REQUEST_BUG}

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
        "DELETE_IN_PROGRESS": S.ACCOUNT_CLOSED,
        "billingEnabled=true": S.ACTIVE,
        "billingEnabled=false": S.BILLING_BLOCKED,
    },
    "ovh": {
        "ok": S.ACTIVE,
        "creating": S.ACCOUNT_SUSPECT,
        "suspended": S.ACCOUNT_BLOCKED,
        "deleting": S.ACCOUNT_CLOSED,
        "deleted": S.ACCOUNT_CLOSED,
    },
    "linode": {
        "billing_suspension": S.ACCOUNT_BLOCKED,
        "booting": S.OK,
        "cloning": S.OK,
        "deleting": S.OK,
        "migrating": S.OK,
        "offline": S.OK,
        "provisioning": S.OK,
        "rebooting": S.OK,
        "rebuilding": S.OK,
        "restoring": S.OK,
        "running": S.OK,
        "shutting_down": S.OK,
        "stopped": S.OK,
        "payment_due": S.WARNED,
        "ticket_abuse": S.WARNED,
    },
    "local": {"active": S.ACTIVE, "warned": S.WARNED, "suspended": S.ACCOUNT_BLOCKED, "closed": S.ACCOUNT_CLOSED},
}
"""By provider: account states that its oracle tells in an answer that is fine."""
