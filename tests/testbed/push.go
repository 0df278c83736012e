package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaIndex    = "application/vnd.oci.image.index.v1+json"
	mediaConfig   = "application/vnd.oci.image.config.v1+json"
	mediaLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// descriptor names a blob or manifest, as in the OCI image specification.
type descriptor struct {
	MediaType string         `json:"mediaType"`
	Digest    string         `json:"digest"`
	Size      int            `json:"size"`
	Platform  map[string]any `json:"platform,omitempty"`
}

// push writes an image with one small layer to a registry and prints its digest. Repository and tag
// alone decide its bytes: the same name has the same digest in every registry. Several platforms
// make an index of one image each. With a file of authorities the registry is reached by TLS.
func push(name, user, authorities string, platforms []string) error {
	host, rest, ok := strings.Cut(name, "/")
	colon := strings.LastIndex(rest, ":")
	if !ok || colon < 1 {
		return fmt.Errorf("%w: `%s` is not HOST:PORT/REPOSITORY:TAG", errUsage, name)
	}
	r := repository{base: "http://" + host, name: rest[:colon], user: user, client: http.DefaultClient}
	if authorities != "" {
		text, err := os.ReadFile(authorities)
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		r.base = "https://" + host
		r.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	}
	tag := rest[colon+1:]
	if len(platforms) == 0 {
		platforms = []string{"linux/amd64"}
	}

	var images []descriptor
	for _, platform := range platforms {
		system, arch, ok := strings.Cut(platform, "/")
		if !ok {
			return fmt.Errorf("%w: `%s` is not OS/ARCH", errUsage, platform)
		}
		reference := tag
		if len(platforms) > 1 {
			reference = "" // found through the index
		}
		image, err := r.image(tag, reference, system, arch)
		if err != nil {
			return err
		}
		images = append(images, image)
	}
	result := images[0]
	if len(images) > 1 {
		index := map[string]any{"schemaVersion": 2, "mediaType": mediaIndex, "manifests": images}
		var err error
		if result, err = r.manifest(tag, mediaIndex, index); err != nil {
			return err
		}
	}
	fmt.Println(result.Digest)
	return nil
}

// repository is where an image goes.
type repository struct {
	base, name, user string
	client           *http.Client
}

// image writes layer, config and manifest. Without a reference the manifest is stored by digest.
func (r repository) image(tag, reference, system, arch string) (descriptor, error) {
	content, diff, err := layer(fmt.Sprintf("%s:%s %s/%s\n", r.name, tag, system, arch))
	if err != nil {
		return descriptor{}, err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": arch,
		"os":           system,
		"created":      "1970-01-01T00:00:00Z",
		"config":       map[string]any{"Cmd": []string{"/name"}},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{diff}},
	})
	if err != nil {
		return descriptor{}, err
	}
	layerBlob, err := r.blob(mediaLayer, content)
	if err != nil {
		return descriptor{}, err
	}
	configBlob, err := r.blob(mediaConfig, config)
	if err != nil {
		return descriptor{}, err
	}
	d, err := r.manifest(reference, mediaManifest, map[string]any{
		"schemaVersion": 2,
		"mediaType":     mediaManifest,
		"config":        configBlob,
		"layers":        []descriptor{layerBlob},
	})
	d.Platform = map[string]any{"os": system, "architecture": arch}
	return d, err
}

// layer makes a gzipped archive of one file, and the digest of the archive before compression.
func layer(text string) (content []byte, diff string, err error) {
	var plain, packed bytes.Buffer
	archive := tar.NewWriter(&plain)
	header := &tar.Header{Name: "name", Mode: 0o644, Size: int64(len(text)), ModTime: time.Unix(0, 0)}
	if err := archive.WriteHeader(header); err != nil {
		return nil, "", err
	}
	if _, err := io.WriteString(archive, text); err != nil {
		return nil, "", err
	}
	if err := archive.Close(); err != nil {
		return nil, "", err
	}
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write(plain.Bytes()); err != nil {
		return nil, "", err
	}
	err = writer.Close() // before the bytes are taken
	return packed.Bytes(), digest(plain.Bytes()), err
}

func (r repository) blob(mediaType string, content []byte) (descriptor, error) {
	d := descriptor{MediaType: mediaType, Digest: digest(content), Size: len(content)}
	response, err := r.send(http.MethodPost, r.base+"/v2/"+r.name+"/blobs/uploads/", "", nil)
	if err != nil {
		return d, err
	}
	upload, err := response.Location()
	if err != nil {
		return d, fmt.Errorf("push to %s: %w", r.name, err)
	}
	query := upload.Query()
	query.Set("digest", d.Digest)
	upload.RawQuery = query.Encode()
	_, err = r.send(http.MethodPut, upload.String(), "application/octet-stream", content)
	return d, err
}

func (r repository) manifest(reference, mediaType string, manifest any) (descriptor, error) {
	content, err := json.Marshal(manifest)
	if err != nil {
		return descriptor{}, err
	}
	d := descriptor{MediaType: mediaType, Digest: digest(content), Size: len(content)}
	if reference == "" {
		reference = d.Digest
	}
	target := r.base + "/v2/" + r.name + "/manifests/" + url.PathEscape(reference)
	_, err = r.send(http.MethodPut, target, mediaType, content)
	return d, err
}

func (r repository) send(method, target, mediaType string, body []byte) (*http.Response, error) {
	request, err := http.NewRequest(method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if mediaType != "" {
		request.Header.Set("Content-Type", mediaType)
	}
	if name, password, ok := strings.Cut(r.user, ":"); ok {
		request.SetBasicAuth(name, password)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		return nil, fmt.Errorf("%s %s: %s %s", method, target, response.Status, bytes.TrimSpace(text))
	}
	return response, nil
}

func digest(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }
