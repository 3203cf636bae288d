// deviceplugin RESOURCE=COUNT...: offers devices that do not exist to the kubelet, so that scheduling on accelerators can
// be tested on a machine without one. Device i of nvidia.com/gpu is called "nvidia.com-gpu-i". It is Unhealthy while the
// file $TIDEGATE_SICK_DEVICES/nvidia.com-gpu-i exists. A container finds the names of its devices in the environment
// variable TIDEGATE_DEVICES_NVIDIA_COM_GPU; no device node is handed over.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	kubelet "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

// How often health is looked at, and whether the kubelet still knows us.
const interval = time.Second

type plugin struct {
	kubelet.UnimplementedDevicePluginServer
	resource   string
	count      int
	sickFolder string
}

// fileName is the resource's name without the slash: "nvidia.com-gpu".
func (p *plugin) fileName() string { return strings.ReplaceAll(p.resource, "/", "-") }

func (p *plugin) socketName() string { return "tidegate-" + p.fileName() + ".sock" }

func (p *plugin) variable() string {
	return "TIDEGATE_DEVICES_" + strings.ToUpper(strings.NewReplacer("/", "_", ".", "_", "-", "_").Replace(p.resource))
}

func (p *plugin) devices() []*kubelet.Device {
	devices := make([]*kubelet.Device, p.count)
	for i := range devices {
		device := &kubelet.Device{ID: fmt.Sprintf("%s-%d", p.fileName(), i), Health: kubelet.Healthy}
		if _, err := os.Stat(filepath.Join(p.sickFolder, device.ID)); err == nil {
			device.Health = kubelet.Unhealthy
		}
		devices[i] = device
	}
	return devices
}

func (p *plugin) GetDevicePluginOptions(context.Context, *kubelet.Empty) (*kubelet.DevicePluginOptions, error) {
	return &kubelet.DevicePluginOptions{}, nil
}

// ListAndWatch sends the devices at once and again whenever the health of one has changed.
func (p *plugin) ListAndWatch(_ *kubelet.Empty, stream kubelet.DevicePlugin_ListAndWatchServer) error {
	sent := ""
	for {
		answer := &kubelet.ListAndWatchResponse{Devices: p.devices()}
		if now := answer.String(); now != sent {
			log.Println(p.resource, "devices", now)
			if err := stream.Send(answer); err != nil {
				return err
			}
			sent = now
		}
		select {
		case <-stream.Context().Done():
			return nil
		case <-time.After(interval):
		}
	}
}

func (p *plugin) Allocate(_ context.Context, request *kubelet.AllocateRequest) (*kubelet.AllocateResponse, error) {
	answer := &kubelet.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		log.Println(p.resource, "allocate", container.DevicesIds)
		names := map[string]string{p.variable(): strings.Join(container.DevicesIds, ",")}
		answer.ContainerResponses = append(answer.ContainerResponses, &kubelet.ContainerAllocateResponse{Envs: names})
	}
	return answer, nil
}

func (p *plugin) register(ctx context.Context) error {
	connection, err := grpc.NewClient("unix://"+kubelet.KubeletSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request := &kubelet.RegisterRequest{Version: kubelet.Version, Endpoint: p.socketName(), ResourceName: p.resource}
	_, err = kubelet.NewRegistrationClient(connection).Register(ctx, request)
	return err
}

// serveOnce serves and registers, and returns when the kubelet has removed the socket or ctx is done.
func (p *plugin) serveOnce(ctx context.Context) error {
	path := kubelet.DevicePluginPath + p.socketName()
	os.Remove(path)
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	kubelet.RegisterDevicePluginServer(server, p)
	go server.Serve(listener)
	defer server.Stop()
	if err := p.register(ctx); err != nil {
		return err
	}
	log.Println(p.resource, "registered")
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(interval):
			if _, err := os.Stat(path); err != nil {
				return err
			}
		}
	}
}

// run serves until ctx is done: a kubelet that starts wipes the folder of sockets and forgets every plugin.
func (p *plugin) run(ctx context.Context) {
	for ctx.Err() == nil {
		log.Println(p.resource, "again:", p.serveOnce(ctx))
		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
}

func parse(argument string) *plugin {
	resource, text, _ := strings.Cut(argument, "=")
	count, err := strconv.Atoi(text)
	if resource == "" || err != nil || count < 0 {
		log.Fatalf("%q is not RESOURCE=COUNT, for example nvidia.com/gpu=2", argument)
	}
	return &plugin{resource: resource, count: count, sickFolder: os.Getenv("TIDEGATE_SICK_DEVICES")}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var plugins []*plugin
	for _, argument := range os.Args[1:] {
		plugins = append(plugins, parse(argument))
	}
	var running sync.WaitGroup
	for _, p := range plugins {
		running.Add(1)
		go func() {
			defer running.Done()
			p.run(ctx)
		}()
	}
	running.Wait()
}
