{{- /* Names and labels that every template of this chart shares. */ -}}
{{- define "umbrella.fullname" -}}
{{- printf "%s-%s" .Release.Name "frontend" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "umbrella.selector" -}}
app.kubernetes.io/name: frontend
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "umbrella.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "umbrella.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.global.team }}
app.kubernetes.io/part-of: {{ . }}
{{- end }}
{{- end -}}

{{- define "umbrella.serviceAccount" -}}
{{- if .Values.frontend.serviceAccount.create -}}
{{ include "umbrella.fullname" . }}
{{- else -}}
default
{{- end -}}
{{- end -}}
