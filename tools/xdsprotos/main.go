// xdsprotos prints Envoy's protocol definitions as .proto files.
//
// Envoy publishes its API as generated Go code without the sources, but that code carries the exact descriptors. This
// program takes the files named in roots and all that they import, clears the options that only annotate (validation,
// versioning, sensitivity) together with the imports that exist for them, and prints the rest. What is left has the
// same wire format and needs nothing but protobuf's own well-known types.
//
// Usage: xdsprotos DIRECTORY
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stats/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/jhump/protoreflect/desc"
	"github.com/jhump/protoreflect/desc/protoprint"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// The messages that src/traffic and src/xds use.
var roots = []string{
	"envoy/config/cluster/v3/cluster.proto",
	"envoy/config/endpoint/v3/endpoint.proto",
	"envoy/config/listener/v3/listener.proto",
	"envoy/config/route/v3/route.proto",
	"envoy/extensions/access_loggers/stats/v3/stats.proto",
	"envoy/extensions/access_loggers/stream/v3/stream.proto",
	"envoy/extensions/filters/http/lua/v3/lua.proto",
	"envoy/extensions/filters/http/router/v3/router.proto",
	"envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
	"envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
	"envoy/service/discovery/v3/ads.proto",
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: xdsprotos DIRECTORY")
	}
	files, err := collect(roots)
	if err != nil {
		log.Fatal(err)
	}
	printed, err := printAll(files, os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d files in %s\n", printed, os.Args[1])
}

// collect returns the bare descriptors of the named files and of everything they need, imports first.
func collect(names []string) ([]*descriptorpb.FileDescriptorProto, error) {
	var files []*descriptorpb.FileDescriptorProto
	seen := map[string]bool{}
	var visit func(file protoreflect.FileDescriptor)
	visit = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] || isAnnotation(file.Path()) {
			return
		}
		seen[file.Path()] = true
		for i := 0; i < file.Imports().Len(); i++ {
			visit(file.Imports().Get(i).FileDescriptor)
		}
		files = append(files, strip(protodesc.ToFileDescriptorProto(file)))
	}
	for _, name := range names {
		file, err := protoregistry.GlobalFiles.FindFileByPath(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		visit(file)
	}
	return files, nil
}

func isAnnotation(path string) bool {
	for _, prefix := range []string{"validate/", "udpa/annotations/", "xds/annotations/", "envoy/annotations/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return path == "google/api/annotations.proto" || path == "google/api/http.proto"
}

// strip removes every option that does not change the wire format or the generated C++ names.
func strip(file *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	if strings.HasPrefix(file.GetName(), "google/protobuf/") {
		return file
	}
	var imports []string
	var public []int32
	isPublic := map[int32]bool{}
	for _, index := range file.PublicDependency {
		isPublic[index] = true
	}
	for i, path := range file.Dependency {
		if isAnnotation(path) {
			continue
		}
		if isPublic[int32(i)] {
			public = append(public, int32(len(imports)))
		}
		imports = append(imports, path)
	}
	file.Dependency, file.PublicDependency, file.WeakDependency = imports, public, nil
	file.Options, file.SourceCodeInfo = nil, nil
	for _, message := range file.MessageType {
		stripMessage(message)
	}
	for _, enum := range file.EnumType {
		stripEnum(enum)
	}
	for _, service := range file.Service {
		service.Options = nil
		for _, method := range service.Method {
			method.Options = nil
		}
	}
	return file
}

func stripMessage(message *descriptorpb.DescriptorProto) {
	// map_entry says what the nested type is, and packed how its bytes look; everything else annotates.
	if entry := message.GetOptions().GetMapEntry(); entry {
		message.Options = &descriptorpb.MessageOptions{MapEntry: &entry}
	} else {
		message.Options = nil
	}
	for _, field := range message.Field {
		if options := field.GetOptions(); options != nil && options.Packed != nil {
			field.Options = &descriptorpb.FieldOptions{Packed: options.Packed}
		} else {
			field.Options = nil
		}
	}
	for _, oneof := range message.OneofDecl {
		oneof.Options = nil
	}
	for _, nested := range message.NestedType {
		stripMessage(nested)
	}
	for _, enum := range message.EnumType {
		stripEnum(enum)
	}
}

func stripEnum(enum *descriptorpb.EnumDescriptorProto) {
	if alias := enum.GetOptions().GetAllowAlias(); alias {
		enum.Options = &descriptorpb.EnumOptions{AllowAlias: &alias}
	} else {
		enum.Options = nil
	}
	for _, value := range enum.Value {
		value.Options = nil
	}
}

// printAll writes every file but protobuf's own well-known types below directory.
func printAll(files []*descriptorpb.FileDescriptorProto, directory string) (int, error) {
	built := map[string]*desc.FileDescriptor{}
	printer := &protoprint.Printer{}
	printed := 0
	for _, file := range files {
		imports := make([]*desc.FileDescriptor, 0, len(file.Dependency))
		for _, path := range file.Dependency {
			imports = append(imports, built[path])
		}
		descriptor, err := desc.CreateFileDescriptor(file, imports...)
		if err != nil {
			return printed, fmt.Errorf("%s: %w", file.GetName(), err)
		}
		built[file.GetName()] = descriptor
		if strings.HasPrefix(file.GetName(), "google/protobuf/") {
			continue
		}
		text, err := printer.PrintProtoToString(descriptor)
		if err != nil {
			return printed, fmt.Errorf("%s: %w", file.GetName(), err)
		}
		path := filepath.Join(directory, file.GetName())
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return printed, err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return printed, err
		}
		printed++
	}
	return printed, nil
}
