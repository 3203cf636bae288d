#include "model/model_format.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/files.h"
#include "base/status.h"
#include "model/mapped_file.h"

namespace tidegate::model {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<MappedFile> open_file(const std::string& path) {
  auto file = MappedFile::open(path);
  if (!file) return absl::ErrnoToStatus(errno, base::absl_view(path));
  return *std::move(file);
}

// Folders end with /, so that none is taken for a file.
std::vector<std::string> list(const std::string& folder, std::error_code& error) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const fs::directory_entry& entry : base::list_folder(folder, error)) {
    names.push_back(entry.path().filename().string() + (entry.is_directory(ignored) ? "/" : ""));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The path of the folder's one file whose name ends so; a path that cannot be opened when it has gone by now.
std::string only_file(const std::string& folder, std::string_view suffix) {
  std::error_code ignored;
  for (const std::string& name : list(folder, ignored)) {
    if (name.ends_with(suffix)) return base::cat(folder, "/", name);
  }
  return base::cat(folder, "/*", suffix);
}

// A folder named by a number.
bool is_version(const std::string& name) {
  return name.find_first_not_of("0123456789") == name.size() - 1 && name.ends_with('/');
}

std::string join(const std::vector<std::string>& names, size_t limit) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < limit; ++i) base::append(out, i ? ", " : ""), base::append(out, names[i]);
  if (names.size() > limit) base::append(out, ", …");
  return out;
}

}  // namespace

std::string_view name_of(Format format) {
  switch (format) {
    case Format::kSavedModel:
      return "SavedModel";
    case Format::kTflite:
      return "TFLite";
    case Format::kOnnx:
      return "ONNX";
  }
  return "unknown";
}

absl::StatusOr<Format> detect_format(const std::string& folder) {
  std::error_code error;
  const bool there = fs::is_directory(folder, error);
  if (!there && (!error || error == std::errc::no_such_file_or_directory)) {
    return absl::NotFoundError(base::cat(folder, " is not a folder"));
  }
  const std::vector<std::string> names = there ? list(folder, error) : std::vector<std::string>();
  if (error) return absl::ErrnoToStatus(error.value(), base::cat("cannot read ", folder));
  std::vector<Format> found;
  for (const std::string& name : names) {
    if (name == "saved_model.pb") found.push_back(Format::kSavedModel);
    if (name.ends_with(".tflite")) found.push_back(Format::kTflite);
    if (name.ends_with(".onnx")) found.push_back(Format::kOnnx);
  }
  if (found.size() == 1) return found.front();
  std::string_view problem = found.empty() ? " holds no model" : " holds more than one model";
  const bool versions = found.empty() && std::any_of(names.begin(), names.end(), is_version);
  return absl::InvalidArgumentError(
      base::cat(folder, problem, "; expected one of saved_model.pb, *.tflite, *.onnx, found: ",
                names.empty() ? "nothing" : join(names, 10), versions ? "; name the folder of one version" : ""));
}

absl::StatusOr<std::vector<MetaGraph>> read_saved_model(const std::string& folder) {
  std::string path = base::cat(folder, "/saved_model.pb");
  TG_ASSIGN_OR_RETURN(MappedFile file, open_file(path));
  auto graphs = parse_saved_model(file.bytes());
  if (graphs && !graphs->empty()) return *std::move(graphs);
  return absl::DataLossError(
      base::cat(path, " (", file.bytes().size(), " bytes) is not a SavedModel; it may be cut short or corrupt"));
}

absl::StatusOr<OnnxFile> read_onnx(const std::string& folder) {
  OnnxFile found;
  found.path = only_file(folder, ".onnx");
  TG_ASSIGN_OR_RETURN(MappedFile file, open_file(found.path));
  OnnxError error;
  auto model = parse_onnx(file.bytes(), error);
  if (!model) return absl::DataLossError(explain(found.path, file.bytes().size(), error));
  found.model = *std::move(model);
  return found;
}

absl::StatusOr<TfliteFile> read_tflite(const std::string& folder) {
  TfliteFile found;
  found.path = only_file(folder, ".tflite");
  TG_ASSIGN_OR_RETURN(MappedFile file, open_file(found.path));
  found.bytes = file.bytes().size();
  FileFault fault;
  auto model = parse_tflite(file.bytes(), fault);
  if (!model) return absl::DataLossError(explain_tflite(found.path, found.bytes, fault));
  found.model = *std::move(model);
  return found;
}

}  // namespace tidegate::model
