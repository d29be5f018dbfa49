# One image for every process of Runledger; compose.yaml says which one a container runs.
FROM python:3.12-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /opt/runledger
COPY requirements.txt .
RUN pip install --require-hashes -r requirements.txt

COPY pyproject.toml README.md LICENSE ./
COPY runledger runledger
RUN pip install --no-deps --no-build-isolation . \
    && useradd --create-home --uid 10001 runledger \
    && install -d -o runledger -g runledger /data /blobs

USER 10001
ENV RUNLEDGER_DATA=/data
VOLUME /data
WORKDIR /data
ENTRYPOINT ["runledger"]
CMD ["--help"]
