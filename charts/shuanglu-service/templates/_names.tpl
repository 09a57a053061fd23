{{/* Names and labels. Each takes (dict "root" $ "c" COMPONENT). */}}

{{- define "shuanglu-service.name" -}}
{{- printf "%s-%s" .root.Release.Name .c.name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "shuanglu-service.selector" -}}
app.kubernetes.io/name: shuanglu
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .c.name }}
{{- end -}}

{{- define "shuanglu-service.labels" -}}
{{ include "shuanglu-service.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: shuanglu
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* REGISTRY/REPOSITORY@DIGEST, or :TAG where no digest is given. Takes (dict "root" $ "image" NAME). */}}
{{- define "shuanglu-service.image" -}}
{{- $image := get .root.Values.images .image -}}
{{- $path := printf "%s%s" (ternary (printf "%s/" .root.Values.image.registry) "" (ne .root.Values.image.registry "")) $image.repository -}}
{{- if $image.digest -}}
{{ $path }}@{{ $image.digest }}
{{- else -}}
{{ $path }}:{{ $image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}
