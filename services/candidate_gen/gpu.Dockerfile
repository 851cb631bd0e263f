# candidate_gen with FAISS for GPUs (CANDIDATE_GEN_INDEX_DEVICE=cuda), built from the repository root:
#   docker build -f services/candidate_gen/gpu.Dockerfile -t recsys-candidate-gen-gpu .
#   docker run --gpus all … recsys-candidate-gen-gpu
# Python 3.12 and glibc 2.39 or later, since FAISS with cuVS has no other wheels. It needs NVIDIA's driver on the machine.
FROM python:3.12-slim-trixie AS dependencies
RUN python -m venv /venv
WORKDIR /build
COPY requirements/backend.txt requirements/gpu.txt requirements/
COPY libs/recsys/pyproject.toml libs/recsys/
COPY services/candidate_gen/pyproject.toml services/candidate_gen/
RUN /venv/bin/pip install --no-cache-dir -c requirements/backend.txt ./libs/recsys ./services/candidate_gen
# both packages are the module `faiss`
RUN /venv/bin/pip uninstall --yes faiss-cpu && /venv/bin/pip install --no-cache-dir --no-deps -r requirements/gpu.txt

FROM python:3.12-slim-trixie
ARG WRITABLE=""
RUN useradd --uid 10001 --no-create-home recsys && for folder in $WRITABLE; do install -d -o recsys "$folder"; done
COPY --from=dependencies /venv /venv
COPY libs/recsys/src services/candidate_gen/src /app/
RUN python -m compileall -q /app
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 CANDIDATE_GEN_INDEX_DEVICE=cuda
USER 10001
CMD ["python", "-m", "candidate_gen"]
