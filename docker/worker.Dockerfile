# The processes of a host, and nothing of the server. It changes the machine's own network, so it runs with
#   --network host --pid host --cap-add NET_ADMIN --cap-add SYS_ADMIN --security-opt apparmor=unconfined
#   -v /run/netns:/run/netns:shared -v /etc/netns:/etc/netns -v /var/lib/netadmin:/var/lib/netadmin
# Join once: the same with `join URL --token TOKEN --no-start` behind the image's name.
FROM python:3.13-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends crun iproute2 libnftables1 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/netadmin
COPY docker/requirements-worker.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-worker.lock
COPY workers ./workers
ENV PYTHONPATH=/opt/netadmin PYTHONUNBUFFERED=1
VOLUME /var/lib/netadmin
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
    CMD ["sh", "-c", "test -S /var/lib/netadmin/hosts/*/dns.sock && test -S /var/lib/netadmin/hosts/*/supervisor.sock"]
ENTRYPOINT ["python", "-m", "workers"]
CMD ["run"]
