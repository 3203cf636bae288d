// Whole requests to the REST port, both APIs, from the parsed head on:
//   POST /v2/models/echo/infer
//   Inference-Header-Content-Length: 57
//
//   {"inputs": …
#include "base/utf8.h"
#include "fuzz/echo_model.h"
#include "fuzz/fuzzing.h"
#include "net/content_coding.h"
#include "serving-runtime/api/json/json_reader.h"
#include "serving-runtime/server/rest_router.h"

namespace tidegate::fuzz {
namespace {

class ObedientControl : public serving::ModelControl {
 public:
  void load(const std::string&, Done done) override { done(absl::OkStatus()); }
  void unload(const std::string&, Done done) override { done(absl::OkStatus()); }
};

constexpr uint64_t kMostBytes = 64 << 10;  // of a body, decompressed

// One server for all inputs: none may change what the next one sees.
struct World {
  World() { serve_echo(directory); }
  serving::ServableDirectory directory;
  serving::InferenceGate gate{serving::GateLimits{}, [](const serving::InferenceGate::Work& work) { work(); }};
  serving::RequestMetrics metrics;
  base::ManualClock clock;
  ObedientControl control;
  serving::FrontEndContext context{directory, gate, metrics, clock, &control};
  serving::AccessTokens tokens;
  serving::RestRouter router{context, tokens, {kMostBytes, 1}, {"/monitoring"}};
};

net::ServerRequest parse(std::string_view text) {
  net::ServerRequest request;
  std::string_view line = take_until(text, '\n');
  request.method = take_until(line, ' ');
  request.target = line;
  for (line = take_until(text, '\n'); !line.empty(); line = take_until(text, '\n')) {
    std::string_view value = line, name = take_until(value, ':');
    request.headers.emplace_back(name, value.substr(std::min(value.find_first_not_of(' '), value.size())));
  }
  request.body = text;
  return request;
}

bool is_json(std::string_view text) {
  serving::JsonReader reader(text);
  return reader.skip_value() && reader.at_end();
}

// The body as it was before it was compressed for the client, if it was.
std::string plain_body(const net::ServerResponse& response) {
  for (const auto& [name, value] : response.headers) {
    if (name != "Content-Encoding") continue;
    auto body = net::decompress(*net::parse_content_encoding(value), response.body, 16 << 20);
    require(body.ok(), "a compressed answer can be read", body.status().ToString());
    return *std::move(body);
  }
  return response.body;
}

void check(const net::ServerResponse& response) {
  constexpr int kExpected[] = {200, 400, 404, 405, 413, 415, 501, 503, 504};
  require(std::find(std::begin(kExpected), std::end(kExpected), response.status) != std::end(kExpected),
          "bad input is the client's fault", std::to_string(response.status) + " " + response.body);
  const std::string body = plain_body(response);
  size_t json = body.size();
  for (const auto& [name, value] : response.headers) {
    require(name != "x-tidegate-error", "nothing that is sent counts against the model", response.body);
    require(value.find_first_of("\r\n") == std::string::npos, "a header is one line", value);
    if (name == "Inference-Header-Content-Length") json = std::stoul(value);
  }
  require(json <= body.size(), "the JSON is a part of the body");
  if (response.content_type.starts_with("text/plain") || body.empty()) return;
  require(is_json(std::string_view(body).substr(0, json)), "an answer is JSON", body);
  require(response.status == 200 || base::is_utf8(body), "an error is UTF-8", body);
}

}  // namespace
}  // namespace tidegate::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate;
  static fuzz::World world;
  int answers = 0;
  world.router.handle(fuzz::parse(fuzz::as_text(data, size)), net::Responder([&answers](net::ServerResponse response) {
                        ++answers;
                        fuzz::check(response);
                      }));
  fuzz::require(answers == 1, "each request has one answer");
  return 0;
}
