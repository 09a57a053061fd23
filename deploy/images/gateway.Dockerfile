# The gateway: Envoy, the renderer of its configuration, the checker of JSON, the pages. `make setup` must have run before.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS builder
USER 0
ENV DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CACHE_DIR=/var/cache/pip
RUN command -v python3 >/dev/null && python3 -c 'import ensurepip' 2>/dev/null || \
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null; }
RUN --mount=type=cache,target=/var/cache/pip \
    python3 -m venv /opt/tools && /opt/tools/bin/pip install -q 'pip>=24' 'setuptools>=77' wheel && \
    python3 -m venv --without-pip /opt/shuanglu/venv
WORKDIR /src
COPY constraints.txt LICENSE NOTICE ./
COPY libs/protos libs/protos
COPY libs/common libs/common
COPY services/gateway services/gateway
COPY --chmod=0755 deploy/images/install-service.sh /src/
RUN --mount=type=cache,target=/var/cache/pip ./install-service.sh gateway cpu none
COPY build/descriptors/shuanglu.pb /opt/shuanglu/descriptors/
COPY build/console /opt/shuanglu/console
COPY --chmod=0755 deploy/images/gateway-start.py /opt/shuanglu/start
COPY --chmod=0755 deploy/images/gateway-health.py /opt/shuanglu/health

FROM ${BASE}
USER 0
RUN apt-get update -qq && packages="ca-certificates tini" && \
    { command -v python3 >/dev/null || packages="$packages python3"; } && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null && \
    apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/log/* /usr/share/doc/python3* /usr/share/man/* && \
    mkdir -p /models /spool && chown 10001:10001 /spool && \
    echo 'shuanglu:x:10001:10001::/tmp:/usr/sbin/nologin' >>/etc/passwd && echo 'shuanglu:x:10001:' >>/etc/group
COPY --from=builder /opt/shuanglu /opt/shuanglu
ENV PATH=/opt/shuanglu/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    SHUANGLU_GATEWAY_HOST=0.0.0.0 SHUANGLU_GATEWAY_OPS_HOST=0.0.0.0 SHUANGLU_GATEWAY_OPS_PORT=9902 \
    SHUANGLU_GATEWAY_DESCRIPTOR_FILE=/opt/shuanglu/descriptors/shuanglu.pb \
    SHUANGLU_GATEWAY_CONSOLE_DIR=/opt/shuanglu/console
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="shuanglu gateway" \
      org.opencontainers.image.description="shuanglu (双录): the public door: Envoy, its configuration, and the pages" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /tmp
USER 10001:10001
EXPOSE 8443 9902
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/opt/shuanglu/health"]
ENTRYPOINT ["/usr/bin/tini", "--", "/opt/shuanglu/start"]
