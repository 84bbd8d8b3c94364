# syntax=docker/dockerfile:1
# Two images: `docker build .` has `ringback` as its entry point, `docker build --target locust .` has `locust`.
# Pin the base image in your registry's mirror: docker build --build-arg BASE=python:3.12-slim-bookworm@sha256:...
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/ringback
COPY requirements.lock ./
RUN /opt/ringback/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE openapi.yaml ./
COPY src src
COPY contract_tests contract_tests
COPY load load
RUN /opt/ringback/bin/pip install --no-deps --no-build-isolation .

FROM ${BASE} AS common
LABEL org.opencontainers.image.title="Ringback" \
      org.opencontainers.image.description="Contract and load tests for the Outbound Call Trigger API" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --gid 10001 ringback && useradd --uid 10001 --gid ringback --create-home ringback
COPY --from=build /opt/ringback /opt/ringback
COPY --from=build /src/load /opt/ringback/load
ENV PATH=/opt/ringback/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /data
RUN mkdir reports && chown --recursive ringback:ringback /data
USER 10001:10001

FROM common AS locust
ENTRYPOINT ["locust"]

FROM common AS ringback
ENTRYPOINT ["ringback"]
CMD ["--help"]
