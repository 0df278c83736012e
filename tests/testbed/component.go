package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // time zones of CronJobs

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/lifecycle"
)

// runComponent turns this process into one component, as if its own binary had been started.
func runComponent(name string, args []string) int {
	os.Args = append([]string{name}, args...)
	switch name {
	case "etcd", "kwok", "registry":
		// cobra adds the global flags to every command; those of Kubernetes are not for these.
		pflag.CommandLine = pflag.NewFlagSet(name, pflag.ContinueOnError)
	}
	switch name {
	case "etcd":
		return exitStatus(runEtcd(args))
	case "kube-apiserver":
		return cli.Run(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		return cli.Run(controllermanager.NewControllerManagerCommand())
	case "kube-scheduler":
		return cli.Run(scheduler.NewSchedulerCommand())
	case "kwok":
		return exitStatus(runKwok())
	case "registry":
		return exitStatus(registry.RootCmd.Execute())
	}
	return exitStatus(fmt.Errorf("no component `%s`", name))
}

func exitStatus(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	return 0
}

// runEtcd runs a single-member etcd. Its data does not outlive the testbed, so that nothing is
// synced to disk.
func runEtcd(args []string) error {
	command := &cobra.Command{Use: "etcd", SilenceUsage: true, SilenceErrors: true}
	dir := command.Flags().String("data-dir", "", "where the data goes")
	client := command.Flags().String("client-url", "", "URL for clients")
	peer := command.Flags().String("peer-url", "", "URL for other members")
	command.RunE = func(*cobra.Command, []string) error {
		clientURL, err := url.Parse(*client)
		if err != nil {
			return err
		}
		peerURL, err := url.Parse(*peer)
		if err != nil {
			return err
		}
		config := embed.NewConfig()
		config.Dir = *dir
		config.LogLevel = "error" // "warn" has a line for each request
		config.UnsafeNoFsync = true
		config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*clientURL}, []url.URL{*clientURL}
		config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peerURL}, []url.URL{*peerURL}
		config.InitialCluster = config.InitialClusterFromName(config.Name)
		etcd, err := embed.StartEtcd(config)
		if err != nil {
			return err
		}
		defer etcd.Close()
		select {
		case err := <-etcd.Err():
			return err
		case <-untilSignal().Done():
			return nil
		}
	}
	command.SetArgs(args)
	return command.Execute()
}

// runKwok does what kwok's own main function does.
func runKwok() error {
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ := kwoklog.InitFlags(untilSignal(), flags)
	ctx, err := kwokconfig.InitFlags(ctx, flags)
	if err != nil {
		return err
	}
	if err := warmKwok(ctx); err != nil {
		return err
	}
	command := kwok.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(flags)
	return command.ExecuteContext(ctx)
}

// warmKwok matches one stage with one object of each type that kwok handles. Matching fills maps of
// the easycel module that are global and without a lock; when the controllers for nodes, pods and
// the rest do it at the same time, kwok 0.8 may die of "concurrent map writes".
func warmKwok(ctx context.Context) error {
	stages := kwokconfig.FilterWithTypeFromContext[*internalversion.Stage](ctx)
	for _, object := range []any{&corev1.Node{}, &corev1.Pod{}, &unstructured.Unstructured{Object: map[string]any{}}} {
		cycle, err := lifecycle.NewLifecycle(stages[:min(1, len(stages))])
		if err != nil {
			return err
		}
		if _, err := cycle.Match(ctx, &lifecycle.Event{Data: object}); err != nil {
			return err
		}
	}
	return nil
}

func untilSignal() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	return ctx
}
