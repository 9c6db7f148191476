# API, worker and operator commands in one image: `docker build -t yuezhen .`
FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements/build.txt requirements/runtime.txt ./
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r build.txt \
    && /venv/bin/pip install --no-cache-dir --require-hashes --no-build-isolation -r runtime.txt \
    && /venv/bin/pip uninstall --yes setuptools pip

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin yuezhen
# Nothing is written below /app or /venv: run it with a read-only root and a tmpfs on /tmp.
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 BIND=0.0.0.0:8000
WORKDIR /app
COPY --from=build /venv /venv
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
