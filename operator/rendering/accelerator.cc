#include "operator/rendering/accelerator.h"

namespace tidegate::operator_ {
namespace {

// The label by which the vendor's node feature discovery, or the cloud, names the model of a device.
std::string product_label(const std::string& resource) {
  if (resource == "google.com/tpu") return "cloud.google.com/gke-tpu-accelerator";
  if (resource.starts_with("amd.com/")) return "amd.com/gpu.product-name";
  return "nvidia.com/gpu.product";  // MIG slices too: nvidia.com/mig-…
}

std::string resource_of(const api::AcceleratorSpec& spec) {
  if (!spec.resource.empty()) return spec.resource;
  return spec.type == api::AcceleratorType::kTpu ? "google.com/tpu" : "nvidia.com/gpu";
}

}  // namespace

AcceleratorRequest accelerator_request(const api::AcceleratorSpec& spec) {
  if (spec.type == api::AcceleratorType::kNone) return {};
  AcceleratorRequest request{resource_of(spec), spec.count, {}};
  if (!spec.product.empty()) request.node_selector[product_label(request.resource)] = spec.product;
  if (!spec.topology.empty()) request.node_selector["cloud.google.com/gke-tpu-topology"] = spec.topology;
  return request;
}

}  // namespace tidegate::operator_
