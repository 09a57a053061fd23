# A relay for clients behind strict networks, from Debian. For trial clusters; a bank has its own.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
USER 0
RUN apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends coturn hostname tini >/dev/null && \
    apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/log/* /usr/share/man/* && \
    echo 'shuanglu:x:10001:10001::/tmp:/usr/sbin/nologin' >>/etc/passwd && echo 'shuanglu:x:10001:' >>/etc/group
COPY --chmod=0755 deploy/images/coturn-start.sh /usr/local/bin/coturn-start
COPY --chmod=0755 deploy/images/coturn-health.sh /usr/local/bin/coturn-health
COPY LICENSE NOTICE /opt/shuanglu/
ENV HOME=/tmp
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="shuanglu coturn" \
      org.opencontainers.image.description="shuanglu (双录): relay of calls (coturn of Debian)" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0 AND BSD-3-Clause"
WORKDIR /tmp
USER 10001:10001
EXPOSE 3478/udp 3478/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/usr/local/bin/coturn-health"]
ENTRYPOINT ["/usr/bin/tini", "--", "coturn-start"]
