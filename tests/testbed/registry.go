package main

import (
	"context"
	"crypto/x509/pkix"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/crypto/bcrypt"
)

// The one user of the registry that asks for a password.
const (
	registryUser     = "windlass"
	registryPassword = "testbed"
)

// startRegistry starts a distribution registry on loopback, with basic authentication if `auth`, and
// with TLS if there is an authority to sign its certificate. Returns HOST:PORT.
func (t *testbed) startRegistry(name string, auth bool, ca *authority) (string, error) {
	address, err := freeAddress()
	if err != nil {
		return "", err
	}
	config := fmt.Sprintf(`version: 0.1
log:
  level: warn
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: %q
  delete:
    enabled: true
http:
  addr: %s
  secret: testbed
`, filepath.Join(t.data, name), address)
	if ca != nil {
		certificate, err := ca.issue(pkix.Name{CommonName: name})
		if err != nil {
			return "", err
		}
		if err := ca.write(name, certificate); err != nil {
			return "", err
		}
		file := filepath.Join(ca.dir, name)
		config += fmt.Sprintf("  tls:\n    certificate: %q\n    key: %q\n", file+".crt", file+".key")
	}
	if auth {
		hash, err := bcrypt.GenerateFromPassword([]byte(registryPassword), bcrypt.MinCost)
		if err != nil {
			return "", err
		}
		users := filepath.Join(t.data, name+".htpasswd")
		if err := os.WriteFile(users, fmt.Appendf(nil, "%s:%s\n", registryUser, hash), 0o600); err != nil {
			return "", err
		}
		config += fmt.Sprintf("auth:\n  htpasswd:\n    realm: testbed\n    path: %q\n", users)
	}
	path := filepath.Join(t.data, name+".yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return "", err
	}
	env := []string{"OTEL_TRACES_EXPORTER=none"}
	return address, t.group.start(name, "registry", env, "serve", path)
}

// awaitRegistry waits until the registry listens.
func (t *testbed) awaitRegistry(ctx context.Context, address string) error {
	return t.await(ctx, "registry "+address, func() error {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
		}
		return err
	})
}

// freeAddress returns a free port of 127.0.0.1. It keeps away from the range from which the kernel
// takes the ports of outgoing connections, so that none of them can take it before its server does.
func freeAddress() (string, error) {
	for range 200 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		if listener, err := net.Listen("tcp", address); err == nil {
			return address, listener.Close()
		}
	}
	return "", fmt.Errorf("no free port between 20000 and 32000")
}
