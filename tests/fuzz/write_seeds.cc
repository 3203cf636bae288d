// write_seeds FOLDER: the first inputs of the targets whose input is no text, one folder a target. Called by run.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "model/flat_builder.h"
#include "model/proto_writer.h"
#include "net/content_coding.h"
#include "open_inference.pb.h"
#include "tensorflow_serving.pb.h"

namespace {

namespace fs = std::filesystem;
namespace model = tidegate::model;
namespace pb = tensorflow::serving;
using google::protobuf::Message;

class Folder {
 public:
  explicit Folder(fs::path path) : path_(std::move(path)) { fs::create_directories(path_); }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
  }

 private:
  fs::path path_;
};

tensorflow::TensorProto tensor(int32_t type, std::vector<int64_t> shape) {
  tensorflow::TensorProto proto;
  proto.set_dtype(type);
  for (int64_t size : shape) proto.mutable_tensor_shape()->add_dim()->set_size(size);
  return proto;
}

std::vector<tensorflow::TensorProto> tensors() {
  std::vector<tensorflow::TensorProto> all;
  auto& floats = all.emplace_back(tensor(1, {2, 2}));
  for (float value : {1.0F, 2.5F}) floats.add_float_val(value);
  auto& raw = all.emplace_back(tensor(9, {2}));
  raw.set_tensor_content(std::string(16, '\1'));
  auto& strings = all.emplace_back(tensor(7, {2}));
  for (const char* text : {"a", "second"}) strings.add_string_val(text);
  auto& packed = all.emplace_back(tensor(7, {2}));
  packed.set_tensor_content("\1\2abc");
  auto& complex = all.emplace_back(tensor(8, {3}));
  for (float part : {1.0F, 2.0F, 3.0F, 4.0F}) complex.add_scomplex_val(part);
  auto& halves = all.emplace_back(tensor(19, {1, 0}));
  halves.add_half_val(0x3c00);
  for (int32_t type : {2, 3, 4, 5, 6, 10, 14, 17, 18, 22, 23}) all.push_back(tensor(type, {2}));
  return all;
}

void write_tensors(const Folder& folder) {
  int number = 0;
  for (const tensorflow::TensorProto& one : tensors()) {
    folder.write("tensor-" + std::to_string(number++), one.SerializeAsString());
  }
}

void name_model(pb::ModelSpec& spec, const std::string& signature) {
  spec.set_name("echo");
  spec.set_signature_name(signature);
}

pb::PredictRequest predict_request() {
  pb::PredictRequest request;
  name_model(*request.mutable_model_spec(), "float");
  (*request.mutable_inputs())["x"] = tensors()[0];
  return request;
}

pb::Input examples(bool with_context) {
  tensorflow::Example example;
  (*example.mutable_features()->mutable_feature())["x"].mutable_float_list()->add_value(2);
  (*example.mutable_features()->mutable_feature())["s"].mutable_bytes_list()->add_value("text");
  pb::Input input;
  if (with_context) {
    *input.mutable_example_list_with_context()->add_examples() = example.SerializeAsString();
    *input.mutable_example_list_with_context()->mutable_context() = example.SerializeAsString();
  } else {
    *input.mutable_example_list()->add_examples() = example.SerializeAsString();
  }
  return input;
}

pb::ClassificationRequest classify_request() {
  pb::ClassificationRequest request;
  name_model(*request.mutable_model_spec(), "classify");
  *request.mutable_input() = examples(false);
  return request;
}

pb::RegressionRequest regress_request() {
  pb::RegressionRequest request;
  name_model(*request.mutable_model_spec(), "regress");
  request.mutable_model_spec()->set_version_label("stable");
  *request.mutable_input() = examples(true);
  return request;
}

pb::MultiInferenceRequest multi_inference_request() {
  pb::MultiInferenceRequest request;
  *request.mutable_input() = examples(false);
  for (const char* method : {"classify", "regress"}) {
    pb::InferenceTask& task = *request.add_tasks();
    task.set_method_name(std::string("tensorflow/serving/") + method);
    name_model(*task.mutable_model_spec(), method);
  }
  return request;
}

pb::ReloadConfigRequest reload_request() {
  pb::ReloadConfigRequest request;
  pb::ModelConfig& model = *request.mutable_config()->mutable_model_config_list()->add_config();
  model.set_name("echo");
  model.set_base_path("/models/echo");
  model.mutable_model_version_policy()->mutable_specific()->add_versions(7);
  (*model.mutable_version_labels())["stable"] = 7;
  return request;
}

void write_tfs_requests(const Folder& folder) {
  pb::GetModelMetadataRequest metadata;
  name_model(*metadata.mutable_model_spec(), "");
  metadata.add_metadata_field("signature_def");
  pb::GetModelStatusRequest status;
  name_model(*status.mutable_model_spec(), "");
  status.mutable_model_spec()->mutable_version()->set_value(7);
  folder.write("predict", '\0' + predict_request().SerializeAsString());
  folder.write("classify", '\1' + classify_request().SerializeAsString());
  folder.write("regress", '\2' + regress_request().SerializeAsString());
  folder.write("multi-inference", '\3' + multi_inference_request().SerializeAsString());
  folder.write("metadata", '\4' + metadata.SerializeAsString());
  folder.write("status", '\5' + status.SerializeAsString());
  folder.write("reload", '\6' + reload_request().SerializeAsString());
}

inference::ModelInferRequest infer_request(const std::string& signature, const std::string& datatype) {
  inference::ModelInferRequest request;
  request.set_model_name("echo");
  request.set_id("7");
  (*request.mutable_parameters())["signature_name"].set_string_param(signature);
  (*request.mutable_parameters())["timeout"].set_int64_param(1'000'000);
  auto& input = *request.add_inputs();
  input.set_name("x");
  input.set_datatype(datatype);
  input.add_shape(2);
  request.add_outputs()->set_name("x");
  return request;
}

void write_oip_requests(const Folder& folder) {
  auto typed = infer_request("float", "FP32");
  for (float value : {1.0F, 2.0F}) typed.mutable_inputs(0)->mutable_contents()->add_fp32_contents(value);
  auto narrow = infer_request("int8", "INT8");
  for (int value : {1, -2}) narrow.mutable_inputs(0)->mutable_contents()->add_int_contents(value);
  auto raw = infer_request("half", "FP16");
  raw.add_raw_input_contents(std::string("\0\x3c\0\x40", 4));
  auto strings = infer_request("string", "BYTES");
  strings.add_raw_input_contents(std::string("\1\0\0\0a\2\0\0\0bc", 11));
  folder.write("infer-typed", '\0' + typed.SerializeAsString());
  folder.write("infer-narrow", '\0' + narrow.SerializeAsString());
  folder.write("infer-raw", '\0' + raw.SerializeAsString());
  folder.write("infer-strings", '\0' + strings.SerializeAsString());
  inference::ModelMetadataRequest question;
  question.set_name("echo");
  question.set_version("7");
  for (char method : {'\1', '\2', '\3'}) {
    folder.write("question-" + std::to_string(method), method + question.SerializeAsString());
  }
  folder.write("index", std::string(1, '\4') + model::number(2, 1));
}

// Length, a checksum that is not looked at, the data and its checksum.
std::string record(const pb::PredictionLog& log) {
  std::string bytes = log.SerializeAsString();
  return model::flat_number(uint64_t{bytes.size()}).bytes + "crc!" + bytes + "crc!";
}

void write_warm_up(const Folder& folder) {
  pb::PredictionLog predict, classify, regress, several;
  *predict.mutable_predict_log()->mutable_request() = predict_request();
  *classify.mutable_classify_log()->mutable_request() = classify_request();
  *regress.mutable_regress_log()->mutable_request() = regress_request();
  *several.mutable_multi_inference_log()->mutable_request() = multi_inference_request();
  folder.write("predict", record(predict));
  folder.write("all", record(predict) + record(classify) + record(regress) + record(several));
}

void write_saved_model(const Folder& folder) {
  tensorflow::SignatureDef signature;
  tensorflow::TensorInfo& info = (*signature.mutable_inputs())["x"];
  info.set_name("x:0");
  info.set_dtype(1);
  info.mutable_tensor_shape()->add_dim()->set_size(-1);
  (*signature.mutable_outputs())["y"].mutable_tensor_shape()->set_unknown_rank(true);
  signature.set_method_name("tensorflow/serving/predict");
  std::string entry = model::bytes(1, "serving_default") + model::bytes(2, signature.SerializeAsString());
  std::string meta_info = model::bytes(4, "serve") + model::bytes(5, "2.21.0");
  std::string graph = model::bytes(1, meta_info) + model::bytes(2, "a graph") + model::bytes(5, entry);
  folder.write("half-plus-two", model::number(1, 1) + model::bytes(2, graph));
}

void write_onnx(const Folder& folder) {
  using model::bytes, model::number;
  std::string dims = bytes(1, bytes(2, "batch")) + bytes(1, number(1, 3)) + bytes(1, "");
  std::string tensor_type = bytes(1, number(1, 1) + bytes(2, dims));
  std::string sequence = bytes(4, bytes(1, bytes(5, number(1, 7) + bytes(2, tensor_type))));
  std::string weight = number(2, 1) + bytes(8, "w") + bytes(13, bytes(1, "location") + bytes(2, "weights.bin"));
  std::string graph = bytes(1, "a node") + bytes(2, "half") + bytes(5, weight) +
                      bytes(15, bytes(1, bytes(8, "sparse"))) + bytes(11, bytes(1, "x") + bytes(2, tensor_type)) +
                      bytes(11, bytes(1, "w")) + bytes(12, bytes(1, "y") + bytes(2, sequence));
  folder.write("half", number(1, 10) + bytes(2, "maker") + bytes(7, graph) + bytes(8, number(2, 21)) +
                           bytes(14, bytes(1, "author") + bytes(2, "me")));
}

model::FlatFields tflite_tensor(const std::string& name, std::vector<int32_t> shape, uint32_t buffer = 0) {
  return {{0, model::flat_vector(shape)},
          {1, model::flat_number(int8_t{9})},
          {2, model::flat_number(buffer)},
          {3, model::flat_text(name)},
          {4, model::flat_table({{2, model::flat_vector<float>({0.5F})}, {3, model::flat_vector<int64_t>({-3})}})},
          {7, model::flat_vector<int32_t>(std::vector<int32_t>(shape.size(), -1))}};
}

void write_tflite(const Folder& folder) {
  using namespace tidegate::model;
  auto end = [](const std::string& name, uint32_t tensor) {
    return FlatFields{{0, flat_text(name)}, {1, flat_number(tensor)}};
  };
  FlatFields step = {
      {0, flat_number(uint32_t{0})}, {1, flat_vector<int32_t>({0, 2, -1})}, {2, flat_vector<int32_t>({1})}};
  FlatFields subgraph = {
      {0, flat_tables({tflite_tensor("in", {1, 4}), tflite_tensor("out", {1}), tflite_tensor("weights", {2}, 1)})},
      {1, flat_vector<int32_t>({0})},
      {2, flat_vector<int32_t>({1})},
      {3, flat_tables({step})}};
  FlatFields signature = {
      {0, flat_tables({end("x", 0)})}, {1, flat_tables({end("y", 1)})}, {2, flat_text("serving_default")}};
  FlatFields file = {{0, flat_number(uint32_t{3})},
                     {1, flat_tables({{{0, flat_number(int8_t{32})}, {1, flat_text("Custom")}}})},
                     {2, flat_tables({subgraph})},
                     {3, flat_text("a seed")},
                     {4, flat_tables({{}, {{0, flat_text("12345678")}}})},
                     {6, flat_tables({{{0, flat_text("meta")}, {1, flat_number(uint32_t{1})}}})}};
  folder.write("unsigned", FlatBuilder::build(file, "TFL3"));
  file[7] = flat_tables({signature});
  folder.write("signed", FlatBuilder::build(file, "TFL3"));
}

void write_compressed(const Folder& folder) {
  using tidegate::net::ContentCoding, tidegate::net::compress;
  const std::string text = "a text of which some is repeated, is repeated, is repeated";
  folder.write("gzip", '\0' + compress(ContentCoding::kGzip, text));
  folder.write("gzip-twice", '\0' + compress(ContentCoding::kGzip, text) + compress(ContentCoding::kGzip, text));
  folder.write("deflate", '\1' + compress(ContentCoding::kDeflate, text));
  folder.write("accept", "\1gzip;q=0, deflate;q=0.5, *");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "write_seeds FOLDER\n";
    return 2;
  }
  const fs::path root = argv[1];
  write_tensors(Folder(root / "tfs_tensor"));
  write_tfs_requests(Folder(root / "tfs_grpc"));
  write_oip_requests(Folder(root / "oip_grpc"));
  write_warm_up(Folder(root / "warm_up"));
  write_saved_model(Folder(root / "saved_model"));
  write_onnx(Folder(root / "onnx"));
  write_tflite(Folder(root / "tflite"));
  write_compressed(Folder(root / "content_coding"));
  return 0;
}
