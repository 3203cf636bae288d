// Bodies of TensorFlow Serving's REST predict, classify and regress. A body with "examples" is read as the latter's.
#include "fuzz/echo_model.h"
#include "fuzz/tensor_checks.h"
#include "serving-runtime/api/tfs/examples_json.h"
#include "serving-runtime/api/tfs/predict_json.h"
#include "tensorflow.pb.h"

namespace tidegate::fuzz {
namespace {

namespace tfs = serving::tfs;

// An answer's tensors, sent as the next request's.
void require_same_again(const tfs::PredictInputs& inputs, const model::Signature& signature) {
  auto answer = tfs::encode_predict(inputs.tensors, inputs.format);
  if (!answer.ok()) return require_client_error(answer.status());
  bool rows = inputs.format == tfs::Format::kRow;
  std::string_view before = rows ? R"({"predictions":)" : R"({"outputs":)";
  require(answer->starts_with(before), "an answer starts as it must", *answer);
  std::string again = (rows ? R"({"instances":)" : R"({"inputs":)") + answer->substr(before.size());
  auto document = tfs::RequestDocument::scan(again);
  require(document.ok(), "an answer is JSON", *answer);
  auto back = tfs::decode_predict(*document, signature);
  require(back.ok(), "an answer reads as a request", *answer);
  require_same(inputs.tensors, back->tensors);
}

void predict(const tfs::RequestDocument& document, const model::Signature& signature) {
  auto inputs = tfs::decode_predict(document, signature);
  if (!inputs.ok()) return require_client_error(inputs.status());
  require(inputs->tensors.size() == signature.inputs.size(), "every input is there");
  for (const serving::NamedTensor& input : inputs->tensors) require_whole(input.tensor);
  require_same_again(*inputs, signature);
}

void read_examples(const tfs::RequestDocument& document) {
  auto examples = tfs::decode_examples(document);
  if (!examples.ok()) return require_client_error(examples.status());
  require_whole(*examples);
  for (const TidegateString& one : examples->strings()) {
    tensorflow::Example example;
    require(example.ParseFromArray(one.data, static_cast<int>(one.size)), "what is made of JSON is a tf.Example");
  }
}

}  // namespace
}  // namespace tidegate::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate::fuzz;
  auto document = tfs::RequestDocument::scan(as_text(data, size));
  if (!document.ok()) return require_client_error(document.status()), 0;
  auto name = document->signature_name();
  if (!name.ok()) return require_client_error(name.status()), 0;
  if (document->find("examples")) {
    read_examples(*document);
  } else if (const auto* signature = echo().find_signature(*name)) {
    predict(*document, *signature);
  }
  return 0;
}
