#!/usr/bin/env bash
# The demo: from the repository of a service to the cluster, with the output a user sees.
#
# It works on copies of `demo-service-repository/` and `config-repository/`, against the cluster of
# KUBECONFIG and the registry of WINDLASS_TEST_REGISTRY, both of which `tests/testbed/testbed run`
# provides. buildah builds the image where it is installed; else one of the testbed is resolved.
set -euo pipefail
cd "$(dirname "$0")/.."
repo=$PWD
: "${KUBECONFIG:?start it with \`make demo\`}" "${WINDLASS_TEST_REGISTRY:?start it with \`make demo\`}"
PATH="$repo/target/release:$PATH"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$repo/config-repository" "$repo/demo-service-repository" "$work/"
cd "$work"

title() { printf '\n\033[1;36m== %s\033[0m\n' "$*"; }
run() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }
commit() { git -c user.name=demo -c user.email=demo@example.com commit -qam "$1"; }

# The committed repositories name a registry that does not exist; the demo has a real one on loopback.
sed -i "s/registry.example.com/$WINDLASS_TEST_REGISTRY/" config-repository/values.yaml \
  config-repository/umbrella-chart/values.yaml demo-service-repository/kbld.yaml
sed -i "s,docker.io/library/nginx:1.29-alpine,$WINDLASS_TEST_REGISTRY/library/nginx:1.29," demo-service-repository/Dockerfile
# Likewise the chart that the umbrella needs twice: it comes from the registry, no more from a folder.
sed -i "s,file://../packages/cache,oci://$WINDLASS_TEST_REGISTRY/charts," config-repository/umbrella-chart/Chart.yaml
rm config-repository/umbrella-chart/{Chart.lock,charts/*.tgz}
for image in library/nginx:1.29 library/memcached:1.6.39; do
  "$repo/tests/testbed/testbed" push "$WINDLASS_TEST_REGISTRY/$image" >/dev/null
done
for folder in config-repository demo-service-repository; do
  git -C $folder init -qb demo && git -C $folder add -A
  (cd $folder && commit "the demo begins")
done
git -C demo-service-repository remote add origin https://git.example.com/demo/demo-service.git
git clone -q --bare config-repository config.git
rm -rf config-repository

title "the service: build its image, push it, lock its digest"
cd demo-service-repository
if command -v buildah >/dev/null; then
  # No daemon, nothing outside of this folder, and plain http to the registry on loopback.
  export BUILDAH_ISOLATION=chroot CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_REGISTRIES_CONF=$work/registries.conf
  printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$work" "$work" >"$CONTAINERS_STORAGE_CONF"
  printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$WINDLASS_TEST_REGISTRY" >"$CONTAINERS_REGISTRIES_CONF"
  run windlass lock build -f kbld.yaml --builder buildah -o demo-service.kbld.lock.yml
else
  echo "(There is no buildah here, so the image is not built but taken from the testbed.)"
  "$repo/tests/testbed/testbed" push "$WINDLASS_TEST_REGISTRY/demo/demo-service:1.0" >/dev/null
  run windlass lock resolve "demo-service=$WINDLASS_TEST_REGISTRY/demo/demo-service:1.0" -o demo-service.kbld.lock.yml
fi
run cat demo-service.kbld.lock.yml

title "publish: the lock goes to the config repository, as a commit"
run windlass lock publish demo-service.kbld.lock.yml --config-repo ../config.git
cd ..
git clone -q config.git config-repository
cd config-repository
run git log -1 --format=%B

title "deps: the charts of the umbrella, from the registry, locked by content"
run windlass chart push packages/cache "oci://$WINDLASS_TEST_REGISTRY/charts"
run windlass deps update
run cat umbrella-chart/Chart.lock umbrella-chart/Chart.sum
git add -A; commit "lock the charts"

title "a chart that was tampered with is refused, and restored"
echo "# tampered" >> packages/cache/values.yaml
windlass chart package packages/cache -d umbrella-chart/charts >/dev/null
git checkout -q packages
code=0
run windlass render || code=$?
[ $code = 7 ]
run windlass deps build --offline

title "render: chart and values to manifests, as helm template does"
run windlass render --output-dir .release

title "lock: every other image of the render, resolved at its registry"
run windlass lock
run cat app-locks/my-app.lock.yml
git add -A; commit "lock every image"
printf '\n\033[1m$ %s\033[0m\n' "windlass render --frozen | grep image:"
windlass render --frozen | grep 'image: '

run windlass lock verify

title "diff: desired against live, here all is new"
run windlass diff --create-namespace | head -n 60 || [ $? = 141 ]

title "deploy: apply in order, wait, record"
run windlass deploy --yes --create-namespace

title "deploy again: nothing to do, nothing written"
run windlass deploy --yes

title "change: more replicas, another page, a new password, no greeting"
sed -i 's/replicaCount: 2/replicaCount: 3/; s/Welcome/Welcome back/' values.yaml
printf 'greeting:\n  enabled: false\nsessions:\n  password: changed-in-the-demo\n' >> values.yaml
commit "more replicas"
run windlass diff --exit-code || [ $? = 3 ]
run windlass deploy --yes

title "a rollout that cannot succeed: each pod wants more processors than a node has"
run windlass deploy --yes --wait-timeout 5s --set demo-service.resources.requests.cpu=5000 || [ $? = 6 ]

title "Ctrl-C in the middle of a deploy, and the next one goes on from there"
printf '\n\033[1m$ %s\033[0m\n' "windlass deploy --yes --set demo-service.resources.requests.cpu=6000"
windlass deploy --yes --set demo-service.resources.requests.cpu=6000 2>&1 | tee interrupted.log &
until grep -q '^updated' interrupted.log 2>/dev/null; do sleep 0.1; done
kill -INT "$(pgrep -P $$ -x windlass)"
wait $! || [ $? = 130 ]
rm interrupted.log
run windlass deploy --yes

title "inspect and list"
run windlass inspect
run windlass inspect --images
run windlass list --all-namespaces

title "delete: everything the app owns, in reverse"
run windlass delete --yes
run windlass list --all-namespaces
title "done"
