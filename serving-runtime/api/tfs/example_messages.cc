#include "serving-runtime/api/tfs/example_messages.h"

#include <set>

#include "base/status.h"
#include "serving-runtime/api/tfs/example_batch.h"
#include "serving-runtime/api/tfs/example_signature.h"
#include "serving-runtime/api/tfs/grpc_messages.h"

namespace tidegate::serving::tfs {
namespace {

namespace pb = tensorflow::serving;

void write(const Classification& result, pb::ClassificationResult& out) {
  size_t index = 0;
  for (int64_t example = 0; example < result.examples; ++example) {
    pb::Classifications& classes = *out.add_classifications();
    for (int64_t i = 0; i < result.classes; ++i, ++index) {
      pb::Class& one = *classes.add_classes();
      one.set_label(std::string(result.label(index)));
      one.set_score(result.score(index));
    }
  }
}

void write(const Tensor& values, pb::RegressionResult& out) {
  for (float value : values.values<float>()) out.add_regressions()->set_value(value);
}

const google::protobuf::RepeatedPtrField<std::string>& examples_of(const pb::Input& input) {
  return input.has_example_list_with_context() ? input.example_list_with_context().examples()
                                               : input.example_list().examples();
}

// Bytes that are no Example are the client's mistake even though only the graph notices them. Looked at only after a
// failure: examples that are in order are not parsed here.
absl::Status blame(const absl::Status& failure, const pb::Input& input) {
  if (!is_model_error(failure)) return failure;
  tensorflow::Example parsed;
  if (!parsed.ParseFromString(input.example_list_with_context().context())) {
    return absl::InvalidArgumentError(base::cat("input.context is no tf.Example: ", failure.message()));
  }
  for (int i = 0; i < examples_of(input).size(); ++i) {
    if (parsed.ParseFromString(examples_of(input)[i])) continue;
    return absl::InvalidArgumentError(base::cat("input.examples[", i, "] is no tf.Example: ", failure.message()));
  }
  return failure;
}

// A task that can run.
struct Task {
  const model::Signature* signature;
  ExampleMethod method;
};

absl::Status check_model(const ServableFinder& servables, const Servable& servable, const pb::ModelSpec& spec) {
  if (spec.name().empty()) return absl::InvalidArgumentError("Found ModelSpec with an empty model name.");
  if (spec.name() != servable.name()) {
    return absl::InvalidArgumentError("All ModelSpecs in a MultiInferenceRequest must access the same model name.");
  }
  if (spec.version_choice_case() == pb::ModelSpec::VERSION_CHOICE_NOT_SET) return absl::OkStatus();
  TG_ASSIGN_OR_RETURN(ModelSpec wanted, to_model_spec(spec));
  TG_ASSIGN_OR_RETURN(auto other, servables.find(wanted));
  if (other->version() == servable.version()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      base::cat("All ModelSpecs in a MultiInferenceRequest must access the same version: ", servable.version(), " and ",
                other->version(), " were asked for."));
}

absl::StatusOr<Task> plan(const Servable& servable, const pb::InferenceTask& task, const Rules& rules) {
  const std::string& name = task.model_spec().signature_name();
  const model::Signature* signature = servable.find_signature(name);
  if (!signature) {
    return absl::InvalidArgumentError(
        base::cat("Requested signature not found in model graph: ", name.empty() ? kDefaultSignature : name));
  }
  std::optional<ExampleMethod> method = to_example_method(task.method_name());
  if (!method) {
    return absl::UnimplementedError(base::cat("Unsupported signature method_name: ", task.method_name()));
  }
  TG_RETURN_IF_ERROR(check_signature(*signature, *method, rules));
  return Task{signature, *method};
}

absl::StatusOr<std::vector<Task>> plan_all(const ServableFinder& servables, const Servable& servable,
                                           const pb::MultiInferenceRequest& request, const Rules& rules) {
  std::vector<Task> tasks;
  std::set<std::string> seen;
  for (const pb::InferenceTask& task : request.tasks()) {
    TG_RETURN_IF_ERROR(check_model(servables, servable, task.model_spec()));
    std::string name = task.model_spec().signature_name();
    if (name.empty()) name = kDefaultSignature;
    if (!seen.insert(name).second) {
      return absl::InvalidArgumentError(base::cat("Duplicate evaluation of signature: ", name));
    }
    TG_ASSIGN_OR_RETURN(Task planned, plan(servable, task, rules));
    tasks.push_back(planned);
  }
  return tasks;
}

absl::Status run(Inference& inference, const model::Signature& signature, Tensor examples,
                 pb::ClassificationResult& out) {
  TG_ASSIGN_OR_RETURN(Classification result, run_classify(inference, signature, std::move(examples)));
  write(result, out);
  return absl::OkStatus();
}

absl::Status run(Inference& inference, const model::Signature& signature, Tensor examples, pb::RegressionResult& out) {
  TG_ASSIGN_OR_RETURN(Tensor values, run_regress(inference, signature, std::move(examples)));
  write(values, out);
  return absl::OkStatus();
}

absl::Status run(Inference& inference, const Task& task, Tensor examples, pb::InferenceResult& out) {
  const model::Signature& signature = *task.signature;
  TG_RETURN_IF_ERROR(task.method == ExampleMethod::kClassify
                         ? run(inference, signature, std::move(examples), *out.mutable_classification_result())
                         : run(inference, signature, std::move(examples), *out.mutable_regression_result()));
  name_version(*inference.servable(), signature, *out.mutable_model_spec());
  return absl::OkStatus();
}

// Classify and Regress: requests and responses of the same form.
template <class Request, class Response>
absl::Status answer(const ServableFinder& servables, ExampleMethod method, const Request& request, Response& response,
                    Inference& inference, const Rules& rules) {
  if (!request.has_model_spec()) return absl::InvalidArgumentError("Missing ModelSpec");
  TG_ASSIGN_OR_RETURN(ModelSpec spec, to_model_spec(request.model_spec()));
  TG_RETURN_IF_ERROR(inference.choose(servables, spec));
  TG_ASSIGN_OR_RETURN(const model::Signature* signature,
                      find_signature(*inference.servable(), request.model_spec().signature_name(), method, rules));
  RepeatAllowance allowance;
  TG_ASSIGN_OR_RETURN(Tensor examples, decode_examples(request.input(), allowance));
  absl::Status ran = run(inference, *signature, std::move(examples), *response.mutable_result());
  if (!ran.ok()) return blame(ran, request.input());
  name_version(*inference.servable(), *signature, *response.mutable_model_spec());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Tensor> decode_examples(const pb::Input& input, RepeatAllowance& allowance) {
  ExampleBatch batch(input.example_list_with_context().context(), allowance);  // what is not set reads as empty
  for (const std::string& example : examples_of(input)) TG_RETURN_IF_ERROR(batch.add(example));
  return batch.finish();
}

absl::Status classify(const ServableFinder& servables, const pb::ClassificationRequest& request,
                      pb::ClassificationResponse& response, Inference& inference, const Rules& rules) {
  return answer(servables, ExampleMethod::kClassify, request, response, inference, rules);
}

absl::Status regress(const ServableFinder& servables, const pb::RegressionRequest& request,
                     pb::RegressionResponse& response, Inference& inference, const Rules& rules) {
  return answer(servables, ExampleMethod::kRegress, request, response, inference, rules);
}

absl::Status multi_inference(const ServableFinder& servables, const pb::MultiInferenceRequest& request,
                             pb::MultiInferenceResponse& response, Inference& inference, const Rules& rules) {
  TG_ASSIGN_OR_RETURN(ModelSpec spec, to_model_spec(request.tasks_size() > 0 ? request.tasks(0).model_spec()
                                                                             : pb::ModelSpec::default_instance()));
  TG_RETURN_IF_ERROR(inference.choose(servables, spec));
  TG_ASSIGN_OR_RETURN(std::vector<Task> tasks, plan_all(servables, *inference.servable(), request, rules));
  for (const Task& task : tasks) {
    // A run takes its input over.
    RepeatAllowance allowance;
    TG_ASSIGN_OR_RETURN(Tensor examples, decode_examples(request.input(), allowance));
    absl::Status ran = run(inference, task, std::move(examples), *response.add_results());
    if (!ran.ok()) return blame(ran, request.input());
  }
  return absl::OkStatus();
}

}  // namespace tidegate::serving::tfs
