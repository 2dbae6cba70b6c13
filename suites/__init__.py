"""Suites as data: one YAML file each."""
