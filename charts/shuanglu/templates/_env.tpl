{{/* Settings that several services share. Secrets are files, never here. */}}

{{- define "shuanglu.env.service" -}}
SHUANGLU_HOST: "0.0.0.0"
SHUANGLU_OPS_PORT: "9100"
SHUANGLU_SECRETS_DIR: /run/secrets/shuanglu
SHUANGLU_LOG_LEVEL: {{ .Values.logLevel }}
SHUANGLU_NATS_URL: {{ .Values.nats.url }}
SHUANGLU_NATS_REPLICAS: {{ .Values.nats.replicas | quote }}
SHUANGLU_NATS_DECLARE_STREAMS: "false"
{{- if .Values.nats.credentials }}
SHUANGLU_NATS_CREDENTIALS_FILE: /run/secrets/shuanglu-keys/nats.creds
{{- end }}
{{- if .Values.nats.ca }}
SHUANGLU_NATS_CA_FILE: /run/secrets/shuanglu-ca/nats.pem
{{- end }}
SHUANGLU_JWT_ISSUER: {{ .Values.oidc.issuer }}
SHUANGLU_JWT_AUDIENCE: {{ .Values.oidc.audience }}
SHUANGLU_JWKS_FILE: /run/secrets/shuanglu-keys/jwks.json
SHUANGLU_SESSION_JWKS_FILE: /run/secrets/shuanglu-keys/session-jwks.json
SHUANGLU_INTERNAL_KEY_FILE: /run/secrets/shuanglu-keys/internal.pem
{{- with .Values.tracing.endpoint }}
SHUANGLU_OTLP_ENDPOINT: {{ . }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "shuanglu.env.store" -}}
SHUANGLU_S3_ENDPOINT: {{ .Values.s3.endpoint }}
SHUANGLU_S3_BUCKET: {{ .Values.s3.bucket }}
SHUANGLU_S3_REGION: {{ .Values.s3.region }}
SHUANGLU_MASTER_KEY_FILE: /run/secrets/shuanglu-keys/master.key
{{- if .Values.s3.ca }}
SHUANGLU_S3_CA_FILE: /run/secrets/shuanglu-ca/s3.pem
{{- end }}
{{- end -}}

{{- define "shuanglu.env.database" -}}
{{- if .Values.database.ca }}
SHUANGLU_DATABASE_CA_FILE: /run/secrets/shuanglu-ca/database.pem
{{- end }}
{{- end -}}

{{/* What is wrong with the values, in one line. */}}
{{- define "shuanglu.validate" -}}
{{- if not .Values.host -}}
{{- fail "host: the gateway's host name is missing; --set host=signing.bank.example" -}}
{{- end -}}
{{- if and .Values.tls.certManager.enabled (not .Values.tls.certManager.issuerName) -}}
{{- fail "tls.certManager.issuerName: cert-manager needs the name of an issuer" -}}
{{- end -}}
{{- if and .Values.secrets.externalSecrets.enabled (not .Values.secrets.externalSecrets.storeName) -}}
{{- fail "secrets.externalSecrets.storeName: the External Secrets operator needs the name of a store" -}}
{{- end -}}
{{- if and (eq .Values.models.from "volume") (not .Values.models.existingClaim) -}}
{{- fail "models.existingClaim: models.from=volume needs the name of a claim with the weights" -}}
{{- end -}}
{{- if and (or .Values.nats.ca .Values.s3.ca .Values.database.ca) (not .Values.secrets.ca) -}}
{{- fail "secrets.ca: nats.ca, s3.ca or database.ca is on, and no secret with certificates is named" -}}
{{- end -}}
{{- if and .Values.tracing.endpoint (not .Values.network.outside.otlp.port) .Values.network.policies -}}
{{- fail "network.outside.otlp.port: traces have an endpoint that no NetworkPolicy lets them reach" -}}
{{- end -}}
{{- if and (eq .Values.media.expose "loadBalancer") (not .Values.media.publicAddress) -}}
{{- fail "media.publicAddress: behind a load balancer clients must be told its address" -}}
{{- end -}}
{{- if and .Values.autoscaling.keda .Values.autoscaling.prometheusAdapter -}}
{{- fail "autoscaling: keda and prometheusAdapter exclude each other; both would set the same replicas" -}}
{{- end -}}
{{- end -}}
