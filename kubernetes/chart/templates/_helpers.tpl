{{- define "walferry.name" -}}
{{- if contains "walferry" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-walferry" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "walferry.selector" -}}
app.kubernetes.io/name: walferry
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "walferry.labels" -}}
{{ include "walferry.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "walferry.metadata" -}}
name: {{ include "walferry.name" . }}
labels:
  {{- include "walferry.labels" . | nindent 2 }}
{{- with .Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "walferry.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "walferry.name" .) -}}
{{- end -}}
