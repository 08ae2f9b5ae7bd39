# Countersign for serving, with the clients of PostgreSQL and Milvus. Nothing is trained in it, so no
# TensorFlow is in it. compose.yaml runs several of it.
FROM python:3.12-slim

RUN useradd --create-home --uid 10001 countersign \
 && install --directory --owner countersign --mode 700 /var/lib/countersign
WORKDIR /opt/countersign

COPY requirements-scale-out.lock ./
RUN python -m pip install --no-cache-dir --no-deps --require-hashes -r requirements-scale-out.lock

COPY pyproject.toml README.md LICENSE ./
COPY encoder encoder
COPY index index
COPY migrations migrations
COPY service service
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation .

USER 10001
ENV COUNTERSIGN_DATA_DIR=/var/lib/countersign \
    COUNTERSIGN_LOG_FORMAT=json
VOLUME /var/lib/countersign
EXPOSE 8000
STOPSIGNAL SIGTERM
# It asks where the settings say that the server listens.
HEALTHCHECK --interval=10s --timeout=8s --start-period=60s --retries=3 CMD ["countersign", "ready"]
CMD ["countersign", "serve"]
