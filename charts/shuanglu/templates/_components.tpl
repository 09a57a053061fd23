{{/* Every workload, as shuanglu-service understands it; docs/architecture.md, "Who speaks to whom", has the arrows. */}}

{{- define "shuanglu.address" -}}
{{ .root.Release.Name }}-{{ .to }}:{{ .port }}
{{- end -}}

{{- define "shuanglu.component.gateway" -}}
name: gateway
image: gateway
replicas: {{ .Values.gateway.replicas }}
priority: realtime
keys: [jwks.json, session-jwks.json]
serviceType: {{ .Values.gateway.serviceType }}
serviceAnnotations: {{ toJson .Values.gateway.serviceAnnotations }}
servicePorts: {https: {{ .Values.gateway.port }}}
ports: {https: 8443, ops: 9902}
graceSeconds: 60
resources: {{ toJson .Values.gateway.resources }}
env:
  SHUANGLU_GATEWAY_HOST: "0.0.0.0"
  SHUANGLU_GATEWAY_PORT: "8443"
  SHUANGLU_GATEWAY_OPS_HOST: "0.0.0.0"
  SHUANGLU_GATEWAY_OPS_PORT: "9902"
  SHUANGLU_GATEWAY_TLS_CERT_FILE: /run/secrets/shuanglu-tls/tls.crt
  SHUANGLU_GATEWAY_TLS_KEY_FILE: /run/secrets/shuanglu-tls/tls.key
  SHUANGLU_GATEWAY_JWKS_FILE: /run/secrets/shuanglu-keys/jwks.json
  SHUANGLU_GATEWAY_SESSION_JWKS_FILE: /run/secrets/shuanglu-keys/session-jwks.json
  SHUANGLU_GATEWAY_JWT_ISSUER: {{ .Values.oidc.issuer }}
  SHUANGLU_GATEWAY_JWT_AUDIENCE: {{ .Values.oidc.audience }}
  SHUANGLU_GATEWAY_DESCRIPTOR_FILE: /opt/shuanglu/descriptors/shuanglu.pb
  SHUANGLU_GATEWAY_CONSOLE_DIR: /opt/shuanglu/console
  SHUANGLU_GATEWAY_SIGNALING_TARGET: {{ include "shuanglu.address" (dict "root" . "to" "signaling" "port" 9000) }}
  SHUANGLU_GATEWAY_SIGNALING_HTTP_TARGET: {{ include "shuanglu.address" (dict "root" . "to" "signaling" "port" 8080) }}
  SHUANGLU_GATEWAY_MEDIA_INGEST_TARGET: {{ include "shuanglu.address" (dict "root" . "to" "media-ingest" "port" 9000) }}
  SHUANGLU_GATEWAY_MEDIA_INGEST_HTTP_TARGET: {{ include "shuanglu.address" (dict "root" . "to" "media-ingest" "port" 8080) }}
  SHUANGLU_GATEWAY_QUALITY_TARGET: {{ include "shuanglu.address" (dict "root" . "to" "quality" "port" 9000) }}
  SHUANGLU_GATEWAY_REPORT_TARGET: {{ include "shuanglu.address" (dict "root" . "to" "report" "port" 9000) }}
  SHUANGLU_GATEWAY_REPORT_HTTP_TARGET: {{ include "shuanglu.address" (dict "root" . "to" "report" "port" 8080) }}
  SHUANGLU_GATEWAY_CHECK_TARGET: 127.0.0.1:7105
  SHUANGLU_GATEWAY_TRUSTED_HOPS: {{ .Values.gateway.trustedHops | quote }}
  SHUANGLU_GATEWAY_CORS_ORIGINS: {{ toJson .Values.gateway.corsOrigins | quote }}
  {{- with .Values.tracing.endpoint }}
  SHUANGLU_GATEWAY_OTLP_ENDPOINT: {{ . }}
  SHUANGLU_GATEWAY_TRACE_SAMPLE_RATIO: {{ $.Values.tracing.sampleRatio | quote }}
  {{- end }}
mounts:
  - {name: tls, mountPath: /run/secrets/shuanglu-tls, readOnly: true}
volumes:
  - name: tls
    secret: {secretName: {{ .Values.tls.secret }}, defaultMode: 288}
sidecars:
  - name: check
    image: gateway
    command: [python, -m, shuanglu_gateway, check]
    probe: {port: 7105, path: /healthz}
    env:
      SHUANGLU_GATEWAY_CHECK_HOST: "0.0.0.0"
      SHUANGLU_GATEWAY_CHECK_PORT: "7105"
      SHUANGLU_GATEWAY_DESCRIPTOR_FILE: /opt/shuanglu/descriptors/shuanglu.pb
      SHUANGLU_GATEWAY_LOG_LEVEL: {{ .Values.logLevel }}
    resources: {{ toJson .Values.gateway.checkResources }}
open:
  - ports: [{port: 8443, protocol: TCP}]
calls:
  - {to: signaling, ports: [9000, 8080]}
  - {to: media-ingest, ports: [9000, 8080]}
  - {to: quality, ports: [9000]}
  - {to: report, ports: [9000, 8080]}
outside: [otlp]
{{- end -}}

{{- define "shuanglu.component.signaling" -}}
name: signaling
image: signaling
module: shuanglu_signaling
replicas: {{ .Values.signaling.replicas }}
priority: realtime
secrets: {{ include "shuanglu.secrets" (dict "root" . "names" (concat (list "database_url" "s3_access_key" "s3_secret_key" "janus_secret") (ternary (list "turn_secret") list (gt (len .Values.turn.urls) 0)))) }}
keys: {{ include "shuanglu.keys" (dict "root" . "names" (list "master.key" "internal.pem" "jwks.json" "session.pem" "session-jwks.json")) }}
authorities: true
ports: {grpc: 9000, http: 8080, ops: 9100}
graceSeconds: 60
resources: {{ toJson .Values.signaling.resources }}
env:
  {{- include "shuanglu.env.service" . | nindent 2 }}
  {{- include "shuanglu.env.tokens" . | nindent 2 }}
  {{- include "shuanglu.env.store" . | nindent 2 }}
  {{- include "shuanglu.env.traces" . | indent 2 }}
  {{- include "shuanglu.env.database" . | indent 2 }}
  SHUANGLU_GRPC_PORT: "9000"
  SHUANGLU_HTTP_PORT: "8080"
  SHUANGLU_QUALITY_TARGET: {{ include "shuanglu.address" (dict "root" . "to" "quality" "port" 9000) }}
  SHUANGLU_MEDIA_NODES_DNS: {{ .Release.Name }}-media
  SHUANGLU_SESSION_KEY_FILE: /run/secrets/shuanglu-keys/session.pem
  SHUANGLU_TURN_URLS: {{ toJson .Values.turn.urls | quote }}
  SHUANGLU_TURN_TTL_S: {{ .Values.turn.ttlSeconds | quote }}
envFrom:
  SHUANGLU_ZONE: metadata.labels['topology.kubernetes.io/zone']
serves:
  - {from: [gateway], ports: [9000, 8080]}
  - {from: [media-ingest, report], ports: [9000]}
calls:
  - {to: quality, ports: [9000]}
  - {to: media, ports: [8188, 9000]}
outside: [nats, database, s3, otlp]
{{- end -}}

{{- define "shuanglu.component.media" -}}
{{- $last := sub (add .Values.media.rtpPort .Values.media.rtpPorts) 1 -}}
name: media
containerName: media-ingest-live
kind: StatefulSet
image: media-ingest
module: shuanglu_media_ingest.live
replicas: {{ .Values.media.replicas }}
headless: true
sidecarPorts: {janus: 8188}
priority: media
secrets: {{ include "shuanglu.secrets" (dict "root" . "names" (list "s3_access_key" "s3_secret_key")) }}
keys: {{ include "shuanglu.keys" (dict "root" . "names" (list "master.key" "internal.pem" "jwks.json" "session-jwks.json")) }}
authorities: true
ports: {grpc: 9000, ops: 9100}
graceSeconds: {{ add .Values.media.drainSeconds 60 }}
resources: {{ toJson .Values.media.recorderResources }}
nodeSelector: {{ toJson .Values.media.nodeSelector }}
tolerations: {{ toJson .Values.media.tolerations }}
env:
  {{- include "shuanglu.env.service" . | nindent 2 }}
  {{- include "shuanglu.env.tokens" . | nindent 2 }}
  {{- include "shuanglu.env.store" . | nindent 2 }}
  {{- include "shuanglu.env.traces" . | indent 2 }}
  SHUANGLU_GRPC_PORT: "9000"
  SHUANGLU_LIVE_SPOOL_DIR: /spool
  SHUANGLU_LIVE_DRAIN_S: {{ .Values.media.drainSeconds | quote }}
envFrom:
  # Kubernetes 1.35 gives a pod its node's zone as a label; before that the zone is not told.
  SHUANGLU_LIVE_ZONE: metadata.labels['topology.kubernetes.io/zone']
# Returns when nobody is left, or after SHUANGLU_LIVE_DRAIN_S. Janus waits for what it leaves behind.
preStop: [python, -m, shuanglu_media_ingest.live, drain]
mounts:
  - {name: spool, mountPath: /spool}
sidecars:
  - name: janus
    image: janus
    command: [janus-start]
    ports: {janus: 8188}
    rtpPorts: {{ if eq .Values.media.expose "hostPort" }}{{ untilStep (int .Values.media.rtpPort) (int (add1 $last)) 1 | toJson }}{{ else }}[]{{ end }}
    probe: {port: 8188}
    env:
      SHUANGLU_JANUS_RTP_PORTS: "{{ .Values.media.rtpPort }}-{{ $last }}"
      SHUANGLU_JANUS_PUBLIC_ADDRESS: {{ .Values.media.publicAddress | quote }}
      SHUANGLU_JANUS_SECRET_FILE: /run/secrets/shuanglu/shuanglu_janus_secret
      SHUANGLU_JANUS_SPOOL_DIR: /spool
      SHUANGLU_LIVE_DRAIN_S: {{ .Values.media.drainSeconds | quote }}
    envFrom:
      SHUANGLU_JANUS_HOST_ADDRESS: status.hostIP
      SHUANGLU_JANUS_POD_ADDRESS: status.podIP
      SHUANGLU_JANUS_NODE: metadata.name
    # As long as the recorder waits for those who are in a call.
    preStop: [janus-start, wait]
    mounts:
      - {name: spool, mountPath: /spool}
      - {name: janus-secret, mountPath: /run/secrets/shuanglu, readOnly: true}
    resources: {{ toJson .Values.media.janusResources }}
volumes:
  - name: janus-secret
    secret:
      secretName: {{ .Values.secrets.settings }}
      defaultMode: 288
      items: [{key: shuanglu_janus_secret, path: shuanglu_janus_secret}]
claims:
  - metadata: {name: spool}
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .Values.media.spool.storageClass }}
      storageClassName: {{ . }}
      {{- end }}
      resources: {requests: {storage: {{ .Values.media.spool.size }}}}
serves:
  - {from: [signaling], ports: [8188, 9000]}
open:
  - ports: [{port: {{ .Values.media.rtpPort }}, endPort: {{ $last }}, protocol: UDP}]
sends:
  - {port: 1, endPort: 65535, protocol: UDP}
outside: [nats, s3, otlp]
{{- end -}}

{{- define "shuanglu.component.media-ingest" -}}
name: media-ingest
kind: StatefulSet
image: media-ingest
module: shuanglu_media_ingest
# Uploads are in one spool, which one pod has.
replicas: 1
priority: realtime
secrets: {{ include "shuanglu.secrets" (dict "root" . "names" (list "database_url" "s3_access_key" "s3_secret_key")) }}
keys: {{ include "shuanglu.keys" (dict "root" . "names" (list "master.key" "internal.pem" "jwks.json" "session-jwks.json")) }}
authorities: true
ports: {grpc: 9000, http: 8080, ops: 9100}
graceSeconds: 120
tmpSize: 2Gi
resources: {{ toJson .Values.mediaIngest.resources }}
env:
  {{- include "shuanglu.env.service" . | nindent 2 }}
  {{- include "shuanglu.env.tokens" . | nindent 2 }}
  {{- include "shuanglu.env.store" . | nindent 2 }}
  {{- include "shuanglu.env.traces" . | indent 2 }}
  {{- include "shuanglu.env.database" . | indent 2 }}
  SHUANGLU_GRPC_PORT: "9000"
  SHUANGLU_HTTP_PORT: "8080"
  SHUANGLU_SPOOL_DIR: /spool
  SHUANGLU_SIGNALING_TARGET: {{ include "shuanglu.address" (dict "root" . "to" "signaling" "port" 9000) }}
mounts:
  - {name: spool, mountPath: /spool}
claims:
  - metadata: {name: spool}
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .Values.mediaIngest.spool.storageClass }}
      storageClassName: {{ . }}
      {{- end }}
      resources: {requests: {storage: {{ .Values.mediaIngest.spool.size }}}}
serves:
  - {from: [gateway], ports: [9000, 8080]}
calls:
  - {to: signaling, ports: [9000]}
outside: [nats, database, s3, otlp]
{{- end -}}

{{/* A pool of workers. Takes (dict "root" $ "worker" face-check|asr "lane" live|offline). */}}
{{- define "shuanglu.component.worker" -}}
{{- $root := .root -}}
{{- $values := ternary $root.Values.faceCheck $root.Values.asr (eq .worker "face-check") -}}
{{- $pool := get $values .lane -}}
{{- $resources := deepCopy $values.resources -}}
{{- if gt (int $values.gpus) 0 -}}
{{- $_ := set $resources.limits "nvidia.com/gpu" $values.gpus -}}
{{- end -}}
name: {{ .worker }}-{{ .lane }}
image: {{ .worker }}
module: {{ printf "shuanglu_%s" (.worker | replace "-" "_") }}
replicas: {{ max 1 $pool.min }}
priority: inference
secrets: {{ include "shuanglu.secrets" (dict "root" $root "names" (list "s3_access_key" "s3_secret_key")) }}
keys: {{ include "shuanglu.keys" (dict "root" $root "names" (list "master.key")) }}
authorities: true
ports: {ops: 9100}
# The message in hand is finished before the pod ends.
graceSeconds: 240
tmpSize: 1Gi
resources: {{ toJson $resources }}
nodeSelector: {{ toJson $values.nodeSelector }}
tolerations: {{ toJson $values.tolerations }}
runtimeClassName: {{ $values.runtimeClassName | quote }}
env:
  {{- include "shuanglu.env.service" $root | nindent 2 }}
  {{- include "shuanglu.env.store" $root | nindent 2 }}
  {{- include "shuanglu.env.traces" $root | indent 2 }}
  SHUANGLU_MODELS_DIR: /models
  SHUANGLU_LANES: {{ list .lane | toJson | quote }}
  SHUANGLU_STOP_TIMEOUT_S: "200"
  {{- if eq .worker "face-check" }}
  SHUANGLU_FACE_CHECK_PROVIDER: {{ $values.provider }}
  {{- else }}
  SHUANGLU_ASR_DEVICE: {{ $values.device }}
  {{- end }}
mounts:
  - {name: models, mountPath: /models, readOnly: true}
{{- if eq $root.Values.models.from "image" }}
inits:
  - name: models
    image: models
    command: [cp, -r, /models/., /target/]
    mounts:
      - {name: models, mountPath: /target}
    resources:
      requests: {cpu: 50m, memory: 32Mi}
      limits: {memory: 128Mi}
{{- end }}
volumes:
  - name: models
    {{- if eq $root.Values.models.from "image" }}
    emptyDir: {sizeLimit: 2Gi}
    {{- else }}
    persistentVolumeClaim: {claimName: {{ $root.Values.models.existingClaim }}, readOnly: true}
    {{- end }}
scale:
  min: {{ $pool.min }}
  max: {{ $pool.max }}
  cooldownSeconds: {{ $root.Values.autoscaling.cooldownSeconds }}
  targetLatencySeconds: {{ $pool.targetLatencySeconds }}
  secondsPerEvent: {{ $values.secondsPerEvent }}
  inHand: 1
  consumers:
    {{- if eq .worker "face-check" }}
    - {stream: MEDIA, durable: face-check-{{ .lane }}}
    {{- else }}
    - {stream: MEDIA, durable: asr-tracks-{{ .lane }}}
    - {stream: OBSERVATIONS, durable: asr-windows-{{ .lane }}}
    {{- end }}
outside: [nats, s3, otlp]
{{- end -}}

{{- define "shuanglu.component.quality" -}}
name: quality
image: quality
module: shuanglu_quality
replicas: {{ .Values.quality.replicas }}
priority: realtime
secrets: {{ include "shuanglu.secrets" (dict "root" . "names" (list "database_url" "s3_access_key" "s3_secret_key")) }}
keys: {{ include "shuanglu.keys" (dict "root" . "names" (list "master.key" "internal.pem" "jwks.json" "session-jwks.json")) }}
authorities: true
ports: {grpc: 9000, ops: 9100}
graceSeconds: 60
resources: {{ toJson .Values.quality.resources }}
env:
  {{- include "shuanglu.env.service" . | nindent 2 }}
  {{- include "shuanglu.env.tokens" . | nindent 2 }}
  {{- include "shuanglu.env.store" . | nindent 2 }}
  {{- include "shuanglu.env.traces" . | indent 2 }}
  {{- include "shuanglu.env.database" . | indent 2 }}
  SHUANGLU_GRPC_PORT: "9000"
serves:
  - {from: [gateway, signaling], ports: [9000]}
outside: [nats, database, s3, otlp]
{{- end -}}

{{- define "shuanglu.component.report" -}}
name: report
image: report
module: shuanglu_report
replicas: {{ .Values.report.replicas }}
priority: realtime
secrets: {{ include "shuanglu.secrets" (dict "root" . "names" (list "database_url" "s3_access_key" "s3_secret_key")) }}
keys: {{ include "shuanglu.keys" (dict "root" . "names" (list "master.key" "internal.pem" "jwks.json" "session-jwks.json")) }}
authorities: true
ports: {grpc: 9000, http: 8080, ops: 9100}
graceSeconds: 60
resources: {{ toJson .Values.report.resources }}
env:
  {{- include "shuanglu.env.service" . | nindent 2 }}
  {{- include "shuanglu.env.tokens" . | nindent 2 }}
  {{- include "shuanglu.env.store" . | nindent 2 }}
  {{- include "shuanglu.env.traces" . | indent 2 }}
  {{- include "shuanglu.env.database" . | indent 2 }}
  SHUANGLU_GRPC_PORT: "9000"
  SHUANGLU_HTTP_PORT: "8080"
  SHUANGLU_SIGNALING_TARGET: {{ include "shuanglu.address" (dict "root" . "to" "signaling" "port" 9000) }}
serves:
  - {from: [gateway], ports: [9000, 8080]}
calls:
  - {to: signaling, ports: [9000]}
outside: [nats, database, s3, otlp]
{{- end -}}

{{/* Before services: their schemas, then the bus. Takes (dict "root" $ "service" NAME). */}}
{{- define "shuanglu.component.job" -}}
{{- $streams := eq .service "streams" -}}
name: {{ ternary "streams" (printf "migrate-%s" .service) $streams }}
job: true
weight: {{ ternary 5 0 $streams }}
image: {{ ternary "quality" .service $streams }}
command: {{ ternary (list "python" "-m" "shuanglu_common.streams_job") (list "python" "-m" (printf "shuanglu_%s" (.service | replace "-" "_")) "migrate") $streams | toJson }}
secrets: {{ include "shuanglu.secrets" (dict "root" .root "names" (ternary list (list "database_url") $streams)) }}
keys: {{ include "shuanglu.keys" (dict "root" .root "names" list) }}
authorities: true
priority: realtime
resources:
  requests: {cpu: 100m, memory: 128Mi}
  limits: {memory: 256Mi}
env:
  {{- include "shuanglu.env.service" .root | nindent 2 }}
  {{- if not $streams }}
  {{- include "shuanglu.env.database" .root | indent 2 }}
  {{- end }}
outside: {{ ternary (list "nats") (list "database") $streams | toJson }}
{{- end -}}
