"""Requests that schemathesis makes from openapi.yaml, an oracle that says what is wrong with each, and its checks."""
