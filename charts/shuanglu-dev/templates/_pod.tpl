{{/* What all pods here have in common. Each takes (dict "root" $ "name" NAME). */}}

{{- define "shuanglu-dev.selector" -}}
app.kubernetes.io/name: shuanglu-dev
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{- define "shuanglu-dev.labels" -}}
{{ include "shuanglu-dev.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "shuanglu-dev.pod" -}}
serviceAccountName: shuanglu-dev-{{ ternary "setup" "servers" (eq .name "setup") }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "shuanglu-dev.container" -}}
imagePullPolicy: IfNotPresent
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "shuanglu-dev.probes" -}}
startupProbe:
  {{ .probe }}: {{ .with }}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  {{ .probe }}: {{ .with }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  {{ .probe }}: {{ .with }}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}
