#include "serving-runtime/backends/litert/litert_model.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <string_view>

#include "serving-runtime/backends/litert/litert_run.h"

namespace tidegate::serving::litert {
namespace {

namespace fs = std::filesystem;

// Custom operators that LiteRT 2.3.0 registers itself.
constexpr std::string_view kKnownCustomOperators[] = {"AudioSpectrogram",
                                                      "Mfcc",
                                                      "NumericVerify",
                                                      "TFLite_Detection_PostProcess",
                                                      "Convolution2DTransposeBias",
                                                      "MaxPoolingWithArgmax2D",
                                                      "MaxUnpooling2D"};
// TensorFlow's own operators inside a TFLite file.
constexpr std::string_view kFlexPrefix = "Flex";

bool is_known(std::string_view name) {
  return std::find(std::begin(kKnownCustomOperators), std::end(kKnownCustomOperators), name) !=
         std::end(kKnownCustomOperators);
}

// The loader has seen to it that there is exactly one.
std::string file_in(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".tflite") return entry.path().string();
  }
  return {};
}

class File {
 public:
  explicit File(const std::string& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool size(size_t& size) const {
    struct stat info{};
    if (descriptor_ < 0 || ::fstat(descriptor_, &info) != 0) return false;
    size = static_cast<size_t>(info.st_size);
    return true;
  }
  bool read(char* to, size_t size) const {
    while (size > 0) {
      ssize_t got = ::read(descriptor_, to, size);
      if (got <= 0) return false;
      to += got;
      size -= static_cast<size_t>(got);
    }
    return true;
  }

 private:
  int descriptor_;
};

std::vector<Dims> stored_shapes(const SignaturePlan& plan) {
  std::vector<Dims> shapes;
  for (size_t input : plan.input_of_position) shapes.push_back(plan.inputs[input].stored);
  return shapes;
}

bool is_fixed(const SignaturePlan& plan) {
  return std::all_of(plan.inputs.begin(), plan.inputs.end(), [](const Port& port) {
    return std::find(port.shape.begin(), port.shape.end(), -1) == port.shape.end();
  });
}

}  // namespace

LitertModel::LitertModel(const LitertLibrary& library, const LitertOptions& options, std::string path)
    : library_(library), options_(options), path_(std::move(path)) {}

Failure LitertModel::load(const LitertLibrary& library, const std::string& folder, const LitertOptions& options,
                          std::unique_ptr<TidegateModel>& model) {
  std::string path = file_in(folder);
  if (path.empty()) return {kNotFound, folder + " has no file *.tflite"};
  std::unique_ptr<LitertModel> loaded(new LitertModel(library, options, path));
  Failure failure = loaded->read_file();
  if (failure.ok()) model = std::move(loaded);
  return failure;
}

// Into memory of our own: a mapped file that somebody cuts short would end the process.
Failure LitertModel::read_file() {
  File file(path_);
  if (!file.size(file_size_)) return {kNotFound, path_ + " cannot be read: " + std::strerror(errno)};
  auto* bytes = static_cast<char*>(file_.reserve(file_size_));
  if (!file.read(bytes, file_size_)) return {kDataLoss, path_ + " cannot be read to its end"};
  model::FileFault fault;
  auto parsed = model::parse_tflite({bytes, file_size_}, fault);
  if (!parsed) return {kDataLoss, model::explain_tflite(path_, file_size_, fault)};
  Failure failure = check_operators(*parsed);
  if (failure.ok()) failure = plan_signatures(*parsed);
  if (!failure.ok()) return about_file(failure);
  LiteRtStatus status = library_.LiteRtCreateModelFromBuffer(library_.environment, bytes, file_size_, &model_);
  if (status) return about_file(failure_of(status, "LiteRT does not read it"));
  bool keeps_state = parsed->keeps_state;
  pool_ = std::make_unique<InstancePool>(options_.instances, keeps_state, [this](std::unique_ptr<Instance>& made) {
    return about_file(Instance::create(library_, model_, options_.threads, options_.xnnpack, made));
  });
  // It packs no weights. Custom operators that only XNNPACK has would not tell the shapes of their outputs.
  bool custom = std::any_of(parsed->operators.begin(), parsed->operators.end(), [](auto& one) { return one.custom; });
  shapes_ = std::make_unique<OutputShapes>([this, custom](std::unique_ptr<Instance>& made) {
    return about_file(Instance::create(library_, model_, 1, options_.xnnpack && custom, made));
  });
  failure = make_first_instance();
  if (failure.ok()) describe();
  return failure;
}

Failure LitertModel::check_operators(const model::TfliteModel& parsed) const {
  std::string missing, flex;
  for (const model::TfliteOperator& one : parsed.operators) {
    if (!one.custom || is_known(one.name)) continue;
    std::string& list = one.name.starts_with(kFlexPrefix) ? flex : missing;
    list += (list.empty() ? "" : ", ") + one.name;
  }
  if (!missing.empty())
    return {kUnimplemented, std::string("LiteRT ") + kLiteRtVersion + " has no operator " + missing};
  if (flex.empty()) return {};
  return {kUnimplemented, "it needs TensorFlow's operators " + flex +
                              ", which LiteRT has not got; convert it without SELECT_TF_OPS, or serve the SavedModel"};
}

Failure LitertModel::plan_signatures(const model::TfliteModel& parsed) {
  for (const model::TfliteSignature& signature : parsed.signatures) {
    Failure failure = plan_signature(parsed, signature, options_.raw_io, plans_.emplace_back());
    if (!failure.ok()) return failure;
  }
  return {};
}

// Shapes as in the file need not work where any size goes: then nobody asked for them yet.
Failure LitertModel::make_first_instance() {
  std::unique_ptr<Instance> first;
  Failure failure = about_file(Instance::create(library_, model_, options_.threads, options_.xnnpack, first));
  if (!failure.ok()) return failure;
  for (size_t i = 0; i < plans_.size(); ++i) {
    OutputShapes::Shapes ignored;
    failure = shapes_->learn(*first, i, stored_shapes(plans_[i]), plans_[i].block_of_position.size(), ignored);
    if (failure.ok()) continue;
    if (is_fixed(plans_[i])) return about_file({failure.code, "signature " + plans_[i].name + ": " + failure.message});
    return {};
  }
  pool_->add(std::move(first));
  return {};
}

LitertModel::~LitertModel() {
  pool_.reset();
  shapes_.reset();
  if (model_) library_.LiteRtDestroyModel(model_);
}

void LitertModel::describe() {
  plan_of_signature_.resize(plans_.size());
  std::iota(plan_of_signature_.begin(), plan_of_signature_.end(), size_t{0});
  std::sort(plan_of_signature_.begin(), plan_of_signature_.end(),
            [this](size_t a, size_t b) { return plans_[a].name < plans_[b].name; });
  for (size_t number : plan_of_signature_) {
    const SignaturePlan& plan = plans_[number];
    auto& inputs = describe(plan.inputs);
    auto& outputs = describe(plan.outputs);
    // TFLite has no methods; predict is what TensorFlow 2 says of every signature.
    c_signatures_.push_back({plan.name.c_str(), "tensorflow/serving/predict", inputs.data(), inputs.size(),
                             outputs.data(), outputs.size()});
  }
}

std::vector<TidegateTensorSpec>& LitertModel::describe(const std::vector<Port>& ports) {
  auto& described = c_specs_.emplace_back();
  for (const Port& port : ports) {
    described.push_back({port.name.c_str(), port.tensor_name.c_str(), static_cast<int32_t>(port.client_type()),
                         static_cast<int32_t>(port.shape.size()), port.shape.data()});
  }
  return described;
}

Failure LitertModel::about_file(Failure failure) const {
  if (!failure.ok()) failure.message = path_ + ": " + failure.message;
  return failure;
}

Failure LitertModel::run(uint64_t signature, std::span<const TidegateTensor> inputs, std::span<const uint64_t> wanted,
                         TidegateTensor* outputs) const {
  BorrowedInputs borrowed(inputs);
  if (signature >= plan_of_signature_.size() || inputs.size() != plans_[plan_of_signature_[signature]].inputs.size()) {
    return {kInternal, "the host asked for a signature that the model does not have"};
  }
  size_t number = plan_of_signature_[signature];
  const SignaturePlan& plan = plans_[number];
  LitertRun run(plan, inputs);
  if (Failure failure = run.check_inputs(); !failure.ok()) return failure;
  OutputShapes::Shapes shapes;
  Failure failure = shapes_->find(number, run.shapes(), plan.block_of_position.size(), shapes);
  if (!failure.ok()) return failure;
  InstancePool::Lease instance;
  failure = pool_->take(instance);
  if (failure.ok()) failure = run.run(*instance, number, *shapes);
  if (failure.code == kUnimplemented) return about_file(failure);  // nothing that a client sends could mend it
  if (!failure.ok()) return failure;
  instance.keep();
  return run.take_outputs(wanted, outputs);
}

}  // namespace tidegate::serving::litert
