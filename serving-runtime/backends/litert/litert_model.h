#pragma once
// One TFLite file, loaded: signatures, runs. Only the litert backend includes this.
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "serving-runtime/backends/backend_face.h"
#include "serving-runtime/backends/litert/instance_pool.h"
#include "serving-runtime/backends/litert/litert_library.h"
#include "serving-runtime/backends/litert/litert_options.h"
#include "serving-runtime/backends/litert/output_shapes.h"
#include "serving-runtime/backends/litert/signature_plan.h"

namespace tidegate::serving::litert {

class LitertModel : public TidegateModel {
 public:
  // The one *.tflite of `folder`. DATA_LOSS when it is not a whole TFLite file (with the offset of what is wrong),
  // UNIMPLEMENTED when it needs a type or an operator that LiteRT has not got (with its name). `library` must outlive
  // the model.
  static Failure load(const LitertLibrary& library, const std::string& folder, const LitertOptions& options,
                      std::unique_ptr<TidegateModel>& model);
  ~LitertModel() override;
  LitertModel(const LitertModel&) = delete;
  LitertModel& operator=(const LitertModel&) = delete;

  // Sorted by name.
  std::span<const TidegateSignature> signatures() const override { return c_signatures_; }
  // Any thread. Releases every input. INVALID_ARGUMENT, with the input named, when one does not fit the signature.
  Failure run(uint64_t signature, std::span<const TidegateTensor> inputs, std::span<const uint64_t> wanted,
              TidegateTensor* outputs) const override;

 private:
  LitertModel(const LitertLibrary& library, const LitertOptions& options, std::string path);
  Failure read_file();
  Failure check_operators(const model::TfliteModel& parsed) const;
  Failure plan_signatures(const model::TfliteModel& parsed);
  // The first interpreter; it also says what outputs look like for inputs as they are in the file.
  Failure make_first_instance();
  void describe();
  std::vector<TidegateTensorSpec>& describe(const std::vector<Port>& ports);
  // With the file's name.
  Failure about_file(Failure failure) const;

  const LitertLibrary& library_;
  const LitertOptions options_;
  const std::string path_;
  AlignedMemory file_;  // LiteRT reads constants there
  size_t file_size_ = 0;
  LiteRtModel model_ = nullptr;
  std::vector<SignaturePlan> plans_;       // in the file's order, which is LiteRT's
  std::vector<size_t> plan_of_signature_;  // sorted by name
  std::deque<std::vector<TidegateTensorSpec>> c_specs_;
  std::vector<TidegateSignature> c_signatures_;
  std::unique_ptr<OutputShapes> shapes_;
  std::unique_ptr<InstancePool> pool_;
};

}  // namespace tidegate::serving::litert
