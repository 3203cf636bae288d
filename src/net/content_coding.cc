#include "net/content_coding.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <utility>

#include "base/strings.h"
#include "net/http_server.h"

namespace tidegate::net {
namespace {

constexpr int kGzipWindow = 15 + 16;  // of zlib's windowBits: the largest window, within gzip's frame
constexpr int kZlibWindow = 15;
// What one call of zlib takes and gives; its counters have 32 bits.
constexpr size_t kMostInput = 1u << 30;
constexpr size_t kFirstOutput = 16 << 10;

int window_of(ContentCoding coding) { return coding == ContentCoding::kGzip ? kGzipWindow : kZlibWindow; }

class Inflater {
 public:
  Inflater(ContentCoding coding, std::string_view body) : coding_(coding), rest_(body) {
    if (inflateInit2(&stream_, window_of(coding)) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;

  absl::StatusOr<std::string> run(uint64_t max_bytes) {
    std::string out;
    size_t written = 0;
    while (true) {
      // Only when it is full: a body may be many small members. One byte beyond the limit shows that it is exceeded.
      if (written == out.size()) out.resize(std::min<uint64_t>(std::max(kFirstOutput, written * 2), max_bytes + 1));
      const int result = fill(out, written);
      if (written > max_bytes) {
        return absl::ResourceExhaustedError(base::cat("more than ", max_bytes, " bytes when decompressed"));
      }
      if (result == Z_STREAM_END) {
        if (rest_.empty()) {
          out.resize(written);
          return out;
        }
        if (coding_ != ContentCoding::kGzip) return broken("bytes behind its end");
        inflateReset(&stream_);  // the next member
      } else if (result == Z_BUF_ERROR && rest_.empty()) {
        return broken("cut short");
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return broken(stream_.msg != nullptr ? stream_.msg : "corrupt");
      }
    }
  }

 private:
  // Inflates behind what is written of `out` until that is full, the input is used up or the stream ends.
  int fill(std::string& out, size_t& written) {
    const size_t most = std::min<size_t>(out.size() - written, std::numeric_limits<uInt>::max());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data() + written);
    stream_.avail_out = static_cast<uInt>(most);
    const size_t input = std::min(rest_.size(), kMostInput);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest_.data()));
    stream_.avail_in = static_cast<uInt>(input);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    rest_.remove_prefix(input - stream_.avail_in);
    written += most - stream_.avail_out;
    return result;
  }

  absl::Status broken(std::string_view how) const {
    return absl::InvalidArgumentError(base::cat("no ", name_of(coding_), " stream: ", how));
  }

  const ContentCoding coding_;
  std::string_view rest_;
  z_stream stream_{};
};

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// Takes the part before the first `separator` off.
std::string_view take_until(std::string_view& text, char separator) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(text.size(), end + 1));
  return trimmed(part);
}

// Whether the parameters behind a coding say that it is not wanted: a weight of zero.
bool is_refused(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view parameter = take_until(parameters, ';');
    if (!same_header_name(take_until(parameter, '='), "q")) continue;
    return trimmed(parameter).find_first_not_of("0.") == std::string_view::npos;
  }
  return false;
}

bool is_gzip(std::string_view name) { return same_header_name(name, "gzip") || same_header_name(name, "x-gzip"); }

}  // namespace

std::string_view name_of(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::kGzip:
      return "gzip";
    case ContentCoding::kDeflate:
      return "deflate";
    case ContentCoding::kIdentity:
      break;
  }
  return "identity";
}

absl::StatusOr<ContentCoding> parse_content_encoding(std::string_view header) {
  const std::string_view name = trimmed(header);
  if (name.empty() || same_header_name(name, "identity")) return ContentCoding::kIdentity;
  if (is_gzip(name)) return ContentCoding::kGzip;
  if (same_header_name(name, "deflate")) return ContentCoding::kDeflate;
  return absl::UnimplementedError(base::cat("Content-Encoding '", name, "' is not supported; send gzip or deflate"));
}

ContentCoding accepted_coding(std::string_view accept_encoding) {
  bool gzip = false, gzip_named = false, deflate = false, others = false;
  while (!accept_encoding.empty()) {
    std::string_view entry = take_until(accept_encoding, ',');
    const std::string_view name = take_until(entry, ';');
    const bool wanted = !is_refused(entry);
    if (is_gzip(name)) gzip = wanted, gzip_named = true;
    if (same_header_name(name, "deflate")) deflate = wanted;
    if (name == "*") others = wanted;
  }
  if (gzip || (others && !gzip_named)) return ContentCoding::kGzip;
  return deflate ? ContentCoding::kDeflate : ContentCoding::kIdentity;
}

absl::StatusOr<std::string> decompress(ContentCoding coding, std::string_view body, uint64_t max_bytes) {
  return Inflater(coding, body).run(max_bytes);
}

std::string compress(ContentCoding coding, std::string_view body) {
  z_stream stream{};
  constexpr int kMemory = 8;  // zlib's default
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, window_of(coding), kMemory, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, deflateEnd);
  std::string out(deflateBound(&stream, body.size()), '\0');
  size_t written = 0;
  int result = Z_OK;
  while (result != Z_STREAM_END) {
    const size_t input = std::min(body.size(), kMostInput);
    const size_t room = std::min(out.size() - written, kMostInput);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
    stream.avail_in = static_cast<uInt>(input);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + written);
    stream.avail_out = static_cast<uInt>(room);
    result = deflate(&stream, input == body.size() ? Z_FINISH : Z_NO_FLUSH);
    body.remove_prefix(input - stream.avail_in);
    written += room - stream.avail_out;
  }
  out.resize(written);
  return out;
}

}  // namespace tidegate::net
