# Two stages: the first compiles a wheel, the second has no compiler.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY _ext _ext
COPY orthanc_fast orthanc_fast
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir /wheels/*.whl && rm -rf /wheels
RUN useradd --system --create-home --home-dir /var/lib/orthanc-fast --uid 1042 orthanc
# The configuration is mounted over this one; it stores below the volume and serves other hosts only with users.
# Without ORTHANC_PASSWORD the server does not start.
RUN mkdir /etc/orthanc-fast && printf '{\n  "StorageDirectory" : "/var/lib/orthanc-fast/storage",\n  "RemoteAccessAllowed" : true,\n  "RegisteredUsers" : { "orthanc" : "${ORTHANC_PASSWORD}" }\n}\n' > /etc/orthanc-fast/orthanc.json
USER orthanc
VOLUME /var/lib/orthanc-fast
EXPOSE 8042 4242
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8042), 3).close()"]
ENTRYPOINT ["orthanc-fast", "serve"]
CMD ["/etc/orthanc-fast/orthanc.json"]
