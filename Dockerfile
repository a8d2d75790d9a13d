# No "syntax" line: it would pull a frontend, and a host that is not ready yet may reach no registry.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS builder
WORKDIR /src
# Declared so that `--build-arg` can name a closed network's own package index.
ARG PIP_INDEX_URL
ARG PIP_TRUSTED_HOST
RUN python3 -m venv /build
COPY requirements.lock requirements-build.lock ./
# The secret is the building machine's list of certificate authorities, for networks that re-sign TLS with their own.
RUN --mount=type=secret,id=ca,required=false \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_REQUIRE_HASHES=1 PIP_ROOT_USER_ACTION=ignore \
    && /build/bin/pip install -q -r requirements-build.lock \
    && /build/bin/pip install -q --target /dependencies -r requirements.lock
COPY tools/collect_runtime.py tools/
RUN python3 tools/collect_runtime.py /out /dependencies
COPY pyproject.toml LICENSE ./
COPY preflight preflight
# The commit's time, for every file of the image. BuildKit dates the image itself by it as well.
ARG SOURCE_DATE_EPOCH
RUN /build/bin/pip install -q --no-index --no-deps --no-build-isolation --no-compile --target /package . \
    && python3 tools/collect_runtime.py /out /package

FROM scratch
ARG VERSION=0.1.0
ARG SOURCE
LABEL org.opencontainers.image.title="mailcow-preflight" \
      org.opencontainers.image.description="Says whether a host is ready for mailcow-dockerized, and what to do where it is not" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}"
# The first variable tells the program that it runs in its own container; nothing about the host says that.
# The interpreter runs isolated (-I), so PYTHON* variables would do nothing here.
ENV MAILCOW_PREFLIGHT_IMAGE=1 \
    PATH=/usr/local/bin:/usr/bin \
    LANG=C.UTF-8 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
COPY --from=builder /out /
ENTRYPOINT ["/usr/bin/preflight"]
