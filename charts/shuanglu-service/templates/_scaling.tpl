{{/*
  disruption   maxUnavailable of the PodDisruptionBudget; default 1
  scale        {min, max, cooldownSeconds, targetLatencySeconds, secondsPerEvent, inHand, consumers: [{stream, durable}]}

KEDA keeps so many pods that each has at most lagThreshold events pending or in hand:
  pods = ceil((num_pending + num_ack_pending) / lagThreshold),
  lagThreshold = floor(targetLatencySeconds / secondsPerEvent * inHand), at least 1
(shuanglu_common.bus.scaling says the same in Python; a test compares them).
*/}}

{{- define "shuanglu-service.lagThreshold" -}}
{{- max 1 (floor (mulf (divf .targetLatencySeconds .secondsPerEvent) .inHand) | int) -}}
{{- end -}}

{{- define "shuanglu-service.scaling" -}}
{{- $root := .root -}}
{{- $c := .c -}}
{{- if not $c.job }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "shuanglu-service.name" . }}
  labels: {{- include "shuanglu-service.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ $c.disruption | default 1 }}
  selector:
    matchLabels: {{- include "shuanglu-service.selector" . | nindent 6 }}
{{- end }}
{{- with $c.scale }}
{{- if $root.Values.autoscaling.keda }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ include "shuanglu-service.name" (dict "root" $root "c" $c) }}
  labels: {{- include "shuanglu-service.labels" (dict "root" $root "c" $c) | nindent 4 }}
spec:
  scaleTargetRef:
    name: {{ include "shuanglu-service.name" (dict "root" $root "c" $c) }}
  minReplicaCount: {{ .min }}
  maxReplicaCount: {{ .max }}
  pollingInterval: {{ $root.Values.autoscaling.pollingSeconds }}
  cooldownPeriod: {{ .cooldownSeconds }}
  {{- if gt (int .min) 0 }}
  # The bus does not answer: better too many workers than a session that nobody looks at.
  fallback:
    failureThreshold: 5
    replicas: {{ min .max (mul 2 .min) }}
  {{- end }}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleDown:
          stabilizationWindowSeconds: {{ .cooldownSeconds }}
          policies:
            - {type: Percent, value: 50, periodSeconds: 60}
  triggers:
    {{- $threshold := include "shuanglu-service.lagThreshold" . }}
    {{- range .consumers }}
    - type: nats-jetstream
      metadata:
        natsServerMonitoringEndpoint: {{ $root.Values.nats.monitoring | quote }}
        account: {{ $root.Values.nats.account | quote }}
        stream: {{ .stream | quote }}
        consumer: {{ .durable | quote }}
        lagThreshold: {{ $threshold | quote }}
        activationLagThreshold: "0"
        useHttps: {{ $root.Values.nats.monitoringHttps | quote }}
    {{- end }}
{{- else if $root.Values.autoscaling.prometheusAdapter }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "shuanglu-service.name" (dict "root" $root "c" $c) }}
  labels: {{- include "shuanglu-service.labels" (dict "root" $root "c" $c) | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "shuanglu-service.name" (dict "root" $root "c" $c) }}
  # An HPA does not go to zero.
  minReplicas: {{ max 1 .min }}
  maxReplicas: {{ .max }}
  metrics:
    {{- $threshold := include "shuanglu-service.lagThreshold" . }}
    {{- range .consumers }}
    - type: External
      external:
        metric:
          name: shuanglu_bus_lag_events
          selector:
            matchLabels:
              consumer: {{ .durable }}
        target:
          type: AverageValue
          averageValue: {{ $threshold | quote }}
    {{- end }}
{{- end }}
{{- end }}
{{- end -}}
