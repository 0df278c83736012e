// Package fates tests that pods and claims of a testbed end as README.md says:
//
//	tests/testbed/testbed run -- sh -c 'cd tests/testbed && go test ./fates'
package fates

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func TestPodsEndAsTheirLabelsSay(t *testing.T) {
	client, namespace := setUp(t)
	for _, c := range []struct {
		name          string
		labels        map[string]string
		annotations   map[string]string
		restartPolicy corev1.RestartPolicy
		want          string
	}{
		{"runs", nil, nil, corev1.RestartPolicyAlways, "Running ready"},
		{"completes", nil, nil, corev1.RestartPolicyNever, "Succeeded Completed"},
		{"fails", label("job", "fail"), nil, corev1.RestartPolicyOnFailure, "Failed Error"},
		{"stuck", label("stuck", "true"), nil, corev1.RestartPolicyAlways, "Pending"},
		{"image-pull", label("image-pull", "fail"), nil, corev1.RestartPolicyAlways, "Pending ImagePullBackOff"},
		{"crash", label("crash", "loop"), nil, corev1.RestartPolicyAlways, "Running CrashLoopBackOff"},
		{"late", nil, label("ready-after", "2s"), corev1.RestartPolicyAlways, "Running ready"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pods, begin := client.CoreV1().Pods(namespace), time.Now()
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: c.name, Labels: c.labels, Annotations: c.annotations},
				Spec: corev1.PodSpec{
					RestartPolicy: c.restartPolicy,
					Containers:    []corev1.Container{{Name: "main", Image: "example.invalid/main:1"}},
				},
			}
			if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			await(t, c.want, func(ctx context.Context) (string, error) {
				pod, err := pods.Get(ctx, c.name, metav1.GetOptions{})
				return summary(pod), err
			})
			if c.name == "late" && time.Since(begin) < time.Second {
				t.Error("was ready too early")
			}
			if c.name != "runs" {
				time.Sleep(3 * time.Second) // and stays so
				pod, err := pods.Get(t.Context(), c.name, metav1.GetOptions{})
				if got := summary(pod); err != nil || got != c.want {
					t.Errorf("became %q later, want %q (%v)", got, c.want, err)
				}
			}
		})
	}
}

func TestStuckDeletionEndsWhenTheLabelGoes(t *testing.T) {
	client, namespace := setUp(t)
	pods := client.CoreV1().Pods(namespace)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "undying", Labels: label("delete", "stuck")},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "example.invalid/main:1"}}},
	}
	if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	state := func(ctx context.Context) (string, error) {
		list, err := pods.List(ctx, metav1.ListOptions{})
		if err != nil || len(list.Items) == 0 {
			return "gone", err
		}
		return summary(&list.Items[0]), nil
	}
	await(t, "Running ready", state)
	if err := pods.Delete(t.Context(), "undying", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	await(t, "Running ready", state)
	live, err := pods.Get(t.Context(), "undying", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	live.Labels = nil
	if _, err := pods.Update(t.Context(), live, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "gone", state)
}

func TestClaimsOfTheDefaultClassAreBound(t *testing.T) {
	client, namespace := setUp(t)
	claims := client.CoreV1().PersistentVolumeClaims(namespace)
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			},
		},
	}
	if _, err := claims.Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	volume := ""
	await(t, "Bound", func(ctx context.Context) (string, error) {
		claim, err := claims.Get(ctx, "data", metav1.GetOptions{})
		volume = claim.Spec.VolumeName
		return string(claim.Status.Phase), err
	})
	if err := claims.Delete(t.Context(), "data", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "0 volumes", func(ctx context.Context) (string, error) {
		list, err := client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + volume})
		return fmt.Sprintf("%d volumes", len(list.Items)), err
	})
}

// setUp returns a client and a namespace that goes away after the test.
func setUp(t *testing.T) (kubernetes.Interface, string) {
	t.Helper()
	path := os.Getenv("WINDLASS_TEST_KUBECONFIG")
	if path == "" || os.Getenv("WINDLASS_TEST_AUDIT_LOG") == "" {
		t.Skip("needs a testbed, see the head of this file")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	namespaces := client.CoreV1().Namespaces()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "fates-"}}
	if namespace, err = namespaces.Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = namespaces.Delete(context.Background(), namespace.Name, metav1.DeleteOptions{})
	})
	await(t, "there", func(ctx context.Context) (string, error) {
		_, err := client.CoreV1().ServiceAccounts(namespace.Name).Get(ctx, "default", metav1.GetOptions{})
		if err != nil {
			return err.Error(), nil
		}
		return "there", nil
	})
	return client, namespace.Name
}

// summary is the phase of a pod and the state of its first container.
func summary(pod *corev1.Pod) string {
	text := string(pod.Status.Phase)
	for _, status := range pod.Status.ContainerStatuses {
		switch state := status.State; {
		case state.Waiting != nil:
			return text + " " + state.Waiting.Reason
		case state.Terminated != nil:
			return text + " " + state.Terminated.Reason
		case status.Ready:
			return text + " ready"
		}
	}
	return text
}

// await repeats `state` until it is as wanted.
func await(t *testing.T, want string, state func(context.Context) (string, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		got, err := state(ctx)
		if err == nil && got == want {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("is %q, want %q (%v)", got, want, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func label(name, value string) map[string]string {
	return map[string]string{"windlass.test/" + name: value}
}
