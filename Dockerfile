# API, worker and operator commands in one image: `docker build -t yuezhen .`
# The sandbox in another: `docker build -t yuezhen-sandbox --target sandbox .`
FROM python:3.13-slim AS build
# A mirror of PyPI, where one is nearer: --build-arg PIP_INDEX_URL=…
ARG PIP_INDEX_URL
WORKDIR /build
COPY requirements/build.txt requirements/runtime.txt ./
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r build.txt \
    && /venv/bin/pip install --no-cache-dir --require-hashes --no-build-isolation -r runtime.txt \
    && /venv/bin/pip uninstall --yes setuptools pip

# Nothing is written below /app or /venv: run what follows with a read-only root and a tmpfs on /tmp. /data and /accounts
# are where compose.yaml mounts volumes, which take their owner from here.
FROM python:3.13-slim AS base
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin yuezhen \
    && install --directory --owner=10001 --mode=0700 /data /accounts
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY --from=build /venv /venv

FROM base AS sandbox
COPY sandbox sandbox
ENV DATA_DIR=/data SANDBOX_HOST=0.0.0.0
USER 10001
EXPOSE 8100
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8100/healthz', timeout=2)"]
CMD ["python", "-m", "sandbox"]

FROM base
ENV BIND=0.0.0.0:8000
COPY wsgi.py gunicorn.conf.py ./
COPY models models
COPY migrations migrations
COPY core core
COPY schemas schemas
COPY integrations integrations
COPY miniapp_api miniapp_api
COPY data data
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"]
