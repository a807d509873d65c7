# Built in one stage, run in another: no compiler and no build cache in what runs.
# By digest (of all platforms), so that a build tomorrow begins with the same system. Both lines name the same one; a newer:
# docker buildx imagetools inspect python:3.13-slim-trixie
FROM python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN python -m venv /opt/roost \
 && /opt/roost/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY requirements-node.lock ./
COPY scripts/build-dashboard scripts/build-dashboard
COPY web/dashboard web/dashboard
RUN python -m venv .venv && scripts/build-dashboard
COPY protocol protocol
COPY actors actors
COPY web web
COPY roost roost
RUN /opt/roost/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/roost/bin/python -m roost.embedded.binary_sums

FROM python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
RUN useradd --create-home --uid 1000 roost && install -d -o roost -g roost -m 0700 /data
COPY --from=build /opt/roost /opt/roost
# By number, so that an orchestrator sees that it is not root.
USER 1000:1000
ENV PATH=/opt/roost/bin:$PATH \
    ROOST_DATA_DIR=/data ROOST_HTTP=0.0.0.0:8000 ROOST_MQTT=0.0.0.0:1883
VOLUME /data
EXPOSE 8000 1883 8883
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import os, ssl, urllib.request as r; tls = 'ROOST_TLS_CERT' in os.environ; r.urlopen(f'http{tls * \"s\"}://127.0.0.1:8000/healthz', timeout=2, context=ssl._create_unverified_context() if tls else None)"]
CMD ["roost", "up"]
