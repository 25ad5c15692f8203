# Two stages: the first compiles a wheel, the second has no compiler. What may be set: docs/docker.md.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY _ext _ext
COPY orthanc_fast orthanc_fast
COPY deploy deploy
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir /wheels/*.whl && rm -rf /wheels
# Folders as in Orthanc's images: configuration files in /etc/orthanc, the store in /var/lib/orthanc/db.
RUN useradd --system --home-dir /var/lib/orthanc --uid 1042 orthanc && mkdir -p /etc/orthanc /var/lib/orthanc/db && chown -R orthanc: /var/lib/orthanc
# What holds where neither files nor variables say otherwise. It serves other hosts, so there must be users:
# without ORTHANC_PASSWORD, ORTHANC__REGISTERED_USERS or those of a file the server does not start.
RUN mkdir -p /usr/share/orthanc-fast && printf '{\n  "StorageDirectory" : "/var/lib/orthanc/db",\n  "RemoteAccessAllowed" : true\n}\n' > /usr/share/orthanc-fast/defaults.json
ENV ORTHANC_FAST_DEFAULTS=/usr/share/orthanc-fast/defaults.json
USER orthanc
VOLUME /var/lib/orthanc/db
EXPOSE 8042 4242
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["orthanc-fast", "health", "/etc/orthanc"]
ENTRYPOINT ["orthanc-fast", "serve"]
CMD ["/etc/orthanc"]
