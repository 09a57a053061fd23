# A service of shuanglu in Python. deploy/images/README.md says how to build it; `make setup` must have run before.
#
#   BASE     a Debian 12 or 13, or an image of it with Python 3.11 to 3.13 in it
#   SERVICE  folder below services/
#   VARIANT  cpu; cuda for face-check and asr
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS builder
USER 0
ENV DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CACHE_DIR=/var/cache/pip
RUN command -v python3 >/dev/null && python3 -c 'import ensurepip' 2>/dev/null || \
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null; }
# pip stays in an environment of its own; what is shipped has none.
RUN --mount=type=cache,target=/var/cache/pip \
    python3 -m venv /opt/tools && /opt/tools/bin/pip install -q 'pip>=24' 'setuptools>=77' wheel && \
    python3 -m venv --without-pip /opt/shuanglu/venv
WORKDIR /src
COPY constraints.txt LICENSE NOTICE ./
COPY libs/protos libs/protos
COPY libs/common libs/common
ARG SERVICE
COPY services/${SERVICE} services/${SERVICE}
ARG VARIANT=cpu
ARG ONNXRUNTIME_GPU=1.31.1
COPY --chmod=0755 deploy/images/install-service.sh /src/
RUN --mount=type=cache,target=/var/cache/pip ./install-service.sh "${SERVICE}" "${VARIANT}" "${ONNXRUNTIME_GPU}"

FROM ${BASE}
USER 0
RUN apt-get update -qq && packages="ca-certificates tini" && \
    { command -v python3 >/dev/null || packages="$packages python3"; } && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null && \
    apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/log/* /usr/share/doc/python3* /usr/share/man/* && \
    mkdir -p /models /spool && chown 10001:10001 /spool && \
    echo 'shuanglu:x:10001:10001::/tmp:/usr/sbin/nologin' >>/etc/passwd && echo 'shuanglu:x:10001:' >>/etc/group
ARG SERVICE
COPY --from=builder /opt/shuanglu /opt/shuanglu
COPY --from=builder /extra/ /
# The libraries of NVIDIA lie in the environment (VARIANT=cuda); without them the folder is not there.
ENV PATH=/opt/shuanglu/venv/bin:/usr/local/bin:/usr/bin:/bin \
    LD_LIBRARY_PATH=/opt/shuanglu/cuda \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    SHUANGLU_HOST=0.0.0.0 SHUANGLU_OPS_PORT=9100 SHUANGLU_GRPC_PORT=9000 SHUANGLU_HTTP_PORT=8080 \
    SHUANGLU_MODELS_DIR=/models
ARG VARIANT=cpu
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="shuanglu ${SERVICE}" \
      org.opencontainers.image.description="shuanglu (双录): service ${SERVICE}, ${VARIANT}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /tmp
USER 10001:10001
EXPOSE 9000 8080 9100
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["/opt/shuanglu/health"]
ENTRYPOINT ["/usr/bin/tini", "--", "/opt/shuanglu/start"]
