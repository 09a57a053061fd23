# The prepared weights (`make setup` puts them into build/models), for an init container that copies them to a volume.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
USER 0
COPY --chmod=0755 deploy/images/models-copy.sh /usr/local/bin/models-copy
COPY build/models /models
COPY LICENSE NOTICE /opt/shuanglu/
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="shuanglu models" \
      org.opencontainers.image.description="shuanglu (双录): weights of face-check and asr" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0 AND MIT"
WORKDIR /models
USER 10001:10001
CMD ["models-copy", "/target"]
