"""Shipped for adapters' authors: memory adapters, conformance suites, fault injection, simulation."""
