{{/* A release may have dots in its name, a service may not. */}}
{{- define "walferry.name" -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- if contains "walferry" $release -}}
{{- $release | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-walferry" $release | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Quoted: a release may be called 2024 or true. */}}
{{- define "walferry.selector" -}}
app.kubernetes.io/name: walferry
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "walferry.labels" -}}
{{ include "walferry.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{- define "walferry.metadata" -}}
name: {{ include "walferry.name" . | quote }}
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

{{/* What the chart sets, as YAML, and behind it what the value of this name adds: a key that stood twice
would be taken from either. */}}
{{- define "walferry.added" -}}
{{- $ours := fromYaml .ours -}}
{{- range $key, $_ := .theirs -}}
{{- if hasKey $ours $key -}}
{{- fail (printf "%s must not have %s, which the chart sets itself" $.name $key) -}}
{{- end -}}
{{- end -}}
{{ .ours }}
{{- with .theirs }}
{{ toYaml . }}
{{- end -}}
{{- end -}}

{{/* Refuses a network policy without the port of a server that the file names. What the file leaves to
the environment or to another file is not known here; a rule without ports lets all of them out. */}}
{{- define "walferry.reaches" -}}
{{- $all := false -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.egress -}}
{{- if not .ports }}{{ $all = true }}{{ end -}}
{{- range .ports -}}
{{- if or (not (hasKey . "port")) (hasKey . "endPort") }}{{ $all = true }}{{ end -}}
{{- $ports = append $ports (toString .port) -}}
{{- end -}}
{{- end -}}
{{- if not (or $all .Values.existingConfigMap) -}}
{{- $wanted := dict -}}
{{- range splitList "," (dig "kafka" "bootstrap.servers" "" .Values.config) -}}
{{- if and . (not (contains "$" .)) }}{{ $_ := set $wanted (regexFind "[0-9]+$" (trim .) | default "9092") "kafka.bootstrap.servers" }}{{ end -}}
{{- end -}}
{{- $connection := dig "source" "connection" "" .Values.config -}}
{{- if not (or (empty $connection) (hasPrefix "$" $connection) (contains "port=$" $connection) (contains "service=" $connection)) -}}
{{- $found := regexFind "port *= *'?[0-9]+|@[^/?]*:[0-9]+" $connection -}}
{{- $_ := set $wanted (regexFind "[0-9]+$" $found | default "5432") "source.connection" -}}
{{- end -}}
{{- range $key, $url := dict "notify.url" (dig "notify" "url" "" .Values.config) "otlp.endpoint" (dig "otlp" "endpoint" "" .Values.config) -}}
{{- if and $url (not (contains "$" $url)) -}}
{{- $port := ternary "443" "80" (hasPrefix "https:" $url) -}}
{{- $_ := set $wanted (regexFind "[0-9]+$" (get (urlParse $url) "host") | default $port) $key -}}
{{- end -}}
{{- end -}}
{{- range $port, $key := $wanted -}}
{{- if not (has $port $ports) -}}
{{- fail (printf "networkPolicy.egress lets nothing out to port %s, which %s wants" $port $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
