# The gRPC services, the gateway and the event sink, built from the repository root:
#   docker build -f backend.Dockerfile --build-arg DEPLOYABLE=services/gateway .
FROM python:3.11-slim-bookworm AS dependencies
RUN python -m venv /venv
WORKDIR /build
COPY requirements/backend.txt requirements/
COPY libs/recsys/pyproject.toml libs/recsys/
ARG DEPLOYABLE
COPY ${DEPLOYABLE}/pyproject.toml ${DEPLOYABLE}/
RUN /venv/bin/pip install --no-cache-dir -c requirements/backend.txt ./libs/recsys ./${DEPLOYABLE}

FROM python:3.11-slim-bookworm
ARG WRITABLE=""
RUN useradd --uid 10001 --no-create-home recsys && for folder in $WRITABLE; do install -d -o recsys "$folder"; done
COPY --from=dependencies /venv /venv
ARG DEPLOYABLE
COPY libs/recsys/src ${DEPLOYABLE}/src /app/
RUN python -m compileall -q /app
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 DEPLOYABLE=${DEPLOYABLE}
USER 10001
CMD ["sh", "-c", "exec python -m ${DEPLOYABLE##*/}"]
