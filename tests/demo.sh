#!/usr/bin/env bash
# The demo: the whole line on `config-repository/`, with the output a user sees.
#
# It works on a copy of the repository, against the cluster of KUBECONFIG and the registry of
# WINDLASS_TEST_REGISTRY, both of which `tests/testbed/testbed run` provides.
set -euo pipefail
cd "$(dirname "$0")/.."
repo=$PWD
: "${KUBECONFIG:?start it with \`make demo\`}" "${WINDLASS_TEST_REGISTRY:?start it with \`make demo\`}"
PATH="$repo/target/release:$PATH"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$repo/config-repository" "$work/"
cd "$work/config-repository"

title() { printf '\n\033[1;36m== %s\033[0m\n' "$*"; }
run() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

# The committed repository names a registry that does not exist; the demo has a real one on loopback.
sed -i "s/registry.example.com/$WINDLASS_TEST_REGISTRY/" values.yaml umbrella-chart/values.yaml
for image in library/nginx:1.29 library/memcached:1.6.39; do
  "$repo/tests/testbed/testbed" push "$WINDLASS_TEST_REGISTRY/$image" >/dev/null
done
git init -q . && git add -A
commit() { git -c user.name=demo -c user.email=demo@example.com commit -qam "$1"; }
commit "the demo begins"

title "render: chart and values to manifests, as helm template does"
run windlass render --output-dir .release

title "lock: every image of the render, resolved at its registry"
run windlass lock
run cat app-locks/my-app.lock.yml
git add -A; commit "lock every image"
printf '\n\033[1m$ %s\033[0m\n' "windlass render --frozen | grep image:"
windlass render --frozen | grep 'image: '

title "diff: desired against live, here all is new"
run windlass diff --create-namespace | head -n 60 || [ $? = 141 ]

title "deploy: apply in order, wait, record"
run windlass deploy --yes --frozen --create-namespace

title "deploy again: nothing to do, nothing written"
run windlass deploy --yes --frozen

title "change: more replicas, another page, a new password, no greeting"
sed -i 's/replicaCount: 2/replicaCount: 3/; s/Welcome/Welcome back/' values.yaml
printf 'greeting:\n  enabled: false\nsessions:\n  password: changed-in-the-demo\n' >> values.yaml
commit "more replicas"
run windlass diff --exit-code || [ $? = 3 ]
run windlass deploy --yes --frozen

title "inspect and list"
run windlass inspect
run windlass list --all-namespaces

title "delete: everything the app owns, in reverse"
run windlass delete --yes
run windlass list --all-namespaces
title "done"
