"""Machines of one's own as a cloud of failover."""
