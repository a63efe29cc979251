"""failover: keeps a service online when its hosting provider closes the account."""

__version__ = "0.1.0"
