{{/*
Who reaches a component, and whom it reaches. Nothing else passes: a NetworkPolicy of both types stands on every pod.
  serves   [{from: [COMPONENT…], ports: [PORT…]}]      pods of this release
  open     [{ports: [{port, endPort, protocol}]}]      anybody outside
  calls    [{to: COMPONENT, ports: [PORT…]}]           pods of this release
  outside  names of .Values.network.outside            what stands beside the release: bus, database, store …
*/}}

{{- define "shuanglu-service.service" -}}
{{- $c := .c -}}
{{- $ports := merge (omit ($c.ports | default dict) "ops") ($c.sidecarPorts | default dict) -}}
{{- if and $ports (not $c.job) }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "shuanglu-service.name" . }}
  labels: {{- include "shuanglu-service.labels" . | nindent 4 }}
  {{- with $c.serviceAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- if $c.headless }}
  clusterIP: None
  # A node that is being drained still ends its calls, so it stays known.
  publishNotReadyAddresses: true
  {{- else }}
  type: {{ $c.serviceType | default "ClusterIP" }}
  {{- end }}
  selector: {{- include "shuanglu-service.selector" . | nindent 4 }}
  ports:
    {{- range $name, $port := $ports }}
    - name: {{ $name }}
      port: {{ get ($c.servicePorts | default dict) $name | default $port }}
      targetPort: {{ $name }}
      protocol: TCP
      {{- if eq $name "grpc" }}
      appProtocol: grpc
      {{- end }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "shuanglu-service.policy" -}}
{{- $root := .root -}}
{{- $c := .c -}}
{{- if $root.Values.network.policies }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "shuanglu-service.name" . }}
  labels: {{- include "shuanglu-service.labels" . | nindent 4 }}
  {{- if $c.job }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: {{ sub $c.weight 1 | quote }}
    helm.sh/hook-delete-policy: before-hook-creation
  {{- end }}
spec:
  podSelector:
    matchLabels: {{- include "shuanglu-service.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- range $c.serves }}
    - from:
        {{- range .from }}
        - podSelector:
            matchLabels: {{- include "shuanglu-service.selector" (dict "root" $root "c" (dict "name" .)) | nindent 14 }}
        {{- end }}
      ports:
        {{- range .ports }}
        - {port: {{ . }}, protocol: TCP}
        {{- end }}
    {{- end }}
    {{- range $c.open }}
    - ports:
        {{- range .ports }}
        - {{ toJson . }}
        {{- end }}
    {{- end }}
    {{- with get ($c.ports | default dict) "ops" }}
    - from: {{- toYaml $root.Values.network.monitoring | nindent 8 }}
      ports:
        - {port: {{ . }}, protocol: TCP}
    {{- end }}
    {{- if not (or $c.serves $c.open (hasKey ($c.ports | default dict) "ops")) }}
    []
    {{- end }}
  egress:
    - to: {{- toYaml $root.Values.network.dns | nindent 8 }}
      ports:
        - {port: 53, protocol: UDP}
        - {port: 53, protocol: TCP}
    {{- range $c.calls }}
    - to:
        - podSelector:
            matchLabels: {{- include "shuanglu-service.selector" (dict "root" $root "c" (dict "name" .to)) | nindent 14 }}
      ports:
        {{- range .ports }}
        - {port: {{ . }}, protocol: TCP}
        {{- end }}
    {{- end }}
    {{- range $name := $c.outside }}
    {{- $place := get $root.Values.network.outside $name }}
    {{- if $place.port }}
    - ports:
        - {port: {{ $place.port }}, protocol: TCP}
      {{- with $place.to }}
      to: {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- end }}
    {{- range $c.sends }}
    - ports:
        - {{ toJson . }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "shuanglu-service.account" -}}
{{- $c := .c }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "shuanglu-service.name" . }}
  labels: {{- include "shuanglu-service.labels" . | nindent 4 }}
  {{- if $c.job }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: {{ sub $c.weight 1 | quote }}
    helm.sh/hook-delete-policy: before-hook-creation
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{- define "shuanglu-service.monitor" -}}
{{- $root := .root -}}
{{- $c := .c -}}
{{- if and $root.Values.monitoring.podMonitors (hasKey ($c.ports | default dict) "ops") }}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ include "shuanglu-service.name" . }}
  labels:
    {{- include "shuanglu-service.labels" . | nindent 4 }}
    {{- with $root.Values.monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels: {{- include "shuanglu-service.selector" . | nindent 6 }}
  podMetricsEndpoints:
    - port: ops
      path: /metrics
      interval: {{ $root.Values.monitoring.interval }}
      relabelings:
        - targetLabel: job
          replacement: {{ $c.name }}
{{- end }}
{{- end -}}
