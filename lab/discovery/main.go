// Tells Prometheus which pods to scrape: watches pods and writes those that ask for it into a target file.
//
// Debian's Prometheus is built without Kubernetes service discovery. A pod asks by the annotations
// prometheus.io/scrape ("true"), prometheus.io/port and prometheus.io/path (default /metrics).
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"time"
)

type pod struct {
	Metadata struct {
		Name, Namespace, UID, ResourceVersion string
		Labels, Annotations                   map[string]string
	}
	Spec struct {
		Containers []struct{ Name string }
	}
	Status struct{ Phase, PodIP string }
}

type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

var (
	api         = flag.String("api", "", "URL of the API server")
	authority   = flag.String("ca", "", "the authority of its certificate")
	certificate = flag.String("cert", "", "client certificate")
	key         = flag.String("key", "", "client key")
	file        = flag.String("file", "", "the target file to write")
)

func main() {
	flag.Parse()
	client, err := connect()
	if err != nil {
		log.Fatal(err)
	}
	for {
		if err := follow(client); err != nil {
			log.Print(err)
		}
		time.Sleep(time.Second)
	}
}

func connect() (*http.Client, error) {
	trusted, err := os.ReadFile(*authority)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(trusted)
	own, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: settings}}, nil
}

// follow lists all pods, then watches them until the API server ends the watch.
func follow(client *http.Client) error {
	var list struct {
		Metadata struct{ ResourceVersion string }
		Items    []pod
	}
	answer, err := ask(client, "/api/v1/pods")
	if err != nil {
		return err
	}
	err = json.NewDecoder(answer).Decode(&list)
	answer.Close()
	if err != nil {
		return err
	}
	pods := map[string]pod{}
	for _, each := range list.Items {
		pods[each.Metadata.UID] = each
	}
	if err := write(pods); err != nil {
		return err
	}
	events, err := ask(client, "/api/v1/pods?watch=1&timeoutSeconds=300&resourceVersion="+list.Metadata.ResourceVersion)
	if err != nil {
		return err
	}
	defer events.Close()
	decoder := json.NewDecoder(events)
	for {
		var event struct {
			Type   string
			Object pod
		}
		if err := decoder.Decode(&event); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		switch event.Type {
		case "ADDED", "MODIFIED":
			pods[event.Object.Metadata.UID] = event.Object
		case "DELETED":
			delete(pods, event.Object.Metadata.UID)
		default:
			return fmt.Errorf("the watch of pods ended with %s, listing again", event.Type)
		}
		if err := write(pods); err != nil {
			return err
		}
	}
}

func ask(client *http.Client, path string) (io.ReadCloser, error) {
	answer, err := client.Get(*api + path)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("%s answers %s", path, answer.Status)
	}
	return answer.Body, nil
}

// write replaces the target file if its content changes; Prometheus notices by itself.
func write(pods map[string]pod) error {
	targets := []target{}
	for _, each := range pods {
		annotations := each.Metadata.Annotations
		if annotations["prometheus.io/scrape"] != "true" || each.Status.Phase != "Running" || each.Status.PodIP == "" {
			continue
		}
		path := annotations["prometheus.io/path"]
		if path == "" {
			path = "/metrics"
		}
		targets = append(targets, target{
			Targets: []string{each.Status.PodIP + ":" + annotations["prometheus.io/port"]},
			Labels: map[string]string{
				"__metrics_path__": path,
				"namespace":        each.Metadata.Namespace,
				"pod":              each.Metadata.Name,
				"container":        each.Spec.Containers[0].Name,
				"service":          each.Metadata.Labels["app"],
			},
		})
	}
	sort.Slice(targets, func(a, b int) bool { return targets[a].Targets[0] < targets[b].Targets[0] })
	content, err := json.MarshalIndent(targets, "", " ")
	if err != nil {
		return err
	}
	if held, err := os.ReadFile(*file); err == nil && bytes.Equal(held, content) {
		return nil
	}
	fresh := filepath.Join(filepath.Dir(*file), ".fresh")
	if err := os.WriteFile(fresh, content, 0o644); err != nil {
		return err
	}
	return os.Rename(fresh, *file)
}
