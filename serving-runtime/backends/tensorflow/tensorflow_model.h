#pragma once
// One SavedModel in a TensorFlow session: load, signatures, run. Only the tensorflow backend includes this.
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/saved_model_proto.h"
#include "serving-runtime/backends/backend_face.h"
#include "serving-runtime/backends/tensorflow/tensorflow_library.h"

namespace tidegate::serving {

class TensorflowModel : public TidegateModel {
 public:
  struct Settings {
    std::string config;                         // a serialized ConfigProto
    std::vector<std::string> tags = {"serve"};  // of the graph that is loaded: exactly these, in any order
  };

  // NOT_FOUND when the folder has no graph with those tags; the message lists the tags that it has.
  static Failure load(const TensorflowLibrary& library, const std::string& folder, const Settings& settings,
                      std::unique_ptr<TidegateModel>& model);
  ~TensorflowModel() override;
  TensorflowModel(const TensorflowModel&) = delete;
  TensorflowModel& operator=(const TensorflowModel&) = delete;

  std::span<const TidegateSignature> signatures() const override { return c_signatures_; }
  Failure run(uint64_t signature, std::span<const TidegateTensor> inputs, std::span<const uint64_t> wanted,
              TidegateTensor* outputs) const override;

 private:
  // Where a signature's tensors are in the graph.
  struct Endpoints {
    std::vector<TF_Output> inputs;
    std::vector<TF_Output> outputs;
    std::string missing;  // a tensor that the graph does not have: the signature cannot be run
  };

  explicit TensorflowModel(const TensorflowLibrary& library) : library_(library) {}
  void describe(std::vector<model::Signature> signatures);
  std::vector<TidegateTensorSpec>& describe(const std::vector<model::TensorSpec>& specs);
  Endpoints find_endpoints(const model::Signature& signature) const;
  TF_Output find_tensor(const std::string& name) const;

  const TensorflowLibrary& library_;
  TF_Graph* graph_ = nullptr;
  TF_Session* session_ = nullptr;
  std::vector<model::Signature> signatures_;
  std::deque<std::vector<TidegateTensorSpec>> c_specs_;
  std::vector<TidegateSignature> c_signatures_;
  std::vector<Endpoints> endpoints_;
};

}  // namespace tidegate::serving
