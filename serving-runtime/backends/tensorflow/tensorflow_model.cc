#include "serving-runtime/backends/tensorflow/tensorflow_model.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>

#include "serving-runtime/backends/tensorflow/tensorflow_tensor.h"

namespace tidegate::serving {
namespace {

std::set<std::string> as_set(const std::vector<std::string>& tags) { return {tags.begin(), tags.end()}; }

// Reads the file once more than TensorFlow does, so that what is wrong with it can be said in its owner's words.
Failure check_tags(const std::string& folder, const std::vector<std::string>& tags) {
  std::ifstream file(folder + "/saved_model.pb", std::ios::binary);
  if (!file) return {kNotFound, folder + " has no readable saved_model.pb"};
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  auto graphs = model::parse_saved_model(bytes);
  if (!graphs || graphs->empty()) {
    return {kDataLoss, folder + "/saved_model.pb (" + std::to_string(bytes.size()) +
                           " bytes) is not a SavedModel; it may be cut short or corrupt"};
  }
  std::string found;
  for (const model::MetaGraph& graph : *graphs) {
    if (as_set(graph.tags) == as_set(tags)) return {};
    found += (found.empty() ? "{" : ", {") + join(graph.tags) + "}";
  }
  return {kNotFound, "SavedModel " + folder + " has no graph with exactly the tag" + (tags.size() == 1 ? "" : "s") +
                         " '" + join(tags) + "', which is loaded; it has the tag sets: " + found +
                         ". Export it for serving, e.g. with tf.saved_model.save or model.export(), or name its tags "
                         "with --saved-model-tags"};
}

// TensorFlow's text about an op that no library has registered, put into words that say what to do. TensorFlow names
// the first such op alone. Other failures stay as they are.
Failure explained(const Failure& failure, const std::string& folder, const TensorflowLibrary& library) {
  constexpr std::string_view kBegin = "Op type not registered '";
  const size_t found = failure.message.find(kBegin);
  if (found == std::string::npos) return failure;
  const size_t name = found + kBegin.size();
  const std::string op = failure.message.substr(name, failure.message.find('\'', name) - name);
  return {kFailedPrecondition, "SavedModel " + folder + " uses the op '" + op + "', which TensorFlow " +
                                   library.TF_Version() +
                                   " does not have; name the shared object that registers it with --op-libraries"};
}

}  // namespace

Failure TensorflowModel::load(const TensorflowLibrary& library, const std::string& folder, const Settings& settings,
                              std::unique_ptr<TidegateModel>& model) {
  if (Failure failure = check_tags(folder, settings.tags); !failure.ok()) return failure;
  std::unique_ptr<TensorflowModel> loaded(new TensorflowModel(library));
  ScopedStatus status(library);
  TF_SessionOptions* options = library.TF_NewSessionOptions();
  TF_Buffer* meta_graph = library.TF_NewBuffer();
  loaded->graph_ = library.TF_NewGraph();
  library.TF_SetConfig(options, settings.config.data(), settings.config.size(), status.get());
  Failure failure = status.failure();
  if (failure.ok()) {
    std::vector<const char*> tags;
    for (const std::string& tag : settings.tags) tags.push_back(tag.c_str());
    loaded->session_ =
        library.TF_LoadSessionFromSavedModel(options, nullptr, folder.c_str(), tags.data(),
                                             static_cast<int>(tags.size()), loaded->graph_, meta_graph, status.get());
    failure = explained(status.failure(), folder, library);
  }
  std::optional<model::MetaGraph> parsed;
  if (failure.ok()) parsed = model::parse_meta_graph({static_cast<const char*>(meta_graph->data), meta_graph->length});
  library.TF_DeleteBuffer(meta_graph);
  library.TF_DeleteSessionOptions(options);
  if (!failure.ok()) return failure;
  if (!parsed) return {kInternal, "TensorFlow returned a meta graph that does not parse"};
  loaded->describe(std::move(parsed->signatures));
  model = std::move(loaded);
  return {};
}

TensorflowModel::~TensorflowModel() {
  ScopedStatus status(library_);
  if (session_) {
    library_.TF_CloseSession(session_, status.get());
    library_.TF_DeleteSession(session_, status.get());
  }
  if (graph_) library_.TF_DeleteGraph(graph_);
}

void TensorflowModel::describe(std::vector<model::Signature> signatures) {
  signatures_ = std::move(signatures);
  for (const model::Signature& signature : signatures_) {
    auto& inputs = describe(signature.inputs);
    auto& outputs = describe(signature.outputs);
    c_signatures_.push_back({signature.name.c_str(), signature.method_name.c_str(), inputs.data(), inputs.size(),
                             outputs.data(), outputs.size()});
    endpoints_.push_back(find_endpoints(signature));
  }
}

std::vector<TidegateTensorSpec>& TensorflowModel::describe(const std::vector<model::TensorSpec>& specs) {
  auto& described = c_specs_.emplace_back();
  for (const model::TensorSpec& spec : specs) {
    int32_t rank = spec.unknown_rank ? -1 : static_cast<int32_t>(spec.shape.size());
    described.push_back(
        {spec.name.c_str(), spec.tensor_name.c_str(), static_cast<int32_t>(spec.type), rank, spec.shape.data()});
  }
  return described;
}

TensorflowModel::Endpoints TensorflowModel::find_endpoints(const model::Signature& signature) const {
  Endpoints endpoints;
  auto find_all = [&](const std::vector<model::TensorSpec>& specs, std::vector<TF_Output>& found) {
    for (const model::TensorSpec& spec : specs) {
      TF_Output output = find_tensor(spec.tensor_name);
      if (!output.oper) endpoints.missing = spec.tensor_name;
      found.push_back(output);
    }
  };
  find_all(signature.inputs, endpoints.inputs);
  find_all(signature.outputs, endpoints.outputs);
  return endpoints;
}

// "operation:index"; index 0 may be left out.
TF_Output TensorflowModel::find_tensor(const std::string& name) const {
  size_t colon = name.rfind(':');
  TF_Output output{library_.TF_GraphOperationByName(graph_, name.substr(0, colon).c_str()), 0};
  if (colon != std::string::npos) output.index = std::atoi(name.c_str() + colon + 1);
  if (output.oper && output.index >= library_.TF_OperationNumOutputs(output.oper)) output.oper = nullptr;
  return output;
}

Failure TensorflowModel::run(uint64_t signature, std::span<const TidegateTensor> inputs,
                             std::span<const uint64_t> wanted, TidegateTensor* outputs) const {
  std::vector<TF_Tensor*> fed, fetched(wanted.size());
  for (const TidegateTensor& input : inputs) fed.push_back(to_tensorflow(library_, input));
  Failure failure;
  if (signature >= endpoints_.size() || inputs.size() != endpoints_[signature].inputs.size()) {
    failure = {kInternal, "the host asked for a signature that the model does not have"};
  } else if (!endpoints_[signature].missing.empty()) {
    failure = {kInvalidArgument, "the graph has no tensor " + endpoints_[signature].missing};
  } else if (std::find(fed.begin(), fed.end(), nullptr) != fed.end()) {
    failure = {kInvalidArgument, "an input's bytes do not fit its shape"};
  } else {
    const Endpoints& ends = endpoints_[signature];
    std::vector<TF_Output> fetches;
    for (const uint64_t output : wanted) fetches.push_back(ends.outputs[output]);
    ScopedStatus status(library_);
    library_.TF_SessionRun(session_, nullptr, ends.inputs.data(), fed.data(), static_cast<int>(fed.size()),
                           fetches.data(), fetched.data(), static_cast<int>(fetches.size()), nullptr, 0, nullptr,
                           status.get());
    failure = status.failure();
  }
  for (TF_Tensor* tensor : fed) {
    if (tensor) library_.TF_DeleteTensor(tensor);
  }
  if (!failure.ok()) return failure;
  for (size_t i = 0; i < fetched.size(); ++i) outputs[i] = from_tensorflow(library_, fetched[i]);
  return {};
}

}  // namespace tidegate::serving
