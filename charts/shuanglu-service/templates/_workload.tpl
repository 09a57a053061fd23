{{/*
A component:
  name, image          its name, and a key of .Values.images
  containerName        name of its container, where that is not the component's
  kind                 Deployment (default) or StatefulSet
  module               what Python runs; or `command`, the whole argv; without both the image's own
  ports                {grpc: 9000, http: 8080, ops: 9100}; `ops` answers /healthz, /readyz, /metrics
  sidecarPorts         ports of sidecars that its Service shows, too
  env                  settings, by name; never a secret
  secrets              names of the secret settings it reads, each a file of .Values.secrets.settings; only those are mounted
  authorities          true: also the certificates of private authorities, .Values.secrets.ca
  keys                 names of the key files it reads, of .Values.secrets.keys; only those are mounted
  replicas             ignored where `scale` is given
  priority             media, realtime or inference
  volumes, mounts      beside the usual ones
  claims               volumeClaimTemplates of a StatefulSet
  sidecars, inits      further containers; each: name, image, command, ports, env, mounts, probe, resources, preStop;
                       without the component's secrets and keys
  probe                {port, path}: where a container without `ops` answers; without path: that it listens
  preStop              argv; run before SIGTERM
  graceSeconds         terminationGracePeriodSeconds
  resources, nodeSelector, tolerations, runtimeClassName
  scale                see _scaling.tpl
*/}}

{{- define "shuanglu-service.workload" -}}
{{- $c := .c -}}
apiVersion: apps/v1
kind: {{ $c.kind | default "Deployment" }}
metadata:
  name: {{ include "shuanglu-service.name" . }}
  labels: {{- include "shuanglu-service.labels" . | nindent 4 }}
spec:
  {{- if not $c.scale }}
  replicas: {{ $c.replicas }}
  {{- else if not (or .root.Values.autoscaling.keda .root.Values.autoscaling.prometheusAdapter) }}
  # Nothing scales it: what it should have at least.
  replicas: {{ max 1 $c.scale.min }}
  {{- end }}
  revisionHistoryLimit: 3
  selector:
    matchLabels: {{- include "shuanglu-service.selector" . | nindent 6 }}
  {{- if eq ($c.kind | default "Deployment") "StatefulSet" }}
  serviceName: {{ include "shuanglu-service.name" . }}
  podManagementPolicy: Parallel
  updateStrategy:
    type: RollingUpdate
  # What is in a spool may not be in the store yet.
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Retain}
  volumeClaimTemplates: {{- $c.claims | toYaml | nindent 4 }}
  {{- else }}
  strategy:
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  {{- end }}
  template: {{- include "shuanglu-service.pod" . | nindent 4 }}
{{- end -}}

{{- define "shuanglu-service.job" -}}
{{- $c := .c -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ include "shuanglu-service.name" . }}
  labels: {{- include "shuanglu-service.labels" . | nindent 4 }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: {{ $c.weight | quote }}
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 6
  activeDeadlineSeconds: 900
  template: {{- include "shuanglu-service.pod" . | nindent 4 }}
{{- end -}}

{{- define "shuanglu-service.pod" -}}
{{- $root := .root -}}
{{- $c := .c -}}
metadata:
  labels: {{- include "shuanglu-service.labels" . | nindent 4 }}
spec:
  serviceAccountName: {{ include "shuanglu-service.name" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $c.job }}
  restartPolicy: OnFailure
  {{- end }}
  {{- if and $root.Values.priorityClasses.create $c.priority (not $c.job) }}
  priorityClassName: {{ printf "%s-%s" $root.Release.Name $c.priority }}
  {{- end }}
  terminationGracePeriodSeconds: {{ $c.graceSeconds | default 30 }}
  {{- with $c.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- if not $c.job }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "shuanglu-service.selector" (dict "root" $root "c" $c) | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- with $c.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.inits }}
  initContainers:
    {{- range . }}
    - {{- include "shuanglu-service.container" (dict "root" $root "c" $c "container" .) | nindent 6 }}
    {{- end }}
  {{- end }}
  containers:
    - {{- include "shuanglu-service.container" (dict "root" $root "c" $c "container" $c) | nindent 6 }}
    {{- range $c.sidecars }}
    - {{- include "shuanglu-service.container" (dict "root" $root "c" $c "container" .) | nindent 6 }}
    {{- end }}
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: {{ $c.tmpSize | default "256Mi" }}
    {{- with $c.secrets }}
    - name: secrets
      secret:
        secretName: {{ $root.Values.secrets.settings }}
        defaultMode: 0440
        items:
          {{- range . }}
          - {key: shuanglu_{{ . }}, path: shuanglu_{{ . }}}
          {{- end }}
    {{- end }}
    {{- with $c.keys }}
    - name: keys
      secret:
        secretName: {{ $root.Values.secrets.keys }}
        defaultMode: 0440
        items:
          {{- range . }}
          - {key: {{ . }}, path: {{ . }}}
          {{- end }}
    {{- end }}
    {{- if and $root.Values.secrets.ca $c.authorities }}
    - name: ca
      secret:
        secretName: {{ $root.Values.secrets.ca }}
        defaultMode: 0444
    {{- end }}
    {{- with $c.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "shuanglu-service.container" -}}
{{- $root := .root -}}
{{- $c := .c -}}
{{- $container := .container -}}
{{- $main := eq $c.name $container.name -}}
name: {{ $container.containerName | default $container.name }}
image: {{ include "shuanglu-service.image" (dict "root" $root "image" $container.image) }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
{{- if $container.command }}
command: {{- toYaml $container.command | nindent 2 }}
{{- else if $container.module }}
command: ["python", "-m", {{ $container.module | quote }}]
{{- end }}
{{- with $container.args }}
args: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  privileged: false
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
{{- $env := $container.env | default dict }}
{{- if and $main $c.secrets }}
{{- $env = merge (dict "SHUANGLU_SECRETS_DIR" "/run/secrets/shuanglu") $env }}
{{- end }}
{{- if or $env $container.envFrom }}
env:
  {{- range $name, $value := $env }}
  - name: {{ $name }}
    value: {{ $value | toString | quote }}
  {{- end }}
  {{- range $name, $path := $container.envFrom }}
  - name: {{ $name }}
    valueFrom:
      fieldRef:
        fieldPath: {{ $path }}
  {{- end }}
{{- end }}
{{- with $container.ports }}
ports:
  {{- range $name, $port := . }}
  - name: {{ $name }}
    containerPort: {{ $port }}
    protocol: TCP
  {{- end }}
  {{- range $container.rtpPorts }}
  - name: rtp-{{ . }}
    containerPort: {{ . }}
    hostPort: {{ . }}
    protocol: UDP
  {{- end }}
{{- end }}
{{- if hasKey ($container.ports | default dict) "ops" }}
startupProbe:
  httpGet: {path: /healthz, port: ops}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: ops}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: {{ $container.readyPath | default "/readyz" }}, port: ops}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- else if $container.probe }}
{{- $look := dict "tcpSocket" (dict "port" $container.probe.port) }}
{{- if $container.probe.path }}
{{- $look = dict "httpGet" (dict "port" $container.probe.port "path" $container.probe.path) }}
{{- end }}
startupProbe:
  {{- toYaml $look | nindent 2 }}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  {{- toYaml $look | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  {{- toYaml $look | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}
{{- with $container.preStop }}
lifecycle:
  preStop:
    exec:
      command: {{- toYaml . | nindent 8 }}
{{- end }}
resources: {{- toYaml $container.resources | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- if and $main $c.secrets }}
  - name: secrets
    mountPath: /run/secrets/shuanglu
    readOnly: true
  {{- end }}
  {{- if and $main $c.keys }}
  - name: keys
    mountPath: /run/secrets/shuanglu-keys
    readOnly: true
  {{- end }}
  {{- if and $main $root.Values.secrets.ca $c.authorities }}
  - name: ca
    mountPath: /run/secrets/shuanglu-ca
    readOnly: true
  {{- end }}
  {{- with $container.mounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
