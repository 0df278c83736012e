package main

import (
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// How long a start may take on a machine that is busy with other things.
const patience = 3 * time.Minute

const nodeName = "node-1"

//go:embed stages.yaml
var stages []byte

//go:embed audit.yaml
var auditPolicy []byte

// testbed is one control plane with its registries, all in one folder.
type testbed struct {
	dir   string // what the user gets: kubeconfigs, env, audit.log, log/
	data  string // what the components keep
	group *group

	kubeconfig, nobody, auditLog string
	registry, registryAuth       string
	registryTLS, registryCA      string
}

func newTestbed(dir string) (*testbed, error) {
	t := &testbed{dir: dir, data: filepath.Join(dir, "data"), group: newGroup(filepath.Join(dir, "log"))}
	for _, folder := range []string{t.data, t.group.logs} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// start brings everything up and returns when it can be used. An existing kubeconfig is used
// instead of a control plane of our own.
func (t *testbed) start(ctx context.Context, kubeconfig string) error {
	var err error
	if t.registry, err = t.startRegistry("registry", false, nil); err != nil {
		return err
	}
	if t.registryAuth, err = t.startRegistry("registry-auth", true, nil); err != nil {
		return err
	}
	ca, err := newAuthority(filepath.Join(t.data, "registry-pki"))
	if err != nil {
		return err
	}
	t.registryCA = filepath.Join(ca.dir, "ca.crt")
	if t.registryTLS, err = t.startRegistry("registry-tls", true, ca); err != nil {
		return err
	}
	if kubeconfig != "" {
		t.kubeconfig = kubeconfig
	} else if err := t.startControlPlane(ctx); err != nil {
		return err
	}
	for _, address := range []string{t.registry, t.registryAuth, t.registryTLS} {
		if err := t.awaitRegistry(ctx, address); err != nil {
			return err
		}
	}
	return nil
}

func (t *testbed) startControlPlane(ctx context.Context) error {
	ca, err := newAuthority(filepath.Join(t.data, "pki"))
	if err != nil {
		return err
	}
	var addresses [4]string
	for i := range addresses {
		if addresses[i], err = freeAddress(); err != nil {
			return err
		}
	}
	etcd, peer, api, kubelet := "http://"+addresses[0], "http://"+addresses[1], addresses[2], addresses[3]
	server := "https://" + api
	if err := t.group.start("etcd", "etcd", nil, "--data-dir", filepath.Join(t.data, "etcd"),
		"--client-url", etcd, "--peer-url", peer); err != nil {
		return err
	}
	if err := t.startAPIServer(ca, api, etcd); err != nil {
		return err
	}

	users, err := t.writeKubeconfigs(ca, server)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(users, "testbed"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	err = t.await(ctx, "kube-apiserver", func() error {
		_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err
	})
	if err != nil {
		return err
	}

	if err := t.startControllers(ca, users, kubelet); err != nil {
		return err
	}
	if err := t.createObjects(ctx, client); err != nil {
		return err
	}
	err = t.await(ctx, "node "+nodeName, func() error {
		node, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return errors.New("not ready")
	})
	if err != nil {
		return err
	}
	return t.await(ctx, "service account default/default", func() error {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func (t *testbed) startAPIServer(ca *authority, address, etcd string) error {
	pki := func(name string) string { return filepath.Join(ca.dir, name) }
	serving, err := ca.issue(pkix.Name{CommonName: "kube-apiserver"})
	if err != nil {
		return err
	}
	tokens, err := ca.issue(pkix.Name{CommonName: "service-accounts"})
	if err != nil {
		return err
	}
	if err := errors.Join(ca.write("server", serving), ca.write("service-accounts", tokens)); err != nil {
		return err
	}
	policy := filepath.Join(t.data, "audit.yaml")
	if err := os.WriteFile(policy, auditPolicy, 0o600); err != nil {
		return err
	}
	t.auditLog = filepath.Join(t.dir, "audit.log")
	_, port, _ := strings.Cut(address, ":")
	return t.group.start("kube-apiserver", "kube-apiserver", nil,
		"--etcd-servers="+etcd,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port="+port,
		"--endpoint-reconciler-type=none",
		"--cert-dir="+ca.dir,
		"--tls-cert-file="+pki("server.crt"),
		"--tls-private-key-file="+pki("server.key"),
		"--client-ca-file="+pki("ca.crt"),
		"--token-auth-file="+pki("tokens.csv"),
		"--authorization-mode=RBAC",
		// Loopback too: what the API server sends to a Service (webhooks, aggregated APIs) must not
		// leave the machine, and nothing answers there.
		"--service-cluster-ip-range=127.96.0.0/16",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-signing-key-file="+pki("service-accounts.key"),
		"--service-account-key-file="+pki("service-accounts.crt"),
		"--kubelet-preferred-address-types=InternalIP",
		"--allow-privileged=true",
		"--disable-admission-plugins=TaintNodesByCondition", // nothing would remove the taint
		"--profiling=false",
		"--audit-policy-file="+policy,
		"--audit-log-path="+t.auditLog,
	)
}

// writeKubeconfigs writes those for the user and those for the components, and returns the folder
// of the latter.
func (t *testbed) writeKubeconfigs(ca *authority, server string) (string, error) {
	users := filepath.Join(t.data, "kubeconfig")
	t.kubeconfig = filepath.Join(t.dir, "kubeconfig")
	t.nobody = filepath.Join(t.dir, "nobody.kubeconfig")
	certificates := map[string]string{
		t.kubeconfig: "admin",
		filepath.Join(users, "kube-controller-manager"): "system:kube-controller-manager",
		filepath.Join(users, "kube-scheduler"):          "system:kube-scheduler",
		filepath.Join(users, "kwok"):                    "kwok",
		filepath.Join(users, "testbed"):                 "testbed",
	}
	for path, name := range certificates {
		client, err := ca.issue(pkix.Name{CommonName: name, Organization: []string{"system:masters"}})
		if err != nil {
			return "", err
		}
		user := &clientcmdapi.AuthInfo{ClientCertificateData: client.cert, ClientKeyData: client.key}
		if err := ca.writeKubeconfig(path, server, user); err != nil {
			return "", err
		}
	}
	return users, ca.writeKubeconfig(t.nobody, server, &clientcmdapi.AuthInfo{Token: ca.nobodyToken})
}

func (t *testbed) startControllers(ca *authority, users, kubelet string) error {
	pki := func(name string) string { return filepath.Join(ca.dir, name) }
	err := t.group.start("kube-controller-manager", "kube-controller-manager", nil,
		"--kubeconfig="+filepath.Join(users, "kube-controller-manager"),
		"--secure-port=0",
		"--leader-elect=false",
		// Nobody renews the node's lease: on a machine that sleeps or is overloaded it would
		// expire and all pods would turn unready in the middle of a test.
		"--controllers=*,-node-lifecycle-controller",
		"--service-account-private-key-file="+pki("service-accounts.key"),
		"--root-ca-file="+pki("ca.crt"),
		"--cluster-signing-cert-file="+pki("ca.crt"),
		"--cluster-signing-key-file="+pki("ca.key"),
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
	)
	if err != nil {
		return err
	}
	err = t.group.start("kube-scheduler", "kube-scheduler", nil,
		"--kubeconfig="+filepath.Join(users, "kube-scheduler"),
		"--secure-port=0",
		"--leader-elect=false",
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
	)
	if err != nil {
		return err
	}
	podLog := filepath.Join(t.data, "pod.log")
	if err := os.WriteFile(podLog, []byte(podLogText), 0o600); err != nil {
		return err
	}
	config := filepath.Join(t.data, "kwok.yaml")
	text := strings.ReplaceAll(string(stages), "POD_LOG", podLog)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	_, port, _ := strings.Cut(kubelet, ":")
	return t.group.start("kwok", "kwok", []string{"KWOK_WORKDIR=" + filepath.Join(t.data, "kwok")},
		"--kubeconfig="+filepath.Join(users, "kwok"),
		"--config="+config,
		"--v=WARN",
		"--manage-all-nodes=true",
		"--node-ip=127.0.0.1",
		"--node-port="+port,
		"--server-address="+kubelet,
		"--tls-cert-file="+pki("server.crt"),
		"--tls-private-key-file="+pki("server.key"),
	)
}

// What every container of every pod has logged.
const podLogText = `2026-01-01T00:00:00.000000000Z stdout F starting
2026-01-01T00:00:01.000000000Z stderr F warning: this container is a simulation
2026-01-01T00:00:02.000000000Z stdout F ready
`

// createObjects makes what a cluster has on its first day: a node and a default storage class.
func (t *testbed) createObjects(ctx context.Context, client kubernetes.Interface) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: nodeName,
		Labels: map[string]string{
			"kubernetes.io/hostname": nodeName,
			"kubernetes.io/os":       "linux",
			"kubernetes.io/arch":     "amd64",
		},
	}}
	if _, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); ignoreExists(err) != nil {
		return err
	}
	class := &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "standard",
			Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		Provisioner: "volumes.windlass.test", // played by a stage of kwok
	}
	_, err := client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{})
	return ignoreExists(err)
}

func ignoreExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// await repeats `check` until it returns nil. It ends early when a component dies.
func (t *testbed) await(ctx context.Context, what string, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case p := <-t.group.died:
			return p.failure()
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w (logs in %s)", what, errors.Join(context.Cause(ctx), err), t.group.logs)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// variables are what a test needs to know, in a stable order.
func (t *testbed) variables() [][2]string {
	all := [][2]string{
		{"WINDLASS_TEST_DIR", t.dir},
		{"KUBECONFIG", t.kubeconfig},
		{"WINDLASS_TEST_KUBECONFIG", t.kubeconfig},
		{"WINDLASS_TEST_NOBODY_KUBECONFIG", t.nobody},
		{"WINDLASS_TEST_AUDIT_LOG", t.auditLog},
		{"WINDLASS_TEST_REGISTRY", t.registry},
		{"WINDLASS_TEST_REGISTRY_AUTH", t.registryAuth},
		{"WINDLASS_TEST_REGISTRY_TLS", t.registryTLS},
		{"WINDLASS_TEST_REGISTRY_CA", t.registryCA},
		{"WINDLASS_ORACLE_HELM", os.Getenv("WINDLASS_ORACLE_HELM")},
	}
	var set [][2]string
	for _, v := range all {
		if v[1] != "" {
			set = append(set, v)
		}
	}
	return set
}

// stop ends all components and removes what they left. Logs stay in a folder that the user named.
func (t *testbed) stop(removeAll bool) error {
	t.group.stop()
	if removeAll {
		return os.RemoveAll(t.dir)
	}
	return removeState(t.dir)
}

func removeState(dir string) error {
	var failed error
	for _, name := range []string{"env", "kubeconfig", "nobody.kubeconfig", "audit.log", "data"} {
		failed = errors.Join(failed, os.RemoveAll(filepath.Join(dir, name)))
	}
	return failed
}

func randomToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
