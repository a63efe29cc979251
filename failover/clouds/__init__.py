"""Compute and account adapters, one module per provider library."""
