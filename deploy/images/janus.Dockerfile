# The media server of calls, from Debian, with the configuration of services/media-ingest/janus. It runs beside media-ingest.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
USER 0
RUN apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends janus hostname tini >/dev/null && \
    apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/log/* /usr/share/man/* && \
    mkdir -p /spool && chown 10001:10001 /spool && \
    echo 'shuanglu:x:10001:10001::/tmp:/usr/sbin/nologin' >>/etc/passwd && echo 'shuanglu:x:10001:' >>/etc/group
COPY --chmod=0755 deploy/images/janus-start.sh /usr/local/bin/janus-start
COPY --chmod=0755 deploy/images/janus-health.sh /usr/local/bin/janus-health
COPY services/media-ingest/janus/*.jcfg /opt/shuanglu/janus/
COPY LICENSE NOTICE /opt/shuanglu/
ENV HOME=/tmp
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="shuanglu janus" \
      org.opencontainers.image.description="shuanglu (双录): media server of calls (Janus of Debian)" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-3.0-only"
WORKDIR /spool
USER 10001:10001
EXPOSE 8188
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/usr/local/bin/janus-health"]
ENTRYPOINT ["/usr/bin/tini", "--", "janus-start"]
