# Web and server worker; which of the two, the command says. It needs no rights beyond its own.
FROM node:24-slim AS dashboard
WORKDIR /build
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN npm ci --no-fund --no-audit
COPY frontend/index.html frontend/tsconfig.json frontend/vite.config.ts ./
COPY frontend/public ./public
COPY frontend/src ./src
RUN npm run build

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/netadmin --create-home netadmin
WORKDIR /opt/netadmin
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY manage.py pyproject.toml README.md ./
COPY netadmin ./netadmin
COPY apps ./apps
COPY workers ./workers
COPY --from=dashboard /build/dist ./frontend/dist
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable .
USER netadmin
ENV NETADMIN_STATE_DIR=/var/lib/netadmin NETADMIN_LISTEN=0.0.0.0:8000 PYTHONUNBUFFERED=1
VOLUME /var/lib/netadmin
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["python", "-m", "netadmin.web"]
