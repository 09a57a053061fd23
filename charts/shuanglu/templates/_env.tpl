{{/* Settings that several services share. Secrets are files, never here. */}}

{{- define "shuanglu.env.service" -}}
SHUANGLU_HOST: "0.0.0.0"
SHUANGLU_OPS_PORT: "9100"
SHUANGLU_LOG_LEVEL: {{ .Values.logLevel }}
{{- with .Values.nats.url }}
SHUANGLU_NATS_URL: {{ . }}
{{- end }}
SHUANGLU_NATS_REPLICAS: {{ .Values.nats.replicas | quote }}
SHUANGLU_NATS_DECLARE_STREAMS: "false"
{{- if .Values.nats.credentials }}
SHUANGLU_NATS_CREDENTIALS_FILE: /run/secrets/shuanglu-keys/nats.creds
{{- end }}
{{- if .Values.nats.ca }}
SHUANGLU_NATS_CA_FILE: /run/secrets/shuanglu-ca/nats.pem
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Of services that others call. */}}
{{- define "shuanglu.env.tokens" -}}
SHUANGLU_JWT_ISSUER: {{ .Values.oidc.issuer }}
SHUANGLU_JWT_AUDIENCE: {{ .Values.oidc.audience }}
SHUANGLU_JWKS_FILE: /run/secrets/shuanglu-keys/jwks.json
SHUANGLU_SESSION_JWKS_FILE: /run/secrets/shuanglu-keys/session-jwks.json
SHUANGLU_INTERNAL_KEY_FILE: /run/secrets/shuanglu-keys/internal.pem
{{- end -}}

{{/* Of services that stay; jobs tell no traces and no metrics. */}}
{{- define "shuanglu.env.traces" -}}
{{- with .Values.tracing.endpoint }}
SHUANGLU_OTLP_ENDPOINT: {{ . }}
SHUANGLU_TRACE_SAMPLE_RATIO: {{ $.Values.tracing.sampleRatio | quote }}
{{- end }}
{{- with .Values.monitoring.tenants }}
SHUANGLU_METRICS_TENANTS: {{ toJson . | quote }}
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

{{/* Secret settings and key files of a component, as JSON. Takes (dict "root" $ "names" LIST). */}}
{{- define "shuanglu.secrets" -}}
{{- concat .names (ternary list (list "nats_url") (ne .root.Values.nats.url "")) | toJson -}}
{{- end -}}

{{- define "shuanglu.keys" -}}
{{- concat .names (ternary (list "nats.creds") list .root.Values.nats.credentials) | toJson -}}
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
{{- if .Values.network.policies -}}
{{- $outside := .Values.network.outside -}}
{{- range $name, $url := dict "nats" .Values.nats.url "s3" .Values.s3.endpoint "otlp" .Values.tracing.endpoint -}}
{{- if $url -}}
{{- $usual := dict "nats" "4222" "tls" "4222" "http" "80" "https" "443" -}}
{{- $port := regexFind "[0-9]+$" (regexFind "^[a-z]+://[^/]+:[0-9]+" $url) | default (get $usual (splitList ":" $url | first)) -}}
{{- if ne $port (toString (get $outside $name).port) -}}
{{- fail (printf "network.outside.%s.port: %s is at port %s, and the NetworkPolicies open port %v" $name $url $port (get $outside $name).port) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.media.expose "loadBalancer") (not .Values.media.publicAddress) -}}
{{- fail "media.publicAddress: behind load balancers clients must be told their addresses" -}}
{{- end -}}
{{- $addresses := len (splitList "," .Values.media.publicAddress) -}}
{{- if and (or (gt $addresses 1) (eq .Values.media.expose "loadBalancer")) (ne $addresses (int .Values.media.replicas)) -}}
{{- fail (printf "media.publicAddress: %d addresses for %v media nodes (media.replicas); each has its own" $addresses .Values.media.replicas) -}}
{{- end -}}
{{- include "shuanglu.validate.secrets" . -}}
{{- if and .Values.autoscaling.keda .Values.autoscaling.prometheusAdapter -}}
{{- fail "autoscaling: keda and prometheusAdapter exclude each other; both would set the same replicas" -}}
{{- end -}}
{{- end -}}

{{/* Only against a cluster: `helm template` finds no secrets at all, not even an empty list. */}}
{{- define "shuanglu.validate.secrets" -}}
{{- $there := lookup "v1" "Secret" .Release.Namespace "" -}}
{{- if and .Values.secrets.check $there (not .Values.secrets.externalSecrets.enabled) -}}
{{- $found := dict -}}
{{- range $there.items -}}
{{- $_ := set $found .metadata.name (.data | default dict) -}}
{{- end -}}
{{- $settings := list "shuanglu_database_url" "shuanglu_s3_access_key" "shuanglu_s3_secret_key" "shuanglu_janus_secret" -}}
{{- $keys := list "master.key" "internal.pem" "jwks.json" "session.pem" "session-jwks.json" -}}
{{- $needed := dict .Values.secrets.settings $settings .Values.secrets.keys $keys -}}
{{- if .Values.turn.urls -}}{{- $_ := set $needed .Values.secrets.settings (append $settings "shuanglu_turn_secret") -}}{{- end -}}
{{- if .Values.nats.credentials -}}{{- $_ := set $needed .Values.secrets.keys (append $keys "nats.creds") -}}{{- end -}}
{{- if not .Values.tls.certManager.enabled -}}{{- $_ := set $needed .Values.tls.secret (list "tls.crt" "tls.key") -}}{{- end -}}
{{- range $name, $files := $needed -}}
{{- if not (hasKey $found $name) -}}
{{- fail (printf "secret %s is missing in namespace %s; it needs: %s (charts/shuanglu/README.md, Secrets)" $name $.Release.Namespace (join ", " $files)) -}}
{{- end -}}
{{- range $files -}}
{{- if not (hasKey (get $found $name) .) -}}
{{- fail (printf "secret %s in namespace %s has no %s (charts/shuanglu/README.md, Secrets)" $name $.Release.Namespace .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
