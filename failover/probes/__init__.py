"""Probes: is a site well, asked from outside at its pinned address."""
