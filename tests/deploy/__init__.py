"""Tests of the files in `deploy/` and of the Dockerfile."""
