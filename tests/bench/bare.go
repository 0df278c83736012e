// The least that creating objects takes: server-side applies of n ConfigMaps, 32 at a time, over one connection,
// with nothing read before, nothing waited for and nothing recorded. The measure for `deploy`.
//
//	go run bare.go KUBECONFIG NAMESPACE N
//
// Prints the seconds from the first request to the last answer.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"sync"
	"time"
)

const workers = 32

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: bare KUBECONFIG NAMESPACE N")
	}
	config, err := os.ReadFile(os.Args[1])
	check(err)
	count, err := strconv.Atoi(os.Args[3])
	check(err)
	client := connect(config)
	base := field(config, "server") + "/api/v1/namespaces"
	apply(client, base+"/"+os.Args[2], "Namespace", os.Args[2], "")

	names := make(chan int)
	var done sync.WaitGroup
	started := time.Now()
	for range workers {
		done.Go(func() {
			for n := range names {
				name := fmt.Sprintf("config-%d", n)
				path := base + "/" + os.Args[2] + "/configmaps/" + name
				apply(client, path, "ConfigMap", name, fmt.Sprintf(`,"data":{"key":"value %d"}`, n))
			}
		})
	}
	for n := range count {
		names <- n
	}
	close(names)
	done.Wait()
	fmt.Printf("%.3f\n", time.Since(started).Seconds())
}

func apply(client *http.Client, path, kind, name, rest string) {
	body := fmt.Sprintf(`{"apiVersion":"v1","kind":%q,"metadata":{"name":%q}%s}`, kind, name, rest)
	request, err := http.NewRequest("PATCH", path+"?fieldManager=bare&force=true", bytes.NewBufferString(body))
	check(err)
	request.Header.Set("Content-Type", "application/apply-patch+yaml")
	answer, err := client.Do(request)
	check(err)
	text, err := io.ReadAll(answer.Body)
	check(err)
	check(answer.Body.Close())
	if answer.StatusCode > 299 {
		log.Fatalf("%s: %s", path, text)
	}
}

func connect(config []byte) *http.Client {
	pair, err := tls.X509KeyPair(decoded(config, "client-certificate-data"), decoded(config, "client-key-data"))
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(decoded(config, "certificate-authority-data"))
	settings := &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true}}
}

func decoded(config []byte, key string) []byte {
	bytes, err := base64.StdEncoding.DecodeString(field(config, key))
	check(err)
	return bytes
}

// field finds a key of a kubeconfig with one cluster and one user, as the testbed writes it.
func field(config []byte, key string) string {
	found := regexp.MustCompile(`(?m)^\s*` + key + `: *(\S+)$`).FindSubmatch(config)
	if found == nil {
		log.Fatalf("the kubeconfig has no %s", key)
	}
	return string(found[1])
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
