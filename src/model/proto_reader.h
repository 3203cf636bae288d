#pragma once
// Reads the protobuf wire format field by field, in place: a SavedModel's graph of hundreds of megabytes is stepped
// over without being copied. Header-only and free of libraries, because backends, which carry other copies of protobuf
// in their process, use it too. Reference: https://protobuf.dev/programming-guides/encoding/
#include <cstdint>
#include <optional>
#include <string_view>

namespace tidegate::model {

class ProtoReader {
 public:
  explicit ProtoReader(std::string_view bytes) : rest_(bytes) {}

  // Moves to the next field; false at the end or when the bytes are malformed (then ok() is false).
  bool next() {
    if (rest_.empty() || !ok_) return false;
    begin_ = rest_.data();
    uint64_t tag = varint();
    field_ = static_cast<uint32_t>(tag >> 3);
    bytes_ = {};
    number_ = 0;
    switch (tag & 7) {
      case 0:
        number_ = varint();
        break;
      case 1:
        number_ = fixed(8);
        break;
      case 2:
        bytes_ = take(varint());
        break;
      case 5:
        number_ = fixed(4);
        break;
      default:
        ok_ = false;
    }
    if (field_ == 0) ok_ = false;  // no field has it; zeros are what a file system puts where data was lost
    return ok_;
  }

  bool ok() const { return ok_; }
  // Where the field that was read last begins, with its tag; of one that was malformed too.
  const char* begin() const { return begin_; }
  uint32_t field() const { return field_; }
  // Varint and fixed-width fields; 0 for others.
  uint64_t number() const { return number_; }
  int64_t signed_number() const { return static_cast<int64_t>(number_); }
  // Length-delimited fields; empty for others. Points into the bytes that are read.
  std::string_view bytes() const { return bytes_; }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (!(byte & 0x80)) return value;
    }
    ok_ = false;
    return 0;
  }
  uint64_t fixed(size_t width) {
    uint64_t value = 0;
    std::string_view raw = take(width);
    for (size_t i = raw.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(raw[i]);
    return value;
  }
  std::string_view take(uint64_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      return {};
    }
    std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  const char* begin_ = rest_.data();
  std::string_view bytes_;
  uint64_t number_ = 0;
  uint32_t field_ = 0;
  bool ok_ = true;
};

}  // namespace tidegate::model
