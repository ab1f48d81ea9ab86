# One image for web, worker, ticks, beat and migrate; each has its own command.
# PYTHON_IMAGE can name a digest, which no push can change: python:3.13-slim-bookworm@sha256:…
ARG PYTHON_IMAGE=python:3.13-slim-bookworm
FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/base.txt /tmp/requirements.txt
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --require-hashes -r /tmp/requirements.txt

FROM ${PYTHON_IMAGE}
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings.production
RUN useradd --system --uid 10001 --home-dir /srv/runledger --shell /usr/sbin/nologin runledger
WORKDIR /srv/runledger
COPY --from=build /opt/venv /opt/venv
COPY manage.py ./
COPY config config
COPY redaction redaction
COPY telemetry telemetry
COPY web web
COPY tenancy tenancy
COPY audit audit
COPY operations operations
COPY accounts accounts
COPY providers providers
COPY inventory inventory
COPY backups backups
COPY restores restores
COPY notifications notifications
COPY legacy_runs legacy_runs
COPY api api
COPY templates templates
COPY static static
# The settings require addresses and keys; collecting static files uses none of them.
RUN DATABASE_URL=postgresql://build@/build REDIS_URL=redis://localhost SECRET_KEY=build \
    CREDENTIAL_KEYS=build python manage.py collectstatic --noinput
USER runledger
EXPOSE 8000
CMD ["gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "8", "--worker-tmp-dir", "/dev/shm", "--config", "python:config.gunicorn"]
