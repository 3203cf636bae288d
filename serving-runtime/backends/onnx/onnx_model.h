#pragma once
// One ONNX file in a session of ONNX Runtime: load, signature, run. Only the onnx backend includes this.
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/signature.h"
#include "serving-runtime/backends/backend_face.h"
#include "serving-runtime/backends/onnx/onnx_environment.h"

namespace tidegate::serving {

class OnnxModel : public TidegateModel {
 public:
  // Loads the one *.onnx of `folder`, with the weights that it keeps in files beside it. Errors are ONNX Runtime's and
  // name the file; INVALID_ARGUMENT when an input or output is no tensor that a request could carry.
  static Failure load(const OnnxEnvironment& environment, const std::string& folder,
                      std::unique_ptr<TidegateModel>& model);

  // One, serving_default: the graph's inputs and outputs.
  std::span<const TidegateSignature> signatures() const override { return {&c_signature_, 1}; }
  // Runs it and puts those of its outputs that `wanted` numbers into `outputs`, which has room for them; they are the
  // host's only when the result is OK. Releases every input.
  Failure run(uint64_t signature, std::span<const TidegateTensor> inputs, std::span<const uint64_t> wanted,
              TidegateTensor* outputs) const override;

 private:
  explicit OnnxModel(const OnnxEnvironment& environment)
      : environment_(environment), session_(environment.api().ReleaseSession) {}
  Failure describe();

  const OnnxEnvironment& environment_;
  OrtOwned<OrtSession> session_;
  std::vector<model::TensorSpec> inputs_, outputs_;      // sorted by name
  std::vector<const char*> input_names_, output_names_;  // in the same order, as Run() takes them
  std::vector<TidegateTensorSpec> c_inputs_, c_outputs_;
  TidegateSignature c_signature_{};
};

}  // namespace tidegate::serving
