"""Requests that schemathesis generates from openapi.yaml, the defects of each, and checks of their answers."""
